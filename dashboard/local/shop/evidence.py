"""What was sent, as the shop's journals and, where they cannot know, the topics say. Reads only; the shop may run."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dashboard.local.shop.journal import End, ends_of, facts_of, reading, running_pid
from dashboard.local.shop.order_journal import order_journal_path
from dashboard.local.shop.payment_journal import payment_journal_path
from dashboard.local.shop.redriven import Payment, merged, redriven_payments
from dashboard.local.shop.settlement import Sent, Settlement, settle
from dashboard.local.shop.topics import Found, bootstrap, read_from
from dashboard.local.shop.wire import order_id_of, orderid_of
from dashboard.local.worker import Interrupted, Stop
from dashboard.settings import LocalSettings
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

_READ_SECONDS = 60.0
_IN_FLIGHT_MS = 20_000
"""A batch in flight this long is held up on its way back, so the topic is asked for it even while the shop runs."""

_ORDERS = """
SELECT orderid, orderdate FROM orders
WHERE orderid <= :through AND orderid NOT IN (SELECT row FROM left_out) ORDER BY orderid
"""
_ORDERS_IN_FLIGHT = """
SELECT orderid, orderdate, orderid, orderdate FROM orders
WHERE orderid > :through AND orderid NOT IN (SELECT row FROM left_out) ORDER BY orderid
"""
_PAYMENTS = """
SELECT order_id, ts, sent_as, amount FROM payments
WHERE row <= :through AND row NOT IN (SELECT row FROM left_out) ORDER BY row
"""
_PAYMENTS_IN_FLIGHT = """
SELECT order_id, sent_as, row, ts, amount FROM payments
WHERE row > :through AND row NOT IN (SELECT row FROM left_out) ORDER BY row
"""


@dataclass(frozen=True)
class Evidence:
    """Everything that is known to have been sent."""

    orders: dict[int, int]
    """orderdate in milliseconds by orderid."""
    payments: list[Payment]
    """In sending order, duplicates included, with redriven ones among them by their record timestamps."""
    newest: dict[int, int | None]
    """The newest record timestamp of each partition of `payments`; None for an empty one."""
    newest_written: int | None
    """The newest record timestamp about to be sent, whether it was or not."""


def gather_evidence(local: LocalSettings) -> Evidence:
    """What was sent on this stack by now; empty before its first start.

    Raises ReadError when a journal is damaged, UnreachableError when a topic must be read and does not answer.
    """
    # payments first: every order that has a payment by then is in the journal that is read after it
    payments, newest, newest_written = _as_settled(_payments, payment_journal_path(local.home), bootstrap(local))
    if redriven := redriven_payments(local, _READ_SECONDS):
        payments = list(merged(payments, redriven))
        # of which partition they are the newest is not known: the shop's own say less, so no window is asked too early
        newest_written = max(redriven[-1][2], newest_written or 0)
    orders = _as_settled(_orders, order_journal_path(local.home), bootstrap(local))
    return Evidence(orders, payments, newest, newest_written)


class _Overtaken(Stop):
    """Set when the shop has settled by itself what a view of its journal still has in flight.

    It goes on sending then, so the topic that is asked instead would never hold still.
    """

    def __init__(self, path: Path, settled_through: int) -> None:
        super().__init__()
        self._path = path
        self._settled_through = settled_through

    def is_set(self) -> bool:
        with reading(self._path) as journal:
            return journal is not None and (facts_of(journal).get("settled_through") or 0) > self._settled_through

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) or self.is_set()


T = TypeVar("T")


def _as_settled(read: Callable[[Path, str], T], path: Path, servers: str) -> T:
    """What `read` finds in the journal, read anew whenever the shop has overtaken it."""
    while True:
        with suppress(Interrupted):
            return read(path, servers)


def _orders(path: Path, servers: str) -> dict[int, int]:
    with reading(path) as journal:
        if journal is None:
            return {}
        through = {"through": facts_of(journal).get("settled_through") or 0}
        orders: dict[int, int] = dict(journal.execute(_ORDERS, through))
        rows = journal.execute(_ORDERS_IN_FLIGHT, through).fetchall()
        in_flight = {(orderid, orderdate): row for orderid, orderdate, row, _ in rows}
        overtaken = _Overtaken(path, through["through"])
        settlement = _settled(journal, in_flight, servers, ORDERS_TOPIC, orderid_of, overtaken)
    if settlement is not None:
        void = set(settlement.void)
        orders.update((orderid, orderdate) for orderid, orderdate, row, _ in rows if row not in void)
    return orders


def _payments(path: Path, servers: str) -> tuple[list[Payment], dict[int, int | None], int | None]:
    with reading(path) as journal:
        if journal is None:
            return [], {}, None
        through = {"through": facts_of(journal).get("settled_through") or 0}
        payments: list[Payment] = journal.execute(_PAYMENTS, through).fetchall()
        rows = journal.execute(_PAYMENTS_IN_FLIGHT, through).fetchall()
        in_flight = {(order_id, sent_as): row for order_id, sent_as, row, _, _ in rows}
        ends = ends_of(journal)
        overtaken = _Overtaken(path, through["through"])
        settlement = _settled(journal, in_flight, servers, PAYMENTS_TOPIC, order_id_of, overtaken)
    if settlement is not None:
        void, ends = set(settlement.void), settlement.ends
        payments += [(order_id, ts, sent_as, amount) for order_id, sent_as, row, ts, amount in rows if row not in void]
    newest = {partition: end.newest_ms for partition, end in ends.items()}
    written = [sent_as for _, sent_as, *_ in rows] + [stamp for stamp in newest.values() if stamp is not None]
    return payments, newest, max(written, default=None)


def _settled(
    journal: sqlite3.Connection,
    in_flight: dict[Sent, int],
    servers: str,
    topic: str,
    id_of: Callable[[bytes], int],
    overtaken: Stop,
) -> Settlement | None:
    """What became of the rows in flight; None while a running process is about to say so itself.

    Raises Interrupted when it has done so meanwhile.
    """
    if not in_flight:
        return None
    written_ms = facts_of(journal).get("written_ms") or 0
    if running_pid(journal) and time.time() * 1000 - written_ms < _IN_FLIGHT_MS:
        return None
    ends: dict[int, End] = ends_of(journal)
    records = read_from(servers, topic, ends, overtaken, within_seconds=_READ_SECONDS)
    return settle(in_flight, ends, _with_ids(records, id_of))


def _with_ids(records: Iterable[Found], id_of: Callable[[bytes], int]) -> Iterator[tuple[int, Found]]:
    return ((id_of(record.key), record) for record in records)
