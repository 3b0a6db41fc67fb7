import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.errors import UnreachableError
from dashboard.freshness import gatherer as gatherer_module
from dashboard.freshness.gatherer import Gatherer, Look
from dashboard.freshness.readings import Part, Readings, Silence, TableReading, TopicReading
from dashboard.freshness.seen import Seen
from tests.conftest import eventually

SHORT = timedelta(milliseconds=50)
LONG = timedelta(seconds=30)


class Hanging:
    """A part that answers when it may; counts how often it was asked."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.begun = threading.Event()
        self.asked = 0

    def __call__(self) -> Seen:
        self.asked += 1
        self.begun.set()
        assert self.may.wait(30)
        return topic(f"answer {self.asked}")


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    part = Hanging()
    yield part
    part.may.set()


def topic(name: str) -> Seen:
    return Seen(topics={name: TopicReading(name, ())})


def table(name: str) -> Seen:
    return Seen(tables={name: TableReading(name, None, None)})


def raising(error: Exception) -> Look:
    def look() -> Seen:
        raise error

    return look


def looked(parts: dict[Part, Look], first_patience: timedelta = LONG, beside: Look = Seen) -> Readings:
    return Gatherer(parts, SHORT, first_patience, beside).look()


def test_what_all_parts_saw_is_put_together() -> None:
    skew, age = timedelta(seconds=2), timedelta(seconds=5)
    readings = looked(
        {
            Part.KAFKA: lambda: Seen(topics=topic("payments").topics, clock_skew=skew),
            Part.CATALOG: lambda: table("lake"),
        },
        beside=lambda: Seen(programs={"payment-app": "ended"}, page_age=age),
    )
    assert (list(readings.topics), list(readings.tables)) == (["payments"], ["lake"])
    assert (readings.clock_skew, readings.page_age) == (skew, age)
    assert readings.programs == {"payment-app": "ended"}
    assert readings.silences == ()
    assert readings.looked_at == (Part.KAFKA, Part.CATALOG)


def test_parts_are_looked_at_side_by_side() -> None:
    both = threading.Barrier(2, timeout=20)

    def meets() -> Seen:
        both.wait()
        return Seen()

    assert looked({Part.KAFKA: meets, Part.FLINK: meets}).silences == ()


def test_a_part_that_is_away_is_a_silence_and_the_others_are_seen() -> None:
    away = UnreachableError("Flink did not answer.", "Start it.")
    readings = looked({Part.FLINK: raising(away), Part.KAFKA: lambda: topic("payments")})
    assert readings.silence(Part.FLINK) == Silence(Part.FLINK, "Flink did not answer.", "Start it.")
    assert readings.silence(Part.KAFKA) is None
    assert list(readings.topics) == ["payments"]


def test_a_fault_of_our_own_is_a_silence_that_names_where_its_trace_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatherer_module, "save_trace", lambda error: tmp_path / f"{error}.log")
    silence = looked({Part.CATALOG: raising(KeyError("x"))}).silence(Part.CATALOG)
    assert silence is not None
    assert silence.message == "Looking at catalog ended by a fault of Sales Trends itself."
    assert silence.hint == f"See {tmp_path}/'x'.log."


def test_what_a_part_tells_of_another_that_it_needs_is_passed_on() -> None:
    registry = Silence(Part.REGISTRY, "The registry did not answer.")
    readings = looked({Part.KAFKA: lambda: Seen(topics=topic("payments").topics, silences=(registry,))})
    assert readings.silence(Part.REGISTRY) == registry
    assert (readings.looked_at, readings.parts_told) == ((Part.KAFKA,), (Part.KAFKA, Part.REGISTRY))
    assert list(readings.topics) == ["payments"]


def test_a_part_that_hangs_is_a_silence_in_time_and_is_not_asked_again(hanging: Hanging) -> None:
    gatherer = Gatherer({Part.KAFKA: hanging, Part.CATALOG: lambda: table("lake")}, SHORT, SHORT)
    for _ in range(3):
        began = time.monotonic()
        readings = gatherer.look()
        assert time.monotonic() - began < 5
        assert "Kafka has not answered for 0." in getattr(readings.silence(Part.KAFKA), "message", "")
        assert list(readings.tables) == ["lake"]
    assert hanging.asked == 1


def test_an_answer_that_came_after_its_look_is_the_next_one_s_so_that_a_slow_part_is_seen() -> None:
    answered = threading.Semaphore(0)
    asked = []

    def slow() -> Seen:
        asked.append(time.monotonic())
        assert answered.acquire(timeout=30)
        return topic(f"answer {len(asked)}")

    gatherer = Gatherer({Part.KAFKA: slow}, SHORT, SHORT)
    assert gatherer.look().silence(Part.KAFKA) is not None
    for number in (1, 2, 3):
        answered.release()
        readings = eventually(lambda: seen if (seen := gatherer.look()).topics else None, 20, every_seconds=0.01)
        assert (list(readings.topics), readings.silences) == ([f"answer {number}"], ())
    assert gatherer.look().silence(Part.KAFKA) is not None, "what was told once is not told again"
    answered.release()


def test_an_answer_that_came_far_too_late_is_thrown_away(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatherer_module, "_OLD_SECONDS", 0.0)
    gatherer = Gatherer({Part.KAFKA: hanging}, LONG, SHORT)
    assert gatherer.look().silence(Part.KAFKA) is not None
    hanging.may.set()
    eventually(lambda: "answer 2" in gatherer.look().topics, 20, every_seconds=0.01)


def test_the_first_look_has_more_time_for_making_connections(hanging: Hanging) -> None:
    gatherer = Gatherer({Part.KAFKA: hanging}, timedelta(0), LONG)
    threading.Timer(0.2, hanging.may.set).start()
    assert gatherer.look().silences == ()


def test_whoever_comes_during_a_look_waits_for_it_and_gets_the_same(hanging: Hanging) -> None:
    gatherer = Gatherer({Part.KAFKA: hanging}, LONG, LONG)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(gatherer.look)
        assert hanging.begun.wait(20)
        others = [pool.submit(gatherer.look) for _ in range(19)]
        eventually(lambda: all(one.running() for one in others), 20, every_seconds=0.01)
        hanging.may.set()
        assert len({id(one.result(20)) for one in (first, *others)}) == 1
    assert hanging.asked == 1


def test_after_a_look_the_next_one_sees_what_is_new() -> None:
    names = iter(["old", "new"])
    gatherer = Gatherer({Part.KAFKA: lambda: topic(next(names))}, LONG, LONG)
    assert [list(gatherer.look().topics) for _ in range(2)] == [["old"], ["new"]]


def test_a_look_tells_when_it_began_and_how_long_it_took() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def slow() -> Seen:
        threading.Event().wait(0.1)
        return Seen()

    readings = Gatherer({Part.KAFKA: slow}, LONG, LONG, now=lambda: moment).look()
    assert readings.at == moment
    assert timedelta(seconds=0.1) <= readings.took < LONG


def test_a_fault_of_this_machine_reaches_all_who_wait_and_the_next_look_begins_anew() -> None:
    faults: list[Exception] = [KeyError("first")]

    def beside() -> Seen:
        if faults:
            raise faults.pop()
        return Seen()

    gatherer = Gatherer({}, LONG, LONG, beside)
    with pytest.raises(KeyError, match="first"):
        gatherer.look()
    assert gatherer.look().silences == ()
