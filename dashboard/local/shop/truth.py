"""What the revenue of every window must be, reckoned from what was sent and nothing else.

Plain Python over the shop's journals and the markers of what was redriven: no Flink, and no code or SQL in common with
the pipeline. Its rule, in full:
the first payment of an order counts (by record timestamp); it completes its order if the order was placed at most 96
hours before it and not after it; each amount is rounded half-up to cents, by the decimal text of the double; a window
[start, end) holds the payments with start <= ts < end, aligned to the epoch in UTC. A payment that comes after its
window is closed is late and counts nowhere.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from dashboard.local.shop.evidence import Evidence, gather_evidence
from dashboard.local.shop.redriven import Payment
from dashboard.settings import Settings

TO_PAY_MS = 96 * 3_600_000
"""How long after its order a payment still completes it; to the millisecond, both ends included."""
DISORDER_MS = 5_000
"""How far behind the newest record one may be and still count: the delay of every watermark in the pipeline."""
BEYOND_DOUBT_MS = 60_000
"""More than a window and this behind, a record is late whatever the pipeline's pace."""

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Truth:
    """What must be true at the time it was taken."""

    window_ms: int
    revenue: dict[int, Decimal]
    """By window_start (milliseconds since the epoch), in the shop's currency, two decimals; only windows with
    completed orders, those that are still open included. Any other window before `closed_until_ms` is zero."""
    orders: dict[int, int]
    """How many completed orders that is, by window_start."""
    closed_until_ms: int | None
    """Windows that end by then must be in the table, unless they are zero; None while no window has to be."""
    may_close_until_ms: int | None
    """Windows that end after it cannot be closed by a right pipeline; between the two they may be."""
    late_payments: int
    """First payments that came beyond doubt too late for their window."""
    late_revenue: Decimal
    """What those of them that complete an order would have added."""
    ambiguous: list[tuple[int, int]]
    """(order_id, milliseconds behind) of payments neither on time nor beyond doubt late: a fault of the shop."""

    def closed(self) -> list[int]:
        """The window_start of each window that must be in the table, ascending."""
        until = self.closed_until_ms
        if until is None:
            return []
        return sorted(start for start in self.revenue if start + self.window_ms <= until)


def take_truth(settings: Settings) -> Truth:
    """The truth about the local shop, now; raises ReadError or UnreachableError when it cannot be known."""
    window_ms = int(settings.pipeline.window_size.total_seconds() * 1000)
    return reckon(gather_evidence(settings.local), window_ms)


def reckon(evidence: Evidence, window_ms: int) -> Truth:
    """The rule, applied."""
    late_after_ms = window_ms + BEYOND_DOUBT_MS
    cents_of: defaultdict[int, int] = defaultdict(int)
    orders_of: defaultdict[int, int] = defaultdict(int)
    late = late_cents = 0
    ambiguous: list[tuple[int, int]] = []
    on_time: list[tuple[int, int]] = []
    orderdates = evidence.orders
    for (order_id, ts, sent_as, amount), behind_ms in _first_payments(evidence.payments):
        orderdate = orderdates.get(order_id)
        completes = orderdate is not None and ts - TO_PAY_MS <= orderdate <= ts
        if behind_ms > DISORDER_MS:
            if behind_ms > late_after_ms:
                late += 1
                late_cents += cents(amount) if completes else 0
            else:
                ambiguous.append((order_id, behind_ms))
        elif completes:
            start = ts - ts % window_ms
            cents_of[start] += cents(amount)
            orders_of[start] += 1
            on_time.append((sent_as, ts))
    known = [stamp for stamp in evidence.newest.values() if stamp is not None]
    every = len(known) == len(evidence.newest) and bool(known)
    must = _newest_emitted(on_time, min(known) - DISORDER_MS) if every else None
    written = evidence.newest_written
    may = _newest_emitted(on_time, written - DISORDER_MS) if written is not None else None
    return Truth(
        window_ms=window_ms,
        revenue={start: money(total) for start, total in cents_of.items()},
        orders=dict(orders_of),
        closed_until_ms=None if must is None else must - DISORDER_MS - 1,
        may_close_until_ms=None if may is None else may - DISORDER_MS + 1,
        late_payments=late,
        late_revenue=money(late_cents),
        ambiguous=ambiguous,
    )


def _first_payments(payments: Iterable[Payment]) -> Iterable[tuple[Payment, int]]:
    """Each order's first payment by record timestamp, with how far it was behind the newest record before it."""
    first: dict[int, tuple[Payment, int]] = {}
    newest = 0
    for payment in payments:
        order_id, ts, sent_as, _ = payment
        known = first.get(order_id)
        if known is None or sent_as < known[0][2]:
            first[order_id] = (payment, newest - ts)
        if sent_as > newest:
            newest = sent_as
    return first.values()


def _newest_emitted(on_time: list[tuple[int, int]], watermark: int) -> int | None:
    """The newest time of a completed order whose record the watermark has passed."""
    return max((ts for sent_as, ts in on_time if sent_as <= watermark), default=None)


def cents(amount: float) -> int:
    """The amount in cents, rounded half-up by the decimal text of the double: 0.005 is 1, 1.005 is 101."""
    scaled = amount * 100
    below = int(scaled)
    # plain arithmetic is off by less than 1e-7 here, so it can only be wrong next to half a cent
    if 0 <= amount < 1_000_000 and abs(scaled - below - 0.5) > 1e-6:
        return below + (scaled - below > 0.5)
    return int(Decimal(repr(amount)).quantize(_CENT, ROUND_HALF_UP).scaleb(2))


def money(total_cents: int) -> Decimal:
    """Cents as an amount with two decimals."""
    return Decimal(total_cents).scaleb(-2)
