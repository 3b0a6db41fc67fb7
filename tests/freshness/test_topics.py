"""How far topics have come, on a real broker."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # not in __all__

from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import UnreachableError
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.readings import Part, TopicReading
from dashboard.freshness.topics import EVENT_TIMES, TopicReadings
from dashboard.remotes import kafka_newest
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.kafka_newest import NewestRecords
from dashboard.remotes.kafka_transactions import ToWrite, TransactionalWriter
from dashboard.settings import PipelineSettings
from tests.conftest import eventually
from tests.deaf_consumer import deaf_consumer
from tests.readers.topics import Texts, produce, wire
from tests.real_broker import RealBroker, real_broker

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYMENT: dict[str, Any] = {
    "type": "record",
    "name": "payment",
    "fields": [
        {"name": "cc_number", "type": "string"},
        {"name": "ts", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
    ],
}
CARD = "4111111111111111"
_NUMBERS = count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("newest") / "home") as broker:
        yield broker


class World:
    """One topic, and what looks at it; `now` is when it is looked."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.kafka = kafka
        self.name = name
        self.texts = Texts(_1=PAYMENT)
        self.backlog = Backlog()
        self.now = NOON
        self.topics = self.anew()

    def anew(self) -> TopicReadings:
        return TopicReadings(self.kafka, self.texts, [self.name, "nowhere"], self.backlog, lambda: self.now)

    def look(self) -> TopicReading:
        return self.topics.look().topics[self.name]

    def write(self, event: float | None, record: float, partition: int = 0) -> None:
        """Seconds after noon."""
        produce(self.kafka, self.name, [payment(event)], partition=partition, timestamp_ms=ms(record))


@pytest.fixture
def world(broker: RealBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    name = f"paid-{next(_NUMBERS)}"
    monkeypatch.setitem(EVENT_TIMES, name, "ts")
    # otherwise a broker takes no time that is far ahead
    broker.kafka.create_topics([Topic(name, 2, {"message.timestamp.after.max.ms": str(2**63 - 1)})])
    world = World(broker.kafka, name)
    yield world
    world.topics.close()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return int(after(seconds).timestamp() * 1000)


def payment(event: float | None) -> bytes:
    return wire({"cc_number": CARD, "ts": None if event is None else after(event)}, 1, PAYMENT)


def test_every_topic_of_the_pipeline_with_a_schema_has_a_field_that_tells_when() -> None:
    pipeline = load_pipeline(PipelineSettings())
    columns = {one.name: {field["name"] for field in one.value["fields"]} for one in pipeline.topics if one.value}
    columns |= {name: set(one.text.split()) for name, one in pipeline.created_tables.items()}
    assert columns.keys() == EVENT_TIMES.keys()
    assert [name for name, field in EVENT_TIMES.items() if field not in columns[name]] == []


def test_of_each_partition_end_newest_record_and_newest_event_are_told(world: World) -> None:
    for second in (1, 3, 2):
        world.write(event=second, record=second + 0.5)
    reading = world.look()
    first, second_one = reading.partitions
    assert (first.end, first.newest_at, first.frontier) == (3, after(3.5), after(3))
    assert (second_one.end, second_one.newest_at, second_one.frontier) == (0, None, None)
    assert (reading.end, reading.newest_at, reading.frontier) == (3, after(3.5), after(3))
    assert reading.lateness == timedelta(seconds=0.5)


def test_no_card_number_is_kept(world: World) -> None:
    world.write(event=1, record=1)
    world.look()
    assert CARD not in repr(vars(world.topics))
    assert CARD not in repr(world.look())


def test_what_is_not_committed_has_not_come_and_marks_of_transactions_hide_no_record(world: World) -> None:
    frontiers = []

    def looked(commit: bool) -> bool:
        eventually(lambda: world.kafka.newest_timestamp_ms(world.name) == ms(5), 20)
        frontiers.append(world.look().frontier)
        return commit

    with TransactionalWriter(world.kafka.access, world.name) as writer:
        for commit in (False, True):
            writer.write([ToWrite(world.name, b"1", payment(5), ms(5), {})], partial(looked, commit))
    assert frontiers == [None, None]
    # Kafka says that it is committed before the mark is there
    eventually(lambda: world.look().frontier, 20)
    reading = world.look()
    assert (reading.frontier, reading.newest_at) == (after(5), after(5))
    afresh = world.anew()
    assert afresh.look().topics[world.name] == reading
    afresh.close()


def test_a_late_record_moves_no_frontier_back_and_its_lateness_shows(world: World) -> None:
    world.write(event=50, record=50)
    assert world.look().frontier == after(50)
    world.write(event=10, record=60)
    reading = world.look()
    assert (reading.frontier, reading.newest_at) == (after(50), after(60))
    assert reading.lateness == timedelta(seconds=50)
    world.write(event=11, record=70)
    world.write(event=69, record=70)
    assert world.look().lateness == timedelta(seconds=1), "one that is late among others says nothing of them"


def test_without_news_a_look_tells_the_same(world: World) -> None:
    world.write(event=1, record=2)
    first = world.look()
    assert world.look() == first


def test_a_topic_made_anew_starts_afresh(world: World) -> None:
    world.write(event=50, record=50)
    world.look()
    world.kafka.delete_topics([world.name])
    assert world.topics.look().topics == {}
    world.kafka.create_topics([Topic(world.name, 2)])
    world.write(event=3, record=3)
    reading = eventually(lambda: world.topics.look().topics.get(world.name), 20)
    assert eventually(lambda: world.look().frontier, 20) == after(3)
    assert reading.end <= 1


def test_a_topic_made_anew_between_two_looks_starts_afresh_even_if_it_is_longer(world: World) -> None:
    world.write(event=50, record=50)
    world.look()
    world.kafka.delete_topics([world.name])
    world.kafka.create_topics([Topic(world.name, 2)])
    for _ in range(3):
        world.write(event=3, record=3)
    assert eventually(lambda: world.look().end == 3 and world.look().frontier, 20) == after(3)


def test_new_partitions_are_looked_at_and_the_others_remembered(world: World) -> None:
    world.write(event=50, record=50)
    world.look()
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap, "log_level": 0})
    admin.create_partitions([NewPartitions(world.name, 3)])[world.name].result(20)
    eventually(lambda: len(world.look().partitions) == 3, 20)
    world.write(event=60, record=60, partition=2)
    assert [one.frontier for one in world.look().partitions] == [after(50), None, after(60)]


