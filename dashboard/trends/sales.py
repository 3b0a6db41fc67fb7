"""What was sold in any stretches of time, exact, all of it of one state: committed, in Kafka alone, and still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import gcd

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dashboard.errors import ReadError
from dashboard.readers.engine import WITHOUT_HASTE, Answer, Engine, Limits, Parameter
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.readers.lake_table import TIMESTAMP, Snapshot
from dashboard.readers.open_windows import OpenWindow
from dashboard.readers.zones import EARLIEST, LATEST, Piece, pieces
from dashboard.trends.calendars import Calendar

Instants = NDArray[np.int64]
"""Microseconds since 1970 in UTC, rising."""
_AMOUNT = pa.decimal128(38, 2)
_COUNT = pa.int64()
SUMS = pa.schema(
    [
        ("windows", _COUNT),
        ("revenue", _AMOUNT),
        ("orders", _COUNT),
        ("uncounted", _COUNT),
        ("faults", _COUNT),
        ("streamed_windows", _COUNT),
        ("streamed", _AMOUNT),
        ("open_windows", _COUNT),
        ("open", _AMOUNT),
    ]
)
"""One row for each stretch. windows, revenue, orders and uncounted (windows whose orders are not known) are committed;
streamed has closed too and is in Kafka alone; open is not final. NULL where there is no window of that kind; faults are
windows that make sums wrong."""
FAULTS = pa.schema(
    [
        ("window_start", TIMESTAMP),
        ("window_end", TIMESTAMP),
        ("total_revenue", pa.decimal128(18, 2)),
        ("fault", pa.string()),
    ]
)
_COMMITTED = SUMS.names[:5]
_MICROSECOND = timedelta(microseconds=1)


class NewState(Exception):  # whoever asks begins again
    """Something was committed between two questions."""


@dataclass(frozen=True, eq=False)
class Ahead:
    """What the state does not hold."""

    streamed: pa.Table
    """By REVENUE_SCHEMA: windows that closed and are not committed, oldest first, none of them twice."""
    open: tuple[OpenWindow, ...] = ()
    """Those that have not closed."""


NOTHING_AHEAD = Ahead(REVENUE_SCHEMA.empty_table())


@dataclass(frozen=True)
class Extent:
    """From when to when there is anything."""

    first: datetime
    """Where the first window begins."""
    until: datetime
    """Where the newest one ends that has closed."""
    committed_until: datetime | None
    """The same of those that are committed."""
    window: timedelta


class Sales:
    """One state of an engine's tables and what is ahead of it; for one thread."""

    def __init__(
        self,
        engine: Engine,
        ahead: Ahead = NOTHING_AHEAD,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> None:
        self._engine = engine
        self._ahead = ahead
        self._snapshot_id = snapshot_id
        self._limits = limits
        self._answers: list[Answer] = []

    @property
    def snapshot(self) -> Snapshot | None:
        """Which state it is; None before the first question, and without one."""
        return self._answers[0].snapshot if self._answers else None

    @property
    def questions(self) -> int:
        """How many the engine was asked."""
        return len(self._answers)

    @property
    def newest_open(self) -> datetime | None:
        """When the last window begins that is open; None without one."""
        return max((one.start for one in self._ahead.open), default=None)

    def ask(self, question: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Raises NewState, and what `Engine.ask` raises."""
        answer = self._engine.ask(question, parameters, snapshot_id=self._snapshot_id, limits=self._limits)
        if self._answers and answer.snapshot != self._answers[0].snapshot:
            raise NewState
        self._answers.append(answer)
        return answer.rows

    def extent(self) -> Extent | None:
        """None while no window has closed. Raises ReadError for a window that takes no time."""
        [found] = self.ask("revenue_extent", {"start": EARLIEST, "end": LATEST}).to_pylist()
        spans = [] if found["newest_start"] is None else [(found["newest_start"], found["newest_end"])]
        firsts = [] if found["first_start"] is None else [found["first_start"]]
        streamed = self._ahead.streamed
        if len(streamed):
            newest = streamed.slice(len(streamed) - 1).to_pylist()[0]
            spans.append((newest["window_start"], newest["window_end"]))
            firsts.append(streamed["window_start"][0].as_py())
        if not spans:
            return None
        start, until = max(spans, key=lambda span: span[1])
        if until <= start:
            raise ReadError(
                f"The window at {start} does not end after it begins.", "`sales-trends verify` lists what is wrong."
            )
        return Extent(min(firsts), until, found["newest_end"], until - start)

    def sums(self, bounds: Instants, calendar: Calendar, *, longest: timedelta, by_days: bool) -> pa.Table:
        """By SUMS, of the windows that begin in each of [bounds[0], bounds[1]), [bounds[1], bounds[2]) and so on.

        `by_days` if all bounds but the outer two are midnights of the calendar; else `longest`, at most an hour, is how
        long the stretches are that the engine may sum up.
        """
        start, end = moment_of(bounds[0]), moment_of(bounds[-1])
        committed = self._days(start, end, calendar) if by_days else self._buckets(bounds, calendar, longest)
        held = [one for one in self._ahead.open if start <= one.start < end]
        inside = _between(self._ahead.streamed, start, end)
        ahead = pa.table(
            {
                "streamed_windows": pa.array(np.ones(len(inside), np.int64)),
                "streamed": inside["total_revenue"].cast(_AMOUNT),
                "streamed_faults": pc.is_null(inside["total_revenue"]).cast(_COUNT),
            }
        )
        still_open = pa.table(
            {
                "open_windows": pa.array([1] * len(held), _COUNT),
                "open": pa.array([one.revenue for one in held], _AMOUNT),
            }
        )
        columns = {
            **_placed(committed.select(_COMMITTED), _instants_of(committed["at"]), bounds),
            **_placed(ahead, _instants_of(inside["window_start"]), bounds),
            **_placed(still_open, instants([one.start for one in held]), bounds),
        }
        faults = pc.add(pc.fill_null(columns["faults"], 0), pc.fill_null(columns.pop("streamed_faults"), 0))
        return pa.table({**columns, "faults": faults}).select(SUMS.names).cast(SUMS)

    def committed(self, start: datetime, end: datetime) -> pa.Table:
        """One row, by the committed columns of SUMS."""
        return self.ask("revenue_totals", {"start": start, "end": end})

    def faults(self, start: datetime, end: datetime) -> pa.Table:
        """By FAULTS, the windows of [start, end) that are wrong: `doubled` or with `no amount`."""
        committed = self.ask("revenue_faults", {"start": start, "end": end})
        streamed = _between(self._ahead.streamed, start, end)
        streamed = streamed.filter(pc.is_null(streamed["total_revenue"]))
        without = streamed.append_column("fault", pa.array(["no amount"] * len(streamed), pa.string()))
        return pa.concat_tables([committed.cast(FAULTS), without.cast(FAULTS)])

    def _days(self, start: datetime, end: datetime, calendar: Calendar) -> pa.Table:
        asked = pieces(start, end, calendar.zone)
        rows = pa.concat_tables([self.ask("revenue_by_day", one.parameters) for one in asked])
        midnights = [calendar.midnight(day) for day in rows["local_day"].to_pylist()]
        return rows.append_column("at", pa.array(midnights, TIMESTAMP))

    def _buckets(self, bounds: Instants, calendar: Calendar, longest: timedelta) -> pa.Table:
        found = []
        for one in pieces(moment_of(bounds[0]), moment_of(bounds[-1]), calendar.zone):
            seconds = _seconds(one, bounds[1:-1], longest)
            found.append(self.ask("revenue_by_bucket", {**one.parameters, "bucket_seconds": seconds}))
        rows = pa.concat_tables(found)
        return rows.append_column("at", rows["bucket_start"])


def instants(moments: Sequence[datetime]) -> Instants:
    """As microseconds since 1970."""
    return np.array([(at - EARLIEST) // _MICROSECOND for at in moments], np.int64)


def moment_of(instant: int) -> datetime:
    """UTC."""
    return EARLIEST + int(instant) * _MICROSECOND


def total_of(sums: pa.Table) -> pa.ChunkedArray:
    """What has closed of each stretch, committed or not; NULL where there is nothing."""
    parts = [sums[name].cast(pa.decimal128(37, 2)) for name in ("revenue", "streamed")]
    zero = pa.scalar(Decimal(0), pa.decimal128(37, 2))
    both = pc.add(pc.fill_null(parts[0], zero), pc.fill_null(parts[1], zero))
    neither = pc.and_(pc.is_null(parts[0]), pc.is_null(parts[1]))
    return pc.if_else(neither, pa.scalar(None, _AMOUNT), both.cast(_AMOUNT))


def orders_of(sums: pa.Table) -> pa.ChunkedArray:
    """The orders of each stretch; NULL where nothing was sold, and where those of a window in it are not known."""
    unknown = pc.add(*(pc.fill_null(sums[name], 0) for name in ("uncounted", "streamed_windows")))
    return pc.if_else(pc.equal(unknown, 0), sums["orders"], pa.scalar(None, _COUNT))


def _seconds(piece: Piece, bounds: Instants, longest: timedelta) -> int:
    """How long what the engine sums up may be at most, so that no bound and no change of clocks lies within."""
    first, *others = piece.offsets
    common = gcd(int(longest.total_seconds()), *(60 * (other - first) for other in others))
    start, end = instants([piece.start, piece.end])
    inside = bounds[(bounds > start) & (bounds < end)]
    return int(np.gcd.reduce((inside // 1_000_000 + 60 * first) % common, initial=common))


def _between(windows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """Those that begin in [start, end)."""
    begin = windows["window_start"]
    return windows.filter(
        pc.and_(pc.greater_equal(begin, pa.scalar(start, TIMESTAMP)), pc.less(begin, pa.scalar(end, TIMESTAMP)))
    )


def _placed(rows: pa.Table, at: Instants, bounds: Instants) -> dict[str, pa.ChunkedArray]:
    """The rows summed up by the stretch that each one begins in; what begins before the first is of the first."""
    stretches = np.maximum(np.searchsorted(bounds, at, side="right") - 1, 0)
    summed = rows.append_column("stretch", pa.array(stretches, _COUNT)).group_by("stretch", use_threads=False)
    found = summed.aggregate([(name, "sum") for name in rows.column_names])
    order = pc.index_in(pa.array(np.arange(len(bounds) - 1)), found["stretch"].combine_chunks())
    return {name: found[f"{name}_sum"].take(order) for name in rows.column_names}


def _instants_of(moments: pa.ChunkedArray) -> Instants:
    found: Instants = moments.cast(_COUNT).to_numpy()
    return found
