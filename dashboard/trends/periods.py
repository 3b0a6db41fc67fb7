"""A range in buckets: what each came to and how final that is, and the same of the periods it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate, islice, pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa

from dashboard.readers.lake_table import TIMESTAMP
from dashboard.trends.calendars import DAY, Calendar, Shift
from dashboard.trends.grains import HOURS, WINDOW, Grid
from dashboard.trends.ranges import Stretch
from dashboard.trends.sales import SUMS, Extent, Sales, instants, total_of

FINAL, CLOSING, OPEN, REVISED, INCOMPLETE = "final", "closing", "open", "revised", "incomplete"
"""States of a bucket, of which the first that holds counts, in this order: open (windows of it have not closed),
closing (all have, some are in Kafka alone), incomplete (the range or the beginning of the table cuts it), revised (a
window in it is not what it was committed as at first), final."""
_AMOUNT = pa.decimal128(38, 2)
BUCKETS = pa.schema(
    [
        ("bucket_start", TIMESTAMP),
        ("bucket_end", TIMESTAMP),
        *SUMS,
        ("total", _AMOUNT),
        ("running", _AMOUNT),
        ("state", pa.string()),
        ("is_complete", pa.bool_()),
    ]
)
"""One row for each bucket, also where nothing was sold, oldest first; together they are the range without a gap.

