"""Transactions on a real broker, and what their marks in a topic do to everything that reckons with offsets."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition

from dashboard.deploy.bad_records import InputReader
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.skipped import Place
from dashboard.deploy.statements import Deployment
from dashboard.errors import ContractError, DeployError, ReadError, UnreachableError
from dashboard.local.shop.journal import End
from dashboard.local.shop.topics import read_from
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.kafka_transactions import ToWrite, TransactionalWriter
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from tests.conftest import eventually
from tests.real_broker import RealBroker, real_broker

_NUMBERS = count()
OLD = 1_795_300_000_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("transactions") / "home") as broker:
        yield broker


@pytest.fixture
def kafka(broker: RealBroker) -> Kafka:
    return broker.kafka


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = f"written-{next(_NUMBERS)}"
    kafka.create_topics([Topic(name, 1)])
    return name


def one(topic: str, key: bytes = b"1", timestamp_ms: int = OLD) -> ToWrite:
    return ToWrite(topic, key, b"value", timestamp_ms, {"header": "text"})


def all_of(kafka: Kafka, topic: str, *, committed: bool = True) -> list[bytes | None]:
    ends = kafka.end_offsets(topic)
    return [record.key for record in kafka.records(topic, dict.fromkeys(ends, 0), ends, committed=committed)]


def test_what_is_written_bears_key_headers_and_timestamp(kafka: Kafka, topic: str) -> None:
    with TransactionalWriter(kafka.access, "bearing") as writer:
        assert writer.write([one(topic)])
    [record] = kafka.records(topic, {0: 0}, kafka.end_offsets(topic))
    assert (record.key, record.value, record.timestamp_ms) == (b"1", b"value", OLD)
    assert record.headers == (("header", b"text"),)


def test_a_no_before_the_commit_leaves_nothing_and_the_next_attempt_goes_on(kafka: Kafka, topic: str) -> None:
    answers = iter([False, True])
    with TransactionalWriter(kafka.access, "asking") as writer:
        assert not writer.write([one(topic, b"never")], lambda: next(answers))
        assert all_of(kafka, topic) == []
        assert writer.write([one(topic, b"then")], lambda: next(answers))
    assert all_of(kafka, topic) == [b"then"]


def test_an_error_before_the_commit_leaves_nothing_and_is_passed_on(kafka: Kafka, topic: str) -> None:
    def fails() -> bool:
        raise DeployError("no")

    with TransactionalWriter(kafka.access, "failing") as writer:
        with pytest.raises(DeployError, match="no"):
            writer.write([one(topic)], fails)
        assert writer.write([one(topic, b"after")])
    assert all_of(kafka, topic) == [b"after"]


def test_a_second_writer_of_the_name_ends_what_the_first_has_open_and_the_first_says_so(
    kafka: Kafka, topic: str
) -> None:
    def another_begins() -> bool:
        with TransactionalWriter(kafka.access, "contested") as second:
            assert second.write([one(topic, b"second")])
        return True

    with (
        TransactionalWriter(kafka.access, "contested") as first,
        pytest.raises(DeployError, match="Another process has begun the same work"),
    ):
        first.write([one(topic, b"first")], another_begins)
    assert all_of(kafka, topic) == [b"second"]


def test_without_a_broker_it_is_said_within_the_usual_time() -> None:
    began = time.monotonic()
    with pytest.raises(UnreachableError), TransactionalWriter("127.0.0.1:1", "nowhere"):
        raise AssertionError("it must not get here")
    assert time.monotonic() - began < 40


def test_the_newest_timestamp_is_that_of_a_record_and_not_of_a_transactions_mark(kafka: Kafka, topic: str) -> None:
    assert kafka.newest_timestamp_ms(topic) is None
    with TransactionalWriter(kafka.access, "stamped") as writer:
        writer.write([one(topic, timestamp_ms=OLD + 7), one(topic, timestamp_ms=OLD)])
        assert kafka.newest_timestamp_ms(topic) == OLD + 7
        assert not writer.write([one(topic, timestamp_ms=OLD)], lambda: False)
    assert kafka.newest_timestamp_ms(topic) == OLD + 7


def test_the_newest_timestamp_is_seen_behind_a_transaction_that_is_still_open(kafka: Kafka, topic: str) -> None:
    seen: list[int | None] = []

    def look() -> bool:
        kafka.append(topic, [("x", "later")])
        seen.append(kafka.newest_timestamp_ms(topic))
        return True

    before = int(time.time() * 1000)
    with TransactionalWriter(kafka.access, "open") as writer:
        writer.write([one(topic)], look)
    assert seen[0] is not None
    assert seen[0] >= before


def test_offsets_since_a_time_are_those_of_its_records_or_the_end(kafka: Kafka, topic: str) -> None:
    with TransactionalWriter(kafka.access, "since") as writer:
        writer.write([one(topic, timestamp_ms=OLD + at) for at in range(3)])
    assert kafka.offsets_since(topic, OLD + 2) == {0: 2}
    # a transaction's mark has a time too, that of the machine's clock, and is no record
    assert list(kafka.records(topic, kafka.offsets_since(topic, OLD + 3), kafka.end_offsets(topic))) == []
    future = int(time.time() * 1000) + 60_000
    assert kafka.offsets_since(topic, future) == kafka.end_offsets(topic) == {0: 4}
    assert kafka.start_offsets(topic) == {0: 0}


def test_a_group_that_has_read_all_but_a_transactions_mark_has_read_everything(kafka: Kafka, topic: str) -> None:
    with TransactionalWriter(kafka.access, "group") as writer:
        writer.write([one(topic), one(topic, timestamp_ms=OLD + 1)])
    assert kafka.oldest_unread("reader", topic) == datetime.fromtimestamp(OLD / 1000, UTC)
    kafka.commit_offsets("reader", topic, {0: 2})
    assert kafka.oldest_unread("reader", topic) is None
    assert kafka.unread(topic, {0: 2}, kafka.end_offsets(topic)) == 0
    assert kafka.unread(topic, {0: 1}, kafka.end_offsets(topic)) == 1


def test_a_settlement_waits_until_what_stands_behind_an_open_transaction_can_be_seen(kafka: Kafka, topic: str) -> None:
    """The shop's own record behind it would be taken for one that never came, and be sent twice."""
    found: list[list[bytes]] = []

    def settle() -> None:
        ends = {0: End(0, None)}
        found.append([one.key for one in read_from(kafka.bootstrap, topic, ends, threading.Event(), 25)])

    settling = threading.Thread(target=settle)

    def shop_sends_and_settles() -> bool:
        kafka.append(topic, [("shop", "value")])
        settling.start()
        # long enough for one that does not wait to have taken the end for still
        settling.join(4)
        assert settling.is_alive()
        return True

    with TransactionalWriter(kafka.access, "held") as writer:
        writer.write([one(topic, b"redriven")], shop_sends_and_settles)
    settling.join(20)
    assert found == [[b"redriven", b"shop"]]


