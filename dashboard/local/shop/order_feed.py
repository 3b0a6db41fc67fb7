"""The order feed (`python -m dashboard.local.shop.order_feed`): the shop's past once, then orders at a steady rate.

It knows nothing of payments but how many of its orders get one.
"""

import logging

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField

from dashboard.enforcement.outcomes import Refused
from dashboard.errors import StackError
from dashboard.local.shop.fates import PAYMENTS_PER_ORDER
from dashboard.local.shop.order_journal import FIRST_ORDER_ID, OrderJournal, PastPlan
from dashboard.local.shop.outlet import Outlet, Record
from dashboard.local.shop.sales import order_value
from dashboard.local.shop.schedule import Schedule
from dashboard.local.shop.settlement import settle
from dashboard.local.shop.shape import past_orders
from dashboard.local.shop.topics import bootstrap, read_from, topic_ends, wait_for_topic
from dashboard.local.shop.wire import Wire, orderid_of, registry_client, wait_for_schemas
from dashboard.local.worker import Stop, now_ms, run_process
from dashboard.settings import Settings, ShopSettings
from dashboard.topic_names import ORDERS_TOPIC

log = logging.getLogger(__name__)

_BATCH = 5_000
_LIVE_PERIOD_MS = 100
"""How often live orders are sent, unless they come more seldom."""
_WRITTEN_PER_SECOND = 15_000
"""How fast the past is written, about: it ends that much after its writing begins, where live orders follow."""


class OrderFeed:
    """One feed: its journal, its topic, its way to bytes."""

    def __init__(self, settings: Settings, journal: OrderJournal, registry: SchemaRegistryClient, stop: Stop) -> None:
        self._shop = settings.shop
        self._live_rate = settings.shop.rate / PAYMENTS_PER_ORDER
        self._servers = bootstrap(settings.local)
        self._stop = stop
        self._journal = journal
        partitions = wait_for_topic(self._servers, ORDERS_TOPIC, stop)
        wait_for_schemas(registry, (f"{ORDERS_TOPIC}-key", f"{ORDERS_TOPIC}-value"), stop)
        self._key, self._value = (
            Wire(registry, ORDERS_TOPIC, MessageField.KEY, stop),
            Wire(registry, ORDERS_TOPIC, MessageField.VALUE, stop),
        )
        self._outlet = Outlet(self._servers, ORDERS_TOPIC)
        self._plan = self._journal.plan() or self._first_plan(partitions)
        self._settle()
        self._next_id = self._journal.next_id()

    def run(self) -> None:
        """Goes on from wherever the journal says, until told to stop."""
        schedule, live = self._schedule(), False
        while not self._stop.is_set():
            now = now_ms()
            if skipped_ms := schedule.skip_pause(now, live=live):
                log.info("Behind by %.1f s; going on from now.", skipped_ms / 1000)
            places = schedule.due(now, _BATCH)
            if places:
                self._send(places)
            if len(places) < _BATCH:
                if not live:
                    live = True
                    self._go_live(now)
                # many a second go together, few a second one by one
                wait_ms = max(schedule.next_ms - now_ms(), _LIVE_PERIOD_MS if self._live_rate > 10 else 1)
                self._stop.wait(wait_ms / 1000)

    def _schedule(self) -> Schedule:
        """The orders still to come: what is left of the past, and the live ones after it."""
        plan, done = self._plan, self._next_id - FIRST_ORDER_ID
        period_ms = 1000 / self._live_rate
        if done > plan.orders:
            return Schedule([], end_ms=now_ms(), period_ms=period_ms)
        places = past_orders(
            start_ms=plan.start_ms, end_ms=plan.end_ms, orders=plan.orders, live_rate=plan.live_rate, seed=plan.seed
        )
        if plan.orders:
            log.info("Writing the past: %d orders, %d of them already there.", plan.orders, done)
        return Schedule(places[done:].tolist(), end_ms=plan.end_ms, period_ms=period_ms)

    def _go_live(self, now: int) -> None:
        with self._journal.transaction():
            self._journal.set_facts(live_since_ms=now)
        log.info("Live at %.3g orders a second; %d are written.", self._live_rate, self._next_id - FIRST_ORDER_ID)

    def _first_plan(self, partitions: int) -> PastPlan:
        plan = plan_past(self._shop, now_ms())
        if any(topic_ends(self._servers, ORDERS_TOPIC, range(partitions), self._stop).values()):
            raise StackError(
                f"The topic {ORDERS_TOPIC} holds orders, and the journal {self._journal.path} knows of none.",
                "Topics and journals belong together: bring the journal back, or start with empty topics.",
            )
        self._journal.keep_plan(plan, partitions)
        return plan

    def _settle(self) -> None:
        """Finds out what became of the orders that were in flight when the last run died."""
        in_flight = self._journal.in_flight()
        if not in_flight:
            return
        ends = self._journal.ends()
        found = (
            (orderid_of(record.key), record) for record in read_from(self._servers, ORDERS_TOPIC, ends, self._stop)
        )
        settlement = settle({(orderid, date): orderid for orderid, date in in_flight}, ends, found)
        self._journal.settle(in_flight[-1][0], settlement.ends, settlement.void)
        log.info("Settled %d orders in flight: %d never reached Kafka.", len(in_flight), len(settlement.void))

    def _send(self, places_ms: list[int]) -> None:
        """Journals, sends and settles one batch; the next ids belong to it."""
        orders, records, rejected = [], [], []
        for orderid, place in enumerate(places_ms, self._next_id):
            order = order_value(orderid, place, seed=self._plan.seed)
            orders.append((orderid, order["orderdate"]))
            try:
                records.append(Record(self._key({"orderid": orderid}), self._value(order), orders[-1][1]))
            except Refused as refused:
                log.warning("The contract refuses order %d: %s", orderid, refused)
                rejected.append(orderid)
        self._next_id += len(orders)
        self._journal.write(orders, rejected)
        ends = self._outlet.send(records, self._stop)
        self._journal.settle(orders[-1][0], ends)


def plan_past(shop: ShopSettings, now: int) -> PastPlan:
    """The past as it will be when it is written; without history it is empty and ends now."""
    history_ms = int(shop.history.total_seconds() * 1000)
    orders = round(shop.history_payments / PAYMENTS_PER_ORDER) if history_ms else 0
    end_ms = now + orders * 1000 // _WRITTEN_PER_SECOND
    return PastPlan(
        start_ms=end_ms - history_ms,
        end_ms=end_ms,
        orders=orders,
        live_rate=shop.rate / PAYMENTS_PER_ORDER,
        seed=shop.seed,
    )


def work(settings: Settings, stop: Stop) -> None:
    with OrderJournal(settings.local.home) as journal, registry_client(settings.local) as registry:
        OrderFeed(settings, journal, registry, stop).run()


def main() -> int:
    return run_process("order-feed", work)


if __name__ == "__main__":
    raise SystemExit(main())
