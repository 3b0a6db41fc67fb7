"""Range, grain, comparisons and view in one row, and the rest behind a button; a narrow screen wraps them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.revenue_views.address import back, change, current_view
from dashboard.revenue_view import PREFIX, SHOWS, WEEK_STARTS, View, zone_names
from dashboard.settings import ViewSettings
from dashboard.trends.calendars import DAY, Calendar, last_day
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.grains import GRAINS
from dashboard.trends.ranges import RANGES, Between

_OWN = "Own dates"
_FINEST = "Automatic"
_SHORT = {"previous": "Period before", "week": "Week before", "year": "Year before"}


def controls(settings: ViewSettings, own_zone: ZoneInfo, now: datetime) -> None:
    """What they say is `current_view()`, before they are drawn."""
    view = current_view()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        is_own = isinstance(view.range, Between)
        ranges = [*RANGES, _OWN]
        chosen = _kept("range", _OWN if is_own else view.range)
        st.selectbox(
            "Range",
            ranges,
            ranges.index(chosen),
            key=_key("range"),
            width=150,
            on_change=_on_range(view, own_zone, now),
        )
        if isinstance(view.range, Between):
            _own_dates(view.range, Calendar(view.in_zone(own_zone)), now)
        grains = [_FINEST, *GRAINS]
        chosen = _kept("grain", view.grain or _FINEST)
        st.selectbox("One bar is", grains, grains.index(chosen), key=_key("grain"), width=130, on_change=_on_grain)
        st.pills(
            "Compared with",
            list(COMPARISONS),
            default=_kept("compare", list(view.compare)),
            selection_mode="multi",
            format_func=_SHORT.__getitem__,
            key=_key("compare"),
            help="The same elapsed part of each. A year is 364 days, so that Friday meets Friday. None is fine too.",
            on_change=_on_compare,
        )
        st.segmented_control(
            "View",
            list(SHOWS),
            default=_kept("show", view.show),
            required=True,
            format_func=SHOWS.__getitem__,
            key=_key("show"),
            on_change=_on("show"),
        )
        _more(view, settings, own_zone)


def _more(view: View, settings: ViewSettings, own_zone: ZoneInfo) -> None:
    # its body costs a list of zones, which only who opens it needs
    panel = st.popover("More", icon=":material/tune:", key=_key("more"), on_change="rerun")
    if not panel.open:
        return
    with panel:
        own = f"Yours ({own_zone.key})"
        zones = [own, *zone_names()]
        chosen = _kept("zone", view.zone or own)
        st.selectbox("Time zone", zones, zones.index(chosen), key=_key("zone"), on_change=_on_zone(own))
        st.segmented_control(
            "Weeks begin on",
            list(WEEK_STARTS),
            default=_kept("week", view.week_starts(settings)),
            required=True,
            format_func=str.capitalize,
            key=_key("week"),
            on_change=_on("week"),
        )
        st.toggle(
            "Show what was to be expected",
            _kept("band", view.band),
            key=_key("band"),
            help="By hour and by day, from the same weekday and time of the eight weeks before.",
            on_change=_on("band"),
        )


def _own_dates(range_: Between, calendar: Calendar, now: datetime) -> None:
    first, last = calendar.day(range_.start), last_day(range_.end, calendar)
    st.date_input(
        "From and to",
        _kept("dates", (first, last)),
        key=_key("dates"),
        min_value=min(first, date(1971, 1, 1)),
        max_value=max(last, calendar.day(now)),
        width=230,
        on_change=_on_dates(calendar),
    )
    st.button(
        "Back",
        icon=":material/undo:",
        key=_key("back"),
        on_click=back,
        shortcut="escape",
        help="To the range from before",
    )


def _on_range(view: View, own_zone: ZoneInfo, now: datetime) -> Callable[[], None]:
    def changed() -> None:
        chosen = st.session_state[_key("range")]
        if chosen == _OWN:
            # the week until today, to be moved from there
            calendar = Calendar(view.in_zone(own_zone))
            today = calendar.day(now)
            chosen = Between(calendar.midnight(today - 6 * DAY), calendar.midnight_after(today))
        change(range=chosen)

    return changed


def _on_dates(calendar: Calendar) -> Callable[[], None]:
    def changed() -> None:
        chosen = st.session_state[_key("dates")]
        if len(chosen) == 2:  # else the second day is still to come
            change(range=Between(calendar.midnight(chosen[0]), calendar.midnight_after(chosen[1])))

    return changed


def _on_grain() -> None:
    chosen = st.session_state[_key("grain")]
    change(grain=None if chosen == _FINEST else chosen)


def _on_compare() -> None:
    chosen = st.session_state[_key("compare")]
    change(compare=tuple(name for name in COMPARISONS if name in chosen))


def _on_zone(own: str) -> Callable[[], None]:
    def changed() -> None:
        chosen = st.session_state[_key("zone")]
        change(zone=None if chosen == own else chosen)

    return changed


def _on(name: str) -> Callable[[], None]:
    return lambda: change(**{name: st.session_state[_key(name)]})


def _kept(name: str, value: Any) -> Any:
    """What a control shows, which it is also to be given as its default.

    It is set only where it differs: to set it makes the browser take back what is typed. A browser that misses the one
    message with a value that was set, as it may when two runs follow each other at the start, goes by the default.
    """
    if st.session_state.get(_key(name)) != value:
        st.session_state[_key(name)] = value
    return value


def _key(name: str) -> str:
    return f"{PREFIX}control_{name}"
