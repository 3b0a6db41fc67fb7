"""What can be taken along from the page or left on it: a link to these very numbers, views by name, notes."""

from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.faults import faults_shown, show_kept_fault
from dashboard.app_pages.revenue_views.link import link_view
from dashboard.app_pages.revenue_views.notes import notes_view
from dashboard.app_pages.revenue_views.saved import saved_view
from dashboard.app_pages.revenue_views.second_click import KEPT
from dashboard.settings import Settings
from dashboard.trends.trend import Trend


def keep_view(trend: Trend, settings: Settings, zone: ZoneInfo) -> None:
    """Each behind its button."""
    show_kept_fault(KEPT)
    with st.container(horizontal=True):
        link = st.popover("Link", key="revenue_link", on_change="rerun", icon=":material/link:")
        views = st.popover("Views", key="revenue_views", on_change="rerun", icon=":material/bookmark:")
        notes = st.popover("Notes", key="revenue_notes", on_change="rerun", icon=":material/sticky_note_2:")
    if link.open:
        with link, faults_shown():
            link_view(trend)
    if views.open:
        with views, faults_shown():
            saved_view(settings)
    if notes.open:
        with notes, faults_shown():
            notes_view(trend, zone)
