"""The pipeline's own checks: each with its SQL, run when somebody asks."""

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.app_pages.faults import show_fault
from dashboard.deploy.checks import CheckResult
from dashboard.desks.administration import Administration
from dashboard.errors import SalesTrendsError

_ABOUT = {
    "duplicates-in-payments": (
        "Duplicates in payments",
        "The payment app sends some payments more than once, so rows are expected here.",
    ),
    "duplicates-in-unique-payments": (
        "None in unique_payments",
        "How often each order's payment stands after deduplication: `times` is 1 in every row.",
    ),
    "payments-counted-twice": (
        "No payment is counted twice",
        "Orders whose payment stands in unique_payments more than once: there must be none.",
    ),
    "revenue-summary-preview": ("Preview of revenue_summary", "The first windows of the revenue table."),
}
_ANSWERS = "deploy_check_answers"


def checks_view(administration: Administration, target: str) -> None:
    st.caption("Each reads the topics from their first to their newest record, which takes some seconds.")
    for name, text in administration.checks(visitor.caller(), target).items():
        title, about = _ABOUT.get(name, (name, ""))
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.markdown(f"**{title}**")
                asked = st.button("Run", key=f"deploy_check_{name}", icon=":material/play_arrow:")
            st.caption(about)
            st.code(text, language="sql")
            if asked:
                _ask(administration, target, name)
            if (answer := st.session_state.get(_ANSWERS, {}).get((target, name))) is not None:
                _show(name, answer)


def _ask(administration: Administration, target: str, name: str) -> None:
    with st.spinner("Flink reads the topics", show_time=True):
        try:
            answer: CheckResult | SalesTrendsError = administration.check(visitor.caller(), target, name)
        except SalesTrendsError as fault:
            answer = fault
    st.session_state.setdefault(_ANSWERS, {})[(target, name)] = answer


def _show(name: str, answer: CheckResult | SalesTrendsError) -> None:
    if isinstance(answer, SalesTrendsError):
        show_fault(answer)
        return
    count = f"the first {len(answer.rows):,} rows" if answer.more else f"{len(answer.rows):,} rows"
    st.markdown(":gray[No rows.]" if not answer.rows else f":gray[{count}]")
    if answer.rows:
        columns = list(zip(*answer.rows, strict=True))
        # as text: amounts are exact, and times are in UTC as Flink writes them
        table = pa.table(
            {name: [str(cell) for cell in column] for name, column in zip(answer.columns, columns, strict=True)}
        )
        st.dataframe(
            table, hide_index=True, height="content" if len(answer.rows) < 8 else 300, key=f"deploy_rows_{name}"
        )