def test_records_that_expired_are_passed_over(world: World) -> None:
    for second in range(3):
        world.write(event=second, record=second)
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap, "log_level": 0})
    [deleted] = admin.delete_records([TopicPartition(world.name, 0, 3)]).values()
    deleted.result(20)
    reading = world.look()
    assert (reading.end, reading.newest_at, reading.frontier) == (3, None, None)
    world.write(event=9, record=9)
    assert world.look().frontier == after(9)


@pytest.mark.parametrize("value", [b"no wire format", b"", b"\0\0\0\0\x09unknown", payment(None), b"\0\0\0\0\x01\xff"])
def test_a_record_whose_event_time_cannot_be_read_still_tells_when_it_came(world: World, value: bytes) -> None:
    produce(world.kafka, world.name, [value], timestamp_ms=ms(4))
    reading = world.look()
    assert (reading.newest_at, reading.frontier, reading.lateness) == (after(4), None, None)


def test_a_record_of_a_time_that_no_clock_shows_blinds_nobody_to_the_others(world: World) -> None:
    world.write(event=3, record=4)
    produce(world.kafka, world.name, [payment(5)], timestamp_ms=ms(6) * 1000)  # microseconds, taken for milliseconds
    reading = world.look()
    assert (reading.end, reading.newest_at, reading.frontier) == (2, after(4), after(5))
    assert reading.lateness == timedelta(seconds=1)
    world.write(event=7, record=8)
    assert world.look().newest_at == after(8)


def test_while_the_registry_is_away_the_rest_is_told_and_event_times_are_found_when_it_is_back(world: World) -> None:
    world.texts.away = True
    world.write(event=1, record=2)
    seen = world.topics.look()
    [silence] = seen.silences
    assert (silence.part, silence.message) == (Part.REGISTRY, "The schema registry did not answer.")
    assert (seen.topics[world.name].newest_at, seen.topics[world.name].frontier) == (after(2), None)
    world.texts.away = False
    seen = world.topics.look()
    assert (seen.topics[world.name].frontier, seen.silences) == (after(1), ())
    world.texts.away = True
    world.write(event=3, record=3)
    assert world.look().frontier == after(3), "a schema that is known is not asked for"


def test_records_from_the_future_show_that_kafkas_clock_is_ahead(world: World) -> None:
    assert world.topics.look().clock_skew is None
    world.write(event=1, record=30)
    assert world.topics.look().clock_skew == timedelta(seconds=30)
    world.now = after(60)
    world.write(event=1, record=50)
    assert world.topics.look().clock_skew == timedelta(0)


def test_ends_are_noted_for_how_long_records_wait(world: World) -> None:
    for second in range(3):
        world.now = after(second)
        world.write(event=second, record=second)
        world.look()
    assert world.backlog.waited(world.name, 1) == timedelta(seconds=1)


def test_only_what_came_since_is_read(world: World) -> None:
    newest = NewestRecords(world.kafka)
    for second in range(5):
        world.write(event=second, record=second)
    first = newest.look([world.name], 3)
    assert [record.offset for record in first[world.name].partitions[0].records] == [2, 3, 4]
    assert newest.look([world.name], 3, first)[world.name].partitions[0].records == ()
    world.write(event=9, record=9)
    assert [record.offset for record in newest.look([world.name], 3, first)[world.name].partitions[0].records] == [5]
    newest.close()


def test_a_partition_that_gives_nothing_is_told_though_another_one_never_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_newest, "Consumer", deaf_consumer())
    monkeypatch.setattr(kafka_newest, "_ASK_SECONDS", 1)
    for partition in range(2):
        world.write(event=1, record=1, partition=partition)
    newest = NewestRecords(world.kafka)
    with pytest.raises(UnreachableError, match=f"gave no more records of {world.name}"):
        newest.look([world.name], 3)


def test_a_broker_that_is_away_is_unreachable_and_found_again(world: World, broker: RealBroker) -> None:
    world.write(event=1, record=1)
    world.look()
    broker.stop()
    with pytest.raises(UnreachableError, match=f"Kafka at {broker.kafka.bootstrap} did not answer"):
        world.look()
    broker.start()

    def looked() -> TopicReading | None:
        # a broker that has just started may not lead its partitions yet
        with suppress(UnreachableError):
            return world.look()
        return None

    assert eventually(looked, 20).frontier == after(1)
