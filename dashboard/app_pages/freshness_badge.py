"""How late the numbers are, in one line above every page, and where they are held."""

from datetime import UTC, datetime

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.freshness_views.states import state_badge
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.errors import SalesTrendsError
from dashboard.freshness.verdict import State
from dashboard.wording import as_markdown, length, moment

_REFRESH_SECONDS = 5
_UNKNOWN = "Data age unknown"


@st.fragment(run_every=_REFRESH_SECONDS)
def freshness_badge() -> None:
    """Ages while it is looked at; nothing where it cannot be told who looks.

    Faults name files, so they are for ops alone.
    """
    sees_fault = False
    try:
        who = visitor.caller()
        if who.role is None:
            return
        sees_fault = who.may(Role.OPS)
        verdict = cached.freshness_desk().verdict(who)
    except SalesTrendsError as fault:
        st.caption(f"{state_badge(State.UNKNOWN)} {as_markdown(fault.message) if sees_fault else _UNKNOWN}")
        return
    if verdict is None:
        st.caption(f"{state_badge(State.UNKNOWN)} {_UNKNOWN}: nobody looks at the pipeline")
        return
    now = datetime.now(UTC)
    if verdict.as_of is None:
        as_of = "No window has reached the table yet"
    else:
        as_of = f"Data as of {moment(verdict.as_of, reader_zone(), now)} ({length(now - verdict.as_of)} ago)"
    held = verdict.held_at
    where = f" · held at: {as_markdown(held.title)}" if held and verdict.state is not State.WAITING else ""
    st.caption(
        f"{state_badge(verdict.state)} {as_of}{where}", help=as_markdown(held.reason) if held and held.reason else None
    )
