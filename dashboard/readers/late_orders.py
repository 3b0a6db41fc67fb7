"""Which orders of a window came in time: those that its revenue holds. What came after it had closed is late.

What queries/relations/direct/on_time_orders.sql and late_orders.sql ask of an engine, reckoned plainly, for one window.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Arrived(NamedTuple):
    """One completed order in `completed_orders`; they sort by where they stand there."""

    partition: int
    offset: int
    cents: int
    """As the pipeline rounds; see `order_counts.cents_of`."""


class Verdict(StrEnum):
    """What is known of a window's orders."""

    KNOWN = "known"
    NOT_YET = "not known yet"
    """Its orders are not all there: of those that are, every one may be in time."""
    UNCLEAR = "unclear"
    """More than its revenue, of several partitions: nothing tells which came first."""
    MISMATCH = "mismatch"
    """More than its revenue, and no first ones sum up to it: a fault of the pipeline or of the tables."""


@dataclass(frozen=True)
class Sum:
    """Some orders together."""

    orders: int = 0
    cents: int = 0


@dataclass(frozen=True)
class Lateness:
    """What became of a window's orders."""

    verdict: Verdict
    on_time: Sum | None = None
    """None unless it is known, as for the late ones."""
    late: Sum | None = None


def lateness(revenue_cents: int | None, arrived: Iterable[Arrived], *, closed: bool = True) -> Lateness:
    """What is known of the orders of one window, given all that are there, in any order.

    `revenue_cents` is what its row says, None without one: then all are late if it is `closed`, which any later window
    in the table tells. An order counts until its window closes, and none does afterwards: of one partition, those that
    count are the longest run of first ones whose sum is the revenue. Of several it is known only where all together
    are.
    """
    orders = sorted(arrived)
    whole = Sum(len(orders), sum(order.cents for order in orders))
    if revenue_cents is None:
        return Lateness(Verdict.KNOWN, Sum(), whole) if closed else Lateness(Verdict.NOT_YET)
    if orders and whole.cents == revenue_cents:
        return Lateness(Verdict.KNOWN, whole, Sum())
    if orders and orders[0].partition != orders[-1].partition:
        return Lateness(Verdict.NOT_YET if whole.cents < revenue_cents else Verdict.UNCLEAR)
    on_time = _first_ones(orders, revenue_cents)
    if on_time is not None:
        late = Sum(whole.orders - on_time.orders, whole.cents - on_time.cents)
        return Lateness(Verdict.KNOWN, on_time, late)
    return Lateness(Verdict.NOT_YET if not orders or whole.cents < revenue_cents else Verdict.MISMATCH)


def _first_ones(orders: list[Arrived], cents: int) -> Sum | None:
    """The longest run of first ones with this sum."""
    found, running = None, 0
    for count, order in enumerate(orders, 1):
        running += order.cents
        if running == cents:
            found = Sum(count, running)
    return found
