"""The main proof: every closed window in the lake against the truth that the shop's journals give. No tolerance."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa

from dashboard.local.shop.truth import Truth, take_truth
from dashboard.settings import Settings

WAIT_SECONDS = 40.0
"""How long the lake may take to hold what was closed at the call."""
SHOWN = 20
"""How many windows of each fault are listed."""

_POLL_SECONDS = 0.5
_WINDOW_FAULTS = ("missing", "doubled", "null", "unexpected", "misshapen")


class LakeSnapshot(Protocol):
    """One committed state of the table."""

    @property
    def id(self) -> int: ...

    @property
    def committed_at(self) -> datetime: ...


class RevenueLake(Protocol):
    """Where the pipeline's result is read: `dashboard.readers.lake.Lake`, or a table given by a test."""

    def snapshot(self) -> LakeSnapshot | None: ...

    def revenue(
        self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
    ) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class LakeRow:
    """One row of the table as stored."""

    start_us: int | None
    """Microseconds since the epoch, as Iceberg has them; None for NULL."""
    end_us: int | None
    revenue: Decimal | None

    def window(self, window_ms: int) -> int | None:
        """The window_start in milliseconds; None when this is no window of that size."""
        size_us = window_ms * 1000
        if self.start_us is None or self.start_us % size_us or self.end_us != self.start_us + size_us:
            return None
        return self.start_us // 1000


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A window whose amount is wrong."""

    window_start: datetime
    expected: Decimal
    found: Decimal


@dataclass(frozen=True)
class Verification:
    """What the comparison found; the counts are of windows unless they say otherwise."""

    closed_until: datetime | None
    """Windows that end by then were closed at the call (UTC)."""
    committed_at: datetime | None
    """When the state of the table that was read was committed (UTC)."""
    waited_seconds: float
    compared: int = 0
    """Windows held against the truth: all that were closed at the call, and those that closed since."""
    mismatched: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    """The first of them."""
    missing: int = 0
    """Closed with revenue, and not in the table."""
    doubled: int = 0
    """In the table more than once."""
    null: int = 0
    """In the table without an amount."""
    unexpected: int = 0
    """In the table, though it has no completed order, or cannot be closed yet."""
    misshapen: int = 0
    """Not aligned, or not as long as the setting says."""
    examples: dict[str, list[datetime]] = field(default_factory=dict)
    """The first window_start of each fault, by the fault's name."""
    late_payments: int = 0
    """Payments left out because their window was closed when they came."""
    late_revenue: Decimal = Decimal("0.00")
    """What those of them that complete an order would have added."""
    ambiguous: int = 0
    """Payments neither on time nor beyond doubt late; there must be none: a fault of the shop."""
    orders_completed: int = 0
    """In the windows compared."""
    revenue: Decimal = Decimal("0.00")
    """Of the windows compared, by the truth."""

    @property
    def ok(self) -> bool:
        """All right, and there was something to be right about."""
        faults = self.mismatched + self.ambiguous + sum(getattr(self, fault) for fault in _WINDOW_FAULTS)
        return self.compared > 0 and not faults

    @property
    def summary(self) -> str:
        if self.ok:
            return f"All {self.compared:,} windows are right."
        if not self.compared:
            return "Nothing to compare: no window is closed yet."
        return "The lake and the truth differ."

    def as_dict(self) -> dict[str, Any]:
        """For --json: the fields, `ok` first; amounts as text, times in ISO 8601."""
        return {"ok": self.ok, **{name: _plain(value) for name, value in asdict(self).items()}}

    def lines(self) -> list[str]:
        """For people; at most 80 columns."""
        facts: list[tuple[str, str]] = [
            ("closed until", _text(self.closed_until)),
            ("table as of", f"{_text(self.committed_at)}, after waiting {self.waited_seconds:.1f} s"),
            ("windows compared", f"{self.compared:,}"),
            ("mismatched", f"{self.mismatched:,}"),
            *((fault, f"{getattr(self, fault):,}{self._example(fault)}") for fault in _WINDOW_FAULTS),
            ("late, left out", f"{self.late_payments:,} payments, {self.late_revenue:,}"),
            ("orders completed", f"{self.orders_completed:,}"),
            ("revenue", f"{self.revenue:,}"),
        ]
        if self.ambiguous:
            facts.append(("neither late nor not", f"{self.ambiguous:,} payments (a fault of the shop)"))
        wrong = [
            f"  {_text(wrong.window_start)}  expected {wrong.expected:>14,}  found {wrong.found:>14,}"
            for wrong in self.mismatches
        ]
        return [f"{label:<20} {text}" for label, text in facts] + wrong + [self.summary]

    def _example(self, fault: str) -> str:
        examples = self.examples.get(fault)
        return f"  (first {_text(examples[0])})" if examples else ""


