"""The records as they come, and what holds them still. The list alone runs by a timer, for each who looks."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.faults import faults_shown
from dashboard.app_pages.live_views.controls import PAUSED, Wanted, clear, cleared_of, undo_clear
from dashboard.app_pages.live_views.listing import Rows, draw
from dashboard.desks.live import Live
from dashboard.errors import SalesTrendsError
from dashboard.readers.matches import Found

ROWS_SECONDS = 0.5


def list_controls(target: str, wanted: Wanted) -> None:
    """Buttons for this visitor's list alone."""
    view = cached.live_desk().look(visitor.caller(), target, wanted.topic).view
    since = cleared_of(view, wanted.topic)
    with st.container(horizontal=True, vertical_alignment="center"):
        if PAUSED in st.session_state:
            st.button("Resume", icon=":material/play_arrow:", shortcut="P", key="live_resume", on_click=_resume)
        else:
            st.button(
                "Pause",
                icon=":material/pause:",
                shortcut="P",
                key="live_pause",
                on_click=_pause,
                args=(target, wanted),
                help="Holds the list still. Records go on to be counted and kept.",
            )
        st.button(
            "Clear",
            icon=":material/clear_all:",
            key="live_clear",
            on_click=_clear,
            args=(target, wanted.topic),
            help="Empties the list and counts from now on, for you alone.",
        )
        if since:
            st.button("Undo clear", icon=":material/undo:", key="live_undo", on_click=undo_clear, args=(since,))


@st.fragment(run_every=ROWS_SECONDS)
def moving_list(target: str, wanted: Wanted) -> None:
    who = visitor.gate(Role.VIEWER, "Live orders")  # the timer runs this alone, without what the app asks first
    desk = cached.live_desk()
    with faults_shown():
        live = desk.look(who, target, wanted.topic)
        found = desk.find(who, target, wanted.topic, wanted.where) if wanted.where else None
        _draw(wanted, live, found)


def _draw(wanted: Wanted, live: Live, found: Found | None) -> None:
    rows = Rows(found.rows if found else live.rows, live.view.began, live.view.newest)
    held: Rows | None = st.session_state.get(PAUSED)
    if held is not None and held.began != live.view.began:
        # those rows are of another counting
        held = st.session_state[PAUSED] = rows
    since = cleared_of(live.view, wanted.topic)
    after = since.newest if since else 0
    shown = [row for number, row in (held or rows).rows if number > after]
    draw(shown, wanted.topic, key="live_rows", told=_told(held, len(shown), found, live))


def _told(held: Rows | None, shown: int, found: Found | None, live: Live) -> str:
    if held is not None:
        came = live.view.newest - held.newest
        return f"Held still; {came:,} {'record has' if came == 1 else 'records have'} come since and are counted."
    if found is None:
        return f"The newest {shown:,}, as they come." if shown else "Rows appear here as records come."
    told = [f"{found.matched:,} of {found.asked:,} records match."]
    if found.is_behind:
        told.append("Still asking about the others.")
    if found.missed:
        told.append(f"{found.missed:,} were gone before they could be asked about: the condition takes too long.")
    if found.unanswered:
        told.append(f"No answer for {found.unanswered:,}: {found.why}.")
    return " ".join(told)


def _pause(target: str, wanted: Wanted) -> None:
    who, desk = visitor.caller(), cached.live_desk()
    try:
        view = desk.look(who, target, wanted.topic).view
        if wanted.where:
            rows = desk.find(who, target, wanted.topic, wanted.where).rows
        else:
            # more than what moves: there is time to read
            rows = desk.kept(who, target, wanted.topic)
    except SalesTrendsError:
        # the list says what is wrong
        return
    st.session_state[PAUSED] = Rows(rows, view.began, view.newest)


def _resume() -> None:
    st.session_state.pop(PAUSED, None)


def _clear(target: str, topic: str) -> None:
    try:
        view = cached.live_desk().look(visitor.caller(), target, topic).view
    except SalesTrendsError:
        return
    clear(view, topic)
