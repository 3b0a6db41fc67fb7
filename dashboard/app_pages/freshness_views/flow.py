"""The way from shop to chart as a row of hops, each with its delay; on a phone they stand one below the other."""

from datetime import timedelta
from itertools import groupby

import streamlit as st

from dashboard.app_pages.freshness_views.states import state_badge
from dashboard.freshness.verdict import Hop, Stage, State, Verdict
from dashboard.wording import as_markdown, length

_TITLES = {
    Stage.INGEST: ("Ingest", "From the event in the shop to its record in Kafka."),
    Stage.QUEUE: ("Queue", "Records that a statement has not read yet, in seconds of waiting."),
    Stage.WATERMARK: ("Watermark", "What a statement has read and holds until it is sure that nothing older comes."),
    Stage.COMMIT: ("Commit", "From the topic to a snapshot of the Iceberg table."),
    Stage.PAGE: ("Page", "From the snapshot to what this dashboard shows."),
}


def flow_view(verdict: Verdict) -> None:
    """Every hop in the order of the flow, grouped by kind."""
    with st.container(key="freshness_flow"), st.grid(3, min_column_width=230):
        for stage, hops in groupby(sorted(verdict.hops, key=_place), key=lambda hop: hop.stage):
            title, about = _TITLES[stage]
            with st.container(border=True):
                st.markdown(f"**{title}**", help=about)
                for hop in hops:
                    _hop(hop, held=verdict.held_at is not None and hop.name == verdict.held_at.name)


def _place(hop: Hop) -> int:
    return list(Stage).index(hop.stage)


def _hop(hop: Hop, *, held: bool) -> None:
    name = hop.name.partition(":")[2] or "revenue_summary"
    waiting = f", {hop.records:,} records" if hop.records else ""
    st.markdown(
        f"{state_badge(hop.state)} **{_delay(hop.delay)}** {as_markdown(name)}{waiting}",
        help=f"Up to {length(hop.normal)} is normal here." + (" It holds up all that follows." if held else ""),
    )
    if hop.reason and hop.state is not State.FRESH:
        st.caption(f"{as_markdown(hop.reason)} {as_markdown(hop.hint)}".strip())


def _delay(delay: timedelta | None) -> str:
    return "unknown" if delay is None else length(delay)
