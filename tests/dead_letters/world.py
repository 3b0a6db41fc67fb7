"""A broker with the shop's topics, a registry and a contract in memory, and letters of every writer."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from fastavro import parse_schema, schemaless_writer

from dashboard.dead_letter_queue import DeadLetterQueue
from dashboard.dead_letters.fields import Fields
from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC
from dashboard.dead_letters.markers import REDRIVEN_TOPIC
from dashboard.dead_letters.redrive import Contract
from dashboard.enforcement.outcomes import Refused
from dashboard.errors import UnreachableError
from dashboard.remotes.kafka import Kafka, Record, Topic
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings, Settings
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC
from tests.conftest import eventually

CONTRACTS = Path(__file__).parents[2] / "pipeline_sql" / "contracts"
SUBJECTS = ("payments-value", "shiftleft.public.orders-value", "shiftleft.public.orders-key")
SCHEMAS = {number: (CONTRACTS / f"{subject}.avsc").read_text() for number, subject in enumerate(SUBJECTS, 1)}
CLOCK = 1_795_348_803_000
"""The newest payment of the world; 3 s into a window of 5 s."""
WINDOW = timedelta(seconds=5)
HOUR = 3_600_000
RULE = "validateConfirmationCode"
CIPHERTEXT = b64encode(bytes(12) + b"4111-1111-1111-1234" + bytes(16)).decode()
"""As long as the client's of a card number: between a nonce and a tag."""
_TOPICS = (Topic(PAYMENTS_TOPIC, 6), Topic(ORDERS_TOPIC, 6), Topic(DEAD_LETTERS_TOPIC, 1))


class Cipher(str):
    """As the enforcement's own."""


class MemoryRegistry(Registry):
    """The schemas of pipeline_sql/."""

    def __init__(self) -> None:
        super().__init__("nowhere")

    def latest(self, subject: str) -> dict[str, Any] | None:
        schema: dict[str, Any] = json.loads(SCHEMAS[SUBJECTS.index(subject) + 1])
        return schema

    def schema(self, schema_id: int) -> str | None:
        return SCHEMAS.get(schema_id)


def write(value: dict[str, Any]) -> bytes:
    """Refuses a code that is none; encrypts a card number that is not encrypted yet; alters what it is given."""
    if not re.fullmatch("[A-Z0-9]{8}", value["confirmation_code"]):
        raise Refused(RULE, "its code is none")
    if not isinstance(value["cc_number"], Cipher):
        value["cc_number"] = f"encrypted({len(value['cc_number'])})"
    return json.dumps(value).encode()


def contract(_settings: object, _registry: object, fields: Fields) -> Contract:
    return Contract(fields, write, Cipher)


def queue(kafka: Kafka, who: str = "tester", target: str = "local") -> DeadLetterQueue:
    settings = Settings(target=target, pipeline=PipelineSettings(window_size=WINDOW))
    return DeadLetterQueue(settings, who, contract=contract, clusters=(kafka, MemoryRegistry()))


def payment(order_id: int = 3000, **fields: object) -> dict[str, object]:
    return {
        "order_id": order_id,
        "product_id": 1,
        "customer_id": 2,
        "confirmation_code": "AB12CD34",
        "cc_number": "4111-1111-1111-1234",
        "expiration": "01/30",
        "amount": 10.005,
        "ts": CLOCK - 25 * HOUR,
        **fields,
    }


def headers(**more: str) -> dict[str, str]:
    return {
        "__rule.name": RULE,
        "__rule.mode": "WRITE",
        "__rule.subject": "payments-value",
        "__rule.topic": "payments",
        "__rule.exception": "Rule expr failed",
    } | {name.replace("_", "."): value for name, value in more.items()}


class World:
    """The topics, and what stands in them."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        kafka.delete_topics({topic.name for topic in (*_TOPICS, Topic(REDRIVEN_TOPIC, 1))} & kafka.topic_names())
        kafka.create_topics(_TOPICS)
        eventually(lambda: all(_has_leaders(kafka, topic.name) for topic in _TOPICS), 30, 0.05)
        self.producer = Producer(
            {"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "log_level": 0}
        )
        self.pay(1, CLOCK)
        self._letters = 0

    def pay(self, order_id: int, timestamp_ms: int) -> None:
        """A payment of the shop's own."""
        self._produce(PAYMENTS_TOPIC, b"value", str(order_id).encode(), {}, timestamp_ms)

    def order(self, orderid: int, ordered_ms: int = CLOCK - HOUR) -> None:
        value = {"orderid": orderid, "customerid": 2, "orderdate": ordered_ms, "status": "Completed"}
        self._produce(ORDERS_TOPIC, _wire(2, value), _wire(3, {"orderid": orderid}), {}, ordered_ms)

    def letter(
        self, value: Mapping[str, object] | bytes | None, more: Mapping[str, str] | None = None, at: int = CLOCK
    ) -> str:
        """Writes a letter; its id."""
        raw = json.dumps(value).encode() if isinstance(value, Mapping) else value
        self._produce(DEAD_LETTERS_TOPIC, raw, None, headers() if more is None else more, at)
        self._letters += 1
        return f"0:{self._letters - 1}"

    def in_topic(self, topic: str) -> list[Record]:
        ends = self.kafka.end_offsets(topic)
        return list(self.kafka.records(topic, dict.fromkeys(ends, 0), ends))

    def redriven(self) -> list[Record]:
        """The payments that are not the shop's."""
        return [one for one in self.in_topic(PAYMENTS_TOPIC) if one.headers]

    def _produce(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Mapping[str, str], timestamp_ms: int
    ) -> None:
        self.producer.produce(topic, value, key, headers=list(headers.items()), timestamp=timestamp_ms)
        assert self.producer.flush(10) == 0


def _has_leaders(kafka: Kafka, topic: str) -> bool:
    """One that takes the place of another of its name is without them for a moment."""
    try:
        return bool(kafka.end_offsets(topic))
    except UnreachableError:
        return False


def _wire(schema_id: int, value: object) -> bytes:
    body = BytesIO()
    schemaless_writer(body, parse_schema(json.loads(SCHEMAS[schema_id])), value)
    return b"\0" + schema_id.to_bytes(4, "big") + body.getvalue()


def orders_of(records: Iterable[Record]) -> list[int]:
    return sorted(int(record.key or b"") for record in records)
