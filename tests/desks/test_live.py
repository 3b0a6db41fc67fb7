"""What people may see of topics, called as somebody would who does not use the page."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dashboard.access import Caller, Role
from dashboard.desks import live as live_desk
from dashboard.desks.live import BUCKET, ORDERS, SEEKS_AT_ONCE, LiveDesk
from dashboard.errors import AccessError, ReadError, SettingsError
from dashboard.readers import tail as tail_module
from dashboard.readers.seek import Last
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.kafka_live import LiveRecords
from dashboard.remotes.registry import Registry
from tests.app_pages.live_world import CARD, LETTERS, PAYMENTS
from tests.conftest import eventually
from tests.readers.topics import ORDER, Texts, new_topic, order, produce
from tests.real_broker import RealBroker, real_broker

ADA, OTTO, VERA = Caller("ada", Role.ADMIN), Caller("otto", Role.OPS), Caller("vera", Role.VIEWER)
NOBODY = Caller("nobody", None)


class OneRegistry(Registry):
    """Knows one schema."""

    def schema(self, schema_id: int) -> str | None:
        return Texts(_1=ORDER)(schema_id)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("desk") / "home") as broker:
        for topic in (ORDERS, PAYMENTS, LETTERS):
            new_topic(broker.kafka, name=topic)
        yield broker


@pytest.fixture
def desk(broker: RealBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LiveDesk]:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    desk = LiveDesk(lambda _settings: (broker.kafka, OneRegistry("http://127.0.0.1:1")))
    yield desk
    desk.close()


def live(desk: LiveDesk, who: Caller, topic: str = ORDERS, count: int = 1) -> None:
    eventually(lambda: desk.look(who, "local", topic).view.newest >= count, 30, every_seconds=0.02)


def charted(desk: LiveDesk) -> int:
    return sum(one.count for one in desk.look(VERA, "local", ORDERS).chart.buckets)


def done(desk: LiveDesk, who: Caller, name: str) -> str:
    eventually(lambda: desk.sought(who, name).is_done, 30, every_seconds=0.02)
    return name


ACTS: dict[str, Callable[[LiveDesk, Caller, str], object]] = {
    "look": lambda desk, who, topic: desk.look(who, "local", topic),
    "kept": lambda desk, who, topic: desk.kept(who, "local", topic),
    "find": lambda desk, who, topic: desk.find(who, "local", topic, "true"),
    "record": lambda desk, who, topic: desk.record(who, "local", topic, "0:0"),
    "seek": lambda desk, who, topic: done(desk, who, desk.seek(who, "local", topic, Last(1))),
    "cancel": lambda desk, who, topic: desk.cancel(who, done(desk, who, desk.seek(who, "local", topic, Last(1)))),
}


@pytest.mark.parametrize("act", ACTS)
def test_viewers_see_completed_orders_and_ops_every_topic_of_the_pipeline(
    desk: LiveDesk, broker: RealBroker, act: str
) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    produce(broker.kafka, LETTERS, [b"{}"])
    for who in (VERA, OTTO, ADA):
        ACTS[act](desk, who, ORDERS)
    for who in (OTTO, ADA):
        ACTS[act](desk, who, LETTERS)
        with pytest.raises(SettingsError, match="no topic of the pipeline"):
            ACTS[act](desk, who, "__consumer_offsets")
    for who, topic in ((VERA, LETTERS), (VERA, "__consumer_offsets"), (NOBODY, ORDERS), (NOBODY, LETTERS)):
        with pytest.raises(AccessError):
            ACTS[act](desk, who, topic)


def test_only_admins_see_another_target(desk: LiveDesk) -> None:
    for who in (VERA, OTTO, NOBODY):
        with pytest.raises(AccessError):
            desk.look(who, "production", ORDERS)
        assert who is NOBODY or desk.targets(who) == ["local"]
    with pytest.raises(SettingsError, match="no target 'production'"):
        desk.look(ADA, "production", ORDERS)
    for act in (desk.targets, desk.topics):
        with pytest.raises(AccessError):
            act(NOBODY)
    assert desk.topics(VERA) == [ORDERS]
    assert desk.topics(OTTO)[0] == ORDERS
    assert {PAYMENTS, LETTERS, "revenue_summary"} < set(desk.topics(OTTO))


def test_however_many_look_a_topic_is_read_once(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    before = threading.active_count()
    for who in (VERA, OTTO, ADA) * 10:
        assert desk.look(who, "local", ORDERS).rows == desk.look(VERA, "local", ORDERS).rows
    assert threading.active_count() == before


def test_a_look_and_a_condition_wait_for_nobody(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, map(order, range(5_000)))
    live(desk, VERA, count=5_000)
    started = time.monotonic()
    for _ in range(20):
        desk.look(VERA, "local", ORDERS)
        desk.find(VERA, "local", ORDERS, "value.order_id % 2 == 0")
    assert time.monotonic() - started < 5
    eventually(lambda: not desk.find(VERA, "local", ORDERS, "value.order_id % 2 == 0").is_behind, 30)
    found = desk.find(OTTO, "local", ORDERS, "value.order_id % 2 == 0")
    assert (found.asked, found.missed) == (desk.look(VERA, "local", ORDERS).view.newest, 0)
    assert [row.value["order_id"] for _, row in found.rows[:3]] == [4_998, 4_996, 4_994]


def test_the_chart_is_made_once_for_a_zone(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    look = desk.look(VERA, "local", ORDERS)
    berlin = look.chart.figure(ZoneInfo("Europe/Berlin"))
    assert look.chart.figure(ZoneInfo("Europe/Berlin")) is berlin
    assert look.chart.figure(ZoneInfo("UTC")) is not berlin
    eventually(lambda: charted(desk) == desk.look(VERA, "local", ORDERS).view.newest, 30)


def test_a_fifth_who_looks_back_is_refused_and_nobody_sees_what_another_found(
    desk: LiveDesk, broker: RealBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    goes_on = threading.Event()
    end_offsets = Kafka.end_offsets

    def waits(kafka: Kafka, topic: str) -> dict[int, int]:
        goes_on.wait(30)
        return end_offsets(kafka, topic)

    monkeypatch.setattr(Kafka, "end_offsets", waits)
    names = [desk.seek(VERA, "local", ORDERS, Last(1)) for _ in range(SEEKS_AT_ONCE)]
    with pytest.raises(ReadError, match="4 people look back"):
        desk.seek(ADA, "local", ORDERS, Last(1))
    with pytest.raises(ReadError, match="kept no more"):
        desk.sought(ADA, names[0])
    with pytest.raises(ReadError, match="kept no more"):
        desk.cancel(ADA, names[0])
    goes_on.set()
    eventually(lambda: all(desk.sought(VERA, name).is_done for name in names), 30)
    assert len(desk.sought(VERA, names[0]).rows) == 1
    desk.seek(ADA, "local", ORDERS, Last(1))


def test_what_was_found_is_shown_to_nobody_whose_role_has_ended_meanwhile(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, LETTERS, [b"{}"])
    name = done(desk, OTTO, desk.seek(OTTO, "local", LETTERS, Last(1)))
    assert len(desk.sought(OTTO, name).rows) == 1
    for act in (desk.sought, desk.cancel):
        with pytest.raises(AccessError):
            act(Caller(OTTO.name, Role.VIEWER), name)


def test_the_bar_that_still_grows_is_not_shown_as_if_it_were_whole(desk: LiveDesk, broker: RealBroker) -> None:
    # the last second of its two: the bar ends where what came ends
    at = int(time.time()) // 2 * 2 - 1
    produce(broker.kafka, ORDERS, [order(1)], timestamp_ms=at * 1000)
    eventually(lambda: charted(desk) > 0, 30)
    chart = desk.look(VERA, "local", ORDERS).chart
    assert chart.until < chart.buckets[-1].start + BUCKET


def test_many_looks_in_a_second_share_one_chart(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    eventually(lambda: charted(desk) > 0, 30)
    before = desk.look(VERA, "local", ORDERS)
    charts = {id(before.chart)}
    for number in range(5):
        produce(broker.kafka, ORDERS, [order(number)])
        live(desk, VERA, count=before.view.newest + number + 1)
        charts.add(id(desk.look(VERA, "local", ORDERS).chart))
    assert len(charts) < 5


@pytest.mark.parametrize(
    "place", ["", "0", "0:", ":0", "-1:0", "0:-1", "a:b", "0:0:0", "9" * 30 + ":0", "0:" + "9" * 30]
)
def test_what_is_no_place_is_refused(desk: LiveDesk, place: str) -> None:
    with pytest.raises(SettingsError, match="no place of a record"):
        desk.record(OTTO, "local", ORDERS, place)


def test_a_place_without_a_record_is_told(desk: LiveDesk) -> None:
    for place in ("0:99999999", "7:0"):
        with pytest.raises(ReadError, match=f"has no record {place}"):
            desk.record(OTTO, "local", ORDERS, place)


def test_no_card_number_comes_out_of_it(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, LETTERS, [f'{{"cc_number": "{CARD}", "note": "{CARD}"}}'.encode()], headers=[("a", CARD)])
    newest = broker.kafka.end_offsets(LETTERS)[0] - 1
    eventually(lambda: any(row.offset == newest for _, row in desk.look(OTTO, "local", LETTERS).rows), 30)
    where = "value.cc_number.startsWith('4') || headers.a.startsWith('4')"
    eventually(lambda: not desk.find(OTTO, "local", LETTERS, where).is_behind, 30)
    name = desk.seek(OTTO, "local", LETTERS, Last(5))
    eventually(lambda: desk.sought(OTTO, name).is_done, 30)
    told = [
        desk.look(OTTO, "local", LETTERS).rows,
        desk.kept(OTTO, "local", LETTERS),
        desk.record(OTTO, "local", LETTERS, f"0:{newest}"),
        desk.sought(OTTO, name),
    ]
    assert "4111" not in repr(told)
    assert desk.find(OTTO, "local", LETTERS, where).matched == 0


def test_a_tail_that_has_ended_begins_again_for_the_next_who_looks(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    desk.close()
    produce(broker.kafka, ORDERS, [order(2)])
    live(desk, VERA, count=2)


def test_a_condition_that_is_forgotten_is_asked_no_more(
    desk: LiveDesk, broker: RealBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> int:
        return sum(one.name == f"condition on {ORDERS}" for one in threading.enumerate())

    monkeypatch.setattr(live_desk, "_CONDITIONS", 3)
    eventually(lambda: not asked(), 30)
    for spaces in range(5):
        desk.find(VERA, "local", ORDERS, "true" + " " * spaces)
    eventually(lambda: asked() == 3, 10)
    with pytest.raises(SettingsError):
        desk.find(VERA, "local", ORDERS, "value.amount >")
    desk.find(VERA, "local", ORDERS, "true    ")
    assert asked() == 3
    desk.close()
    eventually(lambda: not asked(), 10)


def test_a_fault_of_our_own_is_told_for_a_while_and_then_it_begins_again(
    desk: LiveDesk, broker: RealBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "_FAILED_SECONDS", 1.0)
    with monkeypatch.context() as broken:
        broken.setattr(LiveRecords, "poll", lambda _live: 1 / 0)
        eventually(lambda: "fault of Sales Trends itself" in str(desk.look(VERA, "local", ORDERS).view.fault), 30)
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    assert desk.look(VERA, "local", ORDERS).view.fault is None


def test_rows_are_made_readable_once(desk: LiveDesk, broker: RealBroker) -> None:
    produce(broker.kafka, ORDERS, [order(1)])
    live(desk, VERA)
    eventually(lambda: (view := desk.look(VERA, "local", ORDERS).view).is_live and not view.waiting, 30)
    [(number, row), *_] = desk.look(VERA, "local", ORDERS).rows
    assert row.fault == ""
    produce(broker.kafka, ORDERS, [order(2)])
    live(desk, VERA, count=number + 1)
    assert dict(desk.look(VERA, "local", ORDERS).rows)[number] is row
