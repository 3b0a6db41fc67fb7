"""Was it late at nine? The states of the last hours, how long windows took, and one moment in full."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.app_pages.freshness_views.states import state_badge
from dashboard.desks.freshness import FreshnessDesk
from dashboard.freshness.charts import describe_latencies, describe_states, latency_lines, state_strip
from dashboard.wording import as_markdown, length, moment

_SPANS = {
    "1 h": (timedelta(hours=1), timedelta(minutes=1)),
    "24 h": (timedelta(days=1), timedelta(minutes=10)),
    "7 d": (timedelta(days=7), timedelta(hours=1)),
    "35 d": (timedelta(days=35), timedelta(hours=6)),
}


def past_view(desk: FreshnessDesk, zone: ZoneInfo) -> None:
    who = visitor.gate(Role.OPS, "The past of freshness")
    chosen = st.segmented_control(
        "Range",
        list(_SPANS),
        default="1 h",
        required=True,
        key="freshness_range",
        bind="query-params",
        label_visibility="collapsed",
    )
    span, step = _SPANS[chosen or "1 h"]
    end = datetime.now(UTC)
    start = end - span
    stretches = desk.past(who, start, end, step)
    if not stretches:
        st.caption("Nothing is kept of this time: nobody looked. What is seen from now on appears here.")
        return
    st.plotly_chart(
        state_strip(stretches, start=start, end=end, step=step, zone=zone),
        key="freshness_states",
        config={"displayModeBar": False},
        alt=describe_states(stretches, zone=zone),
    )
    latencies = desk.latencies(who, start, end, step)
    st.markdown("**From the end of a window to its commit**", help="Half of the windows came within the lower line.")
    if latencies:
        st.plotly_chart(
            latency_lines(latencies, start=start, end=end, zone=zone),
            key="freshness_latencies",
            config={"displayModeBar": False},
            alt=describe_latencies(latencies, zone=zone),
        )
    else:
        st.caption("No window came to the table in this time.")
    _one_moment(desk, zone, end)


def _one_moment(desk: FreshnessDesk, zone: ZoneInfo, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        local = st.datetime_input(
            "How was it at",
            value=None,
            max_value=now.astimezone(zone).replace(tzinfo=None),
            key="freshness_at",
            width=240,
        )
    if local is None:
        return
    at = local.replace(tzinfo=zone).astimezone(UTC)
    verdict = desk.was(visitor.caller(), at)
    if verdict is None:
        st.caption(f"Nobody looked at {moment(at, zone, now)}.")
        return
    held = verdict.held_at
    where = f" Held at **{as_markdown(held.title)}**. {as_markdown(held.reason)}" if held else ""
    behind = f", then {length(verdict.behind)} old" if verdict.behind is not None else ""
    as_of = moment(verdict.as_of, zone, now) if verdict.as_of else "not known"
    st.markdown(f"{state_badge(verdict.state)} at {moment(verdict.at, zone, now)}: data as of {as_of}{behind}.{where}")
