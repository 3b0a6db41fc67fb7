"""Range, grain, comparisons and view in one row, and the rest behind a button; a narrow screen wraps them."""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.revenue_views.address import back, change, current_view, only_now, turn
from dashboard.revenue.view import PREFIX, SHOWS, WEEK_STARTS, View, zone_names
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
        ranges = [*RANGES, _OWN]
        st.selectbox(
            "Range",
            ranges,
            ranges.index(_OWN if isinstance(view.range, Between) else view.range),
            key=_key("range"),
            width=150,
            on_change=_on("range", partial(_change_range, view, own_zone, now)),
        )
        if isinstance(view.range, Between):
            _own_dates(view.range, Calendar(view.in_zone(own_zone)), now)
        grains = [_FINEST, *GRAINS]
        st.selectbox(
            "One bar is",
            grains,
            grains.index(view.grain or _FINEST),
            key=_key("grain"),
            width=130,
            on_change=_on("grain", lambda chosen: change(grain=None if chosen == _FINEST else chosen)),
        )
        st.pills(
            "Compared with",
            list(COMPARISONS),
            default=list(view.compare),
            selection_mode="multi",
            format_func=_SHORT.__getitem__,
            key=_key("compare"),
            help="The same elapsed part of each. A year is 364 days, so that Friday meets Friday. None is fine too.",
            on_change=_on("compare", lambda chosen: change(compare=tuple(one for one in COMPARISONS if one in chosen))),
        )
        st.segmented_control(
            "View",
            list(SHOWS),
            default=view.show,
            required=True,
            format_func=SHOWS.__getitem__,
            key=_key("show"),
            on_change=_on("show", lambda chosen: change(show=chosen)),
        )
        _more(view, settings, own_zone)


def _more(view: View, settings: ViewSettings, own_zone: ZoneInfo) -> None:
    # its body costs a list of zones, which only who opens it needs
    panel = st.popover("More", icon=":material/tune:", key=f"{PREFIX}control_more", on_change="rerun")
    if not panel.open:
        return
    with panel:
        own = f"Yours ({own_zone.key})"
        named = [] if view.zone is None or view.zone in zone_names() else [view.zone]
        zones = [own, *named, *zone_names()]
        st.selectbox(
            "Time zone",
            zones,
            zones.index(view.zone or own),
            key=_key("zone"),
            on_change=_on("zone", lambda chosen: change(zone=None if chosen == own else chosen)),
        )
        st.segmented_control(
            "Weeks begin on",
            list(WEEK_STARTS),
            default=view.week_starts(settings),
            required=True,
            format_func=str.capitalize,
            key=_key("week"),
            on_change=_on("week", lambda chosen: change(week=chosen)),
        )
        st.toggle(
            "Show what was to be expected",
            view.band,
            key=_key("band"),
            help="By hour and by day, from the same weekday and time of the eight weeks before.",
            on_change=_on("band", lambda chosen: change(band=chosen)),
        )


def _own_dates(range_: Between, calendar: Calendar, now: datetime) -> None:
    first, last = calendar.day(range_.start), last_day(range_.end, calendar)
    name = f"dates_{calendar.zone.key}"  # the same moments are other days elsewhere
    st.date_input(
        "From and to",
        (first, last),
        key=_key(name),
        min_value=min(first, date(1971, 1, 1)),
        max_value=max(last, calendar.day(now)),
        width=230,
        on_change=_on(name, partial(_change_dates, calendar)),
    )
    st.button(
        "Back",
        icon=":material/undo:",
        key=f"{PREFIX}control_back",
        on_click=back,
        shortcut="escape",
        help="To the range from before, as a double click on the chart does",
    )


def _change_range(view: View, own_zone: ZoneInfo, now: datetime, chosen: str) -> None:
    if chosen != _OWN:
        change(range=chosen)
        return
    # the week until today, to be moved from there
    calendar = Calendar(view.in_zone(own_zone))
    today = calendar.day(now)
    change(range=Between(calendar.midnight(today - 6 * DAY), calendar.midnight_after(today)))


def _change_dates(calendar: Calendar, chosen: tuple[date, ...]) -> None:
    # the second day may still be to come, and another range may have been chosen meanwhile
    if len(chosen) == 2 and isinstance(current_view().range, Between):
        change(range=Between(calendar.midnight(chosen[0]), calendar.midnight_after(chosen[1])))


def _on(name: str, act: Callable[[Any], None]) -> Callable[[], None]:
    key = _key(name)
    return only_now(lambda: act(st.session_state[key]))


def _key(name: str) -> str:
    return f"{PREFIX}control_{name}_{turn()}"
