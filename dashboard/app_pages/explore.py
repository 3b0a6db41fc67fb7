"""Explore: the tables behind the numbers, and SQL of the reader's own."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.explore_views.address import SHOW, SQL, TABLES
from dashboard.app_pages.explore_views.sql import sql_view
from dashboard.app_pages.explore_views.tables import tables_view
from dashboard.app_pages.faults import faults_shown


def page() -> None:
    st.title("Explore", anchor=False)
    visitor.gate(Role.VIEWER, "Explore")
    desk = cached.explore_desk(st.session_state["settings"])
    show = st.segmented_control(
        "Show",
        [TABLES, SQL],
        default=TABLES,
        required=True,
        key=SHOW,
        bind="query-params",
        label_visibility="collapsed",
    )
    with faults_shown():
        if show == SQL:
            sql_view(desk)
        else:
            tables_view(desk)


page()
