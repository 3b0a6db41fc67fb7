"""Revenue over a range that ends with the newest window, asked of any engine: buckets and exact totals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.engine import Answer, Engine, Parameter
from dashboard.readers.lake import REVENUE_TABLE
from dashboard.readers.lake_table import TIMESTAMP
from dashboard.readers.zones import local_midnight, pieces
from dashboard.wording import CENT

MAX_BUCKETS = 750
"""What one chart shows at most; a bar would be thinner than a pixel beyond it."""

_VERIFY = "`sales-trends verify` lists what is wrong."
_DAY = timedelta(days=1)
_NONE = timedelta(0)
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
_TRIES = 5
_NO_FAULTS = pa.schema(
    [
        ("window_start", TIMESTAMP),
        ("window_end", TIMESTAMP),
        ("total_revenue", pa.decimal128(18, 2)),
        ("fault", pa.string()),
    ]
)
_MONDAY = date(1970, 1, 5)
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
    if window <= _NONE:
        raise ReadError(f"The window at {newest_start} does not end after it begins.", _VERIFY)
    bucket = asked.bucket or (window if asked.span else _fitting(end - first))
    bucket = -(-bucket // window) * window  # whole windows only
    grid = zone if bucket % _DAY == _NONE or (end.astimezone(zone).utcoffset() or _NONE) % window == _NONE else _UTC
    start = _bucket_start(end - timedelta(microseconds=1), bucket, grid)
    if asked.span:
        start -= max(asked.span, bucket) - bucket
    else:
        start = _bucket_start(first, bucket, grid)
    buckets = _buckets(state, start, end, bucket, grid)
    wrong = pc.sum(buckets["faults"]).as_py()
    return Trend(
        start=start,
        end=end,
        known_from=max(start, first),
        window=window,
        bucket=bucket,
        buckets=buckets.drop_columns("faults"),
        newest_start=newest_start,
        newest_revenue=newest["total_revenue"],
        faults=state.ask("revenue_faults", {"start": start, "end": end}) if wrong else _NO_FAULTS.empty_table(),
    )


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


def _fitting(extent: timedelta) -> timedelta:
    return next((step for step in _LADDER if extent <= step * MAX_BUCKETS), _LADDER[-1])


def _bucket_start(moment: datetime, bucket: timedelta, zone: ZoneInfo) -> datetime:
    """Where the bucket begins that holds this moment."""
    if bucket % _DAY == _NONE:
        days = bucket // _DAY
        day = moment.astimezone(zone).date()
        return local_midnight(day - (day - _MONDAY).days % days * _DAY, zone)
    offset = zone.utcoffset(moment.astimezone(zone).replace(tzinfo=None)) or timedelta(0)
    monday = datetime.combine(_MONDAY, time(), UTC) - offset
    return monday + (moment.astimezone(UTC) - monday) // bucket * bucket


def _buckets(state: _OneState, start: datetime, end: datetime, bucket: timedelta, zone: ZoneInfo) -> pa.Table:
    asked = pieces(start, end, zone)
    if bucket % _DAY:
        seconds = {"bucket_seconds": int(bucket.total_seconds())}
        found = [state.ask("revenue_by_bucket", {**one.parameters, **seconds}) for one in asked]
        starts = pa.concat_tables(found)
        ends = pc.add(starts["bucket_start"], bucket)
    else:
        found = [state.ask("revenue_by_day", one.parameters) for one in asked]
        starts = _in_days(pa.concat_tables(found), bucket // _DAY, zone)
        ends = pa.array([_later(at.as_py(), bucket // _DAY, zone) for at in starts["bucket_start"]], TIMESTAMP)
    columns = [starts["bucket_start"], ends, starts["windows"], starts["revenue"], starts["faults"]]
    return pa.table(columns, names=["bucket_start", "bucket_end", "windows", "revenue", "faults"])


def _in_days(by_day: pa.Table, days: int, zone: ZoneInfo) -> pa.Table:
    """So many days together, counted from a Monday."""
    first = [day - (day - _MONDAY).days % days * _DAY for day in by_day["local_day"].to_pylist()]
    dated = by_day.append_column("bucket_start", pa.array([local_midnight(day, zone) for day in first], TIMESTAMP))
    return (
        dated.group_by("bucket_start", use_threads=False)
        .aggregate([("windows", "sum"), ("revenue", "sum"), ("faults", "sum")])
        .rename_columns(["bucket_start", "windows", "revenue", "faults"])
    )


def _later(start: datetime, days: int, zone: ZoneInfo) -> datetime:
    return local_midnight(start.astimezone(zone).date() + days * _DAY, zone)
