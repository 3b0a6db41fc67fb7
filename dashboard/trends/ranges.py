"""Which stretch of time is looked at: so long until the newest window, a part of the calendar, or given moments."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dashboard.errors import SettingsError
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.trends.calendars import DAY, Calendar, Shift, last_day, months_later
from dashboard.trends.grains import DAYS, GRAINS, HOURS, QUARTER_HOURS, WINDOW, Grain, Grid, grains_of
from dashboard.wording import iso

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Stretch:
    """[start, end), of which all windows have closed that end by `until`. UTC."""

    start: datetime
    end: datetime
    until: datetime
    """Where what is known ends: `end`, or before; never before `start`."""
    previous: Shift | None
    """How far back the period of the same kind lies that ends where this begins; None where all time is looked at."""
    moves: bool = False
    """Whether it ends with the newest window, so that later windows stretch it."""


@dataclass(frozen=True)
class Last:
    """So long until the newest window, in whole windows.

    How far it goes back does not depend on the grain it is shown by.
    """

    shift: Shift
    step: Grain
    """It begins with a whole one of these, and the newest is being filled: one day by hours is 23 whole ones and it."""

    def stretch(self, *, calendar: Calendar, window: timedelta, first: datetime, until: datetime) -> Stretch:
        step = self.step if self.step in grains_of(window) else WINDOW
        if window > _HOUR or (until.astimezone(calendar.zone).utcoffset() or timedelta(0)) % window:
            # no hour and no midnight of the reader that cuts no window
            step = WINDOW
        grid = Grid(step, calendar, window)
        end = grid.end_of(grid.start_of(until - timedelta(microseconds=1)))
        # of whole windows: what is shorter than one would be compared with itself
        shift = Shift(elapsed=-(-self.shift.elapsed // window) * window) if self.shift.elapsed else self.shift
        start = calendar.earlier(end, shift)
        # no window is cut, also where clocks have changed by less than one
        return Stretch(start - (start - EARLIEST) % window, end, until, shift, moves=True)


@dataclass(frozen=True)
class Everything:
    """From the first window on."""

    def stretch(self, *, calendar: Calendar, window: timedelta, first: datetime, until: datetime) -> Stretch:
        return Stretch(first, until, until, None, moves=True)


@dataclass(frozen=True)
class Of:
    """A part of the calendar, by the day that is today: `ago` 0 is the one that goes on, 1 the one before it."""

    part: str
    """The name of a grain: day, week, month, quarter or fiscal year; or `year`, which January begins."""
    ago: int = 0

    def days(self, calendar: Calendar, today: date) -> tuple[date, date]:
        """The first one, and the one after the last."""
        if self.part in ("day", "week"):
            days = 1 if self.part == "day" else 7
            first = today if self.part == "day" else calendar.week(today)
            return first - self.ago * days * DAY, first - (self.ago - 1) * days * DAY
        months = {"month": 1, "quarter": 3, "fiscal year": 12, "year": 12}[self.part]
        first = today.replace(month=1, day=1) if self.part == "year" else self._grid_day(calendar, today)
        return months_later(first, -self.ago * months), months_later(first, (1 - self.ago) * months)

    def previous(self) -> Shift:
        match self.part:
            case "day":
                return Shift(days=1)
            case "week":
                return Shift(days=7)
            case "month":
                return Shift(months=1)
            case "quarter":
                return Shift(months=3)
        return Shift(months=12)

    def stretch(self, calendar: Calendar, until: datetime, today: date | None = None) -> Stretch:
        """`today` is the newest window's day if nobody says."""
        first, after = self.days(calendar, today or last_day(until, calendar))
        start, end = calendar.midnight(first), calendar.midnight(after)
        return Stretch(start, end, min(end, max(start, until)), self.previous())

    def _grid_day(self, calendar: Calendar, today: date) -> date:
        return Grid(GRAINS[self.part], calendar, timedelta(0)).first_day(today)


@dataclass(frozen=True)
class Between:
    """From here to there: the windows that begin in [start, end), aware."""

    start: datetime
    end: datetime

    def stretch(self, calendar: Calendar, until: datetime) -> Stretch:
        """Raises SettingsError where no time is between the two, or more than can be reckoned with."""
        start, end = self.start.astimezone(UTC), self.end.astimezone(UTC)
        if not EARLIEST <= start < end <= LATEST:
            raise SettingsError(
                f"There is no time between {iso(start)} and {iso(end)}.", "Choose an end that is after the start."
            )
        return Stretch(start, end, min(end, max(start, until)), self._previous(start, end, calendar))

    def _previous(self, start: datetime, end: datetime, calendar: Calendar) -> Shift:
        """`start` and `end` in UTC: of one zone's moments Python would subtract what the clock showed."""
        on_the_wall = calendar.wall(end) - calendar.wall(start)
        if max(end - start, on_the_wall) < DAY:
            return Shift(elapsed=end - start)
        # whole days, so that the clock shows the same
        return Shift(days=-(-on_the_wall // DAY))


Range = Last | Everything | Of | Between

RANGES: dict[str, Range] = {
    "15 min": Last(Shift(elapsed=_HOUR / 4), WINDOW),
    "1 h": Last(Shift(elapsed=_HOUR), GRAINS["1 min"]),
    "6 h": Last(Shift(elapsed=6 * _HOUR), GRAINS["5 min"]),
    "24 h": Last(Shift(days=1), QUARTER_HOURS),
    "7 d": Last(Shift(days=7), HOURS),
    "14 d": Last(Shift(days=14), HOURS),
    "30 d": Last(Shift(days=30), HOURS),
    "90 d": Last(Shift(days=90), DAYS),
    "1 y": Last(Shift(days=365), DAYS),
    "All": Everything(),
    "Today": Of("day"),
    "Yesterday": Of("day", 1),
    "This week": Of("week"),
    "Last week": Of("week", 1),
    "This month": Of("month"),
    "Last month": Of("month", 1),
    "This quarter": Of("quarter"),
    "Last quarter": Of("quarter", 1),
    "This year": Of("year"),
    "This fiscal year": Of("fiscal year"),
}
"""By the name that the reader sees and the address carries. Days are the reader's: at a change of clocks, 24 h are
the 23 or 25 since the clock showed the same."""


def resolve(
    asked: Range, calendar: Calendar, *, window: timedelta, first: datetime, until: datetime, today: date | None = None
) -> Stretch:
    """Where it is when the first window begins at `first` and the newest one that has closed ends at `until`.

    `today` is for parts of the calendar. Raises SettingsError for a range that holds no time.
    """
    match asked:
        case Of():
            return asked.stretch(calendar, until, today)
        case Between():
            return asked.stretch(calendar, until)
    return asked.stretch(calendar=calendar, window=window, first=first, until=until)
