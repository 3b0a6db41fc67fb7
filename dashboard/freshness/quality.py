"""Whether the numbers are right, asked now and then: what must hold of topics and tables, and how it turned out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dashboard.deploy.checks import CheckResult
from dashboard.errors import SalesTrendsError
from dashboard.readers.engine import Engine, Limits
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.wording import amount, counted, length, moment

LOOKED_BACK = timedelta(days=1)
"""How much of the tables is looked at; what is older was looked at when it was new."""
_LIMITS = Limits(timedelta(minutes=2))


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be asked."""


@dataclass(frozen=True)
class QualityResult:
    """One check, the last time it ran."""

    name: str
    """Stable, as in /metrics; of a check that Flink runs, its file in pipeline_sql/checks."""
    title: str
    """What must hold."""
    outcome: Outcome
    told: str
    """How it turned out, in a sentence or two."""
    ran_at: datetime
    """UTC; when it began."""
    took: timedelta
    found: int | None = None
    """Rows, windows or orders that are not as they should be, or that are told apart."""
    money: Decimal | None = None
    """What they are worth, where that can be said."""


@dataclass(frozen=True)
class Found:
    """What a check came to."""

    told: str
    count: int
    money: Decimal | None = None
    is_fault: bool = True
    """Late orders are told apart: nothing is wrong with the sums without them."""


class QualityChecks:
    """Of one target. Asking takes seconds and, of Flink, two slots: not for every look."""

    def __init__(
        self,
        check: Callable[[str, int], CheckResult],
        no_rows: Sequence[tuple[str, str]],
        engine: Callable[[], Engine],
        settling: timedelta,
    ) -> None:
        """`check` asks a file of pipeline_sql/checks for at most so many rows; `no_rows` has those that must find none,
        with what that means. `settling` is how long both tables may take until they hold the same: a run looks at what
        was there so long before it, so the first one has nothing of both tables to look at.
        """
        self._check = check
        self._no_rows = no_rows
        self._engine = engine
        self.settling = settling
        self._seen: tuple[datetime, datetime] | None = None
        """When it was last asked how far the tables are, and how far they were."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*(name for name, _ in self._no_rows), "windows-once", "orders-sum-up", "late-orders"))

    def run(self) -> Iterator[QualityResult]:
        """Each of them as it is done, whatever becomes of the others."""
        for name, title in self._no_rows:
            yield _result(name, title, lambda name=name: self._rows_of(name))  # type: ignore[misc]
        yield _result("windows-once", "Every window stands in the table once, with an amount", self._faults)
        until, self._seen = self._settled(), self._seen_now()
        if until is not None:
            yield _result(
                "orders-sum-up", "The orders of every window sum up to its revenue", lambda: self._unlike(until)
            )
            yield _result("late-orders", "Orders that came after their window had closed", lambda: self._late(until))

    def _rows_of(self, name: str) -> Found:
        found = self._check(name, 100)
        count = len(found.rows)
        more = "more than " if found.more else ""
        return Found(f"Found: {more}{counted(count, 'row')}" if count else "None was found", count)

    def _faults(self) -> Found:
        end = datetime.now(UTC).replace(microsecond=0)
        start = end - LOOKED_BACK
        rows = self._engine().ask("revenue_faults", {"start": start, "end": end}, limits=_LIMITS).rows
        if not len(rows):
            return Found(f"So it is from {_span(start, end)}", 0)
        first = moment(rows["window_start"][0].as_py(), UTC, end)
        return Found(
            f"Found: {counted(len(rows), 'window')} doubled or without an amount, the first at {first} UTC", len(rows)
        )

    def _unlike(self, end: datetime) -> Found:
        start = end - LOOKED_BACK
        [row] = self._engine().ask("revenue_totals", {"start": start, "end": end}, limits=_LIMITS).rows.to_pylist()
        windows, unlike = row["windows"], row["uncounted"] or 0
        if not unlike:
            return Found(f"So it is for each of {counted(windows, 'window')} from {_span(start, end)}", 0)
        return Found(f"Another sum: {unlike:,} of {counted(windows, 'window')} from {_span(start, end)}", unlike)

    def _late(self, end: datetime) -> Found:
        start = end - LOOKED_BACK
        rows: list[dict[str, Any]] = (
            self._engine().ask("late_orders", {"start": start, "end": end}, limits=_LIMITS).rows.to_pylist()
        )
        orders = sum(row["late_orders"] for row in rows)
        money = sum((row["late_revenue"] for row in rows), Decimal(0))
        told = (
            f"{counted(orders, 'order')} of {amount(money)} in {counted(len(rows), 'window')}"
            if orders
            else "None came late"
        )
        return Found(f"{told} from {_span(start, end)}; they are in no sum", orders, money, is_fault=False)

    def _seen_now(self) -> tuple[datetime, datetime] | None:
        """Windows come in order: up to the newest end of now, none is added any more."""
        try:
            rows = self._engine().ask("newest_window", {"start": EARLIEST, "end": LATEST}, limits=_LIMITS).rows
        except SalesTrendsError:
            return self._seen  # what cannot be asked, the checks say
        newest: datetime | None = rows["window_end"][0].as_py()
        return None if newest is None else (datetime.now(UTC), newest)

    def _settled(self) -> datetime | None:
        """How far the tables were long enough ago; None where that is not known."""
        if self._seen is None or datetime.now(UTC) - self._seen[0] < self.settling:
            return None
        return self._seen[1]


def _span(start: datetime, end: datetime) -> str:
    now = datetime.now(UTC)
    return f"{moment(start, UTC, now)} to {moment(end, UTC, now)} UTC ({length(end - start)})"


def _result(name: str, title: str, ask: Callable[[], Found]) -> QualityResult:
    began = datetime.now(UTC)
    try:
        found = ask()
    except SalesTrendsError as fault:
        return QualityResult(name, title, Outcome.UNKNOWN, str(fault), began, datetime.now(UTC) - began)
    outcome = Outcome.FAILED if found.count and found.is_fault else Outcome.PASSED
    return QualityResult(
        name, title, outcome, f"{found.told}.", began, datetime.now(UTC) - began, found.count, found.money
    )
