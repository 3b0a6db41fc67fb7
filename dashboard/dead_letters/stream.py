"""What the topics say about payments that would be sent again: the stream's clock, their orders, who has paid."""

from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from dashboard.dead_letters.letters import milliseconds
from dashboard.errors import DeployError
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.registry import Registry
from dashboard.remotes.wire_format import Decoder, Undecodable
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

TO_PAY_MS = 96 * 3_600_000
"""How long after its order a payment still completes it, to the millisecond, both ends included: the join's rule."""
_SLACK_MS = 3_600_000
"""An order's record may bear another time than the order, by so much at most."""


@dataclass(frozen=True)
class Known:
    """What the topics hold of some orders."""

    orders: dict[int, int]
    """When each was ordered (ms); those of the last 96 hours and a little more."""
    paid: frozenset[int]
    """Those that have a payment of the last 96 hours."""

    def completes(self, order_id: int, ts_ms: int) -> bool:
        """Whether a payment made then completes its order."""
        ordered = self.orders.get(order_id)
        return ordered is not None and ts_ms - TO_PAY_MS <= ordered <= ts_ms


class Stream:
    """The topics of payments and orders. Every call raises UnreachableError when Kafka or registry do not answer."""

    def __init__(self, kafka: Kafka, registry: Registry) -> None:
        self._kafka = kafka
        self._decoded = Decoder(registry.schema)

    def clock_ms(self) -> int:
        """How far the stream of payments has come (ms): its newest record's timestamp, whatever this machine's clock.

        Raises DeployError while there is no payment.
        """
        newest = self._kafka.newest_timestamp_ms(PAYMENTS_TOPIC)
        if newest is None:
            raise DeployError(
                f"The topic {PAYMENTS_TOPIC} holds no payment, so the stream has no clock yet.",
                "Try again when the payment app runs.",
            )
        return newest

    def known(self, order_ids: Collection[int], clock_ms: int) -> Known:
        """What the topics hold of these orders by this clock (ms)."""
        if not order_ids:
            return Known({}, frozenset())
        return Known(self._orders(order_ids, clock_ms - TO_PAY_MS - _SLACK_MS), self._paid(order_ids, clock_ms))

    def _orders(self, order_ids: Collection[int], since_ms: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for record in self._since(ORDERS_TOPIC, since_ms):
            key = self._value(record.key)
            # most are somebody else's, which the key alone tells
            if isinstance(key, dict) and key.get("orderid") not in order_ids:
                continue
            order = self._value(record.value)
            if isinstance(order, dict) and order.get("orderid") in order_ids:
                # without a date, which the schema allows, no payment completes it
                ordered = order.get("orderdate")
                if ordered is not None:
                    found[order["orderid"]] = milliseconds(ordered)
        return found

    def _paid(self, order_ids: Collection[int], clock_ms: int) -> frozenset[int]:
        keys = {str(order_id).encode(): order_id for order_id in order_ids}
        return frozenset(
            keys[record.key] for record in self._since(PAYMENTS_TOPIC, clock_ms - TO_PAY_MS) if record.key in keys
        )

    def _since(self, topic: str, since_ms: int) -> Generator[Record, None, None]:
        starts, ends = self._kafka.offsets_since(topic, since_ms), self._kafka.end_offsets(topic)
        with closing(self._kafka.records(topic, starts, ends)) as records:
            yield from records

    def _value(self, wire: bytes | None) -> Any:
        """What stands in the registry's wire format; None for what does not."""
        try:
            return self._decoded(wire)
        except Undecodable:
            # `status` names such a record
            return None
