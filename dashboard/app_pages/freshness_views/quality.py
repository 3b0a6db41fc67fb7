"""What must hold of the numbers, and how it turned out the last time it was asked."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.freshness_views.states import OUTCOMES
from dashboard.freshness.quality import QualityResult
from dashboard.wording import as_markdown, length, moment


def quality_view(results: tuple[QualityResult, ...], zone: ZoneInfo) -> None:
    if not results:
        st.caption("Nothing was asked yet. Each check runs every few minutes, the first one soon after the start.")
        return
    now = datetime.now(UTC)
    for one in results:
        with st.container(border=True):
            st.markdown(f"{OUTCOMES[one.outcome]} **{as_markdown(one.title)}**")
            st.markdown(as_markdown(one.told))
            st.caption(f"Asked {moment(one.ran_at, zone, now)}, {length(now - one.ran_at)} ago, in {length(one.took)}.")
