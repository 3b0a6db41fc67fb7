"""How old pages' answers are, and what it costs to know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from dashboard.errors import UnreachableError
from dashboard.freshness.pages import PageReadings
from dashboard.readers.engine import NOW, Answer
from dashboard.readers.lake_table import Snapshot

NOON = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Metered:
    """An engine that counts questions; `fails_at` is the call that does not answer."""

    name = "metered"

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = Snapshot(1, NOON)
        self.end: datetime | None = NOON
        self.fails_at = ""
        self.starts: list[Any] = []

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        if self.fails_at == "newest":
            raise UnreachableError("The catalog did not answer.")
        return self.snapshot

    def ask(self, question: str, parameters: Any, **_: Any) -> Answer:
        self.starts.append(parameters["start"])
        if self.fails_at == "ask":
            raise UnreachableError("The engine did not answer.")
        return Answer(pa.table({"window_end": [self.end]}), self.snapshot, self.name, 0.0)

    def close(self) -> None: ...


class World:
    def __init__(self) -> None:
        self.engine = Metered()
        self.now = NOON
        self.pages = PageReadings(lambda: self.engine, lambda: self.now)

    def look(self) -> tuple[timedelta | None, datetime | None]:
        self.now += 2 * SECOND
        seen = self.pages.look()
        return seen.page_age, seen.page_frontier


def test_answers_grow_old_whichever_call_does_not_answer_and_are_new_again_after_it() -> None:
    for call in ("newest", "ask"):
        world = World()
        assert world.look() == (0 * SECOND, NOON)
        world.engine.fails_at, world.engine.snapshot, world.engine.end = call, Snapshot(2, NOON), NOON + 5 * SECOND
        assert [world.look(), world.look()] == [(2 * SECOND, NOON), (4 * SECOND, NOON)]
        world.engine.fails_at = ""
        assert world.look() == (0 * SECOND, NOON + 5 * SECOND)


def test_a_snapshot_is_asked_once_and_another_one_with_the_same_words_within_an_hour() -> None:
    world = World()
    for _ in range(5):
        world.look()
    assert len(world.engine.starts) == 1
    world.engine.snapshot = Snapshot(2, NOON)
    world.look()
    assert world.engine.starts == [datetime(2026, 2, 28, 12, tzinfo=UTC)] * 2


def test_a_table_without_a_commit_is_asked_nothing() -> None:
    world = World()
    world.engine.snapshot = None
    assert world.look() == (0 * SECOND, None)
    assert world.engine.starts == []
