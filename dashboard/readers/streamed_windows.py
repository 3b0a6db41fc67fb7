"""The windows that came in `revenue_summary` and which of them a state of the table does not hold."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa

from dashboard.readers.committed import Committed
from dashboard.readers.lake import REVENUE_SCHEMA

MOST_WINDOWS = 100_000
"""So many are held at most: almost six days of windows of 5 seconds, some 50 MB."""
_SPARE_WINDOWS = 2_000
"""So many are held though they are committed, for who looks with an older state, and for a table that is set back."""

Span = tuple[datetime, datetime]
"""A window's start and end, UTC: what makes it this window."""


class StreamedWindow(NamedTuple):
    """One record of the topic."""

    start: datetime
    end: datetime
    revenue: Decimal | None
    """None is a fault of the pipeline, and passed on."""
    partition: int
    offset: int

    @property
    def span(self) -> Span:
        return self.start, self.end


@dataclass(frozen=True)
class Uncommitted:
    """What a state of the table does not hold."""

    rows: pa.Table
    """By REVENUE_SCHEMA, oldest first; no two share time with each other or with what is committed."""
    doubled: tuple[Span, ...]
    """Windows that came twice, or share time with one that counts already: a fault; none of them is counted twice."""
    spare: tuple[StreamedWindow, ...]
    """Those that need not be held any longer, oldest first."""


class StreamedWindows:
    """What is held of the topic; for one thread at a time."""

    def __init__(self, start: Committed) -> None:
        """All that comes after this state must be given to it."""
        self._held: dict[Span, StreamedWindow] = {}
        self._doubled: set[Span] = set()
        self._before = dict(start.offsets)
        """By partition: the highest offset that is not held."""
        self._before_end = start.newest_end
        """The same by the end of windows, for tables that tell no offsets."""
        self.newest: StreamedWindow | None = None
        """The one that ends last: all windows have closed that end by then."""
        self.version = 0
        """Another number after every change."""

    def __len__(self) -> int:
        return len(self._held)

    def lacks(self, committed: Committed) -> bool:
        """Whether this state of the table is from before what is held, so that windows between the two are missing."""
        if committed.offsets:
            return any(committed.offsets.get(one, -1) < offset for one, offset in self._before.items())
        if committed.newest_end is None or self._before_end is None:
            return self._before_end is not None or bool(self._before)
        return committed.newest_end < self._before_end

    def take(self, window: StreamedWindow) -> None:
        """One that came; of two records of a window the newer one is held."""
        before = self._held.pop(window.span, None)
        if before is not None and (before.partition, before.offset) != (window.partition, window.offset):
            self._doubled.add(window.span)
        self._held[window.span] = window
        if self.newest is None or window.end > self.newest.end:
            self.newest = window
        self.version += 1

    def held(self) -> tuple[tuple[StreamedWindow, ...], frozenset[Span]]:
        """All, in the order in which they came, and those that came twice."""
        return tuple(self._held.values()), frozenset(self._doubled)

    def forget(self, windows: Iterable[StreamedWindow]) -> None:
        """Those that are held and not replaced by a newer record; for states that hold them nothing changes."""
        for window in windows:
            if self._held.get(window.span) == window:
                del self._held[window.span]
                self._doubled.discard(window.span)
                self._before[window.partition] = max(window.offset, self._before.get(window.partition, -1))
                self._before_end = max(window.end, self._before_end or window.end)

    def begin_anew(self) -> None:
        """The topic is another one, of which everything comes."""
        self._held.clear()
        self._doubled.clear()
        self._before, self._before_end, self.newest = {}, None, None
        self.version += 1


def window_in(partition: int, offset: int, value: Any) -> StreamedWindow | None:
    """The window that a decoded value is; None for one that is none.

    Times without a zone, as Confluent Cloud writes them, are UTC.
    """
    if not isinstance(value, dict):
        return None
    start, end, revenue = (value.get(name) for name in REVENUE_SCHEMA.names)
    start, end = utc(start), utc(end)
    if start is None or end is None or start >= end:
        return None
    if revenue is not None and not _fits(revenue):
        return None
    return StreamedWindow(start, end, revenue, partition, offset)


def utc(value: object) -> datetime | None:
    """A moment, aware whether or not it came with a zone.

    None for what is no moment, and in the first and the last year there are: no window fits beside their edges.
    """
    if not isinstance(value, datetime) or not MINYEAR < value.year < MAXYEAR:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def uncommitted(held: Collection[StreamedWindow], twice: frozenset[Span], committed: Committed) -> Uncommitted:
    """Sorts what is held by this state of the table."""
    if not held:
        return Uncommitted(REVENUE_SCHEMA.empty_table(), (), ())
    there = committed.windows(min(window.start for window in held))
    columns = (there[name].to_pylist() for name in ("window_start", "window_end"))
    counted: set[Span] = set(zip(*columns, strict=True))
    doubled, spare, ahead = set(twice), [], []
    for window in held:
        if window.span not in counted:
            ahead.append(window)
        elif committed.offsets and window.offset > committed.offsets.get(window.partition, -1):
            doubled.add(window.span)
        else:
            spare.append(window)
    streamed = _apart(sorted(ahead), sorted(counted), doubled)
    columns_out = zip(*(window[:3] for window in streamed), strict=True) if streamed else ((), (), ())
    rows = pa.table(
        [pa.array(one, field.type) for one, field in zip(columns_out, REVENUE_SCHEMA, strict=True)],
        schema=REVENUE_SCHEMA,
    )
    return Uncommitted(rows, tuple(sorted(doubled)), tuple(spare[: max(0, len(spare) - _SPARE_WINDOWS)]))


def _apart(ahead: list[StreamedWindow], counted: list[Span], doubled: set[Span]) -> list[StreamedWindow]:
    """Those that share no time with what is counted already or with each other; the others become doubled."""
    found = []
    place, until = 0, datetime.min.replace(tzinfo=UTC)
    for window in ahead:
        while place < len(counted) and counted[place][0] < window.end:
            until = max(until, counted[place][1])
            place += 1
        if window.start < until:
            doubled.add(window.span)
        else:
            found.append(window)
            until = window.end
    return found


def _fits(revenue: object) -> bool:
    """Whether the table could hold it: 18 digits, two of them cents."""
    if not isinstance(revenue, Decimal) or not revenue.is_finite():
        return False
    _sign, digits, exponent = revenue.as_tuple()
    return isinstance(exponent, int) and exponent >= -2 and len(digits) + exponent <= 16
