"""What is ahead of the commit, on a real broker and a real Iceberg table: no window twice, none missing."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Semaphore
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from dashboard.readers import streamed as streamed_module
from dashboard.readers import streamed_windows
from dashboard.readers.committed import NOTHING, Committed, committed_in, committed_of
from dashboard.readers.lake import Lake
from dashboard.readers.streamed import Ahead, Streamed
from dashboard.remotes.kafka import Kafka
from tests.conftest import eventually
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog
from tests.readers.topics import Texts, new_topic, produce, wire
from tests.real_broker import RealBroker, real_broker

WINDOW = timedelta(seconds=5)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
PAIR = ("revenue_summary", "completed_orders")


def of_windows(kind: str) -> dict[str, Any]:
    times = [{"name": name, "type": ["null", {"type": "long", "logicalType": kind}]} for name in PLACES]
    money = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
    return {
        "type": "record",
        "name": "revenue_summary_value",
        "fields": [*times, {"name": "total_revenue", "type": ["null", money]}],
    }


def of_orders(kind: str) -> dict[str, Any]:
    types = {"order_id": "int", "amount": "double", "confirmation_code": "string"}
    fields: list[dict[str, Any]] = [{"name": name, "type": ["null", one]} for name, one in types.items()]
    fields.append({"name": "ts", "type": ["null", {"type": "long", "logicalType": kind}]})
    return {"type": "record", "name": "completed_orders_value", "fields": fields}


PLACES = ("window_start", "window_end")
LOCAL, CLOUD = "timestamp-millis", "local-timestamp-millis"
SCHEMAS = {1: of_windows(LOCAL), 2: of_windows(CLOUD), 3: of_orders(LOCAL), 4: of_orders(CLOUD)}

Begin = Callable[..., Streamed]
Span = tuple[datetime, datetime]


def at(place: int, window: timedelta = WINDOW) -> datetime:
    return START + place * window


def window(place: int, revenue: str | None = None, *, kind: str = LOCAL, length: timedelta = WINDOW) -> bytes:
    start, end = at(place, length), at(place + 1, length)
    if kind == CLOUD:
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    total = Decimal(revenue or f"{place}.01")
    schema = 1 if kind == LOCAL else 2
    return wire({"window_start": start, "window_end": end, "total_revenue": total}, schema, SCHEMAS[schema])


def order(paid: datetime, amount: float | None = 1.005, *, kind: str = LOCAL) -> bytes:
    ts = paid if kind == LOCAL else paid.replace(tzinfo=None)
    schema = 3 if kind == LOCAL else 4
    return wire({"order_id": 1, "amount": amount, "confirmation_code": "A", "ts": ts}, schema, SCHEMAS[schema])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("streamed") / "home") as broker:
        yield broker


@pytest.fixture
def kafka(broker: RealBroker) -> Kafka:
    """With both topics, empty."""
    broker.kafka.delete_topics({*PAIR} & broker.kafka.topic_names())
    for topic in PAIR:
        new_topic(broker.kafka, name=topic)
    return broker.kafka


@pytest.fixture
def texts() -> Texts:
    return Texts(**{f"_{id_}": schema for id_, schema in SCHEMAS.items()})


@pytest.fixture
def begin(kafka: Kafka, texts: Texts) -> Iterator[Begin]:
    begun: list[Streamed] = []

    def begin(**options: bool) -> Streamed:
        begun.append(Streamed(kafka, texts, WINDOW, **options))
        return begun[-1]

    yield begin
    for streamed in begun:
        streamed.close()


def send(kafka: Kafka, topic: str, *values: bytes | None) -> None:
    produce(kafka, topic, values)


def send_windows(kafka: Kafka, places: Sequence[int], *, length: timedelta = WINDOW) -> None:
    """With the time as the record's own at which such a window ends."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})
    for place in places:
        ended_ms = int(at(place + 1, length).timestamp() * 1000)
        producer.produce("revenue_summary", window(place, length=length), partition=0, timestamp=ended_ms)
    assert producer.flush(30) == 0