def verify(settings: Settings, lake: RevenueLake, wait_seconds: float = WAIT_SECONDS) -> Verification:
    """Takes the truth, waits until the lake holds every window closed by then, and compares.

    Raises ReadError or UnreachableError when either side cannot be read.
    """
    called = time.monotonic()
    at_call = take_truth(settings)
    snapshot, rows = _await_windows(lake, at_call, deadline=time.monotonic() + wait_seconds)
    waited = time.monotonic() - called
    # the table may hold windows that closed while it was waited for; what they must be is known by now
    after = take_truth(settings)
    committed_at = snapshot.committed_at if snapshot else None
    return compare(at_call, after, rows, committed_at=committed_at, waited_seconds=waited)


def _await_windows(lake: RevenueLake, truth: Truth, deadline: float) -> tuple[LakeSnapshot | None, list[LakeRow]]:
    """The first state of the table that holds every closed window, or the newest one when time is up."""
    wanted = set(truth.closed())
    seen: LakeSnapshot | None = None
    rows: list[LakeRow] = []
    while True:
        snapshot = lake.snapshot()
        if snapshot is not None and (seen is None or snapshot.id != seen.id):
            seen, rows = snapshot, rows_of(lake.revenue(snapshot_id=snapshot.id))
        if wanted <= {row.window(truth.window_ms) for row in rows} or time.monotonic() >= deadline:
            return seen, rows
        time.sleep(_POLL_SECONDS)


def rows_of(table: pa.Table) -> list[LakeRow]:
    """The rows of an Arrow table with window_start, window_end (microseconds, UTC) and total_revenue."""
    times = (table.column(name).cast(pa.int64()).to_pylist() for name in ("window_start", "window_end"))
    rows = zip(*times, table.column("total_revenue").to_pylist(), strict=True)
    return [LakeRow(*row) for row in rows]


def compare(
    at_call: Truth, after: Truth, rows: Sequence[LakeRow], *, committed_at: datetime | None, waited_seconds: float
) -> Verification:
    """The table's rows against the truth at the call, and those closed since against the truth after the read."""
    window_ms = at_call.window_ms
    horizon, limit = at_call.closed_until_ms or 0, after.may_close_until_ms or 0
    faults: dict[str, list[int]] = {fault: [] for fault in _WINDOW_FAULTS}
    mismatches: list[tuple[int, Decimal, Decimal]] = []
    compared: set[int] = set()
    windows = [row.window(window_ms) for row in rows]
    times_stored = Counter(start for start in windows if start is not None)
    faults["doubled"] = sorted(start for start, times in times_stored.items() if times > 1)
    for start, row in zip(windows, rows, strict=True):
        if start is None:
            faults["misshapen"].append((row.start_us or 0) // 1000)
            continue
        closed_then = start + window_ms <= horizon
        expected = (at_call if closed_then else after).revenue.get(start)
        if expected is None or start + window_ms > max(horizon, limit):
            faults["unexpected"].append(start)
            continue
        compared.add(start)
        if row.revenue is None:
            faults["null"].append(start)
        elif row.revenue != expected:
            mismatches.append((start, expected, row.revenue))
    closed = at_call.closed()
    faults["missing"] = [start for start in closed if start not in times_stored]
    compared.update(closed)
    return Verification(
        closed_until=None if at_call.closed_until_ms is None else _time(at_call.closed_until_ms),
        committed_at=committed_at,
        waited_seconds=waited_seconds,
        compared=len(compared),
        mismatched=len(mismatches),
        mismatches=[Mismatch(_time(start), expected, found) for start, expected, found in sorted(mismatches)[:SHOWN]],
        **{fault: len(starts) for fault, starts in faults.items()},
        examples={fault: [_time(start) for start in sorted(starts)[:SHOWN]] for fault, starts in faults.items()},
        late_payments=after.late_payments,
        late_revenue=after.late_revenue,
        ambiguous=len(after.ambiguous),
        orders_completed=sum(after.orders[start] for start in compared),
        revenue=sum((after.revenue[start] for start in compared), Decimal("0.00")),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _plain(value: Any) -> Any:
    """JSON's own types for what asdict leaves."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
