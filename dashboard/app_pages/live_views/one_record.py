"""One record, all of it: fields, headers, key, and its bytes on demand."""

import json

import streamlit as st

from dashboard import cached, visitor
from dashboard.app_pages.faults import show_fault
from dashboard.app_pages.live_views.listing import OPENED
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.desks.live import Whole
from dashboard.errors import SalesTrendsError
from dashboard.wording import as_markdown

_WHOLE = "live_whole"
"""The open record as it was read: the list moves on without it."""
_LONGEST = 20_000
"""Characters of one part; more would freeze the browser."""


def one_view(target: str, topic: str) -> None:
    """Above the page, which goes on behind it; nothing where none is open."""
    opened = st.session_state.get(OPENED)
    if opened is None:
        st.session_state.pop(_WHOLE, None)
        return
    st.dialog(f"Record {opened}", width="large", on_dismiss=_close)(_whole_view)(target, topic, opened)


def _whole_view(target: str, topic: str, opened: str) -> None:
    try:
        whole = _whole(target, topic, opened)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    row, zone = whole.readable, reader_zone()
    at = row.at.astimezone(zone)
    st.markdown(
        f"`{topic}` · written {at:%d %b %Y %H:%M:%S}.{at.microsecond // 1000:03d} {zone.key} · {row.size:,} bytes"
    )
    if row.fault:
        st.warning(f"Its value cannot be read: {as_markdown(row.fault)}.", icon=":material/error:")
    value, about = st.columns([3, 2])
    with value:
        st.caption("Value")
        told = json.dumps(row.as_json()["value"], indent=2, ensure_ascii=False)
        st.code(told[:_LONGEST], language="json", wrap_lines=True)
        if len(told) > _LONGEST:
            st.caption(f"The first {_LONGEST:,} of {len(told):,} characters.")
    with about:
        st.caption("Key")
        st.code(row.key_text[:_LONGEST] or "none", language=None, wrap_lines=True)
        st.caption("Headers")
        headers = "\n".join(f"{name}: {text}" for name, text in row.headers)
        st.code(headers[:_LONGEST] or "none", language=None, wrap_lines=True)
    panel = st.expander("Bytes", key="live_bytes", on_change="rerun", icon=":material/data_object:")
    if panel.open:
        with panel:
            if not row.hides:
                st.caption("As they stand in the topic. Every digit shows as *, for it could be one of a card number.")
            st.code(whole.raw, language=None)


def _whole(target: str, topic: str, opened: str) -> Whole:
    who, desk = visitor.caller(), cached.live_desk()
    # what is held was asked for by the same visitor, whose role may have been another one
    desk.require(who, target, topic)
    held = st.session_state.get(_WHOLE)
    if held is None or held[0] != (target, topic, opened):
        found = desk.record(who, target, topic, opened)
        held = st.session_state[_WHOLE] = ((target, topic, opened), found)
    whole: Whole = held[1]
    return whole


def _close() -> None:
    st.session_state.pop(OPENED, None)
