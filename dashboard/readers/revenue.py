"""Revenue over a range that ends with the newest window: rows of `revenue_summary` in, buckets and exact totals out.

The questions are asked by the files in queries/, in DuckDB, of rows that are already in memory.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE, TIMESTAMP
from dashboard.sql_files import read_sql
from dashboard.wording import CENT

MAX_BUCKETS = 750
"""What one chart shows at most; a bar would be thinner than a pixel beyond it."""

_VERIFY = "`sales-trends verify` lists what is wrong."
_DAY = timedelta(days=1)
_LADDER = (timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), _DAY, timedelta(days=7), timedelta(days=91))


@dataclass(frozen=True)
class Range:
    """How far back from the newest window to look, and how much time one bar stands for."""

    span: timedelta | None
    """None: from the first window on."""
    bucket: timedelta | None
    """None: one window, or what keeps the whole table below MAX_BUCKETS."""


RANGES = {
    "15 min": Range(timedelta(minutes=15), None),
    "1 h": Range(timedelta(hours=1), timedelta(minutes=1)),
    "24 h": Range(_DAY, timedelta(minutes=15)),
    "7 d": Range(timedelta(days=7), timedelta(hours=1)),
    "14 d": Range(timedelta(days=14), timedelta(hours=1)),
    "All": Range(None, None),
}
"""By the name that the reader sees and the address carries."""


@dataclass(frozen=True)
class Trend:
    """What one range holds. Every instant is UTC, every start inclusive, every end exclusive."""

    start: datetime
    """Of the first bucket."""
    end: datetime
    """Of the newest window: what is later is not known yet."""
    known_from: datetime
    """`start`, or the first window of the table if it is later."""
    window: timedelta
    bucket: timedelta
    buckets: pa.Table
    """bucket_start, bucket_end (timestamp[us], UTC), windows (int64), revenue (decimal, 2 places); oldest first.

    A bucket without a window has no row. The last one may end after `end`: then it is still being filled.
    """
    newest_start: datetime
    newest_revenue: Decimal | None
    faults: pa.Table
    """window_start, window_end, total_revenue, fault (doubled, no amount); while it has rows no sum is right."""

    @property
    def total(self) -> Decimal:
        return sum((value for value in self.buckets["revenue"].to_pylist() if value is not None), Decimal("0.00"))

    @property
    def is_filling(self) -> bool:
        """True while the newest bucket waits for windows that have not closed yet."""
        return bool(self.buckets["bucket_end"][-1].as_py() > self.end)

    @property
    def windows(self) -> int:
        """Windows with revenue."""
        return int(pc.sum(self.buckets["windows"]).as_py() or 0)

    @property
    def windows_passed(self) -> int:
        """All windows that closed since `known_from`, those without an order included."""
        return max(self.windows, round((self.end - self.known_from) / self.window))

    def average_per(self, span: timedelta) -> Decimal:
        """Mean revenue per `span` of the time since `known_from`, rounded half-up to cents."""
        passed = self.end - self.known_from
        microsecond = timedelta(microseconds=1)
        return (self.total * (span // microsecond) / (passed // microsecond)).quantize(CENT, ROUND_HALF_UP)


def trend(rows: pa.Table, asked: Range, zone: ZoneInfo) -> Trend | None:
    """The trend at the end of `rows`, which are as `Lake.revenue` gives them; None when there is no row.

    Buckets begin on whole minutes, hours and days of `zone`; those of one window begin where the windows do.
    """
    if not len(rows):
        return None
    if rows["window_start"].null_count or rows["window_end"].null_count:
        raise ReadError(f"{REVENUE_TABLE} has rows without a window.", _VERIFY)
    first, newest = rows["window_start"][0].as_py(), rows.slice(len(rows) - 1).to_pylist()[0]
    end, window = newest["window_end"], newest["window_end"] - newest["window_start"]
    if window <= timedelta(0):
        raise ReadError(f"The window at {newest['window_start']} does not end after it begins.", _VERIFY)
    bucket = asked.bucket or (window if asked.span else _fitting(end - first))
    bucket = -(-bucket // window) * window  # whole windows only
    start = _bucket_start(end - timedelta(microseconds=1), bucket, window, zone)
    if asked.span:
        start -= max(asked.span, bucket) - bucket
    else:
        start = _bucket_start(first, bucket, window, zone)
    with _connection(rows) as connection:
        bounds = {"start": _naive(start), "end": _naive(end)}
        return Trend(
            start=start,
            end=end,
            known_from=max(start, first),
            window=window,
            bucket=bucket,
            buckets=_buckets(connection, bounds, bucket, zone),
            newest_start=newest["window_start"],
            newest_revenue=newest["total_revenue"],
            faults=_zoned(_ask(connection, "revenue_faults", bounds)),
        )


def _fitting(extent: timedelta) -> timedelta:
    return next((step for step in _LADDER if extent <= step * MAX_BUCKETS), _LADDER[-1])


def _bucket_start(moment: datetime, bucket: timedelta, window: timedelta, zone: ZoneInfo) -> datetime:
    """Where the bucket begins that holds this moment."""
    if bucket == _DAY:
        return _midnight(moment.astimezone(zone).date(), zone)
    offset = zone.utcoffset(moment.astimezone(zone).replace(tzinfo=None)) or timedelta(0)
    if offset % window:
        offset = timedelta(0)  # a bucket may not cut through windows, which are laid out in UTC
    monday = datetime(1970, 1, 5, tzinfo=UTC) - offset
    return monday + (moment.astimezone(UTC) - monday) // bucket * bucket


def _buckets(
    connection: duckdb.DuckDBPyConnection, bounds: dict[str, datetime], bucket: timedelta, zone: ZoneInfo
) -> pa.Table:
    if bucket != _DAY:
        seconds = int(bucket.total_seconds())
        return _zoned(_ask(connection, "revenue_by_bucket", {**bounds, "bucket_seconds": seconds}))
    by_day = _ask(connection, "revenue_by_day", {**bounds, "zone": zone.key})
    days = by_day["local_day"].to_pylist()
    starts = pa.array([_midnight(day, zone) for day in days], TIMESTAMP)
    ends = pa.array([_midnight(day + _DAY, zone) for day in days], TIMESTAMP)
    return pa.table(
        [starts, ends, by_day["windows"], by_day["revenue"]], names=["bucket_start", "bucket_end", "windows", "revenue"]
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One empty database per process: opening one takes 15 ms, a cursor on it nothing."""
    return duckdb.connect(config={"autoinstall_known_extensions": False, "threads": 1})


def _connection(rows: pa.Table) -> duckdb.DuckDBPyConnection:
    connection = _database().cursor()
    # DuckDB computes ten times faster with times that have no zone
    columns = [rows[name].cast(pa.timestamp("us")) for name in REVENUE_SCHEMA.names[:2]]
    connection.register(REVENUE_TABLE, pa.table([*columns, rows["total_revenue"]], names=REVENUE_SCHEMA.names))
    return connection


def _ask(connection: duckdb.DuckDBPyConnection, name: str, parameters: dict[str, Any]) -> pa.Table:
    return connection.execute(read_sql("queries", name), parameters).to_arrow_table()


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _zoned(table: pa.Table) -> pa.Table:
    """DuckDB answers in UTC without saying so."""
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, pc.assume_timezone(table[index], "UTC").cast(TIMESTAMP))
    return table
