"""Revenue over a range that ends with the newest window, asked of any engine: buckets and exact totals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.engine import Answer, Engine, Parameter
from dashboard.readers.lake import REVENUE_TABLE
from dashboard.readers.lake_table import TIMESTAMP, Snapshot
from dashboard.readers.zones import bucket_end, bucket_start, local_midnight, pieces
from dashboard.wording import CENT

MAX_BUCKETS = 750
"""What one chart shows at most; a bar would be thinner than a pixel beyond it."""

_VERIFY = "`sales-trends verify` lists what is wrong."
_DAY = timedelta(days=1)
_NONE = timedelta(0)
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
_TRIES = 5
FAULTS = pa.schema(
    [
        ("window_start", TIMESTAMP),
        ("window_end", TIMESTAMP),
        ("total_revenue", pa.decimal128(18, 2)),
        ("fault", pa.string()),
    ]
)
BUCKETS = pa.schema(
    [
        ("bucket_start", TIMESTAMP),
        ("bucket_end", TIMESTAMP),
        ("windows", pa.int64()),
        ("revenue", pa.decimal128(38, 2)),
        ("streamed_windows", pa.int64()),
        ("streamed", pa.decimal128(38, 2)),
        ("open_windows", pa.int64()),
        ("open", pa.decimal128(38, 2)),
    ]
)
_UTC = ZoneInfo("UTC")
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
    """`start`, or the first window if it is later."""
    window: timedelta
    bucket: timedelta
    grid: ZoneInfo
    """By whose clock buckets begin."""
    buckets: pa.Table
    """By BUCKETS, oldest first; times in UTC, amounts to cents.

    windows and revenue are committed; streamed_windows and streamed are as final, but in Kafka alone; open_windows and
    open are not final.
    A bucket without any of them has no row. The last ones may end after `end`: then they are still being filled.
    """
    newest_start: datetime
    newest_revenue: Decimal | None
    faults: pa.Table
    """By FAULTS, fault being `doubled` or `no amount`; while it has rows no sum is right."""
    snapshot: Snapshot | None
    """The state that all that is committed is of; None where nothing is."""
    committed_until: datetime | None
    """When the newest committed window ends; None without one."""
    is_ahead: bool = False
    """Whether what is ahead of the commit is in it; else nothing is streamed and nothing open."""
    open_later: int = 0
    """Open windows too far ahead to be in a bucket."""

    @property
    def committed(self) -> Decimal:
        return self._sum("revenue")

    @property
    def streamed(self) -> Decimal:
        return self._sum("streamed")

    @property
    def open(self) -> Decimal:
        """Not final, and in no other sum."""
        return self._sum("open")

    @property
    def total(self) -> Decimal:
        """Of all windows that have closed, which is the same before and after they are committed."""
        return self.committed + self.streamed

    @property
    def is_filling(self) -> bool:
        """True while the newest bucket waits for windows that have not closed yet."""
        return bool(self.buckets["bucket_end"][-1].as_py() > self.end)

    @property
    def windows(self) -> int:
        """Windows with revenue that have closed."""
        return sum(int(pc.sum(self.buckets[name]).as_py() or 0) for name in ("windows", "streamed_windows"))

    @property
    def windows_passed(self) -> int:
        """All windows that closed since `known_from`, those without an order included."""
        return max(self.windows, round((self.end - self.known_from) / self.window))

    def average_per(self, span: timedelta) -> Decimal:
        """Mean revenue per `span` of the time since `known_from`, rounded half-up to cents."""
        passed = self.end - self.known_from
        microsecond = timedelta(microseconds=1)
        return (self.total * (span // microsecond) / (passed // microsecond)).quantize(CENT, ROUND_HALF_UP)

    def _sum(self, column: str) -> Decimal:
        return pc.sum(self.buckets[column]).as_py() or Decimal("0.00")


@dataclass(frozen=True)
class Frame:
    """Where the buckets of a range begin."""

    start: datetime
    """Of the first one."""
    bucket: timedelta
    grid: ZoneInfo


def frame(
    asked: Range, zone: ZoneInfo, *, first: datetime, end: datetime, window: timedelta, grid: ZoneInfo | None = None
) -> Frame:
    """Of a range over windows of which the first one starts and the newest one ends at these times.

    Raises ReadError where no time is between them, or a window takes none.
    """
    if window <= _NONE:
        raise ReadError(f"The window at {end - window} does not end after it begins.", _VERIFY)
    bucket = asked.bucket or (window if asked.span else _fitting(end - first))
    bucket = -(-bucket // window) * window  # whole windows only
    if grid is None:
        grid = zone if bucket % _DAY == _NONE or (end.astimezone(zone).utcoffset() or _NONE) % window == _NONE else _UTC
    if asked.span is None:
        return Frame(bucket_start(first, bucket, grid), bucket, grid)
    start = bucket_start(end - timedelta(microseconds=1), bucket, grid) - (max(asked.span, bucket) - bucket)
    return Frame(bucket_start(start, bucket, grid), bucket, grid)


def trend(engine: Engine, asked: Range, zone: ZoneInfo) -> Trend | None:
    """The trend at the end of what the engine has; None when there is no window.

    Buckets begin on whole minutes, hours and days of `zone`; those of one window begin where the windows do. All of it
    is of one state. Raises what `Engine.ask` raises.
    """
    for _ in range(_TRIES):
        try:
            return _trend(_OneState(engine), asked, zone)
        except _NewState:
            continue
    raise ReadError(f"{REVENUE_TABLE} was committed to again and again while it was read.", "Try again.")


def _trend(state: "_OneState", asked: Range, zone: ZoneInfo) -> Trend | None:
    [extent] = state.ask("revenue_extent", {"start": _EVER[0], "end": _EVER[1]}).to_pylist()
    first, newest_start = extent["first_start"], extent["newest_start"]
    if newest_start is None:
        return None
    just_that = {"start": newest_start, "end": newest_start + timedelta(microseconds=1)}
    newest = state.ask("revenue_windows", just_that).to_pylist()[-1]
    end, window = newest["window_end"], newest["window_end"] - newest_start
    framed = frame(asked, zone, first=first, end=end, window=window)
    buckets = _buckets(state, framed.start, end, framed.bucket, framed.grid)
    wrong = pc.sum(buckets["faults"]).as_py()
    within = {"start": framed.start, "end": end}
    return Trend(
        start=framed.start,
        end=end,
        known_from=max(framed.start, first),
        window=window,
        bucket=framed.bucket,
        grid=framed.grid,
        buckets=as_buckets(buckets.select(["bucket_start", "bucket_end", "windows", "revenue"])),
        newest_start=newest_start,
        newest_revenue=newest["total_revenue"],
        faults=state.ask("revenue_faults", within) if wrong else FAULTS.empty_table(),
        snapshot=state.snapshot,
        committed_until=extent["newest_end"],
    )


def as_buckets(rows: pa.Table) -> pa.Table:
    """By BUCKETS, with 0 in the columns that the rows do not have."""
    zeros = pa.array([Decimal(0)] * len(rows), pa.decimal128(38, 2))
    columns = [rows[field.name] if field.name in rows.column_names else zeros for field in BUCKETS]
    return pa.table([column.cast(field.type) for column, field in zip(columns, BUCKETS, strict=True)], schema=BUCKETS)


class _NewState(Exception):  # nobody sees it
    """Something was committed between two questions."""


class _OneState:
    """Asks an engine again and again, of what it had at the first time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answers: list[Answer] = []

    def ask(self, question: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        answer = self._engine.ask(question, parameters)
        if self._answers and answer.snapshot != self._answers[0].snapshot:
            raise _NewState
        self._answers.append(answer)
        return answer.rows

    @property
    def snapshot(self) -> Snapshot | None:
        """The state that all answers so far are of."""
        return self._answers[0].snapshot if self._answers else None


def _fitting(extent: timedelta) -> timedelta:
    return next((step for step in _LADDER if extent <= step * MAX_BUCKETS), _LADDER[-1])


def _buckets(state: _OneState, start: datetime, end: datetime, bucket: timedelta, zone: ZoneInfo) -> pa.Table:
    asked = pieces(start, end, zone)
    if bucket % _DAY:
        seconds = {"bucket_seconds": int(bucket.total_seconds())}
        found = [state.ask("revenue_by_bucket", {**one.parameters, **seconds}) for one in asked]
        starts = pa.concat_tables(found)
    else:
        found = [state.ask("revenue_by_day", one.parameters) for one in asked]
        starts = _in_days(pa.concat_tables(found), bucket, zone)
    ends = pa.array([bucket_end(at.as_py(), bucket, zone) for at in starts["bucket_start"]], TIMESTAMP)
    columns = [starts["bucket_start"], ends, starts["windows"], starts["revenue"], starts["faults"]]
    return pa.table(columns, names=["bucket_start", "bucket_end", "windows", "revenue", "faults"])


def _in_days(by_day: pa.Table, bucket: timedelta, zone: ZoneInfo) -> pa.Table:
    """So many days together."""
    first = [bucket_start(local_midnight(day, zone), bucket, zone) for day in by_day["local_day"].to_pylist()]
    dated = by_day.append_column("bucket_start", pa.array(first, TIMESTAMP))
    return (
        dated.group_by("bucket_start", use_threads=False)
        .aggregate([("windows", "sum"), ("revenue", "sum"), ("faults", "sum")])
        .rename_columns(["bucket_start", "windows", "revenue", "faults"])
    )
