"""Offsets by time and records between offsets on a real broker, while others write."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # not in __all__

from dashboard.errors import UnreachableError
from dashboard.remotes import kafka as reading
from dashboard.remotes.kafka import Kafka
from tests.deaf_consumer import deaf_consumer
from tests.readers.topics import new_topic, order, produce
from tests.real_broker import real_broker


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with real_broker(tmp_path_factory.mktemp("offsets") / "home") as broker:
        yield broker.kafka


def test_the_first_record_at_or_after_a_time_or_the_end(kafka: Kafka) -> None:
    topic = new_topic(kafka, partitions=2)
    for timestamp_ms in (1_000, 2_000, 3_000):
        produce(kafka, topic, [order(1)], timestamp_ms=timestamp_ms)
    assert kafka.offsets_since(topic, 0) == {0: 0, 1: 0}
    assert kafka.offsets_since(topic, 2_000) == {0: 1, 1: 0}
    assert kafka.offsets_since(topic, 2_001) == {0: 2, 1: 0}
    assert kafka.offsets_since(topic, 3_001) == {0: 3, 1: 0}


def test_the_oldest_record_of_each_partition_that_is_left_when_older_ones_are_deleted(kafka: Kafka) -> None:
    topic = new_topic(kafka, partitions=2)
    for timestamp_ms in (1_000, 2_000, 3_000):
        produce(kafka, topic, [order(1)], timestamp_ms=timestamp_ms)
    assert kafka.oldest_timestamps_ms(topic) == {0: 1_000}
    for left, oldest in ((1, {0: 2_000}), (3, {})):
        admin = AdminClient(kafka.access.config())
        for deleted in admin.delete_records([TopicPartition(topic, 0, left)]).values():
            deleted.result()
        assert kafka.start_offsets(topic) == {0: left, 1: 0}
        assert kafka.oldest_timestamps_ms(topic) == oldest


def test_a_topic_that_has_just_been_made_has_offsets_as_soon_as_it_has_leaders(kafka: Kafka) -> None:
    for _ in range(12):
        assert kafka.start_offsets(new_topic(kafka, partitions=6)) == dict.fromkeys(range(6), 0)


def test_a_topic_that_is_gone_has_no_offsets(kafka: Kafka) -> None:
    assert kafka.start_offsets("gone") == kafka.oldest_timestamps_ms("gone") == {}
    assert "gone" not in kafka.topic_names()


def test_what_is_written_while_it_is_asked_is_not_passed_over(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = new_topic(kafka)
    asked = Kafka._offsets

    def and_then_one_comes(this: Kafka, name: str, which: OffsetSpec) -> dict[int, int]:
        found = asked(this, name, which)
        produce(kafka, topic, [order(1)], timestamp_ms=5_000)
        return found

    monkeypatch.setattr(Kafka, "_offsets", and_then_one_comes)
    assert kafka.offsets_since(topic, 4_000) == {0: 0}


class _Fault:
    """What the library says of a partition whose leader it does not find."""

    def partition(self) -> int:
        return 1

    def error(self) -> KafkaError:
        return KafkaError(KafkaError.LEADER_NOT_AVAILABLE)


@pytest.mark.parametrize("said", [[], [_Fault()]])
def test_a_partition_that_gives_nothing_is_told_though_another_one_never_ends(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    topic = new_topic(kafka, partitions=2)
    monkeypatch.setattr(reading, "Consumer", deaf_consumer(said))
    monkeypatch.setattr(reading, "_TIMEOUT_SECONDS", 1)
    for partition in range(2):
        produce(kafka, topic, [order(1)], partition=partition)
    with pytest.raises(UnreachableError, match=f"gave no more records of {topic}"):
        list(kafka.records(topic, {0: 0, 1: 0}, kafka.end_offsets(topic)))
