"""Everything that is asked of one range, of one state: buckets, figures, what it is compared with, its season."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

import pyarrow as pa

from dashboard.errors import ReadError, SettingsError
from dashboard.readers.engine import WITHOUT_HASTE, Engine, Limits
from dashboard.readers.lake import REVENUE_TABLE
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.zones import EARLIEST, check_zone
from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS, PREVIOUS, Compared, compare, out_of_reach
from dashboard.trends.expected import Band, band
from dashboard.trends.grains import HOURS, MOST_BARS, WINDOW, Choice, Grid, choose, most_bars
from dashboard.trends.periods import Periods, buckets, periods
from dashboard.trends.ranges import Of, Range, Stretch, resolve
from dashboard.trends.sales import FAULTS, NOTHING_AHEAD, Ahead, Extent, NewState, Sales
from dashboard.trends.seasons import heat
from dashboard.trends.totals import Best, Sparks, Total, best_bucket, best_day, half_up, sparks, total
from dashboard.wording import length

_TRIES = 5


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see. With a snapshot's id and what is ahead of it, the key of the answer."""

    range: Range
    calendar: Calendar
    grain: str | None = None
    """A name of GRAINS; None for the finest that fits."""
    comparisons: tuple[str, ...] = (PREVIOUS,)
    """Names of COMPARISONS; none of them compares with nothing."""
    wide: int = MOST_BARS
    """How many bars fit the chart's width."""
    heat: bool = False
    band: bool = False
    today: date | None = None
    """The reader's day, for parts of the calendar; None is the newest window's."""


@dataclass(frozen=True, eq=False)
class Trend:
    """The answer. Shared by many: never change it."""

    asked: Asked
    snapshot: Snapshot | None
    """The state that it is of; None where nothing is committed."""
    extent: Extent
    periods: Periods
    choice: Choice
    buckets: pa.Table
    """By `periods.BUCKETS`."""
    total: Total
    faults: pa.Table
    """By `sales.FAULTS`; while it has rows no sum is right, and nothing is compared."""
    compared: tuple[Compared, ...]
    heat: pa.Table | None
    """By `seasons.HEAT`; None if nobody asked, or `notes` says why."""
    band: Band | None
    notes: tuple[str, ...]
    """What the reader should know besides, in sentences."""
    questions: int
    """How many the engine was asked."""

    @property
    def stretch(self) -> Stretch:
        return self.periods.stretch

    @property
    def known_from(self) -> datetime:
        """Where the range begins, or the first window if that is later."""
        return max(self.stretch.start, self.extent.first)

    @property
    def windows_passed(self) -> int:
        """All windows that closed since `known_from`, those without an order included."""
        seen = self.total.windows + self.total.streamed_windows
        return max(seen, round((self.stretch.until - self.known_from) / self.extent.window))

    def average_per(self, span: timedelta) -> Decimal | None:
        """Mean revenue per `span` of the time that is known, to cents, half-up; None where none is."""
        passed = self.stretch.until - self.known_from
        microsecond = timedelta(microseconds=1)
        if passed <= timedelta(0):
            return None
        return half_up(self.total.revenue * (span // microsecond) / (passed // microsecond))

    @cached_property
    def best_bucket(self) -> Best | None:
        return best_bucket(self.buckets)

    @cached_property
    def best_day(self) -> Best | None:
        return best_day(self.buckets, self.asked.calendar)

    @cached_property
    def sparks(self) -> Sparks:
        return sparks(self.buckets)


def trend(
    engine: Engine,
    asked: Asked,
    *,
    ahead: Ahead = NOTHING_AHEAD,
    revised: frozenset[datetime] = frozenset(),
    snapshot_id: int | None = None,
    limits: Limits = WITHOUT_HASTE,
) -> Trend | None:
    """What one state came to; None while no window has closed.

    `ahead` is what that state does not hold, `revised` the starts of windows that are not what they were at first.
    `limits` are those of each question.
    Raises SettingsError for a grain or a zone that windows do not fit, and what `Engine.ask` raises.
    """
    for _ in range(_TRIES):
        try:
            return _trend(Sales(engine, ahead, snapshot_id, limits), asked, revised)
        except NewState:
            continue
    raise ReadError(f"{REVENUE_TABLE} was committed to again and again while it was read.", "Try again.")


def _trend(sales: Sales, asked: Asked, revised: frozenset[datetime]) -> Trend | None:
    extent = sales.extent()
    if extent is None:
        return None
    calendar, window = asked.calendar, extent.window
    stretch = resolve(asked.range, calendar, window=window, first=extent.first, until=extent.until, today=asked.today)
    most = most_bars(asked.wide, comparisons=len(asked.comparisons), band=asked.band)
    choice = choose(window, stretch.end - stretch.start, most, asked.grain)
    if choice.grain != WINDOW or isinstance(asked.range, Of):
        check_zone(calendar.zone, window, stretch.start, stretch.until)
    of = periods(Grid(choice.grain, calendar, window), stretch, sales.newest_open)
    rows = buckets(sales, of, extent, revised)
    summed = total(rows)
    is_right = not summed.faults
    notes = [choice.widened] if choice.widened else []
    notes += [
        f"{COMPARISONS[name].partition(' (')[0]} would begin before {EARLIEST.year}: nothing is compared with it."
        for name in out_of_reach(asked.comparisons, of)
    ]
    fits = is_right and (asked.heat or asked.band) and _fits(asked, of, notes)
    return Trend(
        asked=asked,
        extent=extent,
        periods=of,
        choice=choice,
        buckets=rows,
        total=summed,
        faults=FAULTS.empty_table() if is_right else sales.faults(of.bounds[0], of.bounds[-1]),
        compared=tuple(compare(sales, asked.range, asked.comparisons, of, extent, summed)) if is_right else (),
        heat=heat(sales, max(stretch.start, extent.first), stretch.until, calendar) if fits and asked.heat else None,
        band=band(sales, of, rows, extent) if fits and asked.band else None,
        notes=tuple(notes),
        snapshot=sales.snapshot,
        questions=sales.questions,
    )


def _fits(asked: Asked, of: Periods, notes: list[str]) -> bool:
    """Whether windows fit the reader's hours; if they do not, a note says so."""
    window = of.grid.window
    if HOURS.span % window:
        notes.append(f"By weekday and hour nothing can be shown: windows are {length(window)} long.")
        return False
    try:
        check_zone(asked.calendar.zone, window, of.stretch.start, of.stretch.until)
    except SettingsError as error:
        notes.append(error.message)
        return False
    return True
