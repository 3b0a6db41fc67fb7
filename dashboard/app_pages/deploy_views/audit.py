"""Who changed what on a target, when, and how it ended; filtered, and to take away."""

import csv
import io
import json
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.app_pages.faults import faults_shown
from dashboard.deploy.audit import Act
from dashboard.desks.administration import Administration
from dashboard.wording import no_formula

_SHOWN = 500
_SPANS = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 days": timedelta(days=7), "All": None}
_COLUMNS = [field.name for field in fields(Act)]


@st.fragment
def audit_view(administration: Administration, target: str) -> None:
    with faults_shown():
        acts = administration.acts(visitor.caller(), target)
        if acts:
            _table(administration, target, acts)
        else:
            st.info(
                "Nothing was deployed here yet. Every act on the target appears here with who did it, whether it came "
                "from this page or from a shell.",
                icon=":material/history:",
            )


def _table(administration: Administration, target: str, acts: list[Act]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        span = st.segmented_control("Since", list(_SPANS), default="All", required=True, key="deploy_audit_span")
        people = sorted({act.who for act in acts})
        who = st.selectbox(
            "Who", people, index=None, key=f"deploy_audit_who_{target}", placeholder="Everybody", width=220
        )
        text = st.text_input("Contains", key="deploy_audit_text", placeholder="name, act, result", width=220)
        failed = st.toggle("Only failures", key="deploy_audit_failed")
    found = [act for act in reversed(acts) if _matches(act, _SPANS[span or "All"], who, text, failed=failed)]
    shown = found[:_SHOWN]
    st.caption(
        f"{len(found):,} of {len(acts):,} acts" + (f", the newest {_SHOWN} shown" if len(found) > _SHOWN else "")
    )
    table = pa.table(
        {name: [_cell(act, name) for act in shown] for name in ("at", "who", "what", "thing", "result", "plan")}
    )
    st.dataframe(
        table,
        hide_index=True,
        key="deploy_audit_table",
        height=420,
        column_config={
            "at": st.column_config.TextColumn("when (UTC)"),
            "what": st.column_config.TextColumn("act"),
            "thing": st.column_config.TextColumn("on"),
            "result": st.column_config.TextColumn("result", width="large"),
        },
        alt="Acts on the target, newest first",
    )
    name = f"audit_{target}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with st.container(horizontal=True):
        st.button("Read again", icon=":material/refresh:", key="deploy_audit_again")
        # not made when it is clicked: that happens outside of the session, where nobody can be asked who it is
        st.download_button(
            "Download as CSV", data=_csv(found), file_name=f"{name}.csv", mime="text/csv", on_click="ignore"
        )
        if st.button("Prepare the whole log", key="deploy_audit_whole", help="As JSON, unfiltered; it may be long."):
            whole = [asdict(act) for act in administration.all_acts(visitor.caller(), target)]
            st.download_button(
                f"Download {len(whole):,} acts as JSON",
                data=json.dumps(whole, indent=1),
                file_name=f"{name}.json",
                mime="application/json",
                on_click="ignore",
            )


def _matches(act: Act, span: timedelta | None, who: str | None, text: str, *, failed: bool) -> bool:
    if span is not None and datetime.now(UTC) - datetime.fromisoformat(act.at) > span:
        return False
    if who is not None and act.who != who:
        return False
    if failed and act.result == "ok":
        return False
    return text.casefold() in " ".join((act.what, act.thing, act.result, act.plan, act.who)).casefold()


def _cell(act: Act, name: str) -> str:
    if name == "at":
        return f"{datetime.fromisoformat(act.at):%Y-%m-%d %H:%M:%S}"
    return act.plan[:8] if name == "plan" else str(getattr(act, name))


def _csv(acts: list[Act]) -> str:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, _COLUMNS)
    writer.writeheader()
    writer.writerows({name: no_formula(str(cell)) for name, cell in asdict(act).items()} for act in acts)
    return sink.getvalue()
