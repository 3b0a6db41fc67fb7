"""A range beside earlier ones: the same elapsed part of each, in buckets that correspond, and its change in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from dashboard.errors import SettingsError
from dashboard.readers.zones import EARLIEST
from dashboard.trends.calendars import DAY, Shift
from dashboard.trends.changes import Change, Kind, change, earlier_name, no_change
from dashboard.trends.periods import Earlier, Periods, compared, earlier
from dashboard.trends.ranges import Range
from dashboard.trends.sales import Extent, Sales
from dashboard.trends.totals import Total, total
from dashboard.wording import moment

PREVIOUS = "previous"
COMPARISONS = {
    PREVIOUS: "The period before",
    "week": "A week before",
    "year": "A year before (364 days: the same weekdays)",
}
"""By the name that the address carries, what the reader sees. All compare the same elapsed part."""
_SHIFTS = {"week": Shift(days=7), "year": Shift(days=364)}
_NO_ORDERS = "there was no order"


@dataclass(frozen=True, eq=False)
class Compared:
    """One earlier period, up to where this one is known."""

    comparison: str
    """A name of COMPARISONS."""
    start: datetime
    until: datetime
    name: str
    """`last Tuesday until 14:05`."""
    total: Total | None
    """None where there is no data of it."""
    rows: pa.Table | None
    """By `periods.COMPARED`, beside the buckets; None where there is no data."""
    revenue: Change
    orders: Change
    """Orders are known of what is committed alone: up to where this period is. So is average_order."""
    average_order: Change


def compare(
    sales: Sales, asked: Range, names: Sequence[str], of: Periods, extent: Extent, now: Total
) -> Iterator[Compared]:
    """Each comparison once, in that order, without those out of reach; all time is compared with nothing.

    Asks the engine. Raises SettingsError for a comparison that there is not.
    """
    seen: set[Shift] = set()
    for name in names:
        shift = _shift(name, of)
        if shift is not None and shift not in seen and _is_in_reach(shift, of):
            seen.add(shift)
            yield _compared(sales, asked, name, earlier(of, shift), of, extent, now)


def out_of_reach(names: Sequence[str], of: Periods) -> list[str]:
    """Those that would begin before all that can be reckoned with, as what lies before thousands of years."""
    shifts = {name: _shift(name, of) for name in names}
    return [name for name, shift in shifts.items() if shift is not None and not _is_in_reach(shift, of)]


def _compared(
    sales: Sales, asked: Range, name: str, then: Earlier, of: Periods, extent: Extent, now: Total
) -> Compared:
    than = earlier_name(asked, of.stretch, then, of.grid.calendar)
    summed, beside = None, None
    kind = _kind_of_none(then, of, extent)
    if kind not in (Kind.NOT_YET, Kind.NO_DATA):
        sums, beside = compared(sales, of, then)
        summed = total(sums)
        if summed.faults:
            kind = Kind.UNKNOWN
    if kind is None and summed is not None:
        revenue = change(now.revenue, summed.revenue, than)
        orders, average = _of_orders(sales, asked, then, of, extent, now, summed)
    else:
        since = moment(extent.first, of.grid.calendar.zone, extent.until, seconds=False)
        revenue = orders = average = no_change(kind or Kind.UNKNOWN, than, since)
    return Compared(name, then.start, then.until, than, summed, beside, revenue, orders, average)


def _kind_of_none(then: Earlier, of: Periods, extent: Extent) -> Kind | None:
    """Why there is no change; None if there is one."""
    if of.stretch.until <= of.stretch.start or then.until <= then.start:
        return Kind.NOT_YET
    if then.until <= extent.first:
        return Kind.NO_DATA
    return Kind.PARTLY if then.start < extent.first else None


def _of_orders(
    sales: Sales, asked: Range, then: Earlier, of: Periods, extent: Extent, now: Total, before: Total
) -> tuple[Change, Change]:
    """Of orders and of the average order, up to where this period is committed."""
    calendar, until = of.grid.calendar, then.until
    if now.streamed_windows and extent.committed_until is not None:
        until = min(until, max(then.start, calendar.earlier(extent.committed_until, then.shift)))
        before = total(sales.committed(then.start, until))
    than = earlier_name(asked, of.stretch, replace(then, until=until), calendar)
    return (
        change(_number(now.counted_orders), _number(before.counted_orders), than, _NO_ORDERS),
        change(now.average_order, before.average_order, than),
    )


def _number(count: int | None) -> Decimal | None:
    return None if count is None else Decimal(count)


def _shift(name: str, of: Periods) -> Shift | None:
    if name not in COMPARISONS:
        raise SettingsError(f"There is no comparison {name}.", f"Choose of {', '.join(COMPARISONS)}.")
    return None if of.stretch.previous is None else _SHIFTS.get(name, of.stretch.previous)


def _is_in_reach(shift: Shift, of: Periods) -> bool:
    return shift.elapsed + (shift.days + 31 * shift.months) * DAY <= of.stretch.start - EARLIEST
