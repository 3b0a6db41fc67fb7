"""The whole in one line, why, and what to do; then what else should be known."""

from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.freshness_views.states import state_badge
from dashboard.freshness.overview import Overview
from dashboard.freshness.verdict import State
from dashboard.wording import as_markdown, length, moment

_BOXES = {State.WAITING: st.info, State.LATE: st.warning, State.STALE: st.error, State.UNKNOWN: st.warning}
_ICONS = {
    State.WAITING: ":material/hourglass_empty:",
    State.LATE: ":material/schedule:",
    State.STALE: ":material/error:",
    State.UNKNOWN: ":material/help:",
}


def headline_view(overview: Overview, zone: ZoneInfo, *, is_old: bool) -> None:
    verdict = overview.verdict
    if is_old:
        st.warning(
            f"Nobody has looked for {length(overview.age)}: what follows is how it was. {overview.watcher} has ended; "
            "a dashboard or `sales-trends watch` goes on.",
            icon=":material/visibility_off:",
        )
    as_of = f"**{moment(verdict.as_of, zone, verdict.at)}**" if verdict.as_of else "**not known**"
    behind = f" ({length(verdict.behind)} ago)" if verdict.behind is not None else ""
    st.markdown(
        f"{state_badge(verdict.state)} Data as of {as_of}{behind} · looked {length(overview.age)} ago "
        f"in {overview.readings.took.total_seconds():.1f} s · {zone.key}"
    )
    held = verdict.held_at
    if held is not None and (box := _BOXES.get(verdict.state)):
        late = f", {length(verdict.overdue)} late" if verdict.overdue else ""
        where = "" if verdict.state is State.WAITING else f"Held at **{as_markdown(held.title)}**{late}. "
        box(f"{where}{as_markdown(held.reason)} {as_markdown(held.hint)}".strip(), icon=_ICONS[verdict.state])
    for concern in verdict.concerns:
        if concern.is_done:
            st.warning(as_markdown(concern.sentence), icon=":material/warning:")
        else:
            st.error(as_markdown(concern.sentence), icon=":material/error:")
    told = {concern.sentence for concern in verdict.concerns}
    for note in verdict.notes:
        if note not in told:
            st.caption(as_markdown(note))
