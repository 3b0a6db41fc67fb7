"""The SQL of a figure, beside the figure: to read, to copy, and to run on Explore."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.app_pages.explore_views.address import address_of
from dashboard.app_pages.faults import faults_shown
from dashboard.readers.inquiry import Inquiry


def figure_sql(inquiry: Inquiry, *, key: str) -> None:
    """Closed until somebody wants it; then made for this very stretch of time."""
    panel = st.expander("SQL of this figure", key=key, on_change="rerun", icon=":material/code:")
    if not panel.open:
        return
    with panel, faults_shown():
        desk = cached.explore_desk(st.session_state["settings"])
        for part in desk.sql_of(visitor.caller(), inquiry):
            st.code(part, language="sql", height=320)
        st.page_link(
            "app_pages/explore.py",
            label="Run it on Explore",
            icon=":material/manage_search:",
            query_params=address_of(inquiry),
        )
