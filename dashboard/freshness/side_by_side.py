"""Work done side by side, in threads that keep no process from ending."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import TypeVar

T = TypeVar("T")
V = TypeVar("V")

_MOST = 8


def begun(name: str, work: Callable[[], V]) -> "Future[V]":
    """What the work will have come to; nobody need wait for it."""
    answer: Future[V] = Future()

    def carry_out() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # whoever waits raises it
            answer.set_exception(error)

    threading.Thread(target=carry_out, name=name, daemon=True).start()
    return answer


def side_by_side(name: str, work: Callable[[T], V], items: Sequence[T]) -> list[V]:
    """What it came to for each item, in their order, by a few threads; raises what failed when all have ended."""
    shares = [items[start::_MOST] for start in range(min(_MOST, len(items)))]
    answers = [begun(name, partial(_all_of, work, share)) for share in shares]
    wait(answers)
    found = [iter(answer.result()) for answer in answers]
    return [next(found[place % _MOST]) for place in range(len(items))]


def _all_of(work: Callable[[T], V], items: Sequence[T]) -> list[V]:
    faults: list[Exception] = []
    found = []
    for item in items:
        try:
            found.append(work(item))
        except Exception as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return found
