"""Freshness: how late the numbers are, at which hop they are held and why; each statement, the checks, the past."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.freshness_views.alerts import alerts_view
from dashboard.app_pages.freshness_views.flow import flow_view
from dashboard.app_pages.freshness_views.headline import headline_view
from dashboard.app_pages.freshness_views.past import past_view
from dashboard.app_pages.freshness_views.quality import quality_view
from dashboard.app_pages.freshness_views.statements import statements_view
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.errors import SalesTrendsError

REFRESH_SECONDS = 2


def page() -> None:
    st.title("Freshness", anchor=False)
    board()
    st.subheader("The past", anchor=False)
    with faults_shown():
        past_view(cached.freshness_desk(), reader_zone())
    st.subheader("Alerts", anchor=False)
    with faults_shown():
        alerts_view(cached.freshness_desk(), reader_zone())


@st.fragment(run_every=REFRESH_SECONDS)
def board() -> None:
    who = visitor.gate(Role.OPS, "Freshness")  # the timer runs this alone, without what the app asks first
    desk, zone = cached.freshness_desk(), reader_zone()
    try:
        overview = desk.overview(who)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    if desk.watch.fault is not None:
        show_fault(desk.watch.fault)
    if overview is None:
        st.info(
            "Nobody has looked at the pipeline yet. The dashboard does it every few seconds from its start on; what it "
            "sees appears here. `sales-trends watch` does the same where no dashboard runs.",
            icon=":material/hourglass_empty:",
        )
        return
    headline_view(overview, zone, is_old=desk.watch.is_old(overview))
    flow_view(overview.verdict)
    st.subheader("Statements", anchor=False)
    statements_view(overview.readings, zone)
    st.subheader("Checks of the numbers", anchor=False)
    quality_view(overview.quality, zone)


page()
