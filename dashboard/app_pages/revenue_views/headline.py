"""Is it right and new, until when are the numbers known, and by whose clock; and why not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.errors import ReadError
from dashboard.freshness.verdict import Hop, State
from dashboard.readers.lake_table import Snapshot
from dashboard.settings import Settings
from dashboard.trends.trend import Trend
from dashboard.wording import as_markdown, length, moment

STATUS = "`sales-trends status` tells what runs, `sales-trends up` starts what does not."


def headline(
    trend: Trend | None, snapshot: Snapshot | None, zone: ZoneInfo, week: str, settings: Settings, *, connected: bool
) -> None:
    """`week` is the day that weeks begin on."""
    now = datetime.now(UTC)
    clock = f"{zone.key} · weeks begin on {week.capitalize()}"
    if trend is None:
        st.markdown(clock)
        return
    until = trend.extent.until
    age = now - until
    is_old = age > _old_after(trend.extent.window, settings)
    if len(trend.faults):
        badge = ":red-badge[:material/error: Wrong]"
    elif not connected:
        badge = ":red-badge[:material/cloud_off: Not connected]"
    elif is_old:
        badge = ":orange-badge[:material/schedule: Old]"
    else:
        badge = ":green-badge[:material/check_circle: Up to date]"
    st.markdown(
        f"{badge} Data as of **{moment(until, zone, now)}** ({length(age)} ago) · "
        f"{_saved(trend, snapshot, zone, now)} · {clock}"
    )
    if connected and is_old:
        _why_old(until, zone, now)


def _why_old(until: datetime, zone: ZoneInfo, now: datetime) -> None:
    who, verdict, fault = visitor.caller(), None, ""
    try:
        verdict = cached.freshness_desk().verdict(who)
    except ReadError as error:
        fault = f" {as_markdown(str(error))}" if who.may(Role.OPS) else ""  # it names a file
    since = f"No new window since {moment(until, zone, now)}."
    if verdict is None or verdict.held_at is None:
        st.warning(
            f"{since} Either nothing was sold, or a part of the pipeline stands still: {STATUS}{fault}",
            icon=":material/schedule:",
        )
    elif verdict.state is State.WAITING:
        st.info(f"{since} {as_markdown(_why(verdict.held_at))}", icon=":material/hourglass_empty:")
    else:
        where = as_markdown(verdict.held_at.title)
        st.warning(f"{since} Held at: {where}. {as_markdown(_why(verdict.held_at))}", icon=":material/schedule:")


def _why(held: Hop) -> str:
    return f"{held.reason} {held.hint}".rstrip()


def _saved(trend: Trend, snapshot: Snapshot | None, zone: ZoneInfo, now: datetime) -> str:
    committed = trend.extent.committed_until
    if snapshot is None or committed is None:
        return "nothing saved yet"
    saved = f"saved {moment(snapshot.committed_at, zone, now)}"
    return saved if committed >= trend.extent.until else f"{saved}, up to {moment(committed, zone, now)}"


def _old_after(window: timedelta, settings: Settings) -> timedelta:
    """A window closes a whole window after the one before, then passes watermarks and the commit to the table."""
    return 2 * window + 3 * settings.pipeline.commit_interval + timedelta(minutes=1)
