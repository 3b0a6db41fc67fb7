"""A broker and a registry for the shop: librdkafka's mock cluster, and the few answers its serializer asks for."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from dashboard.local.worker import Interrupted, Stop
from dashboard.settings import LocalSettings, PipelineSettings, Settings, ShopSettings

CONTRACTS = Path(__file__).parents[3] / "pipeline_sql" / "contracts"
SUBJECTS = ("payments-value", "shiftleft.public.orders-value", "shiftleft.public.orders-key")

Work = Callable[[Settings, Stop], None]


class Broker:
    """A Kafka broker inside this process; topics appear when first asked for, with four partitions each."""

    def __init__(self, round_trip_ms: int = 0) -> None:
        conf: dict[str, Any] = {"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0}
        self._cluster = Producer(conf | {"test.mock.broker.rtt": round_trip_ms})
        broker = next(iter(self._cluster.list_topics(timeout=10).brokers.values()))
        self.port = int(broker.port)
        self.servers = f"127.0.0.1:{self.port}"

    def records(self, topic: str) -> list[tuple[bytes, bytes, int]]:
        """Key, value and timestamp of every record, partition by partition."""
        consumer = Consumer(
            {"bootstrap.servers": self.servers, "group.id": "test", "enable.partition.eof": True, "log_level": 0}
        )
        todo = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in todo])
        found: list[tuple[bytes, bytes, int]] = []
        while todo:
            message: Any = consumer.poll(5)
            if message.error() is None:
                found.append((message.key(), message.value(), message.timestamp()[1]))
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF
                todo.discard(message.partition())
        consumer.close()
        return found


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rules: dict[str, Any]

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        subjects = {name: number for number, name in enumerate(SUBJECTS, 1)}
        body: Any = {"error_code": 40401, "message": "Subject not found."}
        if parts[0] == "associations":
            body = []
        elif parts[0] == "subjects" and parts[1] in subjects:
            body = self._registered(parts[1], subjects[parts[1]])
        elif parts[:2] == ["schemas", "ids"] and int(parts[2]) <= len(SUBJECTS):
            body = self._registered(SUBJECTS[int(parts[2]) - 1], int(parts[2]))
        text = json.dumps(body).encode()
        self.send_response(404 if "error_code" in body else 200)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _registered(self, subject: str, number: int) -> dict[str, Any]:
        schema = (CONTRACTS / f"{subject}.avsc").read_text()
        registered: dict[str, Any] = {"subject": subject, "id": number, "version": 1, "schema": schema}
        registered["guid"] = str(uuid.UUID(int=number))
        registered.update(self.rules.get(subject, {}))
        return registered

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def slow_broker() -> Broker:
    """One whose answers take so long that a process can be killed while it waits for them."""
    return Broker(round_trip_ms=60)


@pytest.fixture
def rules() -> dict[str, Any]:
    """What the registry's newest version of a subject holds beside the schema; a test may add to it."""
    return {}


@pytest.fixture
def registry_port(rules: dict[str, Any]) -> Iterator[int]:
    handler = type("Answers", (_Answers,), {"rules": rules})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def shop_settings(broker: Broker, registry_port: int, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a shop on the broker and registry of this test; arguments are fields of ShopSettings."""

    def make(broker: Broker = broker, **shop: Any) -> Settings:
        quick: dict[str, Any] = {
            "rate": 100.0,
            "history": timedelta(0),
            "history_payments": 0,
            "payment_delay": timedelta(seconds=0.3),
        }
        return Settings(
            pipeline=PipelineSettings(window_size=timedelta(seconds=5)),
            shop=ShopSettings(**(quick | shop)),
            local=LocalSettings(
                home=tmp_path / "home", cache=tmp_path, kafka_port=broker.port, registry_port=registry_port
            ),
        )

    return make


@pytest.fixture
def running() -> Callable[[Work, Settings], Any]:
    """A context in which one of the shop's processes runs as a thread; leaving it stops it and passes on its error."""

    @contextmanager
    def run(work: Work, settings: Settings) -> Iterator[None]:
        stop, errors = threading.Event(), []

        def target() -> None:
            try:
                work(settings, stop)
            except Interrupted:
                pass
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=target)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=30)
            # its own error says more than that the test then waited in vain
            if errors:
                raise errors[0]

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until the condition holds."""

    def wait(condition: Callable[[], object], within_seconds: float = 30) -> None:
        deadline = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)

    return wait
