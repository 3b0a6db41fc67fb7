"""Single records for the tests of the stack, written as the shop writes them."""

import json
import struct
import time
from datetime import timedelta
from io import BytesIO
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer

from dashboard.settings import Settings


def send_order(settings: Settings, order_id: int) -> None:
    now_ms = int(time.time() * 1000)
    _send(
        settings,
        "shiftleft.public.orders",
        order_id,
        {"orderid": order_id, "customerid": 1, "orderdate": now_ms, "status": "Completed"},
        now_ms,
    )


def send_payment(settings: Settings, order_id: int, *, amount: float, ago: timedelta = timedelta(0)) -> None:
    """One that was paid so long ago, and is written now."""
    now_ms = int(time.time() * 1000)
    paid_ms = now_ms - ago // timedelta(milliseconds=1)
    _send(settings, "payments", order_id, _payment(order_id, paid_ms) | {"amount": amount}, now_ms)


def payment_on_the_wire(settings: Settings, **fields: Any) -> bytes:
    """A payment's bytes, to be spoilt."""
    return on_the_wire(settings, "payments", _payment(2_100_000_000, int(time.time() * 1000)) | fields)


def _payment(order_id: int, now_ms: int) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "product_id": 1,
        "customer_id": 1,
        "confirmation_code": "AB12CD34",
        "cc_number": "4000-0000-0000-0000",
        "expiration": "12/30",
        "amount": 1.0,
        "ts": now_ms,
    }


def _send(settings: Settings, topic: str, order_id: int, value: dict[str, Any], timestamp_ms: int) -> None:
    payload = on_the_wire(settings, topic, value)
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{settings.local.kafka_port}"})
    producer.produce(topic, key=str(order_id).encode(), value=payload, timestamp=timestamp_ms)
    assert producer.flush(10) == 0


def on_the_wire(settings: Settings, topic: str, value: dict[str, Any]) -> bytes:
    """A record's bytes by the newest schema of its topic, as a client writes it that runs no rules."""
    with SchemaRegistryClient({"url": f"http://127.0.0.1:{settings.local.registry_port}"}) as registry:
        latest = registry.get_latest_version(f"{topic}-value")
    wire = BytesIO()
    wire.write(struct.pack(">bI", 0, latest.schema_id))
    schemaless_writer(wire, parse_schema(json.loads(latest.schema.schema_str or "")), value)
    return wire.getvalue()
