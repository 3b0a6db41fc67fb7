"""What somebody wants to see of which topic; kept in the page's address, but for what they have paused or cleared."""

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from dashboard import visitor
from dashboard.desks.live import ORDERS, LiveDesk
from dashboard.readers.condition import EXAMPLE, LONGEST, NAMES
from dashboard.readers.order_counts import Sums
from dashboard.readers.tail import TailView

LIVE, LAST, SINCE, OFFSET = "Live", "Last", "From a time", "From an offset"
PAUSED, _CLEARED = "live_paused", "live_cleared"


@dataclass(frozen=True)
class Wanted:
    """What the controls say."""

    topic: str
    where: str
    """A condition, which may be wrong; empty for all."""
    show: str
    """LIVE, or the way to look back."""


@dataclass(frozen=True)
class Cleared:
    """What had come when somebody came, or cleared the list: it is neither shown nor counted for them."""

    topic: str
    began: datetime
    """When the counting had begun; of another counting nothing is cleared."""
    newest: int
    sums: Sums
    at: datetime
    """UTC."""
    before: "Cleared | None"
    """What clearing took the place of, to undo it."""


def controls(desk: LiveDesk, target: str) -> Wanted:
    """One row of them, and a second one on a narrow screen."""
    topics = desk.topics(visitor.caller())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        topic = ORDERS
        if len(topics) > 1:
            topic = st.selectbox("Topic", topics, key="live_topic", bind="query-params", width=240)
        show = st.segmented_control(
            "Show", [LIVE, LAST, SINCE, OFFSET], default=LIVE, required=True, key="live_show", bind="query-params"
        )
    where = st.text_input(
        "Only those with",
        key="live_where",
        bind="query-params",
        max_chars=LONGEST,
        placeholder=EXAMPLE,
        help=f"A condition in CEL on {', '.join(f'`{name}`' for name in NAMES)}; `value` holds the record's fields: "
        f"`{EXAMPLE}`. What is counted above the list stays all.",
    )
    place = f"{target} {topic}"
    if st.session_state.get("live_place") != place:
        for name in (PAUSED, _CLEARED, "live_record", "live_seek"):
            st.session_state.pop(name, None)
        st.session_state["live_place"] = place
    return Wanted(topic, where.strip(), show or LIVE)


def cleared_of(view: TailView, topic: str) -> Cleared | None:
    """What this visitor has cleared of this very counting."""
    since: Cleared | None = st.session_state.get(_CLEARED)
    return since if since and (since.topic, since.began) == (topic, view.began) else None


def clear(view: TailView, topic: str) -> None:
    """From now on nothing that came is shown or counted for this visitor."""
    before = cleared_of(view, topic)
    st.session_state[_CLEARED] = Cleared(topic, view.began, view.newest, view.sums, datetime.now(UTC), before)


def undo_clear(since: Cleared) -> None:
    st.session_state[_CLEARED] = since.before
