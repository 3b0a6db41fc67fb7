import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.readers import matches as matches_module
from dashboard.readers.condition import Condition
from dashboard.readers.matches import KEPT, KEPT_BYTES, Found, Matches
from dashboard.readers.readable import Reading
from dashboard.remotes.kafka import Record
from tests.conftest import eventually


@dataclass
class Kept:
    """In the place of a tail: what it keeps, without Kafka."""

    topic: str = "orders"
    ended: bool = False
    began: datetime = datetime(2026, 11, 23, tzinfo=UTC)
    records: list[tuple[int, Record]] = field(default_factory=list)
    newest: int = 0

    def come(self, *order_ids: int, keep: int = 10_000) -> None:
        for order_id in order_ids:
            self.newest += 1
            self.records.append((self.newest, Record(0, self.newest, 0, str(order_id).encode())))
        self.records = self.records[-keep:]

    def look(self, *, keeps_going: bool = True) -> Any:
        return SimpleNamespace(began=self.began, newest=self.newest, oldest=self.newest - len(self.records) + 1)

    def following(self, after: int, most: int) -> list[tuple[int, Record]]:
        return [one for one in self.records if one[0] > after][:most]


@pytest.fixture
def tail() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.ended = True


def matching(tail: Kept, text: str, by: Callable[[bytes], int] = int) -> Matches:
    reading = Reading(lambda wire: {"order_id": by(wire or b"0")}, ())
    return Matches(tail, Condition(text), reading)  # type: ignore[arg-type]


def all_asked(matches: Matches, count: int) -> Found:
    eventually(lambda: matches.look().asked + matches.look().missed >= count, 30, every_seconds=0.01)
    return matches.look()


def test_it_asks_about_what_is_kept_and_then_about_what_comes(tail: Kept) -> None:
    tail.come(*range(1_000))
    matches = matching(tail, "value.order_id % 10 == 3")
    assert all_asked(matches, 1_000).matched == 100
    tail.come(13, 14, 23)
    found = all_asked(matches, 1_003)
    assert (found.matched, found.asked, found.missed, found.unanswered) == (102, 1_003, 0, 0)
    assert [row.value["order_id"] for _, row in found.rows[:3]] == [23, 13, 993]
    assert not found.is_behind


def test_only_the_newest_that_match_are_kept_and_all_are_counted(tail: Kept) -> None:
    tail.come(*range(2_000))
    found = all_asked(matching(tail, "true"), 2_000)
    assert (found.matched, len(found.rows)) == (2_000, KEPT)
    assert found.rows[0][1].value["order_id"] == 1_999


def test_large_records_that_match_do_not_fill_the_memory(tail: Kept) -> None:
    for _ in range(3):
        tail.newest += 1
        value = b"7".rjust(KEPT_BYTES // 2 - 1, b"0")
        tail.records.append((tail.newest, Record(0, tail.newest, 0, value)))
    found = all_asked(matching(tail, "true", by=len), 3)
    assert (found.matched, [number for number, _ in found.rows]) == (3, [3, 2])


def test_what_was_gone_before_it_could_be_asked_is_counted(tail: Kept) -> None:
    tail.come(*range(10), keep=4)
    matches = matching(tail, "true")
    # those had gone before anybody wanted to ask
    assert all_asked(matches, 4).missed == 0
    with matches_module._turn:
        tail.come(*range(10), keep=4)
    found = all_asked(matches, 14)
    assert (found.asked, found.missed) == (8, 6)


def test_a_counting_that_begins_anew_begins_anew_here_too(tail: Kept) -> None:
    tail.come(*range(10))
    matches = matching(tail, "true")
    all_asked(matches, 10)
    with matches_module._turn:
        tail.records, tail.newest, tail.began = [], 0, datetime(2026, 11, 24, tzinfo=UTC)
        tail.come(5, 6)
    eventually(lambda: matches.look().asked == 2, 30, every_seconds=0.01)
    assert [row.value["order_id"] for _, row in matches.look().rows] == [6, 5]


def test_conditions_that_take_long_leave_half_of_the_time_to_others(tail: Kept) -> None:
    tail.come(*range(10_000))
    slow = "string(value.order_id).matches('((a{50}){50}){3}') || true"
    several = [matching(tail, slow + " " * place) for place in range(4)]
    eventually(lambda: several[0].look().asked > 0, 30)
    wall, spent = time.monotonic(), time.process_time()
    time.sleep(2)
    share = (time.process_time() - spent) / (time.monotonic() - wall)
    assert share < 0.75, share
    for one in several:
        assert one.look().is_behind


def test_it_ends_when_nobody_looks_and_with_its_tail(tail: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    matches = matching(tail, "true")
    assert not matches.ended
    monkeypatch.setattr(matches_module, "_UNWATCHED_SECONDS", 0.2)
    eventually(lambda: matches.ended, 10)
    other = matching(tail, "true")
    other.look()
    tail.ended = True
    eventually(lambda: other.ended and threading.active_count() <= before, 10)


def test_one_that_is_ended_asks_no_more(tail: Kept) -> None:
    tail.come(1)
    matches = matching(tail, "true")
    all_asked(matches, 1)
    matches.end()
    eventually(lambda: matches.ended, 10)
    tail.come(2)
    assert matches.look().matched == 1
