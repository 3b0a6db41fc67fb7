"""Topics of orders on a real broker, and what a registry holds, for tests of what reads them."""

import json
import uuid
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from confluent_kafka import Producer
from fastavro import schemaless_writer

from dashboard.errors import UnreachableError
from dashboard.remotes.kafka import Kafka, Topic

ORDER = {
    "type": "record",
    "name": "order",
    "fields": [{"name": "order_id", "type": "int"}, {"name": "amount", "type": ["null", "double"]}],
}
WIDER = {**ORDER, "fields": [*ORDER["fields"], {"name": "note", "type": "string"}]}


class Texts:
    """The schemas of a registry, by id; it can be away."""

    def __init__(self, **schemas: dict[str, Any]) -> None:
        self.schemas = {int(name[1:]): schema for name, schema in schemas.items()}
        self.away = False

    def __call__(self, schema_id: int) -> str | None:
        if self.away:
            raise UnreachableError("The schema registry did not answer.", "Start it.")
        schema = self.schemas.get(schema_id)
        return json.dumps(schema) if schema else None


def wire(value: Any, schema_id: int = 1, schema: dict[str, Any] = ORDER) -> bytes:
    body = BytesIO()
    schemaless_writer(body, schema, value)
    return b"\0" + schema_id.to_bytes(4, "big") + body.getvalue()


def order(order_id: int, amount: float | None = 1.25) -> bytes:
    return wire({"order_id": order_id, "amount": amount})


def new_topic(kafka: Kafka, partitions: int = 1, name: str = "") -> str:
    name = name or f"orders-{uuid.uuid4().hex[:8]}"
    kafka.create_topics([Topic(name, partitions)])
    return name


def produce(
    kafka: Kafka,
    topic: str,
    values: Iterable[bytes | None],
    *,
    partition: int = 0,
    timestamp_ms: int = 0,
    headers: list[tuple[str, str | bytes | None]] | None = None,
) -> None:
    """Returns when the broker has them; a timestamp of 0 stands for now."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 5, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=partition, timestamp=timestamp_ms, headers=headers or [])
        producer.poll(0)
    assert producer.flush(60) == 0
