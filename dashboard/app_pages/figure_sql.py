"""The SQL of figures, beside the figures: to read, to copy, and to run on Explore."""

from collections.abc import Callable, Iterable

import streamlit as st

from dashboard import cached, visitor
from dashboard.app_pages.explore_views.address import address_of
from dashboard.app_pages.faults import faults_shown
from dashboard.readers.inquiry import Inquiry
from dashboard.wording import as_markdown


def figure_sql(figures: Callable[[], Iterable[tuple[str, Inquiry]]], *, key: str) -> None:
    """Closed until somebody wants it; then made for this very stretch of time, of each figure below its name."""
    panel = st.expander("SQL of each figure", key=key, on_change="rerun", icon=":material/code:")
    if not panel.open:
        return
    with panel:
        desk = cached.explore_desk(st.session_state["settings"])
        for name, inquiry in figures():
            st.markdown(f"**{as_markdown(name)}**")
            with faults_shown():
                for part in desk.sql_of(visitor.caller(), inquiry):
                    st.code(part, language="sql", height=320)
                st.page_link(
                    "app_pages/explore.py",
                    label="Run it on Explore",
                    icon=":material/manage_search:",
                    query_params=address_of(inquiry),
                )
