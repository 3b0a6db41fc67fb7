"""What revenue to expect by season, and which buckets lie outside of it. Totals are never touched."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dashboard.trends.calendars import DAY, Calendar, Shift
from dashboard.trends.grains import DAYS, HOURS
from dashboard.trends.periods import Periods
from dashboard.trends.sales import Extent, Instants, Sales, instants, total_of
from dashboard.trends.seasons import HOUR, HOURS_OF_A_WEEK, revenue_of, whole_hours
from dashboard.wording import day as day_text
from dashboard.wording import length

WEEKS = 8
"""That are looked back on."""
LEAST_WEEKS = 5
"""Of the same weekday and hour: of fewer nobody can say what is usual."""
WIDTH = 4.0
"""Of the usual distance, to either side."""
_FLOOR = 0.1
"""Of the median: what repeats to the cent for weeks would else make an anomaly of a cent."""
_AS_NORMAL = 1.4826
"""The median absolute deviation times this is the standard deviation, where values are normally distributed."""
METHOD = (
    f"Expected is the median of the same weekday and time of the {WEEKS} weeks before; the band is {WIDTH:.0f} times "
    f"the usual distance from it (median absolute deviation, of that time or of all, whichever is larger), at "
    f"least {_FLOOR:.0%}."
)
_CENTS = pa.decimal128(38, 2)
BAND = pa.schema([("expected", _CENTS), ("low", _CENTS), ("high", _CENTS), ("is_anomaly", pa.bool_())])
"""Beside each bucket; NULL where too little is known. Never below 0.00; is_anomaly of complete buckets alone."""


@dataclass(frozen=True, eq=False)
class Band:
    """What was to be expected of each bucket."""

    rows: pa.Table | None
    """By BAND; None where there is none for any bucket."""
    note: str
    """How it is reckoned, or why there is none and what it wants; a sentence."""


def band(sales: Sales, of: Periods, buckets: pa.Table, extent: Extent) -> Band:
    """For buckets of an hour or a day of a zone that windows fit. Asks the engine for the weeks before the range."""
    calendar = of.grid.calendar
    if not _is_hourly(of) and of.grid.grain != DAYS:
        return Band(None, "What to expect is known by hour and by day: choose one of them as grain.")
    per_week = HOURS_OF_A_WEEK if _is_hourly(of) else 7
    known, history = _history(sales, of, extent)
    here = _places(of, calendar)
    complete = np.array(buckets["is_complete"].to_pylist(), np.bool_)
    seen = _cents(buckets["total"])
    samples = _samples(
        np.concatenate([here[complete], known]), np.concatenate([seen[complete], history]), here, per_week
    )
    enough = np.count_nonzero(~np.isnan(samples), axis=1) >= LEAST_WEEKS
    if not enough.any():
        begins = day_text(extent.first + (LEAST_WEEKS + 1) * 7 * DAY, calendar.zone, extent.until)
        return Band(
            None,
            f"What to expect takes {LEAST_WEEKS} weeks before the range; the table holds "
            f"{length(extent.until - extent.first)}, so it is known from {begins} on at the latest.",
        )
    return Band(_judged(samples, enough, np.where(complete, seen, np.nan)), METHOD)


def _is_hourly(of: Periods) -> bool:
    """Of windows, too, that are an hour long."""
    return of.grid.step == HOURS.span


def _history(sales: Sales, of: Periods, extent: Extent) -> tuple[Instants, NDArray[np.float64]]:
    """The places of what was before the range, and what it came to in cents."""
    calendar, start = of.grid.calendar, of.bounds[0]
    since = max(calendar.earlier(start, Shift(days=7 * WEEKS)), extent.first)
    until = min(start, extent.until)
    if _is_hourly(of):
        hours = whole_hours(since, until, calendar)
        return hours.local, _cents(revenue_of(sales, hours, calendar))
    midnights = [at for at in of.grid.starts(since, until) if of.grid.start_of(at) == at]
    if midnights:
        midnights.append(of.grid.end_of(midnights[-1]))
    if midnights and midnights[-1] > until:
        midnights.pop()  # the range cuts it
    if len(midnights) < 2:
        return np.zeros(0, np.int64), np.zeros(0)
    places = np.array([calendar.day(at).toordinal() for at in midnights[:-1]], np.int64)
    return places, _cents(total_of(of.sums(sales, midnights)))


def _places(of: Periods, calendar: Calendar) -> Instants:
    """Hours or days of the reader's clock, counted through: a week later is so many more."""
    if of.grid.grain == DAYS:
        return np.array([calendar.day(at).toordinal() for at in of.bounds[:-1]], np.int64)
    offsets = [at.astimezone(calendar.zone).utcoffset() or timedelta(0) for at in of.bounds[:-1]]
    return (
        instants(of.bounds[:-1]) + np.array([one // timedelta(microseconds=1) for one in offsets], np.int64)
    ) // HOUR


def _samples(places: Instants, values: NDArray[np.float64], here: Instants, per_week: int) -> NDArray[np.float64]:
    """For each place the values of the weeks before it, NaN where there is none; an hour that is there twice is one."""
    first = int(min(places.min(initial=here.min()), here.min() - per_week * WEEKS))
    line = np.full(int(max(places.max(initial=here.max()), here.max())) - first + 1, np.nan)
    line[places - first] = values
    found: NDArray[np.float64] = line[here[:, None] - per_week * np.arange(1, WEEKS + 1) - first]
    return found


def _judged(samples: NDArray[np.float64], enough: NDArray[np.bool_], seen: NDArray[np.float64]) -> pa.Table:
    middle, usual = np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    middle[enough] = np.nanmedian(samples[enough], axis=1)
    distances = np.abs(samples[enough] - middle[enough, None])
    usual[enough] = _AS_NORMAL * np.nanmedian(distances, axis=1)
    sold = enough & (middle > 0)
    # of eight values alone a distance is small by chance too often, see docs/decisions/0032
    of_all = float(np.median(usual[sold] / middle[sold])) if sold.any() else 0.0
    usual = np.maximum(usual, max(of_all, _FLOOR / WIDTH) * middle)
    low, high = np.maximum(middle - WIDTH * usual, 0), middle + WIDTH * usual
    with np.errstate(invalid="ignore"):
        outside = (seen < low) | (seen > high)
    columns = [_amounts(one) for one in (middle, low, high)]
    is_anomaly = pa.array(outside, pa.bool_(), mask=np.isnan(seen) | ~enough)
    return pa.table([*columns, is_anomaly], schema=BAND)


def _cents(amounts: pa.ChunkedArray) -> NDArray[np.float64]:
    """For judging alone; where nothing was sold, 0."""
    return np.array([0.0 if value is None else float(value.scaleb(2)) for value in amounts.to_pylist()])


def _amounts(cents: NDArray[np.float64]) -> pa.Array:
    rounded = [None if np.isnan(value) else Decimal(round(value)).scaleb(-2) for value in cents]
    return pa.array(rounded, _CENTS)
