"""Rows as a reader sees them on the screen and in the file that can be downloaded: local times, plain names, CSV."""

import json
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from dashboard.trends.sales import orders_of
from dashboard.trends.seasons import HEAT
from dashboard.trends.trend import Trend
from dashboard.wording import no_formula

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def buckets_as_rows(trend: Trend, *, is_ahead: bool = False) -> pa.Table:
    """The bars of a chart in which something was sold, newest first.

    Its columns: start, revenue, orders, windows, running, end, state. A phone shows the first two. Revenue, orders and
    windows are of all that closed, and orders NULL where those of some windows are not known. Where `is_ahead`, two
    more columns tell how much of it is streamed and not saved yet, and how much more is open so far. For each
    comparison a column holds what the same time came to then, and with a band three what was to be expected. A bar that
    is still filling ends where what is known ends, one that is open alone where its time does. Times are text by the
    reader's clock with its offset, such as 2026-03-01 13:00:00+01:00, so that the hour which an autumn night has twice
    can be told apart.
    """
    zone, buckets = trend.asked.calendar.zone, trend.buckets
    more = {f"compared with {one.name}": one.rows["total"] for one in trend.compared if one.rows is not None}
    if trend.band is not None and trend.band.rows is not None:
        more |= {name: trend.band.rows[name] for name in ("low", "expected", "high")}
    if is_ahead:
        more = {"streamed": _or_zero(buckets["streamed"]), "open": _or_zero(buckets["open"]), **more}
    windows = pc.add(*(pc.fill_null(buckets[name], 0) for name in ("windows", "streamed_windows")))
    rows = pa.table(
        {
            "start": _local(buckets["bucket_start"], zone),
            "revenue": _or_zero(buckets["total"]),
            "orders": orders_of(buckets),
            "windows": windows,
            "running": buckets["running"],
            "end": _ends(buckets, zone, trend.stretch.until),
            "state": buckets["state"],
            **more,
        }
    )
    sold = pc.or_(pc.is_valid(buckets["total"]), pc.is_valid(buckets["open"]))
    return rows.filter(sold)[::-1]


def hours_as_rows(trend: Trend) -> pa.Table:
    """The fields of the heat map: weekday (Monday to Sunday), hour, average, revenue, hours."""
    heat = HEAT.empty_table() if trend.heat is None else trend.heat
    weekdays = [_DAYS[day] for day in heat["weekday"].to_pylist()]
    return heat.set_column(0, "weekday", pa.array(weekdays, pa.string())).select(
        ["weekday", "hour", "average", "revenue", "hours"]
    )


def faults_as_rows(faults: pa.Table, *, zone: ZoneInfo) -> pa.Table:
    """The windows at fault, oldest first: start, fault, revenue, end."""
    return pa.table(
        {
            "start": _local(faults["window_start"], zone),
            "fault": faults["fault"],
            "revenue": faults["total_revenue"],
            "end": _local(faults["window_end"], zone),
        }
    )


def as_csv(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink)
    return bytes(sink.getvalue())


def answer_as_csv(rows: pa.Table) -> bytes:
    """What SQL of somebody's came to: times in UTC, nested values as JSON, no cell or name that a spreadsheet runs."""
    columns = [_cells(rows[place]) for place in range(rows.num_columns)]
    return as_csv(pa.table(columns, names=[no_formula(name) for name in rows.schema.names]))


def answer_as_parquet(rows: pa.Table) -> bytes:
    """The same with its types."""
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(rows, sink)
    return bytes(sink.getvalue())


def _cells(values: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = values.type
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return values
    told = (one if isinstance(one, str) or one is None else json.dumps(one, default=str) for one in values.to_pylist())
    return pa.array([one if one is None else no_formula(one) for one in told], pa.string())


def _or_zero(amounts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(amounts, pa.scalar(Decimal(0), amounts.type))


def _ends(buckets: pa.Table, zone: ZoneInfo, known_until: datetime) -> pa.Array:
    known = pa.scalar(known_until, buckets["bucket_end"].type)
    is_filling = pc.and_(pc.less(buckets["bucket_start"], known), pc.greater(buckets["bucket_end"], known))
    return _local(pc.if_else(is_filling, known, buckets["bucket_end"]), zone)


def _local(moments: pa.ChunkedArray, zone: ZoneInfo) -> pa.Array:
    return pa.array([at.astimezone(zone).isoformat(" ") for at in moments.to_pylist()], pa.string())
