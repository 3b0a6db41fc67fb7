"""The payment app (`python -m dashboard.local.shop.payment_app`): pays the orders it reads from their topic.

It knows no rules: its payments go through the registry's standard serializer, which encrypts or refuses what the
topic's contract says, and nothing is sent before that is proven. Start it when the order feed is live: it first reads
every order there is, sends the payments that were due so far as the past, and goes on by the wall clock.
"""

import logging
import math
import time
from typing import Any

from confluent_kafka import KafkaError
from confluent_kafka.schema_registry import SchemaRegistryClient

from dashboard.enforcement.outcomes import CACHE_SECONDS
from dashboard.errors import StackError
from dashboard.local.shop.batches import Batch, Till, again, payments_of
from dashboard.local.shop.contracted import Contracted, contract_of_payments
from dashboard.local.shop.fates import draws
from dashboard.local.shop.letter_box import LetterBox
from dashboard.local.shop.outlet import Outlet
from dashboard.local.shop.payment_journal import FIRST, LATE, PaymentJournal, Pending
from dashboard.local.shop.settlement import settle
from dashboard.local.shop.topics import (
    bootstrap,
    open_consumer,
    positions,
    read_from,
    received,
    topic_ends,
    wait_for_topic,
)
from dashboard.local.shop.wire import (
    decoder,
    milliseconds,
    order_id_of,
    registry_client,
    wait_for_schemas,
)
from dashboard.local.worker import Interrupted, Stop, now_ms, run_process
from dashboard.remotes.wire_format import Undecodable
from dashboard.settings import Settings
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

log = logging.getLogger(__name__)

_BATCH = 5_000
_POLL_SECONDS = 0.1
_NARRATE_SECONDS = 60.0
_HOUR_MS = 3_600_000
LATE_BY_MS = 25 * _HOUR_MS
"""A late payment is at least this old: beyond doubt for every window, which last a day at most."""
_LATE_EVERY = 2_000
_LATE_EVERY_SECONDS = 120.0
_FIRST_LATE_SECONDS = 20.0
_PIPELINE_RATE = 2_000.0
"""Payments per second that any pipeline takes from its backlog: before it has, nothing is late to it."""


