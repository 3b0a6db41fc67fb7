"""What the windows that have not closed yet hold so far: orders and revenue, exact, and not final before they close."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard.readers.order_counts import cents_of, is_amount

MOST_OPEN_WINDOWS = 20_000
"""So many are held; more are open only while the pipeline works through a long past."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class OpenWindow:
    """One that has not closed: more orders may come, and what it holds in the end is what revenue_summary says."""

    start: datetime
    """UTC; inclusive."""
    end: datetime
    orders: int
    revenue: Decimal
    """To cents."""
    without_amount: int = 0
    """Orders that are not in the revenue, because no amount can be read in them."""


class OpenWindows:
    """Sums by window, aligned to the epoch in UTC; for one thread at a time."""

    def __init__(self, length: timedelta) -> None:
        self.length = length
        self._sums: dict[datetime, list[int]] = {}
        """By window_start: orders, cents, orders without an amount."""

    def __len__(self) -> int:
        return len(self._sums)

    def take(self, orders: Iterable[tuple[datetime, object]], closed_until: datetime | None) -> None:
        """Orders by when they were paid, and their amounts; one whose window has closed is late and in none."""
        placed = [(self._start(paid), amount) for paid, amount in orders]
        if closed_until is not None:
            placed = [(start, amount) for start, amount in placed if start >= closed_until]
        read = [(start, amount) for start, amount in placed if is_amount(amount)]
        for (start, _), cents in zip(read, cents_of([amount for _, amount in read]), strict=True):
            sums = self._sums.setdefault(start, [0, 0, 0])
            sums[0] += 1
            sums[1] += cents
        for start, amount in placed:
            if not is_amount(amount):
                sums = self._sums.setdefault(start, [0, 0, 0])
                sums[0] += 1
                sums[2] += 1

    def close(self, until: datetime) -> None:
        """Forgets those that have closed by then."""
        self._sums = {start: sums for start, sums in self._sums.items() if start >= until}

    def after(self, closed_until: datetime | None) -> tuple[OpenWindow, ...]:
        """Those that start then or later, oldest first."""
        return tuple(
            OpenWindow(start, start + self.length, orders, Decimal(cents).scaleb(-2), without_amount)
            for start, (orders, cents, without_amount) in sorted(self._sums.items())
            if closed_until is None or start >= closed_until
        )

    def _start(self, paid: datetime) -> datetime:
        return paid - (paid - _EPOCH) % self.length