def table_of(places: Sequence[int], *, offsets: bool = True) -> Committed:
    """A state of the table that holds these windows, each at the offset of its place."""
    rows: dict[str, Any] = {
        "window_start": pa.array([at(place) for place in places], pa.timestamp("us", tz="UTC")),
        "window_end": pa.array([at(place + 1) for place in places], pa.timestamp("us", tz="UTC")),
    }
    if offsets:
        rows |= {"$$partition": pa.array([0] * len(places), pa.int32()), "$$offset": pa.array(places, pa.int64())}
    return committed_in(pa.table(rows), (tuple(places), offsets))


def live(streamed: Streamed, of: Committed = NOTHING, wanted: Callable[[Ahead], object] = lambda _: True) -> Ahead:
    def ask() -> Ahead | None:
        found = streamed.ahead(of)
        return found if found.is_live and wanted(found) else None

    return eventually(ask, 30, every_seconds=0.02)


def starts(found: Ahead) -> list[datetime]:
    return list(found.streamed["window_start"].to_pylist())


def has(*places: int) -> Callable[[Ahead], bool]:
    return lambda found: starts(found) == [at(place) for place in places]


def test_while_a_writer_commits_every_closed_window_is_there_once_at_every_look(
    kafka: Kafka, begin: Begin, tmp_path: Path
) -> None:
    count = 60
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        looked_at = Semaphore(0)

        def write() -> None:
            committed = 0
            for place in range(count):
                send(kafka, "completed_orders", order(at(place), 0.5), order(at(place) + WINDOW / 2, 0.51))
                send(kafka, "revenue_summary", window(place, "1.01"))
                if place % 7 == 6:
                    append(table, [(at(one), "1.01") for one in range(committed, place)], first_offset=committed)
                    committed = place
                    assert looked_at.acquire(timeout=60)  # or all would be written before anybody looks

        lake, streamed = Lake("sqlite", NAMESPACE, catalog), begin()
        with ThreadPoolExecutor(max_workers=1) as pool:
            writer = pool.submit(write)
            states: set[object] = set()
            closed: list[datetime] = []
            deadline = time.monotonic() + 60
            while len(closed) < count:
                assert time.monotonic() < deadline, f"{len(closed)} windows"
                of = committed_of(lake.table("revenue_summary"))
                found = streamed.ahead(of)
                if not found.is_live:
                    continue
                before, closed = closed, [*sorted(of.windows(START)["window_start"].to_pylist()), *starts(found)]
                assert closed == [at(place) for place in range(len(closed))]
                assert len(before) <= len(closed)
                assert all(one.start >= at(len(closed)) for one in found.open)
                assert {(one.orders, one.revenue) for one in found.open} <= {(1, Decimal("0.50")), (2, Decimal("1.01"))}
                assert (found.doubled, found.undecodable, found.fault) == ((), 0, None)
                if of.state not in states:
                    states.add(of.state)
                    looked_at.release()
            writer.result()
    assert len(states) > 5


@pytest.mark.parametrize("kind", [LOCAL, CLOUD])
def test_times_with_and_without_a_zone_and_amounts_are_read_exactly(kafka: Kafka, begin: Begin, kind: str) -> None:
    send(kafka, "revenue_summary", window(0, "9999999999999999.99", kind=kind), window(1, "-0.01", kind=kind))
    send(kafka, "completed_orders", *[order(at(2), kind=kind)] * 3, order(at(3) - timedelta(milliseconds=1), kind=kind))
    found = live(begin(), wanted=lambda one: len(one.open) == 1)
    assert found.streamed.schema.field("window_start").type == pa.timestamp("us", tz="UTC")
    assert found.streamed.to_pylist() == [
        {"window_start": at(0), "window_end": at(1), "total_revenue": Decimal("9999999999999999.99")},
        {"window_start": at(1), "window_end": at(2), "total_revenue": Decimal("-0.01")},
    ]
    # each is half a cent above, by its decimal text
    assert [(one.start, one.end, one.orders, one.revenue) for one in found.open] == [(at(2), at(3), 4, Decimal("4.04"))]


