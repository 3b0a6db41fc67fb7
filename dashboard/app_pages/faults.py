"""How a page tells what went wrong: the fact, then what to do; to viewers without hosts and files."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.errors import (
    AccessError,
    KeepError,
    SalesTrendsError,
    SettingsError,
    StatementError,
    UnreachableError,
)
from dashboard.wording import as_markdown

_PLACE = re.compile(
    r"""
      \w://                                  # an address
    | (?<![\w/.~])(?:~|\.{1,2})?/\w          # a path
    | \w/[\w./-]*\.\w                        # a file in a folder
    | \b[A-Za-z][\w.-]*:\d{2,5}\b            # host and port
    | \b\d{1,3}(?:\.\d{1,3}){3}\b            # IPv4
    | \[[\da-fA-F:]*::?[\da-fA-F:]*\]        # IPv6
    | \b[\w-]+(?:\.[\w-]+)+\.[A-Za-z]{2,}\b  # a host's full name
    | \barn:                                 # a thing on AWS, with its account
    """,
    re.VERBOSE,
)
SHOWN_SECONDS = 15.0
"""How long what a callback met is shown, unless it succeeds before."""
_KEPT = "fault_of_a_callback"
_OF_THE_ASKING = (AccessError, StatementError)
"""They tell whoever asks what they wrote or may do; a name of a table in them only looks like a host."""


def told(fault: SalesTrendsError) -> str:
    """As Markdown: whole to ops. To others a sentence without the reason, where that says what stands where."""
    hides = isinstance(fault, UnreachableError) or (
        not isinstance(fault, _OF_THE_ASKING) and _PLACE.search(str(fault)) is not None
    )
    if not hides or _sees_all():
        return f"{as_markdown(fault.message)} {as_markdown(fault.hint)}".strip()
    match fault:
        case UnreachableError():
            return "A system that this is read from does not answer. Ops see which, and why."
        case SettingsError():
            return "Something is not set up as it has to be. Ops see what."
        case KeepError():
            return "Notes and views cannot be kept now. Ops see why."
        case _:
            return "This cannot be read now. Ops see why."


def show_fault(fault: SalesTrendsError) -> None:
    icon = ":material/cloud_off:" if isinstance(fault, UnreachableError) else ":material/error:"
    st.error(told(fault), icon=icon)


@contextmanager
def faults_shown() -> Iterator[None]:
    """A fault inside ends what is inside, and is shown in its place; the rest of the page goes on."""
    try:
        yield
    except SalesTrendsError as fault:
        show_fault(fault)


@contextmanager
def faults_kept(place: str) -> Iterator[None]:
    """Of a callback, which draws nothing: the runs after it show them by `show_kept_fault` of the same place."""
    key = f"{_KEPT}_of_{place}"
    try:
        yield
    except SalesTrendsError as fault:
        st.session_state[key] = (fault, time.monotonic())
    else:
        st.session_state.pop(key, None)


def show_kept_fault(place: str) -> None:
    """What the last callback there met, for SHOWN_SECONDS: a timer may draw the page many times a second."""
    fault, since = st.session_state.get(f"{_KEPT}_of_{place}", (None, 0.0))
    if fault is not None and time.monotonic() - since < SHOWN_SECONDS:
        show_fault(fault)


def _sees_all() -> bool:
    try:
        return visitor.caller().may(Role.OPS)
    except SettingsError:
        # while the settings are wrong nobody knows who looks
        return False
