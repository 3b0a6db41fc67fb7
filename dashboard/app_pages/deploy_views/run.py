"""What is at work on a target now, or ended last: seen in every tab, whoever began it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import streamlit as st

from dashboard import visitor
from dashboard.access import Caller
from dashboard.app_pages.faults import show_fault
from dashboard.errors import SalesTrendsError
from dashboard.runs import Progress, Stage
from dashboard.wording import as_markdown, length

_AT_WORK_SECONDS = 1.0
_IDLE_SECONDS = 3.0
_NEWS_FOR = timedelta(minutes=10)
"""So long an act that has ended is shown; after that the audit log tells of it."""
_SEEN = "deploy_seen_run"
_HIDDEN = "deploy_hidden_run"
_ICONS = {"running": ":material/progress_activity:", "done": ":material/check:", "failed": ":material/close:"}


class Watched(Protocol):
    """Who knows what is at work."""

    def newest_run(self, caller: Caller, target: str) -> Progress | None: ...

    def begun_elsewhere(self, caller: Caller, target: str) -> str: ...


def run_view(administration: Watched, target: str) -> None:
    """Draws itself anew every second or few; when a run begins or ends, the whole page is."""
    run = administration.newest_run(visitor.caller(), target)
    every = _AT_WORK_SECONDS if run is not None and run.at_work else _IDLE_SECONDS
    st.fragment(_looking, run_every=every, key="deploy_run")(administration, target)


def _looking(administration: Watched, target: str) -> None:
    try:
        run = administration.newest_run(visitor.caller(), target)
    except SalesTrendsError:
        # the role has ended: the view below says so
        return
    elsewhere = ""
    if run is None or not run.at_work:
        # out of reach: the view below says so
        with suppress(SalesTrendsError):
            elsewhere = administration.begun_elsewhere(visitor.caller(), target)
    seen = (target, run.began, run.at_work) if run else (target,)
    if st.session_state.get(_SEEN, (target,)) != seen:
        st.session_state[_SEEN] = seen
        st.rerun()
    if run is not None and (run.at_work or (st.session_state.get(_HIDDEN) != run.began and _is_news(run))):
        _progress(run)
    if elsewhere:
        st.info(as_markdown(elsewhere), icon=":material/group:")


def _is_news(run: Progress) -> bool:
    return run.ended is None or datetime.now(UTC) - run.ended < _NEWS_FOR


def _progress(run: Progress) -> None:
    now = datetime.now(UTC)
    took = length((run.ended or now) - run.began)
    about = as_markdown(f"{run.what} on {run.target} by {run.who}")
    if run.at_work:
        title, icon = f"At work for {took}: {about}", ":material/progress_activity:"
    elif run.fault is not None:
        title, icon = f"Failed after {took}: {about}", ":material/error:"
    else:
        title, icon = f"Done in {took}: {about}", ":material/check_circle:"
    with st.expander(title, icon=icon, expanded=run.at_work or run.fault is not None):
        for stage in run.stages:
            st.markdown(_line(stage, now))
        for said in run.said:
            st.markdown(as_markdown(said))
        if run.at_work:
            st.caption("It goes on when this page is closed, and is seen again from any other.")
        if run.fault is not None:
            show_fault(run.fault)
        if not run.at_work:
            st.button("Hide", key="deploy_hide_run", on_click=_hide, args=(run,))


def _hide(run: Progress) -> None:
    st.session_state[_HIDDEN] = run.began


def _line(stage: Stage, now: datetime) -> str:
    took = length((stage.ended or now) - stage.began)
    waits_for = f" · :gray[{as_markdown(stage.waits_for)}]" if stage.waits_for else ""
    return f"{_ICONS[stage.state]} {as_markdown(stage.title)} · {took}{waits_for}"