def test_an_open_window_becomes_a_streamed_one_and_what_comes_late_is_in_neither(kafka: Kafka, begin: Begin) -> None:
    streamed = begin()
    send(kafka, "completed_orders", order(at(0), 1.0), order(at(1), 2.0), order(at(0), 4.0), order(at(1), None))
    found = live(streamed, wanted=lambda one: len(one.open) == 2)
    assert [(one.orders, one.revenue, one.without_amount) for one in found.open] == [
        (2, Decimal("5.00"), 0),
        (2, Decimal("2.00"), 1),
    ]
    send(kafka, "revenue_summary", window(0, "5.00"))
    found = live(streamed, wanted=has(0))
    assert [one.start for one in found.open] == [at(1)]
    send(kafka, "completed_orders", order(at(0), 8.0), order(at(2), 16.0))
    found = live(streamed, wanted=lambda one: len(one.open) == 2)
    assert [(one.start, one.revenue) for one in found.open] == [(at(1), Decimal("2.00")), (at(2), Decimal("16.00"))]
    found = live(streamed, table_of([0, 1]), wanted=has())
    assert [one.start for one in found.open] == [at(2)]


@pytest.mark.parametrize("offsets", [True, False])
def test_it_begins_behind_what_is_committed_and_a_table_set_back_brings_windows_back(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch, offsets: bool
) -> None:
    monkeypatch.setattr(streamed_windows, "_SPARE_WINDOWS", 2)
    send_windows(kafka, range(60))
    streamed = begin()
    assert starts(live(streamed, table_of(range(50), offsets=offsets))) == [at(place) for place in range(50, 60)]
    assert starts(live(streamed, table_of(range(58), offsets=offsets))) == [at(58), at(59)]
    for back in (55, 20, 0):
        of = table_of(range(back), offsets=offsets)
        assert starts(live(streamed, of)) == [at(place) for place in range(back, 60)]
    assert starts(live(streamed, table_of(range(60), offsets=offsets))) == []
    assert starts(live(streamed)) == [at(place) for place in range(60)]


def test_where_the_topic_has_no_windows_the_table_says_what_is_open_and_set_back_it_says_more(
    kafka: Kafka, begin: Begin
) -> None:
    for place in range(60):
        produce(kafka, "completed_orders", [order(at(place))], timestamp_ms=int(at(place).timestamp() * 1000))
    streamed = begin()
    for committed in (50, 58, 20, 0):
        found = live(streamed, table_of(range(committed)), lambda one: one.open)
        assert [one.start for one in found.open] == [at(place) for place in range(committed, 60)]


def test_a_pipeline_rebuilt_in_two_steps_has_the_orders_of_all_its_windows_read_again(
    kafka: Kafka, begin: Begin
) -> None:
    for place in range(40):
        produce(kafka, "completed_orders", [order(at(place))], timestamp_ms=int(at(place).timestamp() * 1000))
    streamed = begin()
    live(streamed, table_of(range(30)), lambda one: len(one.open) == 10)
    kafka.delete_topics(["revenue_summary"])
    new_topic(kafka, name="revenue_summary")
    live(streamed, table_of(range(30)), lambda one: one.anew and len(one.open) == 10)
    # and now the table
    assert live(streamed, NOTHING, lambda one: len(one.open) == 40).open[0].start == at(0)


def test_however_many_look_there_is_one_reader(kafka: Kafka, begin: Begin) -> None:
    send_windows(kafka, range(3))
    streamed = begin()
    with ThreadPoolExecutor(max_workers=8) as pool:
        looks = list(pool.map(lambda _: live(streamed, wanted=has(0, 1, 2)), range(8)))
    assert len(looks) == 8
    assert sum(thread.name == "windows ahead of the commit" for thread in threading.enumerate()) == 1


def test_two_who_look_from_different_states_each_get_what_is_ahead_of_theirs(kafka: Kafka, begin: Begin) -> None:
    send_windows(kafka, range(10))
    streamed = begin()
    older, newer = table_of(range(4)), table_of(range(8))
    live(streamed, older)
    for _ in range(3):
        assert starts(streamed.ahead(newer)) == [at(8), at(9)]
        assert starts(streamed.ahead(older)) == [at(place) for place in range(4, 10)]
        assert streamed.ahead(older).is_live


