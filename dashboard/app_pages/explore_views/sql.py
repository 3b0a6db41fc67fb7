"""SQL of the reader's own, or of one of the questions; run in time, cancelled, and its answer to take away."""

from datetime import UTC, datetime

import streamlit as st

from dashboard import visitor
from dashboard.app_pages.explore_views.address import BUCKET, END, QUESTION, START, ZONE, inquiry_of
from dashboard.app_pages.explore_views.answer import answer_view
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.desks.explore import ATHENA, ExploreDesk
from dashboard.errors import SalesTrendsError
from dashboard.readers.lake import REVENUE_TABLE
from dashboard.readers.questions import asks, question_names
from dashboard.sandbox.limits import LONGEST_TEXT, MOST_ROWS, ROWS, TIME
from dashboard.wording import as_markdown

_TEXT, _FILLED, _PARTS = "explore_sql", "explore_filled", "explore_parts"
_STATEMENT = "explore_statement"
_FIRST = f"SELECT * FROM {REVENUE_TABLE} ORDER BY window_start DESC;"  # noqa: S608  # of names of our own
_ROW_CHOICES = [100, ROWS, MOST_ROWS]


def sql_view(desk: ExploreDesk) -> None:
    question = st.selectbox(
        "Start from a question",
        question_names(),
        index=None,
        key=QUESTION,
        bind="query-params",
        placeholder="Your own SQL",
        width=320,
    )
    with faults_shown():
        _fill(desk, question)
    if question:
        st.caption(f"{as_markdown(asks(question).capitalize())}. What you change here changes no figure elsewhere.")
    text = st.text_area(
        "SQL that only reads",
        key=_TEXT,
        height=260,
        max_chars=LONGEST_TEXT,
        persist_state="session",
        help="One SELECT, or SHOW TABLES, DESCRIBE and SUMMARIZE. A table whose name has dots stands in double quotes. "
        "Times are UTC. You see the columns that your role shows.",
    )
    engines = desk.engines(visitor.caller())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        engine = engines[0]
        if len(engines) > 1:
            engine = st.selectbox(
                "Engine",
                engines,
                key="explore_engine",
                bind="query-params",
                width=140,
                help="Athena is paid by what a statement scans, at least 10 MB; DuckDB reads the tables from here.",
            )
        rows = st.selectbox("Rows at most", _ROW_CHOICES, 1, key="explore_rows", format_func="{:,}".format, width=140)
        if st.button("Run", type="primary", icon=":material/play_arrow:", key="explore_run"):
            _begin(desk, text or "", engine, rows)
    if _STATEMENT in st.session_state:
        answer_view(desk, st.session_state[_STATEMENT])
    else:
        st.caption(
            f"The answer appears here, within {TIME.total_seconds():g} s or not at all."
            + (" What Athena scanned is told with it." if engine == ATHENA else "")
        )


def _begin(desk: ExploreDesk, text: str, engine: str, rows: int) -> None:
    try:
        # one that runs stays there to be cancelled, where another is refused
        st.session_state[_STATEMENT] = desk.begin(visitor.caller(), text, engine, rows)
    except SalesTrendsError as fault:
        show_fault(fault)


def _fill(desk: ExploreDesk, question: str | None) -> None:
    """The text of a question that was just chosen, or that the address names; what somebody wrote stays otherwise."""
    address = {name: st.query_params[name] for name in (START, END, ZONE, BUCKET) if name in st.query_params}
    wanted = (question, tuple(address.items()))
    if st.session_state.get(_FILLED) != wanted:
        parts = [_FIRST]
        if question:
            window = st.session_state["settings"].pipeline.window_size
            inquiry = inquiry_of(question, address, reader_zone(), datetime.now(UTC), window)
            parts = desk.sql_of(visitor.caller(), inquiry)
        elif st.session_state.get(_TEXT):
            parts = [st.session_state[_TEXT]]
        st.session_state[_FILLED], st.session_state[_PARTS] = wanted, parts
        st.session_state[_TEXT] = parts[0]
    parts = st.session_state[_PARTS]
    if len(parts) > 1:
        st.info(
            f"The zone's clock changes so often in this stretch that the figure comes from {len(parts)} statements.",
            icon=":material/schedule:",
        )
        numbers = list(range(1, len(parts) + 1))
        st.segmented_control("Statement", numbers, default=1, key="explore_statement_part", on_change=_take_part)


def _take_part() -> None:
    number = st.session_state.get("explore_statement_part") or 1
    st.session_state[_TEXT] = st.session_state[_PARTS][number - 1]
