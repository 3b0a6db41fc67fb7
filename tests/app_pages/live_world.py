"""A broker, a registry and a dashboard of their own, with orders that a test writes one by one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from fastavro import schemaless_writer

from dashboard.deploy.pipeline import load_pipeline
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from tests.browser import dashboard_process
from tests.readers.topics import new_topic
from tests.real_broker import real_broker
from tests.registry_server import registry_at

ORDERS, PAYMENTS, LETTERS = "completed_orders", "payments", "error-payments"
CARD = "4111-1111-1111-1234"
_NULLABLE = ["null", "int"], ["null", "double"], ["null", "string"]
_TIME = {"type": "long", "logicalType": "timestamp-millis"}
ORDER = {
    "type": "record",
    "name": "record",
    "fields": [
        {"name": "order_id", "type": _NULLABLE[0]},
        {"name": "amount", "type": _NULLABLE[1]},
        {"name": "confirmation_code", "type": _NULLABLE[2]},
        {"name": "ts", "type": ["null", _TIME]},
    ],
}


@dataclass(frozen=True)
class World:
    """Where everything listens."""

    kafka: Kafka
    registry: Registry
    url: str
    producer: Producer

    def order(self, order_id: int, amount: float = 10.0, code: str = "AB12CD34", ts: int = 1_795_435_200_000) -> None:
        """Returns when the broker has it."""
        self.write(ORDERS, ORDER, {"order_id": order_id, "amount": amount, "confirmation_code": code, "ts": ts})

    def payment(self, order_id: int, card: str = CARD) -> None:
        schema = next(topic.value for topic in load_pipeline(PipelineSettings()).topics if topic.name == PAYMENTS)
        assert schema is not None
        value = {"order_id": order_id, "product_id": 1, "customer_id": 2, "confirmation_code": "AB12CD34"}
        rest = {"cc_number": card, "expiration": "01/30", "amount": 9.5, "ts": 1_795_435_200_000}
        self.write(PAYMENTS, schema, value | rest, headers=[("card", card.encode())])

    def write(self, topic: str, schema: dict[str, Any], value: Any, headers: Any = None) -> None:
        id_ = self.registry.register(f"{topic}-value", schema)
        body = BytesIO()
        schemaless_writer(body, schema, value)
        self.raw(topic, b"\0" + id_.to_bytes(4, "big") + body.getvalue(), headers=headers)

    def raw(self, topic: str, value: bytes, headers: Any = None) -> None:
        self.producer.produce(topic, value, headers=headers or [])
        assert self.producer.flush(30) == 0

    def letter(self, **fields: Any) -> None:
        self.raw(LETTERS, json.dumps(fields).encode())


@contextmanager
def live_world(folder: Path, settings: dict[str, str] | None = None, *options: str) -> Iterator[World]:
    """All of it, running; without an order."""
    with real_broker(folder / "home") as broker, registry_at(folder / "registry") as url:
        local = broker.settings.local
        given = {
            "SALES_LOCAL__HOME": str(local.home),
            "SALES_LOCAL__KAFKA_PORT": str(local.kafka_port),
            "SALES_LOCAL__REGISTRY_PORT": url.rpartition(":")[2],
        }
        for topic in (ORDERS, PAYMENTS, LETTERS):
            new_topic(broker.kafka, name=topic)
        producer = Producer({"bootstrap.servers": broker.kafka.bootstrap, "linger.ms": 0, "log_level": 0})
        with dashboard_process(folder, given | (settings or {}), *options) as page:
            yield World(broker.kafka, Registry(url), page, producer)