total is revenue and streamed; running the sum of it up to here, NULL where nothing has closed yet. A bucket that the
range cuts begins or ends with it. is_complete: whole, and all of its windows have closed.
"""
COMPARED = pa.schema([("total", _AMOUNT), ("running", _AMOUNT)])
_OPEN_BARS = 12
"""So many more at most for open windows behind a range: an order with a wrong time would stretch it over years."""
_ZERO = Decimal("0.00")
_UTC = ZoneInfo("UTC")
_AS_IT_IS = Shift()


@dataclass(frozen=True)
class Periods:
    """Where the buckets of a range begin and end."""

    grid: Grid
    stretch: Stretch
    bounds: tuple[datetime, ...]
    """Of bucket n: the n-th is its start, the next one its end."""

    @property
    def spans(self) -> list[tuple[datetime, datetime]]:
        """Start and end of each."""
        return list(pairwise(self.bounds))

    def start_of(self, at: datetime) -> datetime:
        """When the bucket begins that a moment of the range falls into: of whatever kind what happened then is."""
        return max(self.grid.start_of(at), self.bounds[0])

    def sums(self, sales: Sales, bounds: Sequence[datetime], shift: Shift = _AS_IT_IS) -> pa.Table:
        """By `sales.SUMS`, between bounds of these buckets moved by that. Asks the engine, in as few rows as it can."""
        by_days = self.grid.grain.is_days and not shift.elapsed
        # windows keep to UTC, whatever the clock does
        calendar = Calendar(_UTC) if self.grid.grain == WINDOW else self.grid.calendar
        return sales.sums(instants(bounds), calendar, longest=min(self.grid.step, HOURS.span), by_days=by_days)


def periods(grid: Grid, stretch: Stretch, newest_open: datetime | None = None) -> Periods:
    """The buckets of a range up to the one that is being filled; and of a range that moves those of open windows."""
    known = list(grid.starts(stretch.start, max(stretch.until, stretch.start + timedelta(microseconds=1))))
    end = grid.end_of(known[-1])
    if stretch.moves:
        if newest_open is not None and newest_open >= end:
            more = islice(grid.starts(end, newest_open + timedelta(microseconds=1)), _OPEN_BARS)
            known += more
            end = grid.end_of(known[-1])
    else:
        end = min(end, stretch.end)
    return Periods(grid, stretch, (*known, end))


def buckets(sales: Sales, of: Periods, extent: Extent, revised: frozenset[datetime]) -> pa.Table:
    """By BUCKETS; `revised` are the starts of windows that are not what they were at first. Asks the engine."""
    sums = of.sums(sales, of.bounds)
    spans = of.spans
    cut = _cut(of, extent)
    touched = _touched(of, revised)
    states = [
        OPEN
        if end > of.stretch.until
        else CLOSING
        if streamed or extent.committed_until is None or end > extent.committed_until
        else INCOMPLETE
        if place in cut
        else REVISED
        if place in touched
        else FINAL
        for place, ((_, end), streamed) in enumerate(zip(spans, sums["streamed_windows"].to_pylist(), strict=True))
    ]
    totals = total_of(sums)
    return pa.table(
        {
            "bucket_start": pa.array(of.bounds[:-1], TIMESTAMP),
            "bucket_end": pa.array(of.bounds[1:], TIMESTAMP),
            **{name: sums[name] for name in SUMS.names},
            "total": totals,
            "running": _running(totals, [start < of.stretch.until for start, _ in spans]),
            "state": pa.array(states),
            "is_complete": pa.array(
                [place not in cut and end <= of.stretch.until for place, (_, end) in enumerate(spans)], pa.bool_()
            ),
        },
        schema=BUCKETS,
    )


@dataclass(frozen=True)
class Earlier:
    """The part of another period that corresponds to what is known of this one."""

    shift: Shift
    start: datetime
    until: datetime
    spans: tuple[tuple[datetime, datetime], ...]
    """By bucket of this period the time that corresponds to it; as long as nothing where nothing does, as of an hour
    that the clock showed twice."""


def earlier(of: Periods, shift: Shift) -> Earlier:
    """Until the same time on the clock, and never a moment beyond: part is compared with part, whole with whole."""
    calendar, stretch = of.grid.calendar, of.stretch
    start, until = calendar.earlier(stretch.start, shift), calendar.earlier(stretch.until, shift)
    # a day is compared with a day, and an hour with the one of that name
    back = calendar.earlier if of.grid.grain.is_days else calendar.earlier_on_clock
    moved = [min(back(bound, shift), until) for bound in of.bounds]
    spans = []
    one_by_one = not shift.elapsed and of.grid.step <= DAY
    for begin, end in pairwise(moved):
        # the day or hour that it lacks, as after February or when clocks were put forward, is no part of its neighbour
        last = min(end, of.grid.end_of(begin)) if one_by_one and begin < end else end
        spans.append((begin, last))
    return Earlier(shift, start, until, tuple(spans))


def compared(sales: Sales, of: Periods, with_: Earlier) -> tuple[pa.Table, pa.Table]:
    """The earlier period's sums, by `sales.SUMS`, whose rows are all of it, and its COMPARED beside each bucket.

    total is what the corresponding time came to, and NULL where no time does or nothing was sold; running is of all of
    the earlier period up to the end of that time, and NULL where that ended. Asks the engine, which `with_` must hold
    some time for.
    """
    bounds = sorted({with_.start, with_.until, *(at for span in with_.spans for at in span)})
    sums = of.sums(sales, bounds, with_.shift)
    totals, places = total_of(sums), {at: place for place, at in enumerate(bounds[:-1])}
    running = [_ZERO, *accumulate(value or _ZERO for value in totals.to_pylist())]
    ends = {at: running[place] for place, at in enumerate(bounds)}
    beside = [places[begin] if begin < end else None for begin, end in with_.spans]
    reached = [bound < of.stretch.until for bound in of.bounds[:-1]]
    moved = [*(begin for begin, _ in with_.spans[1:]), with_.until]
    table = pa.table(
        {
            "total": totals.take(pa.array(beside, pa.int64())),
            "running": pa.array(
                [ends[at] if is_reached else None for at, is_reached in zip(moved, reached, strict=True)], _AMOUNT
            ),
        },
        schema=COMPARED,
    )
    return sums, table


def _cut(of: Periods, extent: Extent) -> set[int]:
    """The buckets that lack a part of their time."""
    starts, last = of.bounds[:-1], len(of.bounds) - 2
    # the one before is for the first, which may begin in the middle of a bucket
    cut = {0} if of.grid.start_of(starts[0]) < starts[0] else set()
    cut |= {place for place, start in enumerate(starts) if start < extent.first}
    return cut | ({last} if of.grid.end_of(starts[-1]) > of.bounds[-1] else set())


def _touched(of: Periods, moments: frozenset[datetime]) -> set[int]:
    inside = sorted(at for at in moments if of.bounds[0] <= at < of.bounds[-1])
    starts = {at: place for place, at in enumerate(of.bounds[:-1])}
    return {starts[of.start_of(at)] for at in inside}


def _running(totals: pa.ChunkedArray, is_known: Sequence[bool]) -> pa.Array:
    sums = accumulate(value or _ZERO for value in totals.to_pylist())
    return pa.array([value if known else None for value, known in zip(sums, is_known, strict=True)], _AMOUNT)