class PaymentApp:
    """One app: its journal, the orders it reads, the payments it sends."""

    def __init__(
        self,
        settings: Settings,
        journal: PaymentJournal,
        registry: SchemaRegistryClient,
        contracted: Contracted,
        stop: Stop,
    ) -> None:
        self._shop = settings.shop
        self._servers = bootstrap(settings.local)
        self._stop = stop
        self._journal = journal
        order_partitions = wait_for_topic(self._servers, ORDERS_TOPIC, stop)
        partitions = wait_for_topic(self._servers, PAYMENTS_TOPIC, stop)
        wait_for_schemas(registry, (f"{ORDERS_TOPIC}-value", f"{PAYMENTS_TOPIC}-value"), stop)
        contracted.begin()
        for topic in contracted.dead_letter_topics:
            wait_for_topic(self._servers, topic, stop)
        if journal.fact("seed") is None:
            self._first_start(partitions, order_partitions)
        self._seed = journal.fact("seed") or 0
        self._settle()
        self._letter_box = LetterBox(self._servers, journal, stop)
        self._letter_box.settle()
        self._counters = journal.counters()
        self._orders = decoder(registry, ORDERS_TOPIC, stop)
        self._till = Till(self._seed, contracted)
        self._outlet = Outlet(self._servers, PAYMENTS_TOPIC)
        self._consumer = open_consumer(self._servers, "shop-payment-app")
        self._shortest_delay_ms = int(settings.shop.payment_delay.total_seconds() * 1000)
        self._late_at: float | None = None
        self._refused, self._narrated = 0, -math.inf

    def run(self) -> None:
        """Goes on from wherever the journal says, until told to stop."""
        try:
            self._consumer.assign(positions(ORDERS_TOPIC, self._journal.positions()))
            self._read_all_orders()
            self._send_until_stopped()
        finally:
            self._consumer.close()

    def _first_start(self, partitions: int, order_partitions: int) -> None:
        if any(topic_ends(self._servers, PAYMENTS_TOPIC, range(partitions), self._stop).values()):
            raise StackError(
                f"The topic {PAYMENTS_TOPIC} holds payments, and the journal {self._journal.path} knows of none.",
                "Topics and journals belong together: bring the journal back, or start with empty topics.",
            )
        self._journal.begin(self._shop.seed, partitions, order_partitions)

    def _settle(self) -> None:
        """Finds out what became of the payments that were in flight when the last run died.

        A payment that never reached the topic is made anew, with the time of the stream as its own: with its old
        time it could be behind what was sent after it.
        """
        in_flight = self._journal.in_flight()
        if not in_flight:
            return
        ends = self._journal.ends()
        found = (
            (order_id_of(record.key), record) for record in read_from(self._servers, PAYMENTS_TOPIC, ends, self._stop)
        )
        settlement = settle({(row.order_id, row.sent_as): row.row for row in in_flight}, ends, found)
        void = set(settlement.void)
        counters = self._journal.counters()
        unsent = [row for row in in_flight if row.row in void and row.kind == FIRST]
        with self._journal.transaction():
            self._journal.settle(in_flight[-1].row, settlement.ends, settlement.void)
            self._journal.forget_duplicates(row.order_id for row in unsent)
            self._journal.plan(again(row, counters) for row in unsent)
        log.info("Settled %d payments in flight: %d never reached Kafka.", len(in_flight), len(void))

    def _read_all_orders(self) -> None:
        """Learns of every order up to the end of the topic, so that payments can be sent in the order of their time."""
        to_come, read = set(self._journal.positions()), 0
        while to_come:
            messages = received(self._consumer, _POLL_SECONDS)
            read += len(messages)
            to_come -= {message.partition() for message in messages if _is_end(message)}
            with self._journal.transaction():
                self._learn(messages)
            if self._stop.is_set():
                raise Interrupted
        log.info("Read %d orders; %d payments are due.", read, self._journal.backlog(now_ms()))

    def _learn(self, messages: list[Any]) -> None:
        """Plans the payments of the orders in `messages`."""
        planned: list[Pending] = []
        unpaid, moved = [], {}
        for message in messages:
            if message.error() is not None:
                _check(message.error())
                continue
            moved[message.partition()] = message.offset() + 1
            try:
                order = self._orders(message.value())
                order_id, orderdate = order["orderid"], milliseconds(order["orderdate"])
            except (Undecodable, KeyError, TypeError):
                # by its contract an order may be without a date, and one of another schema without any of these
                log.warning(
                    "No order that can be paid: %s, partition %d, offset %d.",
                    ORDERS_TOPIC,
                    message.partition(),
                    message.offset(),
                )
                continue
            payments = payments_of(
                order_id,
                orderdate,
                seed=self._seed,
                shortest_delay_ms=self._shortest_delay_ms,
                clock=self._counters.clock,
            )
            planned += payments
            if not any(payment.order_id == order_id for payment in payments):
                unpaid.append((orderdate, order_id))
        if moved:
            self._journal.plan(planned, unpaid)
            self._journal.move_to(moved)

    def _send_until_stopped(self) -> None:
        started, live, full = now_ms(), False, True
        while not self._stop.is_set():
            messages = received(self._consumer, 0 if full else _POLL_SECONDS)
            full = self._send_due(messages, now_ms())
            # on a busy machine the newest payments may always wait a little; the past is sent all the same
            if not live and (not full or self._counters.clock >= started):
                live = True
                self._go_live(now_ms())

    def _go_live(self, now: int) -> None:
        with self._journal.transaction():
            self._journal.set_facts(live_since_ms=now)
        self._late_at = now + 1000 * (_FIRST_LATE_SECONDS + self._counters.number / _PIPELINE_RATE)
        log.info("Live after %d payments, at about %g a second.", self._counters.number, self._shop.rate)

    def _send_due(self, messages: list[Any], now: int) -> bool:
        """One batch: learns of new orders, journals, sends and settles; True when more is due already."""
        journal = self._journal
        with journal.transaction():
            self._learn(messages)
            due = journal.due(now, _BATCH)
            full = len(due) == _BATCH
            taken = due[-1] if due else None
            late = None if full else self._late_payment(now)
            batch = self._till.batch(
                [*due, late] if late else due,
                until=due[-1].place if full else now,
                now=now,
                counters=self._counters,
            )
            if due or late:
                journal.write(batch.rows, batch.rejected, batch.counters, taken, batch.letters)
                journal.plan(batch.later)
        self._counters = batch.counters
        self._narrate_refusals(batch)
        self._letter_box.send()
        if batch.rows:
            ends = self._outlet.send(batch.records, self._stop)
            with journal.transaction():
                journal.settle(batch.counters.row, ends)
        return full

    def _narrate_refusals(self, batch: Batch) -> None:
        """One line a minute, however many the contract refuses."""
        self._refused += len(batch.rejected)
        if batch.rejected and time.monotonic() - self._narrated > _NARRATE_SECONDS:
            log.info("The contract refused %d payments so far this run; the newest: %s", self._refused, batch.refusal)
            self._narrated = time.monotonic()

    def _late_payment(self, now: int) -> Pending | None:
        """Now and then a payment that was made more than a day ago, for the oldest order that has none."""
        if self._late_at is None or now < self._late_at:
            return None
        self._late_at = now + 1000 * min(_LATE_EVERY_SECONDS, _LATE_EVERY / self._shop.rate)
        order = self._journal.take_unpaid(before=now - LATE_BY_MS - _HOUR_MS)
        if order is None:
            return None
        orderdate, order_id = order
        ts = orderdate + 60_000 + int(draws(self._seed, b"late", order_id)[0] * (_HOUR_MS - 60_000))
        return Pending(now, order_id, LATE, ts)


def _is_end(message: Any) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _check(error: KafkaError) -> None:
    """Raises when the topic is not the one the journal read; everything else passes, and the client tries again."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        raise StackError(
            f"The topic {ORDERS_TOPIC} no longer holds what the journal of the payment app has read: {error.str()}.",
            "Topics and journals belong together: start with empty topics and no journals.",
        )


def work(settings: Settings, stop: Stop) -> None:
    with (
        PaymentJournal(settings.local.home) as journal,
        registry_client(settings.local) as registry,
        contract_of_payments(settings.local, settings.shop.seed, stop, CACHE_SECONDS) as contracted,
    ):
        PaymentApp(settings, journal, registry, contracted, stop).run()


def main() -> int:
    return run_process("payment-app", work)


if __name__ == "__main__":
    raise SystemExit(main())
