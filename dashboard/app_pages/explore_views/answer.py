"""What a statement came to: how far it is, the rows, what they stand on, and taking them away."""

from datetime import UTC, datetime

import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.app_pages.explore_views.numbers import number_columns
from dashboard.app_pages.faults import show_fault
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.desks.explore import ExploreDesk
from dashboard.errors import SalesTrendsError
from dashboard.sandbox.limits import TIME
from dashboard.sandbox.process import Found
from dashboard.shown_rows import answer_as_csv, answer_as_parquet
from dashboard.statements import Statement
from dashboard.wording import counted, moment

_AT_WORK_SECONDS = 0.5


def answer_view(desk: ExploreDesk, name: str) -> None:
    statement = _watched(desk, name)
    if statement is not None:
        st.fragment(_view, run_every=None if statement.is_done else _AT_WORK_SECONDS)(desk, name)


def _watched(desk: ExploreDesk, name: str) -> Statement | None:
    try:
        return desk.watch(visitor.caller(), name)
    except SalesTrendsError as fault:
        show_fault(fault)
        return None


def _view(desk: ExploreDesk, name: str) -> None:
    visitor.gate(Role.VIEWER, "Explore")  # the timer runs this alone
    statement = _watched(desk, name)
    if statement is None:
        return
    if not statement.is_done:
        with st.container(horizontal=True, vertical_alignment="center"):
            share = min(statement.ran / TIME, 1.0)
            seconds = statement.ran.total_seconds()
            st.progress(share, f"Runs on {statement.engine} for {seconds:.0f} s", width="stretch")
            st.button("Cancel", icon=":material/close:", key="explore_cancel", on_click=_cancel, args=(desk, name))
        return
    try:
        found = statement.found()
    except SalesTrendsError as fault:
        show_fault(fault)
    else:
        _rows(found, name)
    if st.session_state.get("explore_done") != name:
        # once more without the timer
        st.session_state["explore_done"] = name
        st.rerun(scope="app")


def _rows(found: Found, name: str) -> None:
    st.caption(_told(found))
    if found.is_cut:
        st.warning(
            f"These are the first {len(found.rows):,} rows; there are more. Add a condition, sum up, or ask for more.",
            icon=":material/content_cut:",
        )
    if not found.rows.num_columns:
        return
    if not len(found.rows):
        st.info("The statement found no row.", icon=":material/search_off:")
        return
    st.dataframe(
        found.rows,
        hide_index=True,
        key=f"explore_answer_{name}",
        column_config=number_columns(found.rows),
        alt="What the statement found",
    )
    began = f"explore_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with st.container(horizontal=True):
        # not made when it is clicked: that happens outside of the session, where nobody can be asked who it is
        st.download_button(
            "Download as CSV",
            data=answer_as_csv(found.rows),
            file_name=f"{began}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Download as Parquet",
            data=answer_as_parquet(found.rows),
            file_name=f"{began}.parquet",
            mime="application/vnd.apache.parquet",
            on_click="ignore",
            icon=":material/download:",
        )


def _told(found: Found) -> str:
    zone, now = reader_zone(), datetime.now(UTC)
    count = len(found.rows)
    told = [counted(count, "row"), found.engine, f"{found.took_seconds:.1f} s"]
    if found.scanned_bytes is not None:
        told.append(f"{found.scanned_bytes:,} bytes scanned")
    told += [
        f"`{table}` as committed {moment(one.committed_at, zone, now)}, snapshot {one.id}"
        for table, one in found.snapshots.items()
    ]
    return " · ".join(told)


def _cancel(desk: ExploreDesk, name: str) -> None:
    try:
        desk.cancel(visitor.caller(), name)
    except SalesTrendsError:
        # the answer's place says what is wrong
        return
