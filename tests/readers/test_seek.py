"""Reads with an end, on a real broker."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from dashboard.readers import seek as seek_module
from dashboard.readers.condition import Condition
from dashboard.readers.readable import Reading
from dashboard.readers.seek import MOST_ROWS, FromOffset, Last, Seek, SeekProgress, Since, Start
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.wire_format import Decoder
from tests.conftest import eventually
from tests.readers.topics import ORDER, WIDER, Texts, new_topic, order, produce, wire
from tests.real_broker import RealBroker, real_broker

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("seek") / "home") as broker:
        yield broker


@pytest.fixture(scope="module")
def kafka(broker: RealBroker) -> Kafka:
    return broker.kafka


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def orders(kafka: Kafka, partitions: int = 3, each: int = 100) -> str:
    """A topic with one order a second from noon on, round the partitions."""
    topic = new_topic(kafka, partitions)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 5})
    for number in range(partitions * each):
        at = ms(NOON + timedelta(seconds=number))
        producer.produce(topic, order(number), partition=number % partitions, timestamp=at)
        producer.poll(0)
    assert producer.flush(60) == 0
    return topic


def found(kafka: Kafka, topic: str, start: Start, where: str = "") -> SeekProgress:
    decoded = Decoder(Texts(_1=ORDER))
    return Seek(kafka, topic, start, Reading(decoded, ()), Condition(where) if where else None).wait()


def ids(progress: SeekProgress) -> list[int]:
    assert progress.fault is None
    assert progress.is_done
    return [row.value["order_id"] for row in progress.rows]


def test_the_last_ones_come_newest_first_whatever_their_partition(kafka: Kafka) -> None:
    topic = orders(kafka)
    assert ids(found(kafka, topic, Last(7))) == [299, 298, 297, 296, 295, 294, 293]
    assert ids(found(kafka, topic, Last(5), "value.order_id % 100 == 1")) == [201, 101, 1]
    assert len(found(kafka, topic, Last(500)).rows) == 300


def test_the_last_ones_are_as_many_as_asked_though_marks_of_transactions_take_places(kafka: Kafka) -> None:
    topic = new_topic(kafka)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    for number in range(40):
        producer.begin_transaction()
        producer.produce(topic, order(number))
        # one that is still on its way when it is aborted takes no place, and Kafka may not know the transaction
        producer.flush(30)
        if number % 4:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    assert ids(found(kafka, topic, Last(8))) == [36, 32, 28, 24, 20, 16, 12, 8]


def test_from_a_time_on_they_come_oldest_first(kafka: Kafka) -> None:
    topic = orders(kafka)
    progress = found(kafka, topic, Since(NOON + timedelta(seconds=295)))
    assert ids(progress) == [295, 296, 297, 298, 299]
    assert progress.is_complete
    assert ids(found(kafka, topic, Since(NOON + timedelta(hours=1)))) == []
    assert ids(found(kafka, topic, Since(NOON), "value.order_id > 297")) == [298, 299]


def test_from_an_offset_of_one_partition_on(kafka: Kafka) -> None:
    topic = orders(kafka)
    assert ids(found(kafka, topic, FromOffset(1, 97))) == [292, 295, 298]
    assert ids(found(kafka, topic, FromOffset(1, 100))) == []


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (FromOffset(3, 0), "has no partition 3. It has 0 to 2."),
        (FromOffset(0, 101), "has no offset 101. It holds 0 to 99."),
        (FromOffset(0, -1), "has no offset -1."),
    ],
)
def test_a_place_that_is_not_there_is_told(kafka: Kafka, start: FromOffset, told: str) -> None:
    progress = found(kafka, orders(kafka), start)
    assert told in str(progress.fault)
    assert progress.is_done


def test_a_topic_that_is_not_there_is_told(kafka: Kafka) -> None:
    for start in (Last(5), Since(NOON), FromOffset(0, 0)):
        assert found(kafka, "nothing-of-this-name", start).fault is not None


def test_the_first_of_very_many_come_from_all_partitions(kafka: Kafka) -> None:
    topic = orders(kafka, each=MOST_ROWS + 50)
    progress = found(kafka, topic, Since(NOON))
    assert ids(progress) == list(range(MOST_ROWS))
    assert not progress.is_complete


def test_what_has_no_answer_and_what_cannot_be_read_is_counted(kafka: Kafka) -> None:
    topic = new_topic(kafka)
    produce(kafka, topic, [order(1), b"\7", order(2, None), order(3)])
    progress = found(kafka, topic, Since(datetime(1970, 1, 2, tzinfo=UTC)), "value.amount > 1.0")
    assert ids(progress) == [1, 3]
    assert (progress.read, progress.unanswered) == (4, 2)
    assert "bad magic byte 7" in progress.why
    assert len(found(kafka, topic, Last(10)).rows) == 4


def test_one_reads_no_more_than_its_most_and_says_so(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = orders(kafka)
    monkeypatch.setattr(seek_module, "MOST_READ", 50)
    for start in (Since(NOON), Last(400)):
        progress = found(kafka, topic, start)
        assert progress.is_done
        assert not progress.is_complete
        assert progress.read == 50


def test_one_that_is_cancelled_ends_at_once_and_keeps_what_it_found(kafka: Kafka) -> None:
    topic = orders(kafka, each=20_000)
    decoded = Decoder(Texts(_1=ORDER))
    seek = Seek(kafka, topic, Since(NOON), Reading(decoded, ()), Condition("value.order_id < 3"))
    eventually(lambda: seek.progress.read > 0, 30, every_seconds=0.001)
    seek.cancel()
    started = time.monotonic()
    progress = seek.wait()
    assert time.monotonic() - started < 2
    assert (progress.is_done, progress.is_cancelled) == (True, True)
    assert progress.read < 60_000


def test_it_commits_nothing(kafka: Kafka) -> None:
    topic = orders(kafka)
    found(kafka, topic, Last(5))
    assert kafka.committed_offsets("sales-trends-reader", topic) == {}


def test_a_broker_that_does_not_answer_is_told() -> None:
    progress = found(Kafka("127.0.0.1:1"), "orders", Last(5))
    assert "did not answer" in str(progress.fault)


@pytest.mark.parametrize(("start", "expected"), [(Last(10), [9, 8, 7]), (Since(NOON), [0, 1, 2, 3])])
def test_large_records_do_not_fill_the_memory(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, start: Start, expected: list[int]
) -> None:
    topic = new_topic(kafka)
    wide = [wire({"order_id": number, "amount": 1.0, "note": "x" * 300_000}, 1, WIDER) for number in range(10)]
    produce(kafka, topic, wide)
    monkeypatch.setattr(seek_module, "MOST_BYTES", 1_000_000)
    progress = Seek(kafka, topic, start, Reading(Decoder(Texts(_1=WIDER)), ())).wait()
    assert ids(progress) == expected
    assert not progress.is_complete
