"""Looking back: from where, how far it is, and what was found."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.faults import show_fault
from dashboard.app_pages.live_views.controls import LAST, SINCE, Wanted
from dashboard.app_pages.live_views.listing import draw
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.errors import SalesTrendsError
from dashboard.readers.seek import MOST_READ, MOST_ROWS, FromOffset, Last, SeekProgress, Since, Start
from dashboard.wording import as_markdown

_SEEK = "live_seek"
_AT_WORK_SECONDS = 0.5
_LARGEST_IN_BROWSER = 2**53 - 1


def sought_view(target: str, wanted: Wanted) -> None:
    desk = cached.live_desk()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = _start(wanted.show)
        read = st.button("Look back", type="primary", icon=":material/history:", key="live_look_back")
    if read:
        try:
            name = desk.seek(visitor.caller(), target, wanted.topic, start, wanted.where)
        except SalesTrendsError as fault:
            show_fault(fault)
            return
        st.session_state[_SEEK] = (name, start, wanted)
    begun = st.session_state.get(_SEEK)
    if begun is None or (begun[2].show, begun[2].topic) != (wanted.show, wanted.topic):
        st.caption(f"What is found appears here: at most {MOST_ROWS} records, out of {MOST_READ:,} that are read.")
        return
    at_work = not _progress(begun[0]).is_done
    st.fragment(_found, run_every=_AT_WORK_SECONDS if at_work else None)(*begun)


def _start(show: str) -> Start:
    if show == LAST:
        count = st.number_input("How many", 1, MOST_ROWS, 100, key="live_last", bind="query-params", width=160)
        return Last(int(count))
    if show == SINCE:
        zone = reader_zone()
        now = datetime.now(zone).replace(tzinfo=None, microsecond=0)
        at = st.datetime_input(
            f"From ({zone.key})",
            now - timedelta(minutes=10),
            key="live_from",
            step=timedelta(minutes=1),
            max_value=now + timedelta(days=1),
            width=260,
        )
        return Since((at or now).replace(tzinfo=zone).astimezone(UTC))
    partition = st.number_input("Partition", 0, 2**31 - 1, 0, key="live_partition", bind="query-params", width=130)
    offset = st.number_input("Offset", 0, _LARGEST_IN_BROWSER, 0, key="live_offset", bind="query-params", width=180)
    return FromOffset(int(partition), int(offset))


def _progress(name: str) -> SeekProgress:
    try:
        return cached.live_desk().sought(visitor.caller(), name)
    except SalesTrendsError as fault:
        return SeekProgress(is_done=True, fault=fault)


def _found(name: str, start: Start, wanted: Wanted) -> None:
    visitor.gate(Role.VIEWER, "Live orders")  # the timer runs this alone
    progress = _progress(name)
    if progress.fault:
        show_fault(progress.fault)
        return
    if not progress.is_done:
        with st.container(horizontal=True, vertical_alignment="center"):
            share = min(progress.read / progress.to_read, 1.0) if progress.to_read else 0.0
            st.progress(share, f"{progress.read:,} records read, {len(progress.rows):,} found", width="stretch")
            st.button("Cancel", icon=":material/close:", key="live_cancel", on_click=_cancel, args=(name,))
    else:
        st.caption(_told(progress, wanted.where))
    if progress.rows:
        draw(progress.rows, wanted.topic, key="live_sought")
    if progress.is_done and st.session_state.get("live_sought_done") != name:
        # once more without the timer
        st.session_state["live_sought_done"] = name
        st.rerun(scope="app")


def _told(progress: SeekProgress, where: str) -> str:
    told = [f"{len(progress.rows):,} records found, {progress.read:,} read."]
    if progress.is_cancelled:
        told.append("Cancelled before all was read.")
    elif not progress.is_complete:
        told.append("There are more; begin later, or ask for fewer.")
    if progress.unanswered:
        told.append(f"The condition had no answer for {progress.unanswered:,}: {as_markdown(progress.why)}.")
    if not progress.rows and not where:
        told.append("Nothing was written there.")
    return " ".join(told)


def _cancel(name: str) -> None:
    try:
        cached.live_desk().cancel(visitor.caller(), name)
    except SalesTrendsError:
        # the list says what is wrong
        return