def test_a_settlement_knows_a_topic_that_lost_records_from_one_that_is_held_back(kafka: Kafka, topic: str) -> None:
    with TransactionalWriter(kafka.access, "short") as writer:
        writer.write([one(topic)])
    with pytest.raises(ReadError, match="fewer records"):
        list(read_from(kafka.bootstrap, topic, {0: End(9, OLD)}, threading.Event(), 20))


def test_a_transactions_mark_is_no_record_that_could_be_skipped(kafka: Kafka) -> None:
    kafka.create_topics([Topic("payments", 1)])
    with TransactionalWriter(kafka.access, "judged") as writer:
        writer.write([ToWrite("payments", b"1", b"bad", OLD)])
    pipeline = load_pipeline(PipelineSettings())
    reader = InputReader(cast(Deployment, SimpleNamespace(pipeline=pipeline)), kafka, Registry("http://127.0.0.1:1"))
    assert reader.judged(Place("payments", 0, 0)).reason == "bad magic byte 98"
    with pytest.raises(ContractError, match="There is no record"):
        reader.judged(Place("payments", 0, 1))


def test_watermarks_of_the_library_are_those_of_the_isolation_level(kafka: Kafka, topic: str) -> None:
    """What `read_from` builds on: a committed reader is told the last stable offset, another one the end."""

    def end(level: str) -> int:
        consumer = Consumer(
            {"bootstrap.servers": kafka.bootstrap, "group.id": "x", "isolation.level": level, "log_level": 0}
        )
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)[1])
        finally:
            consumer.close()

    def look() -> bool:
        assert (end("read_committed"), end("read_uncommitted")) == (0, 1)
        return True

    with TransactionalWriter(kafka.access, "levels") as writer:
        writer.write([one(topic)], look)
    # the broker marks the end of a transaction after it has answered that it is committed
    eventually(lambda: (end("read_committed"), end("read_uncommitted")) == (2, 2), 10, every_seconds=0.1)
