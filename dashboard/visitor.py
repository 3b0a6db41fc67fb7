"""Who is at the other end of this session, asked anew at each act; and what a page shows to whoever may not see it."""

import getpass
from datetime import UTC, datetime

import streamlit as st

from dashboard.access import Caller, EndedLogins, Login, Role, logged_in, login_of, on_this_machine
from dashboard.admin_token import admin_token
from dashboard.errors import AccessError
from dashboard.login_provider import people_log_in
from dashboard.settings import load_settings
from dashboard.wording import as_markdown

_ENTERED = "visitor_admin_token"
_ended = EndedLogins()


def caller() -> Caller:
    """By the settings, the secrets and the login as they are now.

    Raises SettingsError when one of them is wrong: nobody is let in then.
    """
    settings = load_settings()
    if people_log_in(_secrets_files()):
        if not st.user.is_logged_in:
            return Caller("somebody", None, "Log in first.")
        return logged_in(_login(settings.access.role_claim), settings.access, _ended, datetime.now(UTC))
    token = admin_token(settings.local.home) if settings.web.is_loopback else ""
    return on_this_machine(getpass.getuser(), settings.web, token, st.session_state.get(_ENTERED, ""))


def must_log_in() -> bool:
    """Whether people log in here, and this one has not, or not any more."""
    if not people_log_in(_secrets_files()):
        return False
    return not st.user.is_logged_in or _login("") in _ended


def gate(role: Role, what: str) -> None:
    """Goes on for whoever has the role; shows anybody else what is missing, and ends the page."""
    who = caller()
    try:
        who.require(role, what)
    except AccessError as fault:
        log_in_again = people_log_in(_secrets_files()) and who.role is not None and bool(who.why_not)
        if people_log_in(_secrets_files()) or not load_settings().web.is_loopback:
            st.error(f"{as_markdown(fault.message)} {as_markdown(fault.hint)}", icon=":material/lock:")
        else:
            _ask_for_token(what)
        if log_in_again:
            log_in_button("Log in again")
        st.stop()


def log_in_button(label: str) -> None:
    """Leads to the provider; inside another site's page, where no login can be, it says so."""
    if st.context.is_embedded:
        st.info("Nobody can log in inside another page. Open the dashboard in a tab of its own.", icon=":material/tab:")
    elif st.button(label, type="primary", icon=":material/login:", key="visitor_log_in"):
        st.login()


def show_who() -> None:
    """The foot of the sidebar: who this is, and the way out."""
    who = caller()
    with st.sidebar.container(key="visitor"):
        st.caption(f":material/person: {as_markdown(who.name)} · {who.role.word if who.role else 'no role'}")
        if people_log_in(_secrets_files()):
            if st.button("Log out", icon=":material/logout:", key="visitor_log_out"):
                _log_out()
        elif st.session_state.get(_ENTERED) and st.button("Leave admin", icon=":material/lock:", key="visitor_leave"):
            del st.session_state[_ENTERED]
            st.rerun()


def _ask_for_token(what: str) -> None:
    st.markdown(f"{as_markdown(what)} is for admins. Enter the token that was printed when the dashboard was started.")
    with st.form("visitor_token", border=False, width=420):
        entered = st.text_input("Admin token", type="password", autocomplete="off")
        if st.form_submit_button("Enter", type="primary", icon=":material/lock_open:"):
            # on the server, and compared at each act: a new start of the dashboard ends it
            st.session_state[_ENTERED] = entered.strip()
            if caller().may(Role.ADMIN):
                st.rerun()
            st.error("That is not the token of this dashboard.", icon=":material/error:")
            del st.session_state[_ENTERED]
    st.caption("`sales-trends token` prints it again. It changes with each start of the dashboard.")


def _log_out() -> None:
    """Also for the other tabs, which go on showing the login until they connect anew."""
    _ended.add(_login(""))
    st.logout()


def _login(role_claim: str) -> Login:
    claims = {name: value for name, value in st.user.to_dict().items() if name != "tokens"}
    return login_of(claims, role_claim)


def _secrets_files() -> list[str]:
    return list(st.get_option("secrets.files"))
