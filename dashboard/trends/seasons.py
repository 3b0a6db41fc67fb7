"""How revenue goes by weekday and hour: averages over a range, exact, each with how many hours it is of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa

from dashboard.readers.zones import pieces
from dashboard.trends.calendars import Calendar
from dashboard.trends.grains import HOURS
from dashboard.trends.sales import Instants, Sales, instants, total_of
from dashboard.trends.totals import half_up

HOUR = 3_600_000_000
"""Microseconds."""
HOURS_OF_A_WEEK = 7 * 24
_THURSDAY = 3
"""The weekday of 1 January 1970."""
_AMOUNT = pa.decimal128(38, 2)
HEAT = pa.schema(
    [
        ("weekday", pa.int64()),
        ("hour", pa.int64()),
        ("revenue", _AMOUNT),
        ("average", _AMOUNT),
        ("hours", pa.int64()),
    ]
)
"""One row for each weekday (0 is Monday) and hour of the reader's clock that the range holds a whole one of, in that
order: revenue of all of them, the average to cents, half-up, and how many they are. An hour in which nothing was sold
counts; one that clocks show twice counts twice."""


@dataclass(frozen=True, eq=False)
class Hours:
    """The whole hours of a stretch of time by the reader's clock, oldest first; one that a change cuts is none."""

    starts: Instants
    local: Instants
    """The same by the reader's clock, in hours since 1970: one that is shown twice is there twice."""


def whole_hours(start: datetime, until: datetime, calendar: Calendar) -> Hours:
    """Those that lie in [start, until)."""
    found = [
        (np.arange(begin + -(begin + offset) % HOUR, end - HOUR + 1, HOUR, dtype=np.int64), offset)
        for begin, end, offset in _spans(start, until, calendar)
    ]
    none = [np.zeros(0, np.int64)]
    return Hours(
        np.concatenate([hours for hours, _ in found] or none),
        np.concatenate([(hours + offset) // HOUR for hours, offset in found] or none),
    )


def revenue_of(sales: Sales, hours: Hours, calendar: Calendar) -> pa.ChunkedArray:
    """What each hour came to; NULL where nothing was sold. Asks the engine, unless there is no hour."""
    if not len(hours.starts):
        return pa.chunked_array([pa.array([], _AMOUNT)])
    # what lies between two whole hours is part of none
    bounds = np.unique(np.concatenate([hours.starts, hours.starts + HOUR]))
    sums = sales.sums(bounds, calendar, longest=HOURS.span, by_days=False)
    return total_of(sums).take(pa.array(np.searchsorted(bounds, hours.starts)))


def heat(sales: Sales, start: datetime, until: datetime, calendar: Calendar) -> pa.Table:
    """By HEAT, of the whole hours between the two. Asks the engine."""
    hours = whole_hours(start, until, calendar)
    cells = (hours.local + 24 * _THURSDAY) % HOURS_OF_A_WEEK
    rows = pa.table({"cell": pa.array(cells), "revenue": revenue_of(sales, hours, calendar)})
    summed = rows.group_by("cell", use_threads=False).aggregate([("revenue", "sum"), ([], "count_all")]).sort_by("cell")
    totals = [value or Decimal("0.00") for value in summed["revenue_sum"].to_pylist()]
    counts = summed["count_all"].to_pylist()
    weekdays, hours_of_day = np.divmod(summed["cell"].to_numpy(), 24)
    averages = [half_up(one / count) for one, count in zip(totals, counts, strict=True)]
    return pa.table(
        [
            pa.array(column, field.type)
            for column, field in zip((weekdays, hours_of_day, totals, averages, counts), HEAT, strict=True)
        ],
        schema=HEAT,
    )


def _spans(start: datetime, until: datetime, calendar: Calendar) -> Iterator[tuple[int, int, int]]:
    """Start, end and offset of each time in which clocks do not change, in microseconds."""
    for piece in pieces(start, until, calendar.zone):
        ends = instants([piece.start, *piece.changes, piece.end])
        for begin, end, minutes in zip(ends, ends[1:], piece.offsets, strict=False):
            if begin < end:
                yield int(begin), int(end), minutes * 60_000_000
