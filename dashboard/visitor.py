"""Whoever looks at the page: who they are, what they may do now, and what to show them when that is not enough.

Ask `caller()` at every act, not only where a page is drawn: a tab stands open for days.
"""

import getpass
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import access, admin_token
from dashboard.access import Caller, EndedLogins, Remedy, Role
from dashboard.current_settings import current_settings
from dashboard.errors import AccessError, SettingsError
from dashboard.login_provider import LoginProvider, login_provider

_GIVEN_TOKEN = "given_admin_token"  # noqa: S105  # the name of its place in the session, never of a widget
# Not in Streamlit's caches, which every visitor may clear.
_ended = EndedLogins()
_had_provider = threading.Event()


def caller() -> Caller:
    """Who acts now, by settings, login and token as they are now; raises SettingsError when settings are wrong."""
    settings = current_settings()
    provider = _provider()
    if provider.fault:
        return access.nobody(provider.fault, Remedy.CONFIGURE)
    if not provider.configured:
        given = st.session_state.get(_GIVEN_TOKEN)
        address = st.get_option("server.address")
        return access.local_caller(
            _local_name(),
            address,
            token_given=isinstance(given, str) and admin_token.is_current(settings.local.home, given),
        )
    claims = _claims()
    if claims is None:
        return access.nobody()
    login = access.read_login(claims, settings.access.role_claim)
    return access.caller_of_login(login, settings.access, _ended, datetime.now(UTC))


def gate(role: Role, what: str) -> Caller:
    """Goes on for whoever has this role; for others shows what they lack, and ends this run."""
    try:
        who = caller()
        who.require(role, what)
    except SettingsError as error:
        st.error(f"{error.message} {error.hint}", icon=":material/error:")
        st.stop()
    except AccessError as refused:
        _show_way_in(who, refused)
        st.stop()
    return who


def people_log_in() -> bool:
    """Whether a provider is configured, well or not; without one there is one local user."""
    return _provider().configured


def log_out() -> None:
    """Ends this login in every tab, then at the provider."""
    if claims := _claims():
        _ended.end(access.read_login(claims, "").id, datetime.now(UTC))
    st.logout()


def has_given_token() -> bool:
    return _GIVEN_TOKEN in st.session_state


def leave_admin() -> None:
    """Forgets the token of this session."""
    st.session_state.pop(_GIVEN_TOKEN, None)


def _local_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # a container's user may have a number alone
        return "local user"


def _provider() -> LoginProvider:
    found = login_provider(map(Path, st.get_option("secrets.files")))
    if found.configured:
        _had_provider.set()
    elif _had_provider.is_set():
        # a file that is just being replaced must not make everybody the local user
        return LoginProvider(True, "The section [auth] of secrets.toml is gone; without it, start the dashboard anew.")
    return found


def _claims() -> dict[str, Any] | None:
    """Of the id token; None for somebody who is not logged in."""
    told = st.user.to_dict()
    if told.pop("is_logged_in", False) is not True:
        return None
    told.pop("tokens", None)
    return told


def _show_way_in(who: Caller, refused: AccessError) -> None:
    if who.role is not None and people_log_in():
        st.text(f"Logged in as {who.shown}.")
    if who.remedy is Remedy.GIVE_TOKEN:
        st.info(f"{refused.message} {refused.hint}", icon=":material/key:")
        _token_form()
    elif who.remedy in (Remedy.LOG_IN, Remedy.LOG_IN_AGAIN):
        st.info(f"{refused.message} {refused.hint}", icon=":material/login:")
        log_in_button(who.remedy)
    else:
        st.warning(f"{refused.message} {refused.hint}", icon=":material/lock:")


def log_in_button(remedy: Remedy = Remedy.LOG_IN) -> None:
    """Leads to the provider; inside an embed, where that is impossible, says so."""
    if st.context.is_embedded:
        st.caption(
            "Logging in does not work inside an embed. Open this page in a tab of its own, without `embed=true`."
        )
        return
    again = remedy is Remedy.LOG_IN_AGAIN
    st.button("Log in again" if again else "Log in", key="log_in", type="primary", on_click=st.login)


def _token_form() -> None:
    home = current_settings().local.home
    try:
        admin_token.current(home)
    except AccessError as error:
        st.error(f"{error.message} {error.hint}", icon=":material/error:")
        return
    with st.form("admin_token", clear_on_submit=True, border=False):
        given = st.text_input("Admin token", type="password")
        entered = st.form_submit_button("Become admin", type="primary")
    if entered and admin_token.is_current(home, given):
        st.session_state[_GIVEN_TOKEN] = given.strip()
        st.rerun(scope="app")
    elif entered:
        st.error("That is not the token. Each start makes a new one; `sales-trends token` prints it.")
