"""What runs where: the pipeline as a picture, each part with its state, and what can be done to one of them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.components.pipeline_picture import pipeline_picture
from dashboard.deploy.audit import Act
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.desks.administration import Administration, Look
from dashboard.errors import SalesTrendsError
from dashboard.wording import as_markdown, length

_REFRESH_SECONDS = 4.0
_PART = "deploy_part"
_PICKED = "deploy_picked"
_STATES = {
    "ready": ":green-badge[:material/check_circle: ready]",
    "stopped": ":orange-badge[:material/pause_circle: stopped]",
    "failed": ":red-badge[:material/error: failed]",
    "changing": ":blue-badge[:material/hourglass: changing]",
    "missing": ":red-badge[:material/remove_circle: missing]",
    "orphan": ":orange-badge[:material/help: orphan]",
    "changed": ":orange-badge[:material/difference: changed]",
    "foreign": ":orange-badge[:material/help: not ours]",
}
_SIGNS = {"ready": "✓", "stopped": "‖", "failed": "✗", "changing": "…", "missing": "–"}


@st.fragment(run_every=_REFRESH_SECONDS, key="deploy_resources")
def resources_view(administration: Administration, target: str) -> None:
    with faults_shown():
        look = administration.look(visitor.caller(), target)
        _headline(look)
        picked = pipeline_picture(look.picture, key="deploy_picture")
        ids = [f"{one.kind} {one.name}" for one in look.resources]
        if picked != st.session_state.get(_PICKED):
            st.session_state[_PICKED] = picked
            # a topic that others make has no details
            st.session_state[_PART] = picked if picked in ids else None
        if st.session_state.get(_PART) not in ids:
            # what was looked at is gone
            st.session_state[_PART] = None
        chosen = st.selectbox(
            "Details of",
            ids,
            index=None,
            key=_PART,
            placeholder="Choose a part, or click on it in the picture",
            label_visibility="collapsed",
        )
        for one in look.resources:
            if f"{one.kind} {one.name}" == chosen:
                _details(administration, target, one, administration.acts(visitor.caller(), target))
        _table(look.resources)
        _app(administration, target)


def _headline(look: Look) -> None:
    troubled = [one for one in look.resources if one.state != "ready"]
    if not troubled:
        st.markdown(f":green-badge[:material/check_circle: All {len(look.resources)} parts are ready]")
        return
    if all(one.state == "missing" for one in look.resources):
        st.info("Nothing is deployed here yet. Make a plan, look at it, and apply it.", icon=":material/rocket_launch:")
        return
    named = ", ".join(f"`{one.name}` is {one.state}" for one in troubled[:3])
    more = f", and {len(troubled) - 3} more" if len(troubled) > 3 else ""
    st.markdown(f":orange-badge[:material/error: {len(troubled)} of {len(look.resources)}] {named}{more}")


def _details(administration: Administration, target: str, one: ResourceStatus, acts: list[Act]) -> None:
    with st.container(border=True):
        st.markdown(f"**{one.kind}** `{one.name}` {_STATES.get(one.state, as_markdown(one.state))}")
        if one.detail:
            st.markdown(as_markdown(one.detail))
        _actions(administration, target, one)
        made = next(
            (act for act in reversed(acts) if act.thing == f"{one.kind} {one.name}" and act.what == "make"), None
        )
        facts = {
            "Phase": one.phase,
            "Version": one.version,
            "Age": length(datetime.now(UTC) - one.since) if one.since else "",
            "Records to read": "" if one.behind is None else f"{one.behind:,}",
            "Last made by": f"{made.who}, {made.at[:19].replace('T', ' ')} UTC" if made else "",
        }
        st.markdown("  \n".join(f":gray[{name}] {as_markdown(fact)}" for name, fact in facts.items() if fact))
        if any(one.offsets.values()):
            with st.expander("Offsets"):
                st.dataframe(_offsets(one), hide_index=True, key="deploy_offsets")
        if one.text:
            with st.expander("What it is made of"):
                st.code(one.text, language="sql" if one.kind in ("statement", "topic") else "json")


def _offsets(one: ResourceStatus) -> pa.Table:
    rows = [(topic, partition, next_) for topic, offsets in one.offsets.items() for partition, next_ in offsets.items()]
    return pa.table(dict(zip(("topic", "partition", "next record"), zip(*rows, strict=True), strict=True)))


def _actions(administration: Administration, target: str, one: ResourceStatus) -> None:
    name = administration.statement_of(visitor.caller(), target, one.kind, one.name)
    if not name:
        return
    if one.state == "ready" and one.phase == "RUNNING":
        with st.popover("Stop", icon=":material/pause:", key=f"deploy_stop_asked_{name}"):
            st.markdown(
                f"Stop `{name}`? It keeps what it knows and goes on from there when it is resumed. Until then nothing "
                "new comes out of it."
            )
            if st.button("Stop it", type="primary", key=f"deploy_stop_{name}"):
                _begun(lambda: administration.stop(visitor.caller(), target, name))
    elif one.state == "stopped" and st.button(
        "Resume", icon=":material/play_arrow:", type="primary", key=f"deploy_resume_{name}"
    ):
        _begun(lambda: administration.resume(visitor.caller(), target, name))


def _begun(begin: Callable[[], object]) -> None:
    try:
        begin()
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    st.rerun(scope="app")


def _table(resources: list[ResourceStatus]) -> None:
    now = datetime.now(UTC)
    st.dataframe(
        pa.table(
            {
                "part": [f"{_SIGNS.get(one.state, '?')} {one.name}" for one in resources],
                "kind": [one.kind for one in resources],
                "state": [one.state for one in resources],
                "phase": [one.phase for one in resources],
                "version": [one.version for one in resources],
                "age": [length(now - one.since) if one.since else "" for one in resources],
                "to read": ["" if one.behind is None else f"{one.behind:,}" for one in resources],
                "detail": [one.detail for one in resources],
            }
        ),
        hide_index=True,
        key="deploy_resources_table",
        height="content",
        column_config={
            # as wide as RUNNING: the browser measures the first rows, where there is none
            "phase": st.column_config.TextColumn(width=96),
            "to read": st.column_config.TextColumn(alignment="right"),
            "detail": st.column_config.TextColumn(width="large"),
        },
        alt="Every part of the pipeline with its state",
    )


def _app(administration: Administration, target: str) -> None:
    command = administration.restart_command(visitor.caller(), target)
    with st.expander("Payment app", icon=":material/storefront:"):
        st.markdown("It reads its contract when it starts. Restart it after a contract has changed.")
        if command:
            st.code(command, language="bash")
        if st.button("Restart the payment app", icon=":material/restart_alt:", key="deploy_restart_app"):
            _begun(lambda: administration.restart_app(visitor.caller(), target))
