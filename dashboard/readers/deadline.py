"""Work that ends in time: done in a thread of its own, so that whoever waits can stop waiting."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

from dashboard.errors import ReadError
from dashboard.readers.engine import Limits

T = TypeVar("T")

_LOOK_SECONDS = 0.1
"""How often somebody's cancelling is looked for."""
_GRACE_SECONDS = 0.5
"""How long interrupted work is waited for, so that it seldom goes on behind the scenes."""


class Stop:
    """Tells the work that nobody waits for it any more."""

    def __init__(self) -> None:
        self._asked = Event()
        self._interrupts: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raises when the work should end; nobody sees the error."""
        if self._asked.is_set():
            raise ReadError("Nobody waits for this answer any more.", "Ask again.")

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """What ends a call that cannot look for itself, while the block runs; it may be called again and again."""
        self.check()
        self._interrupts.append(interrupt)
        try:
            yield
        finally:
            self._interrupts.remove(interrupt)

    def ask(self) -> None:
        self._asked.set()
        for interrupt in tuple(self._interrupts):
            interrupt()


def within(limits: Limits, work: Callable[[Stop], T]) -> T:
    """What the work came to. Raises what it raised, or ReadError saying which limit was reached first."""
    stop, future = Stop(), Future[T]()
    Thread(target=_carry_out, args=(future, work, stop), name="answer", daemon=True).start()
    try:
        reached = _waited(future, limits)
        if reached is None:
            return future.result()
        raise reached
    finally:
        _end(future, stop)


def _carry_out(future: "Future[T]", work: Callable[[Stop], T], stop: Stop) -> None:
    try:
        future.set_result(work(stop))
    except BaseException as error:  # whoever waits raises it
        future.set_exception(error)


def _waited(future: "Future[T]", limits: Limits) -> ReadError | None:
    seconds = limits.timeout.total_seconds()
    deadline = time.monotonic() + seconds
    while not future.done():
        left = deadline - time.monotonic()
        if limits.cancelled is not None and limits.cancelled.is_set():
            return ReadError("The answer was cancelled before it was there.", "Ask again when it is wanted.")
        if left <= 0:
            return ReadError(
                f"There was no answer within {seconds:g} s.",
                "Ask about less time, or give it longer; many small files make a table slow.",
            )
        wait([future], left if limits.cancelled is None else min(left, _LOOK_SECONDS))
    return None


def _end(future: "Future[T]", stop: Stop) -> None:
    """An interruption just before a call begins is lost, so it is repeated."""
    give_up = time.monotonic() + _GRACE_SECONDS
    while not future.done() and time.monotonic() < give_up:
        stop.ask()
        wait([future], 0.02)
