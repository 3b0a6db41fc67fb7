"""A broker and a registry for the shop: librdkafka's mock cluster, and the real registry in the test's process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from pydantic import SecretStr

from dashboard.local.kms import KMS_SECRET
from dashboard.local.worker import Interrupted, Stop
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from dashboard.settings import LocalSettings, PipelineSettings, Settings, ShopSettings
from tests.local.registry.encrypting import SECRET
from tests.registry_server import registry_at

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


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def slow_broker() -> Broker:
    """One whose answers take so long that a process can be killed while it waits for them."""
    return Broker(round_trip_ms=60)


@pytest.fixture
def contracts(tmp_path: Path) -> Iterator[CloudRegistry]:
    """A real one that holds the schemas of the topics alone; a test may promise more."""
    with registry_at(tmp_path / "registry") as address:
        nobody = SecretStr("")
        registry = CloudRegistry(address, nobody, nobody, key_setting="", pace=Pace(repeat_seconds=0))
        for subject in SUBJECTS:
            registry.register(subject, Contract((CONTRACTS / f"{subject}.avsc").read_text()))
        yield registry


@pytest.fixture
def registry_port(contracts: CloudRegistry) -> int:
    return int(contracts.address.rpartition(":")[2])


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
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        # one for all tests: the client keeps the first that a process gives it
        (home / KMS_SECRET).write_text(SECRET)
        (home / KMS_SECRET).chmod(0o600)
        return Settings(
            pipeline=PipelineSettings(window_size=timedelta(seconds=5)),
            shop=ShopSettings(**(quick | shop)),
            local=LocalSettings(home=home, cache=tmp_path, kafka_port=broker.port, registry_port=registry_port),
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
