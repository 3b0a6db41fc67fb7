"""What each run of a page begins with; `web.py` is the entry. Settings are read once a run; pages are shown by role."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard import visitor
from dashboard.access import Caller, Remedy, Role
from dashboard.app_pages.freshness_badge import freshness_badge
from dashboard.errors import SettingsError
from dashboard.settings import load_settings


@dataclass(frozen=True)
class _Listed:
    """A page in the navigation, and who it is for."""

    section: Literal["Sales", "Ops", "Admin"]
    role: Role
    file: str
    title: str
    icon: str
    help: str


_PAGES = (
    _Listed(
        "Sales",
        Role.VIEWER,
        "revenue",
        "Revenue",
        ":material/bar_chart:",
        "How much was sold, window by window, and how new the numbers are.",
    ),
    _Listed(
        "Sales",
        Role.VIEWER,
        "live_orders",
        "Live orders",
        ":material/bolt:",
        "Orders as they are paid, one by one.",
    ),
    _Listed(
        "Sales",
        Role.VIEWER,
        "explore",
        "Explore",
        ":material/manage_search:",
        "The tables behind the numbers, and SQL of your own.",
    ),
    _Listed(
        "Ops",
        Role.OPS,
        "freshness",
        "Freshness",
        ":material/speed:",
        "How late the numbers are, at which hop they are held, and why.",
    ),
    _Listed(
        "Ops",
        Role.OPS,
        "dead_letters",
        "Dead letters",
        ":material/mark_email_unread:",
        "Payments that broke a rule of their contract, and sending them again.",
    ),
    _Listed(
        "Admin",
        Role.ADMIN,
        "contracts",
        "Contracts",
        ":material/contract:",
        "What each topic promises, and what stands on the wire.",
    ),
    _Listed(
        "Admin",
        Role.ADMIN,
        "deploy",
        "Deploy",
        ":material/rocket_launch:",
        "What a deployment would change, and carrying it out.",
    ),
)

# they say in their header how late the numbers are, and where they are held; no docstring, which Streamlit would show
_FRESHNESS_OF_THEIR_OWN = ("Revenue", "Freshness")


def run() -> None:
    st.set_page_config(page_title="Sales Trends", page_icon="📊", layout="wide")
    try:
        st.session_state["settings"] = load_settings()
        who = visitor.caller()
    except SettingsError as error:
        st.error(f"{error.message} {error.hint}", icon=":material/error:")
        st.stop()
    if who.role is None:
        _pages(who)
        _nothing_for(who)
        st.stop()
    page, role = _pages(who)
    if (before := st.session_state.get("page")) != page.title:
        st.session_state["page"], st.session_state["page_before"] = page.title, before
    _foot(who)
    if not who.may(role):
        st.title(page.title, anchor=False)
        visitor.gate(role, page.title)
    if page.title not in _FRESHNESS_OF_THEIR_OWN:
        freshness_badge()
    page.run()


def _pages(who: Caller) -> tuple["st.Page", Role]:
    """The page that is asked for, and who it is for. One that is not shown is still there at its address."""
    sections: dict[str, list[st.Page]] = {}
    roles = {}
    for one in _PAGES:
        # whoever lacks no role but a login, a token or the right address is told so on the page
        shown = who.role is not None and (who.may(one.role) or bool(who.why_not))
        page = st.Page(
            f"app_pages/{one.file}.py",
            title=one.title,
            icon=one.icon,
            help=one.help,
            default=one is _PAGES[0],
            visibility="visible" if shown else "hidden",
        )
        sections.setdefault(one.section, []).append(page)
        roles[page.title] = one.role
    page = st.navigation(sections, position="sidebar" if who.role else "hidden")
    return page, roles[page.title]


def _nothing_for(who: Caller) -> None:
    """All that somebody without a role gets to see."""
    with st.container(width=560):
        st.title("Sales Trends", anchor=False)
        if who.remedy is Remedy.LOG_IN:
            st.markdown("Revenue while it happens, exact to the cent. Log in to see what your role shows.")
            visitor.log_in_button()
            st.stop()
        if who.why_not:
            visitor.gate(Role.VIEWER, "This dashboard")
        st.text(f"You are logged in as {who.shown} ({who.name}).")
        st.warning(
            "You have no role here, so there is nothing to see yet. Ask whoever runs this dashboard for one; tell them "
            "the name above.",
            icon=":material/lock:",
        )
        st.button("Log out", on_click=visitor.log_out)


def _foot(who: Caller) -> None:
    with st.sidebar:
        st.text(f"{who.shown} · {who.role.name.lower() if who.role else 'no role'}")
        if visitor.people_log_in():
            st.button("Log out", on_click=visitor.log_out)
        elif visitor.has_given_token():
            st.button("Leave admin", on_click=visitor.leave_admin)


run()