def test_a_closed_reader_begins_again_with_whoever_looks(kafka: Kafka, begin: Begin) -> None:
    send_windows(kafka, range(3))
    streamed = begin()
    assert starts(live(streamed)) == [at(0), at(1), at(2)]
    streamed.close()
    send_windows(kafka, [3])
    assert starts(live(streamed, table_of([0]))) == [at(1), at(2), at(3)]


def test_a_topic_made_anew_by_a_pipeline_with_other_windows_is_read_from_its_beginning(
    kafka: Kafka, begin: Begin
) -> None:
    send_windows(kafka, range(12))
    send(kafka, "completed_orders", *(order(at(place)) for place in range(30)))
    streamed = begin()
    of = table_of(range(6))
    assert len(live(streamed, of, lambda one: len(one.open) == 18).streamed) == 6
    kafka.delete_topics(["revenue_summary"])
    new_topic(kafka, name="revenue_summary")
    longer = 2 * WINDOW
    send_windows(kafka, range(10), length=longer)
    # the old table still stands: what shares time with it counts there and is said
    found = live(streamed, of, lambda one: "made anew" in one.anew and len(one.streamed) == 7)
    assert starts(found) == [at(place, longer) for place in range(3, 10)]
    assert list(found.doubled) == [(at(place, longer), at(place + 1, longer)) for place in range(3)]
    assert [(one.start, one.end, one.orders) for one in found.open] == [
        (at(place, longer), at(place + 1, longer), 2) for place in range(10, 15)
    ]
    found = live(streamed, NOTHING, lambda one: len(one.streamed) == 10)
    assert found.doubled == ()


def test_offsets_of_a_table_whose_topic_was_made_anew_before_it_began_hide_nothing(kafka: Kafka, begin: Begin) -> None:
    # the table knows offsets up to 4 of another topic, in which the new one has other windows
    send(kafka, "revenue_summary", *(window(place) for place in range(5, 15)))
    assert starts(live(begin(), table_of(range(5)))) == [at(place) for place in range(5, 15)]


def test_a_window_that_came_twice_is_a_fault_and_counts_once(kafka: Kafka, begin: Begin) -> None:
    streamed = begin()
    send_windows(kafka, [0, 1, 1, 2])
    span = (at(1), at(2))
    found = live(streamed, wanted=has(0, 1, 2))
    assert found.doubled == (span,)
    # the one that is committed is the first of the two: the second will come into the table as well
    found = live(streamed, table_of([0, 1]))
    assert (starts(found), found.doubled) == ([at(2)], (span,))


def test_windows_that_share_time_are_a_fault_and_are_not_counted_together(kafka: Kafka, begin: Begin) -> None:
    streamed = begin()
    send_windows(kafka, [0, 1, 3])
    send_windows(kafka, [0], length=4 * WINDOW)
    found = live(streamed, wanted=lambda one: one.doubled)
    assert starts(found) == [at(0), at(1), at(3)]
    assert found.doubled == ((at(0), at(4)),)


def test_records_that_are_no_windows_or_orders_are_counted(kafka: Kafka, begin: Begin) -> None:
    too_long = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 3}
    schema = of_windows(LOCAL)
    schema["fields"][2]["type"] = too_long
    value = {"window_start": at(1), "window_end": at(2), "total_revenue": Decimal("1.001")}
    backwards = {"window_start": at(2), "window_end": at(1), "total_revenue": Decimal(1)}
    streamed = Streamed(kafka, Texts(**{f"_{id_}": one for id_, one in (SCHEMAS | {9: schema}).items()}), WINDOW)
    try:
        send(kafka, "revenue_summary", b"\0\0\0\0\1\xff", None, b"no wire format", window(0))
        send(kafka, "revenue_summary", wire(value, 9, schema), wire(backwards, 1, SCHEMAS[1]))
        send(kafka, "completed_orders", b"", order(at(1)))
        found = live(streamed, wanted=lambda one: one.open and one.undecodable == 6)
        assert starts(found) == [at(0)]
    finally:
        streamed.close()


