"""The tail on a real broker, and all that can happen to it."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # not in __all__

from dashboard.readers import tail as tail_module
from dashboard.readers.tail import KEPT_BYTES, KEPT_RECORDS, Tail, TailView
from dashboard.remotes.kafka import Kafka
from tests.conftest import eventually
from tests.readers.topics import ORDER, WIDER, Texts, new_topic, order, produce, wire
from tests.real_broker import RealBroker, real_broker

Begin = Callable[..., Tail]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("tail") / "home") as broker:
        yield broker


@pytest.fixture
def kafka(broker: RealBroker) -> Kafka:
    return broker.kafka


@pytest.fixture
def texts() -> Texts:
    return Texts(_1=ORDER)


@pytest.fixture
def begin(kafka: Kafka, texts: Texts) -> Iterator[Begin]:
    begun: list[Tail] = []

    def begin(topic: str, *, live: bool = True, amount_field: str = "amount", **options: bool) -> Tail:
        tail = Tail(kafka, texts, topic, amount_field=amount_field, **options)
        begun.append(tail)
        if live:
            eventually(lambda: tail.look().is_live, 30, every_seconds=0.02)
        return tail

    yield begin
    for tail in begun:
        tail.close()
        assert tail.ended


def seen(tail: Tail, count: int, within_seconds: float = 30) -> TailView:
    """What there is when so many have come, and no more a moment later."""
    eventually(lambda: tail.look().sums.count >= count, within_seconds, every_seconds=0.02)
    time.sleep(0.3)  # one too many would come now
    view = tail.look()
    assert view.sums.count == count
    return view


def test_every_record_is_counted_and_summed_and_the_newest_are_kept(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka, partitions=3)
    tail = begin(topic)
    for partition in range(3):
        produce(kafka, topic, (order(number, 0.1) for number in range(9_000)), partition=partition)
    view = seen(tail, 27_000)
    assert view.sums.amount == Decimal("2700.00")
    assert (view.newest, view.oldest) == (27_000, 27_000 - KEPT_RECORDS + 1)
    newest = tail.newest(5)
    assert [number for number, _ in newest] == [27_000, 26_999, 26_998, 26_997, 26_996]
    assert tail.newest(5, after=26_998) == newest[:2]
    assert [number for number, _ in tail.following(26_997, 2)] == [26_998, 26_999]
    assert [number for number, _ in tail.following(0, 2)] == [view.oldest, view.oldest + 1]
    assert tail.following(27_000, 2) == []
    first = newest[0][1]
    assert tail.record(first.partition, first.offset) == first
    assert tail.record(9, 9) is None


def test_it_begins_two_minutes_back_and_counts_by_the_records_own_seconds(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    now = datetime.now(UTC).replace(microsecond=0)
    for seconds_ago, amount in ((600, 1.0), (60, 2.0), (5, 4.0)):
        at = now - timedelta(seconds=seconds_ago)
        produce(kafka, topic, [order(1, amount)], timestamp_ms=int(at.timestamp() * 1000))
    tail = begin(topic)
    view = seen(tail, 2)
    assert view.sums.amount == Decimal("6.00")
    assert view.newest_at == now - timedelta(seconds=4)
    last = tail.seconds(timedelta(seconds=60), timedelta(seconds=30), view.newest_at)
    assert [(one.count, one.amount) for one in last] == [(1, Decimal("2.00")), (1, Decimal("4.00"))]


def test_large_records_do_not_fill_the_memory(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    large = wire({"order_id": 1, "amount": 1.0, "note": "x" * 900_000}, 2, WIDER)
    produce(kafka, topic, [large] * 50)
    view = seen(tail, 50)
    assert sum(len(record.value or b"") for _, record in tail.newest(50)) <= KEPT_BYTES
    assert view.newest - view.oldest + 1 == KEPT_BYTES // len(large)


def test_a_killed_broker_is_told_and_nothing_is_lost_or_doubled(broker: RealBroker, begin: Begin) -> None:
    topic = new_topic(broker.kafka)
    tail = begin(topic)
    produce(broker.kafka, topic, map(order, range(100)))
    seen(tail, 100)
    broker.kill()
    try:
        eventually(lambda: tail.look().fault is not None, 30)
        view = tail.look()
        assert "did not answer" in str(view.fault)
        assert view.fault_since is not None
        assert view.sums.count == 100
    finally:
        broker.start()
    produce(broker.kafka, topic, map(order, range(100, 250)))
    view = seen(tail, 250, within_seconds=60)
    assert view.sums.amount == 250 * Decimal("1.25")
    eventually(lambda: tail.look().fault is None, 30)
    assert view.anew == ""


def test_it_waits_for_a_broker_that_is_not_there_yet(broker: RealBroker, texts: Texts) -> None:
    topic = new_topic(broker.kafka)
    broker.kill()
    tail = Tail(broker.kafka, texts, topic, amount_field="amount")
    try:
        eventually(lambda: tail.look().fault is not None, 30)
        broker.start()
        produce(broker.kafka, topic, [order(1)])
        seen(tail, 1, within_seconds=60)
    finally:
        tail.close()


def test_partitions_that_are_added_are_read_from_their_beginning(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, map(order, range(10)))
    seen(tail, 10)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
    for partition in (0, 1, 2):
        produce(kafka, topic, map(order, range(10)), partition=partition)
    assert seen(tail, 40).anew == ""


def test_a_topic_that_is_made_anew_is_counted_anew_from_its_beginning(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, map(order, range(10)))
    seen(tail, 10)
    kafka.delete_topics([topic])
    eventually(lambda: "There is no topic" in str(tail.look().fault), 30)
    assert tail.look().sums.count == 10
    new_topic(kafka, partitions=2, name=topic)
    # more than the old one held, so that no offset tells
    produce(kafka, topic, map(order, range(30)))
    produce(kafka, topic, map(order, range(5)), partition=1)
    eventually(lambda: tail.look().anew != "", 30)
    view = seen(tail, 35)
    assert "deleted and made anew" in view.anew
    assert view.sums.amount == 35 * Decimal("1.25")
    assert view.fault is None


def test_a_topic_that_is_made_anew_between_two_looks_is_noticed_too(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, map(order, range(10)))
    seen(tail, 10)
    kafka.delete_topics([topic])
    new_topic(kafka, name=topic)
    produce(kafka, topic, map(order, range(3)))
    eventually(lambda: tail.look().anew != "", 30)
    assert seen(tail, 3).fault is None


def test_records_that_expire_before_they_are_read_make_it_begin_anew(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = new_topic(kafka)
    produce(kafka, topic, map(order, range(10)))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    gone = TopicPartition(topic, 0, 4)
    admin.delete_records([gone])[gone].result(30)
    # as it was found a moment ago
    monkeypatch.setattr(Kafka, "offsets_since", lambda _kafka, _topic, _since: {0: 0})
    tail = begin(topic)
    assert "no longer there" in seen(tail, 6).anew


def test_what_cannot_be_read_is_counted_and_ends_nothing(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    bad = [b"\7nonsense", None, b"", b"\0\0\0\0\x09\2", b"\0\0\0\0\1", order(1, None)]
    produce(kafka, topic, [order(1), *bad, order(2)])
    eventually(lambda: tail.look().undecodable == 5, 30)
    view = seen(tail, 8)
    assert view.sums.amount == Decimal("2.50")
    # an order without an amount can be read, and is in no sum either
    assert view.sums.without_amount == 6
    assert (view.waiting, view.fault) == (0, None)


def test_a_schema_that_changes_in_mid_stream_is_followed(kafka: Kafka, begin: Begin, texts: Texts) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, [order(1)])
    seen(tail, 1)
    texts.schemas[2] = WIDER
    produce(kafka, topic, [wire({"order_id": 2, "amount": 2.0, "note": "gift"}, 2, WIDER), order(3)])
    eventually(lambda: tail.look().sums.amount == Decimal("4.50"), 30)
    assert tail.decoded.known(tail.newest(2)[1][1].value)["note"] == "gift"


def test_without_the_registry_known_schemas_go_on_and_others_are_summed_later(
    kafka: Kafka, begin: Begin, texts: Texts
) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, [order(1)])
    eventually(lambda: tail.look().sums.amount == Decimal("1.25"), 30)
    texts.away = True
    texts.schemas[2] = WIDER
    wider = wire({"order_id": 2, "amount": 2.0, "note": ""}, 2, WIDER)
    produce(kafka, topic, [wider, order(3), wider])
    view = seen(tail, 4)
    assert view.sums.amount == Decimal("2.50")
    assert (view.waiting, view.undecodable) == (2, 0)
    eventually(lambda: "did not answer" in str(tail.look().schema_fault), 30)
    produce(kafka, topic, [order(4)])
    eventually(lambda: tail.look().sums.amount == Decimal("3.75"), 30)
    texts.away = False
    eventually(lambda: tail.look().sums.amount == Decimal("7.75"), 30)
    view = tail.look()
    assert (view.waiting, view.schema_fault, view.sums.without_amount) == (0, None, 0)


def test_records_that_wait_for_their_schema_do_not_fill_the_memory(
    kafka: Kafka, begin: Begin, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "_WAITING_BYTES", 1_000_000)
    topic = new_topic(kafka)
    tail = begin(topic)
    texts.away = True
    produce(kafka, topic, [wire({"order_id": 1, "amount": 2.0, "note": "x" * 300_000}, 2, WIDER)] * 10)
    eventually(lambda: tail.look().sums.without_amount == 6, 30)
    view = seen(tail, 10)
    assert view.waiting == 4
    texts.schemas[2] = WIDER
    texts.away = False
    eventually(lambda: tail.look().sums.amount == Decimal("8.00"), 30)
    assert (tail.look().waiting, tail.look().sums.without_amount) == (0, 6)


def test_many_made_up_schemas_keep_the_registry_no_busier_than_a_few(kafka: Kafka, begin: Begin, texts: Texts) -> None:
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, (b"\0" + number.to_bytes(4, "big") + b"\2" for number in range(10, 2_010)))
    view = seen(tail, 2_000)
    assert view.undecodable + view.waiting == 2_000
    assert view.undecodable <= 100


def test_headers_without_a_byte_do_not_fill_the_memory(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "KEPT_BYTES", 1_000_000)
    topic = new_topic(kafka)
    tail = begin(topic)
    produce(kafka, topic, [order(1)] * 20, headers=[("", b"")] * 1_000)
    seen(tail, 20)
    assert len(tail.newest(20)) < 10


def test_it_does_not_begin_with_a_part_of_its_partitions(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = new_topic(kafka, partitions=2)
    offsets_since = Kafka.offsets_since
    told = iter([{0: 0}])
    monkeypatch.setattr(
        Kafka, "offsets_since", lambda kafka, topic, since: next(told, None) or offsets_since(kafka, topic, since)
    )
    tail = begin(topic, live=False)
    eventually(lambda: "1 of the 2 partitions" in str(tail.look().fault), 30, every_seconds=0.02)
    produce(kafka, topic, [order(1)], partition=1)
    assert seen(tail, 1).fault is None


def test_only_what_is_committed_is_seen_unless_somebody_wants_all(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    careful, eager = begin(topic), begin(topic, committed=False)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    for commits in (True, False):
        producer.begin_transaction()
        producer.produce(topic, order(1))
        producer.flush(30)
        seen(eager, 1 if commits else 2)
        assert careful.look().sums.count == (0 if commits else 1)
        if commits:
            producer.commit_transaction(30)
            seen(careful, 1)
        else:
            producer.abort_transaction(30)
    produce(kafka, topic, [order(2)])
    assert seen(careful, 2).sums.amount == Decimal("2.50")


def test_it_joins_no_group_takes_no_partition_and_commits_nothing(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka, partitions=2)
    assigned: list[list[int]] = []
    member = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "sales-trends-live"})
    member.subscribe([topic], on_assign=lambda _member, places: assigned.append([at.partition for at in places]))
    try:
        eventually(lambda: member.poll(0.2) is None and bool(assigned), 30)
        tail = begin(topic)
        produce(kafka, topic, map(order, range(20)), partition=1)
        seen(tail, 20)
        read: list[object] = []
        while len(read) < 20:
            read += [message for message in member.consume(20, timeout=30) if message.error() is None]
        assert assigned == [[0, 1]]
        assert kafka.committed_offsets("sales-trends-live", topic) == {}
    finally:
        member.close()


def test_it_ends_when_nobody_looks_and_leaves_no_thread(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "_UNWATCHED_SECONDS", 0.5)
    before = threading.active_count()
    tail = begin(new_topic(kafka))
    eventually(lambda: tail.ended, 10)
    eventually(lambda: threading.active_count() <= before, 10)


def test_it_ends_at_once_when_it_is_closed_also_without_a_broker(texts: Texts) -> None:
    tail = Tail(Kafka("127.0.0.1:1"), texts, "orders")
    eventually(lambda: tail.look().fault is not None, 30)
    started = time.monotonic()
    tail.close()
    assert time.monotonic() - started < 4


def test_a_topic_of_texts_is_counted_without_a_schema(kafka: Kafka, begin: Begin) -> None:
    topic = new_topic(kafka)
    tail = begin(topic, amount_field="", wants_schema=False)
    produce(kafka, topic, [b'{"order_id": 1}', b"text", None])
    view = seen(tail, 3)
    assert (view.undecodable, view.sums.without_amount, view.sums.cents) == (0, 0, 0)
