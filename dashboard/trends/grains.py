"""How much time one bar stands for, and where bars begin and end: the one place that says in which a moment falls."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dashboard.errors import SettingsError
from dashboard.readers.zones import EARLIEST, pieces
from dashboard.trends.calendars import DAY, Calendar, months_later
from dashboard.wording import day as day_text
from dashboard.wording import length, moment

MOST_BARS = 750
"""What one chart shows at most, if nobody knows its pixels."""
MOST_MARKS = 2_000
"""Of a whole page; a browser draws no more in one frame."""
_OTHER_MARKS = 7 * 24 + 4 * 30
"""The heat map and four sparklines."""
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Grain:
    name: str
    span: timedelta
    """How long the shortest bucket is that clocks leave alone; zero is one window."""

    @property
    def is_days(self) -> bool:
        """Whether its buckets are whole local days."""
        return self.span >= DAY


WINDOW = Grain("window", timedelta(0))
QUARTER_HOURS, HOURS, DAYS = Grain("15 min", 15 * _MINUTE), Grain("hour", _HOUR), Grain("day", DAY)
GRAINS = {
    grain.name: grain
    for grain in (
        WINDOW,
        Grain("15 s", timedelta(seconds=15)),
        Grain("1 min", _MINUTE),
        Grain("5 min", 5 * _MINUTE),
        QUARTER_HOURS,
        HOURS,
        DAYS,
        Grain("week", 7 * DAY),
        Grain("month", 28 * DAY),
        Grain("quarter", 90 * DAY),
        Grain("fiscal year", 365 * DAY),
    )
}
"""By the name that the reader sees and the address carries, finest first."""


@dataclass(frozen=True)
class Grid:
    """Where the buckets of one grain begin on somebody's calendar. All moments are UTC."""

    grain: Grain
    calendar: Calendar
    window: timedelta

    @property
    def step(self) -> timedelta:
        """How long a bucket is, but for days that are longer or shorter."""
        return self.grain.span or self.window

    def start_of(self, at: datetime) -> datetime:
        """When the bucket begins that holds this moment.

        One window begins where the pipeline has it begin. Parts of a day begin by the reader's clock, the hour that it
        shows twice is two of them, and a change that is no multiple of a bucket cuts it in two.
        """
        at = at.astimezone(UTC)
        if self.grain.is_days:
            return self.calendar.midnight(self.first_day(self.calendar.day(at)))
        start = self._floor(at)
        if (self._offset(start) - self._offset(at)) % self.step:
            return pieces(start, at + _MINUTE, self.calendar.zone)[-1].changes[0]
        return start

    def end_of(self, start: datetime) -> datetime:
        """When the bucket ends that begins then, or that was cut by a range then."""
        if self.grain.is_days:
            return self.calendar.midnight(self._next_day(self.calendar.day(start)))
        end = self._floor(start) + self.step
        if (self._offset(end) - self._offset(start)) % self.step:
            return pieces(start, end + _MINUTE, self.calendar.zone)[0].changes[0]
        return end

    def starts(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Of all buckets that hold a moment of [start, end); the first one is `start`, also where that cuts it."""
        while start < end:
            yield start
            start = self.end_of(start)

    def first_day(self, day: date) -> date:
        """Of the bucket of days that holds this one."""
        match self.grain.name:
            case "week":
                return self.calendar.week(day)
            case "month":
                return day.replace(day=1)
            case "quarter":
                return self.calendar.quarter(day)
            case "fiscal year":
                return self.calendar.fiscal_year(day)
        return day

    def label(self, start: datetime, end: datetime, beside: datetime) -> str:
        """What a bucket is called, with the date where it is not the day of `beside`; a week is its days, no number."""
        zone = self.calendar.zone
        first = day_text(start, zone, beside)
        match self.grain.name:
            case "day":
                return f"{start.astimezone(zone):%a} {first}"
            case "week" | "quarter" | "fiscal year":
                last = end - timedelta(microseconds=1)
                return f"{first} to {day_text(last, zone, beside)}"
            case "month":
                return f"{start.astimezone(zone):%B %Y}"
        return f"{moment(start, zone, beside, seconds=False)} to {moment(end, zone, start, seconds=False)}"

    def _next_day(self, day: date) -> date:
        first = self.first_day(day)
        match self.grain.name:
            case "week":
                return first + 7 * DAY
            case "month":
                return months_later(first, 1)
            case "quarter":
                return months_later(first, 3)
            case "fiscal year":
                return months_later(first, 12)
        return first + DAY

    def _floor(self, at: datetime) -> datetime:
        return at - (at - EARLIEST + self._offset(at)) % self.step

    def _offset(self, at: datetime) -> timedelta:
        if self.grain == WINDOW:
            return timedelta(0)
        return at.astimezone(self.calendar.zone).utcoffset() or timedelta(0)


@dataclass(frozen=True)
class Choice:
    grain: Grain
    widened: str = ""
    """Why it is not the one that was asked for, in a sentence; empty if it is."""


def grains_of(window: timedelta) -> list[Grain]:
    """Those that windows of this length fit into, finest first."""
    return [grain for grain in GRAINS.values() if grain == WINDOW or _holds(grain, window)]


def choose(window: timedelta, extent: timedelta, most: int, wanted: str | None = None) -> Choice:
    """The finest grain of which `extent` holds at most so many, and none finer than `wanted`.

    Raises SettingsError for a grain that there is not, or that would cut windows.
    """
    fitting = grains_of(window)
    if wanted is not None and wanted not in {grain.name for grain in fitting}:
        why = f"windows are {length(window)} long" if wanted in GRAINS else "there is no such grain"
        raise SettingsError(
            f"Revenue cannot be shown by {wanted}: {why}.", f"Choose {', '.join(grain.name for grain in fitting)}."
        )
    if wanted is not None:
        fitting = fitting[fitting.index(GRAINS[wanted]) :]
    found = next((grain for grain in fitting if _bars(grain, window, extent) <= most), fitting[-1])
    if wanted is None or found.name == wanted:
        return Choice(found)
    bars = _bars(fitting[0], window, extent)
    return Choice(found, f"By {wanted} it would be {bars:,} bars, and {most:,} fit: shown by {found.name}.")


def most_bars(wide: int = MOST_BARS, *, comparisons: int = 0, band: bool = False) -> int:
    """How many buckets a chart may have where so many fit its width, so that the page stays within MOST_MARKS."""
    return max(1, min(wide, (MOST_MARKS - _OTHER_MARKS) // (1 + comparisons + 2 * band)))


def _holds(grain: Grain, window: timedelta) -> bool:
    if grain.is_days:
        return not DAY % window and grain.span > window
    # also one that is a window: saved views, and what is known by hour alone, ask for it by its name
    return not grain.span % window


def _bars(grain: Grain, window: timedelta, extent: timedelta) -> int:
    """At most; both ends may cut one."""
    return -(-extent // (grain.span or window)) + 1