def test_a_window_with_one_time_in_a_zone_and_one_without_is_read_and_times_at_the_end_of_all_years_are_counted(
    kafka: Kafka, begin: Begin
) -> None:
    mixed = of_windows(LOCAL)
    mixed["fields"][1]["type"] = ["null", {"type": "long", "logicalType": CLOUD}]
    value = {"window_start": at(0), "window_end": at(1).replace(tzinfo=None), "total_revenue": Decimal(1)}
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    ends_last = {"window_start": at(1), "window_end": last, "total_revenue": Decimal(1)}
    streamed = Streamed(kafka, Texts(**{f"_{id_}": one for id_, one in (SCHEMAS | {9: mixed}).items()}), WINDOW)
    try:
        send(kafka, "revenue_summary", wire(value, 9, mixed), wire(ends_last, 1, SCHEMAS[1]))
        send(kafka, "completed_orders", order(last), order(at(1)))
        found = live(streamed, wanted=lambda one: one.open and one.undecodable == 2)
        assert starts(found) == [at(0)]
        assert [one.start for one in found.open] == [at(1)]
    finally:
        streamed.close()


def test_a_total_of_null_is_passed_on(kafka: Kafka, begin: Begin) -> None:
    value = {"window_start": at(0), "window_end": at(1), "total_revenue": None}
    send(kafka, "revenue_summary", wire(value, 1, SCHEMAS[1]))
    assert live(begin(), wanted=has(0)).streamed["total_revenue"].to_pylist() == [None]


def test_only_what_is_committed_in_kafka_is_seen(kafka: Kafka, begin: Begin) -> None:
    streamed, eager = begin(), begin(committed=False)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "windows"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("revenue_summary", window(0))
    producer.flush(30)
    live(eager, wanted=has(0))
    assert starts(live(streamed)) == []
    producer.abort_transaction(30)
    send(kafka, "revenue_summary", window(1))
    live(streamed, wanted=has(1))


def test_while_the_registry_is_away_that_is_told_and_nothing_is_lost(kafka: Kafka, begin: Begin, texts: Texts) -> None:
    texts.away = True
    streamed = begin()
    send_windows(kafka, range(3))
    found = eventually(lambda: one if (one := streamed.ahead(NOTHING)).fault else None, 30, every_seconds=0.02)
    assert "registry" in str(found.fault)
    assert not found.is_live
    texts.away = False
    found = live(streamed, wanted=has(0, 1, 2))
    assert (found.fault, found.undecodable) == (None, 0)


def test_a_missing_topic_is_told_until_it_is_there(kafka: Kafka, begin: Begin) -> None:
    kafka.delete_topics(["completed_orders"])
    send_windows(kafka, [0])
    streamed = begin()
    found = eventually(lambda: one if (one := streamed.ahead(NOTHING)).fault else None, 30, every_seconds=0.02)
    assert "There is no topic completed_orders" in str(found.fault)
    eventually(lambda: starts(streamed.ahead(NOTHING)) == [at(0)], 30)
    new_topic(kafka, name="completed_orders")
    send(kafka, "completed_orders", order(at(1)))
    assert live(streamed, wanted=lambda one: one.open).fault is None


def test_more_windows_than_are_held_wait_in_kafka_until_the_table_has_others(
    kafka: Kafka, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_module, "MOST_WINDOWS", 20)
    monkeypatch.setattr(streamed_windows, "_SPARE_WINDOWS", 2)
    streamed = begin()
    live(streamed)
    send_windows(kafka, range(20))
    full = eventually(lambda: one if (one := streamed.ahead(NOTHING)).fault else None, 30, every_seconds=0.02)
    assert "20 windows are in Kafka and not in Iceberg" in str(full.fault)
    send_windows(kafka, [20, 21])
    assert not streamed.ahead(NOTHING).is_live
    found = live(streamed, table_of(range(19)), has(19, 20, 21))
    assert found.fault is None


def test_no_group_is_joined_and_nothing_is_committed_to_kafka(kafka: Kafka, begin: Begin) -> None:
    send_windows(kafka, range(3))
    live(begin(), wanted=has(0, 1, 2))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})  # one that is forgotten never answers
    listed = admin.list_consumer_groups().result(30)
    assert [group.group_id for group in listed.valid] == []
    assert kafka.committed_offsets("sales-trends-live", "revenue_summary") == {}
