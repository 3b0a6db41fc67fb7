"""Which alerts are open, and quieting them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.app_pages.faults import faults_kept, show_kept_fault
from dashboard.desks.freshness import FreshnessDesk
from dashboard.freshness.alert_store import EVERYTHING
from dashboard.wording import as_markdown, length, moment

_PLACE = "alerts"
_LENGTHS = {
    "30 min": timedelta(minutes=30),
    "2 h": timedelta(hours=2),
    "8 h": timedelta(hours=8),
    "3 days": timedelta(days=3),
}


def alerts_view(desk: FreshnessDesk, zone: ZoneInfo) -> None:
    who = visitor.gate(Role.OPS, "Alerts")
    found, now = desk.alerts(who), datetime.now(UTC)
    if not found.open:
        st.caption("No alert is open.")
    for one in found.open:
        st.markdown(
            f":orange-badge[:material/notifications_active: {as_markdown(one.subject)}] since "
            f"{moment(one.since, zone, now)} ({length(now - one.since)}): {as_markdown(one.sentence)} "
            f"{as_markdown(one.hint)}"
        )
        told = [as_markdown(delivery.sentence(lambda at: moment(at, zone, now))) for delivery in one.deliveries]
        st.caption("  \n".join(told) or "Nobody was told.")
    for snooze in found.snoozes:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":gray-badge[:material/notifications_paused: {as_markdown(snooze.subject)}] quiet until "
                f"{moment(snooze.until, zone, now)}, by {as_markdown(snooze.who)}",
                width="content",
            )
            st.button("Wake", key=f"freshness_wake_{snooze.subject}", on_click=_wake, args=(desk, snooze.subject))
    if found.waiting:
        st.warning(
            f"{found.waiting:,} messages wait to be told. {as_markdown(' '.join(found.faults))}".strip(),
            icon=":material/mark_email_unread:",
        )
    show_kept_fault(_PLACE)
    with st.popover(
        "Snooze", icon=":material/notifications_paused:", key="freshness_snooze", on_change="rerun"
    ) as open_:
        if open_.open:
            _snooze_form(desk, [one.subject for one in found.open])


def _snooze_form(desk: FreshnessDesk, subjects: list[str]) -> None:
    subject = st.selectbox("Alerts about", [*subjects, EVERYTHING], key="freshness_snooze_subject")
    chosen = st.segmented_control("For", list(_LENGTHS), default="2 h", required=True, key="freshness_snooze_for")
    st.button(
        "Snooze", key="freshness_snooze_now", type="primary", on_click=_snooze, args=(desk, subject, chosen or "2 h")
    )


def _snooze(desk: FreshnessDesk, subject: str, chosen: str) -> None:
    with faults_kept(_PLACE):
        desk.snooze(visitor.caller(), subject, datetime.now(UTC) + _LENGTHS[chosen])


def _wake(desk: FreshnessDesk, subject: str) -> None:
    with faults_kept(_PLACE):
        desk.wake(visitor.caller(), subject)
