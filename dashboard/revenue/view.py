"""What somebody wants to see of revenue, and how an address carries it; what an address says wrong falls back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.settings import ViewSettings
from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS, PREVIOUS
from dashboard.trends.grains import GRAINS
from dashboard.trends.ranges import RANGES, Between, Of, Range
from dashboard.trends.trend import Asked
from dashboard.wording import iso

PREFIX = "revenue_"
"""Of all parameters: pages share one address."""
DEFAULT_RANGE = "1 h"
TOTAL, RUNNING, HEAT = "total", "running", "heat"
SHOWS = {TOTAL: "Total", RUNNING: "Running total", HEAT: "Weekday × hour"}
"""By the name that the address carries, what the reader sees."""
WEEK_STARTS = {"monday": 0, "saturday": 5, "sunday": 6}
"""As `date.weekday` counts."""
NONE = "none"
"""Of comparisons in an address."""
_WIDE = 370
"""Bars that a grain is chosen for if nobody chooses one: the days of a year, three pixels each."""
_LONGEST = 200
"""Characters of a parameter; nothing that an address can say takes more."""


@dataclass(frozen=True)
class View:
    """All that the controls of the page say."""

    range: str | Between = DEFAULT_RANGE
    """A name of RANGES, or two moments."""
    grain: str | None = None
    """A name of GRAINS; None for the finest that fits."""
    compare: tuple[str, ...] = (PREVIOUS,)
    """Names of COMPARISONS, each once, in their order."""
    show: str = TOTAL
    """A name of SHOWS."""
    zone: str | None = None
    """None for the reader's own."""
    week: str | None = None
    """A name of WEEK_STARTS; None for the one that the settings say."""
    band: bool = False

    @property
    def asked_range(self) -> Range:
        return RANGES[self.range] if isinstance(self.range, str) else self.range

    def in_zone(self, own: ZoneInfo) -> ZoneInfo:
        return own if self.zone is None else ZoneInfo(self.zone)

    def week_starts(self, settings: ViewSettings) -> str:
        return self.week or settings.week_start

    def asked(self, settings: ViewSettings, own: ZoneInfo, now: datetime) -> Asked:
        """What trends are asked for; `own` is the reader's zone."""
        calendar = Calendar(self.in_zone(own), WEEK_STARTS[self.week_starts(settings)], settings.fiscal_year_start)
        is_part_of_the_calendar = isinstance(self.asked_range, Of)
        asked = Asked(
            self.asked_range,
            calendar,
            self.grain,
            self.compare,
            heat=self.show == HEAT,
            band=self.band and self.show == TOTAL,
            # nothing else depends on it, and each day would make another answer
            today=calendar.day(now) if is_part_of_the_calendar else None,
        )
        return asked if self.grain else replace(asked, wide=_WIDE)


def view_of(address: Mapping[str, str]) -> tuple[View, tuple[str, ...]]:
    """What an address says, and a sentence for each thing that it says wrong, which is as if it said nothing."""
    view, wrong = View(), []
    for name, (read, wanted) in _READ.items():
        text = address.get(PREFIX + name)
        if text is None:
            continue
        try:
            view = replace(view, **{name: read(text[:_LONGEST])})
        except (KeyError, ValueError, OverflowError):
            wrong.append(f"The address asks for {name} {text[:40]!r}, which there is not: {wanted}.")
    return view, tuple(wrong)


def address_of(view: View) -> dict[str, str]:
    """The parameters that say it, without those that say what is so anyway."""
    told = {
        "range": view.range if isinstance(view.range, str) else f"{iso(view.range.start)}/{iso(view.range.end)}",
        "grain": view.grain,
        "compare": ",".join(view.compare) or NONE,
        "show": view.show,
        "zone": view.zone,
        "week": view.week,
        "band": "on" if view.band else None,
    }
    usual = {"range": DEFAULT_RANGE, "compare": PREVIOUS, "show": TOTAL}
    return {PREFIX + name: text for name, text in told.items() if text is not None and text != usual.get(name)}


def selected(drawn: Sequence[datetime], bounds: Sequence[datetime], zone: ZoneInfo) -> Between | None:
    """The whole buckets between two places that somebody drew on a chart's axis; None where there is none.

    `bounds` are the buckets' as in `Periods`, `zone` what `axis_zone` says of them.
    """
    first, last = min(drawn), max(drawn)
    touched = []
    for start, end in pairwise(bounds):
        wall = start.astimezone(zone).replace(tzinfo=None)
        if wall < last and wall + (end - start) > first:
            touched.append((start, end))
    return Between(touched[0][0], touched[-1][1]) if touched else None


@cache
def zone_names() -> tuple[str, ...]:
    """UTC, then the places of the world by name."""
    return ("UTC", *sorted(name for name in _all_zones() if "/" in name and not name.startswith("Etc/")))


@cache
def _all_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _range(text: str) -> str | Between:
    if text in RANGES:
        return text
    start, end = (_moment(one) for one in text.split("/"))
    if not EARLIEST <= start < end <= LATEST:
        raise ValueError(text)
    return Between(start, end)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.utcoffset() is None:
        raise ValueError(text)
    return found.astimezone(UTC)


def _compare(text: str) -> tuple[str, ...]:
    names = [] if text == NONE else text.split(",")
    if not {*names} <= {*COMPARISONS}:
        raise ValueError(text)
    return tuple(name for name in COMPARISONS if name in names)


def _one_of(names: Callable[[], Collection[str]]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names():
            raise ValueError(text)
        return text

    return read


def _band(text: str) -> bool:
    return {"on": True, "off": False}[text]


_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "range": (_range, "a range has a name, or is two moments as `2026-03-01T12:00:00Z/2026-03-01T13:00:00Z`"),
    "grain": (_one_of(lambda: GRAINS), f"there are {', '.join(GRAINS)}"),
    "compare": (_compare, f"there are {', '.join(COMPARISONS)}, with commas between them, or {NONE}"),
    "show": (_one_of(lambda: SHOWS), f"there are {', '.join(SHOWS)}"),
    # a browser may tell one that nobody would choose, and a link carries the one of whoever made it
    "zone": (_one_of(_all_zones), "a zone has a name such as Europe/Berlin"),
    "week": (_one_of(lambda: WEEK_STARTS), f"there are {', '.join(WEEK_STARTS)}"),
    "band": (_band, "it is on or off"),
}
"""By parameter how it is read, raising KeyError, ValueError or OverflowError, and what it could be."""
