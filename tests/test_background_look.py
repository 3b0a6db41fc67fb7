"""A page never waits for a slow look, and what is known stays until more is."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from dashboard import background_look
from dashboard.background_look import BackgroundLook
from dashboard.errors import UnreachableError
from tests.conftest import eventually


class Slow:
    """A look that ends when it is told to, and finds what it is given."""

    def __init__(self) -> None:
        self.finds: Any = ()
        self.times = 0
        self._may_end = Event()

    def __call__(self) -> Any:
        self.times += 1
        assert self._may_end.wait(30)
        self._may_end.clear()
        if isinstance(self.finds, Exception):
            raise self.finds
        return self.finds

    def end(self, finds: Any) -> None:
        self.finds = finds
        self._may_end.set()


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.end(())


def test_who_asks_while_it_looks_gets_what_was_known_before(slow: Slow) -> None:
    look = BackgroundLook[tuple[int, ...]]("things", slow, ())
    assert look.found(1).value == ()
    slow.end((7,))
    eventually(lambda: look.found(1).value == (7,), 30, 0.01)

    assert look.found(2).value == (7,)
    assert look.found(3).value == (7,)
    eventually(lambda: slow.times == 2, 30, 0.01)

    slow.end((8,))
    eventually(lambda: look.found(3).value == (8,), 30, 0.01)


def test_nothing_is_looked_for_twice_in_one_state(slow: Slow) -> None:
    look = BackgroundLook[tuple[int, ...]]("things", slow, ())
    look.found(1)
    slow.end((7,))
    eventually(lambda: look.found(1).value == (7,), 30, 0.01)

    for _ in range(50):
        look.found(1)

    assert slow.times == 1


def test_what_is_found_again_is_the_same_object_so_that_nothing_is_drawn_anew(slow: Slow) -> None:
    look = BackgroundLook[list[int]]("things", slow, [], every=0)
    look.found()
    slow.end([7])
    first = eventually(lambda: look.found().value, 30, 0.01)
    eventually(lambda: slow.times == 2, 30, 0.01)
    slow.end([7])

    eventually(lambda: look.found() and slow.times == 3, 30, 0.01)
    assert look.found().value is first


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (UnreachableError("The catalog cannot be reached.", "Start it."), "The catalog cannot be reached"),
        (ZeroDivisionError(), "Looking for things failed by a fault of Sales Trends itself"),
    ],
)
def test_a_look_that_fails_says_why_keeps_what_was_known_and_is_tried_again(
    slow: Slow, fault: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = BackgroundLook[tuple[int, ...]]("things", slow, ())
    look.found(1)
    slow.end((7,))
    eventually(lambda: look.found(1).value == (7,), 30, 0.01)

    look.found(2)
    slow.end(fault)
    eventually(lambda: look.found(2).fault, 30, 0.01)
    assert told in str(look.found(2).fault)
    assert look.found(2).value == (7,)
    assert slow.times == 2

    monkeypatch.setattr(background_look, "AGAIN_SECONDS", 0.0)
    look.found(2)
    slow.end((8,))
    eventually(lambda: look.found(2).value == (8,) and look.found(2).fault is None, 30, 0.01)
