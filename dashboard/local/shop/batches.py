"""From orders to the records that are sent next: payments to come, and one batch of those that are due."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dashboard.enforcement.outcomes import Refused
from dashboard.local.shop.fates import FIRST_STRAY_ID, duplicate_after_ms, fate_of
from dashboard.local.shop.letter_journal import Letter, letter_of
from dashboard.local.shop.outlet import Record
from dashboard.local.shop.payment_journal import DUPLICATE, FIRST, Counters, Pending, Row
from dashboard.local.shop.sales import payment_value

DUPLICATE_EXPIRES_MS = 29 * 60_000
"""A duplicate is dropped when its first was really sent this long ago: the pipeline forgets an order after an hour."""


def payments_of(order_id: int, orderdate: int, *, seed: int, shortest_delay_ms: int, clock: int) -> list[Pending]:
    """The payments that one order leads to; empty when it is never paid.

    `clock` is how far the stream of payments has come: an order learned of too late is paid from there on, since a
    payment from before would be too late for its window.
    """
    fate = fate_of(order_id, seed=seed, shortest_delay_ms=shortest_delay_ms)
    payments = []
    if fate.paid_after_ms is not None:
        ts = max(orderdate + fate.paid_after_ms, clock)
        payments.append(Pending(ts + fate.held_ms, order_id, FIRST, ts))
    if fate.stray_after_ms is not None:
        ts = max(orderdate + fate.stray_after_ms, clock)
        payments.append(Pending(ts, FIRST_STRAY_ID + order_id, FIRST, ts))
    return payments


@dataclass
class Batch:
    """Records to send, in order, and what the journal has to know of them."""

    counters: Counters
    rows: list[Row] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    """Rows that the contract refused; they have no record."""
    letters: list[Letter] = field(default_factory=list)
    """What goes to the dead-letter topic for them."""
    refusal: str = ""
    """The newest refusal and its reason."""
    later: list[Pending] = field(default_factory=list)
    """Duplicates to send after this batch."""


class Till:
    """Makes batches; keeps the bytes of payments that will be sent again, so that a duplicate is the very same.

    After a restart the bytes are made anew: the same payment, with another ciphertext where the contract encrypts. The
    pipeline takes a payment for the one it knows by its order and amount, never by what is encrypted.
    """

    def __init__(self, seed: int, wire: Callable[[dict[str, Any]], bytes]) -> None:
        self._seed = seed
        self._wire = wire
        self._kept: dict[int, bytes] = {}

    def batch(self, due: Iterable[Pending], *, until: int, now: int, counters: Counters) -> Batch:
        """One batch of what is due, in order, with the duplicates it gives rise to up to `until`."""
        batch = Batch(counters)
        queue = list(due)
        heapq.heapify(queue)
        while queue:
            pending = heapq.heappop(queue)
            if pending.kind == DUPLICATE and now - pending.first_sent >= DUPLICATE_EXPIRES_MS:
                self._kept.pop(pending.order_id, None)
                continue
            sent = self._add(batch, pending, now)
            if not sent or pending.kind != FIRST:
                continue
            after = duplicate_after_ms(pending.order_id, seed=self._seed)
            if after is None:
                continue
            self._kept[pending.order_id] = batch.records[-1].value
            again = Pending(pending.place + after, pending.order_id, DUPLICATE, pending.ts, batch.counters.number, now)
            if again.place <= until:
                heapq.heappush(queue, again)
            else:
                batch.later.append(again)
        return batch

    def _add(self, batch: Batch, pending: Pending, now: int) -> bool:
        """Appends one record; False when the contract refuses it."""
        number = pending.number if pending.kind == DUPLICATE else batch.counters.number + 1
        row = batch.counters.row + 1
        batch.counters = Counters(
            row=row,
            number=max(batch.counters.number, number),
            clock=max(batch.counters.clock, pending.place),
        )
        sent_as = pending.place if pending.kind == DUPLICATE else pending.ts
        value = payment_value(pending.order_id, pending.ts, number=number, seed=self._seed)
        batch.rows.append(Row(row, pending.order_id, pending.ts, sent_as, value["amount"], pending.kind))
        wire = self._kept.pop(pending.order_id, None) if pending.kind == DUPLICATE else None
        if wire is None:
            try:
                wire = self._wire(value)
            except Refused as refused:
                batch.refusal = f"order {pending.order_id}: {refused}"
                batch.rejected.append(row)
                if refused.letter:
                    batch.letters.append(letter_of(row, pending.order_id, now, refused.letter))
                return False
        batch.records.append(Record(str(pending.order_id).encode(), wire, sent_as))
        return True


def again(row: Row, counters: Counters) -> Pending:
    """A payment that never reached the topic, to be sent anew as one made now."""
    ts = max(row.ts, counters.clock)
    return Pending(ts, row.order_id, FIRST, ts)
