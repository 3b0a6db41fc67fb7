"""A link to these very numbers, and what the numbers of such a link come to now."""

from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st

from dashboard import cached
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.revenue_views.address import back, change, current_view
from dashboard.desks.pins import NAMES, Pin, pin_of, read_pin
from dashboard.revenue.view import View, address_of
from dashboard.settings import Settings
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Trend
from dashboard.wording import amount, as_markdown

_LOOK = "revenue_pin_look"


def link_view(trend: Trend) -> None:
    pin = pin_of(trend)
    if pin is None:
        st.caption("Nothing of this range is saved in the table yet, so there is nothing that a link could hold on to.")
        return
    # the range that is now would be another one next month, and a colleague may have other midnights
    address = urlencode({**address_of(_pinned(current_view(), pin)), **pin.query})
    base = (st.context.url or "").partition("?")[0]
    st.markdown(f"Whoever opens it sees whether it still is **{amount(pin.total)}**, and if not, by how much.")
    st.code(f"{base}?{address}", language=None, wrap_lines=True)
    if trend.total.streamed:
        st.caption(f"Without {amount(trend.total.streamed)} that is streamed and not saved yet.")


def pinned_view(settings: Settings) -> None:
    """Of an address with a pin: what its sum comes to now, as soon as that was looked up."""
    given = {name: st.query_params[name] for name in NAMES if name in st.query_params}
    if not given:
        return
    pin = None
    with faults_shown():
        pin = read_pin(given)
        if pin is not None:
            _told(settings, pin)
    st.button("Leave the link", key="revenue_leave_link", on_click=_leave, args=(pin,))


def _told(settings: Settings, pin: Pin) -> None:
    if st.session_state.get(_LOOK, (None,))[0] != pin:
        st.session_state[_LOOK] = (pin, cached.pin_look(settings, pin))
    found = st.session_state[_LOOK][1].found()
    if found.fault is not None:
        show_fault(found.fault)
    elif found.value is None:
        st.info("What the link says is being compared with the table.", icon=":material/hourglass_top:")
    else:
        show = st.success if found.value.difference == 0 else st.warning
        show(as_markdown(found.value.told), icon=":material/link:")


def _pinned(view: View, pin: Pin) -> View:
    return replace(view, range=Between(pin.start, pin.end), zone=pin.zone.key)


def _leave(pin: Pin | None) -> None:
    """To the reader's own range and clock, unless they chose others meanwhile."""
    for name in NAMES:
        st.query_params.pop(name, None)
    if pin is not None and current_view() == _pinned(current_view(), pin):
        change(zone=None)
        back()
