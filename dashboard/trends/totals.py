"""What a stretch of time came to, and its figures: revenue, orders, average order, best bucket and day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.trends.calendars import Calendar
from dashboard.trends.sales import SUMS
from dashboard.wording import CENT

_NOTHING = Decimal("0.00")
SPARKS = 30
"""Points of a sparkline at most."""


@dataclass(frozen=True)
class Total:
    """Exact sums of one stretch of time."""

    windows: int
    committed: Decimal
    orders: int | None
    """Of committed windows, as far as they are known; None where they are of none of them."""
    uncounted: int
    """Committed windows whose orders are not known."""
    streamed_windows: int
    streamed: Decimal
    """Closed, and in Kafka alone; its orders are not known."""
    open: Decimal
    """Not final, and in no other sum."""
    faults: int
    """Windows that make the sums wrong."""

    @property
    def revenue(self) -> Decimal:
        """Of all windows that have closed."""
        return self.committed + self.streamed

    @property
    def counted_orders(self) -> int | None:
        """The orders of all committed windows; None where some are not known, and where all that closed is streamed."""
        is_streamed_alone = self.streamed_windows > 0 and not self.windows
        return None if self.uncounted or is_streamed_alone else self.orders or 0

    @property
    def average_order(self) -> Decimal | None:
        """To cents, half-up, of the committed windows; None without orders, and where not all are known."""
        orders = self.counted_orders
        return half_up(self.committed / orders) if orders else None


def half_up(amount: Decimal) -> Decimal:
    """To cents."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def total(sums: pa.Table) -> Total:
    """Of all rows of a table with columns of `sales.SUMS`; one that it does not have holds nothing."""
    found: dict[str, Any] = {name: pc.sum(sums[name]).as_py() for name in SUMS.names if name in sums.column_names}
    found = {**dict.fromkeys(SUMS.names), **found}
    return Total(
        windows=found["windows"] or 0,
        committed=found["revenue"] or _NOTHING,
        orders=found["orders"],
        uncounted=found["uncounted"] or 0,
        streamed_windows=found["streamed_windows"] or 0,
        streamed=found["streamed"] or _NOTHING,
        open=found["open"] or _NOTHING,
        faults=found["faults"] or 0,
    )


@dataclass(frozen=True)
class Best:
    """Where most was sold; of several the first."""

    start: datetime
    end: datetime
    revenue: Decimal


def best_bucket(buckets: pa.Table) -> Best | None:
    """Of `periods.BUCKETS`; None where nothing was sold."""
    return _best([(row["bucket_start"], row["bucket_end"], row["total"]) for row in _closed(buckets)])


def best_day(buckets: pa.Table, calendar: Calendar) -> Best | None:
    """The day with most revenue in a range of several; None where buckets are longer than days, or it has one."""
    by_day: dict[Any, Best] = {}
    for row in _closed(buckets):
        day, start, end = calendar.day(row["bucket_start"]), row["bucket_start"], row["bucket_end"]
        if end > calendar.midnight_after(day):
            return None
        known = by_day.get(day, Best(start, end, _NOTHING))
        by_day[day] = Best(known.start, end, known.revenue + row["total"])
    return _best([(one.start, one.end, one.revenue) for one in by_day.values()]) if len(by_day) > 1 else None


@dataclass(frozen=True)
class Sparks:
    """A few points for each figure, oldest first, each of as many buckets; what is not complete is left out.

    orders and average_order end where the first window is streamed: there orders are not known yet. A point before that
    of which they are not known is None.
    """

    revenue: tuple[float, ...]
    orders: tuple[float | None, ...]
    average_order: tuple[float | None, ...]
    """Without the points in which there was no order."""


def sparks(buckets: pa.Table, *, most: int = SPARKS) -> Sparks:
    """Of the complete buckets."""
    rows = [row for row in buckets.to_pylist() if row["is_complete"]]
    each = max(1, -(-len(rows) // most))
    # counted from the newest, so that the last point is a whole one
    points = [rows[max(0, end - each) : end] for end in range(len(rows), 0, -each)][::-1]
    if points and len(points[0]) < each:
        points.pop(0)
    known = list(takewhile(lambda point: not any(row["streamed_windows"] for row in point), points))
    orders = [_orders(point) for point in known]
    committed = [sum((row["revenue"] or _NOTHING for row in point), _NOTHING) for point in known]
    return Sparks(
        tuple(float(sum((row["total"] or _NOTHING for row in point), _NOTHING)) for point in points),
        tuple(None if count is None else float(count) for count in orders),
        tuple(
            None if count is None else float(half_up(sold / count))
            for sold, count in zip(committed, orders, strict=True)
            if count != 0
        ),
    )


def _orders(rows: Sequence[dict[str, Any]]) -> int | None:
    if any(row["uncounted"] for row in rows):
        return None
    return sum(row["orders"] or 0 for row in rows)


def _closed(buckets: pa.Table) -> list[dict[str, Any]]:
    columns = buckets.select(["bucket_start", "bucket_end", "total"])
    rows: list[dict[str, Any]] = columns.filter(pc.is_valid(columns["total"])).to_pylist()
    return rows


def _best(found: Sequence[tuple[datetime, datetime, Decimal]]) -> Best | None:
    top = max(found, key=lambda one: one[2], default=None)
    return None if top is None or top[2] <= 0 else Best(*top)
