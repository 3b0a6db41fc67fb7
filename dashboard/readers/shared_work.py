"""Work that several ask for at once, done once: whoever comes later waits for the same result."""

import time
from collections.abc import Callable, Hashable, MutableMapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from dashboard.errors import ReadError
from dashboard.readers.engine import Limits

_LOOK_SECONDS = 0.05
_END_SECONDS = 1.0
"""How long somebody who gives up waits for the work to have ended."""

V = TypeVar("V")


class StoppedError(ReadError):
    """The work ended because nobody waits for it any more."""


@dataclass(eq=False)
class _Work(Generic[V]):
    result: "Future[V]" = field(default_factory=Future)
    unwanted: Event = field(default_factory=Event)
    waiting: int = 0


class SharedWork(Generic[V]):
    """Results by key, kept as long as the mapping keeps them; any thread may ask.

    Work is done in a thread of its own. It is told to end when the last of those who wait for it gives up, so that one
    who leaves takes nothing from the others. A failure is told to all who wait, and not kept.
    """

    def __init__(self, kept: MutableMapping[Hashable, V]) -> None:
        """`kept` is used under a lock, and refuses with ValueError what is too large for it, as cachetools do."""
        self._kept = kept
        self._lock = Lock()
        self._under_way: dict[Hashable, _Work[V]] = {}

    def get(self, key: Hashable, work: Callable[[Event], V], limits: Limits, thing: str) -> tuple[V, bool]:
        """The result, and whether this call is what began the work.

        `work` ends with StoppedError when the event that it is given is set. Raises what it raises, and ReadError when
        the limits are reached before it ended.
        """
        with self._lock:
            if key in self._kept:
                return self._kept[key], False
            current = self._under_way.get(key)
            began = current is None
            if current is None:
                current = _Work()
                # first, because a system may refuse another thread
                Thread(target=self._do, args=(key, current, work), name=f"reads {thing}", daemon=True).start()
                self._under_way[key] = current
            current.waiting += 1
        try:
            reason = _waited(current.result, limits)
        finally:
            end = self._left(key, current)
        if reason is None:
            return current.result.result(), began
        raise ReadError(f"{thing} {reason}{end}.", "Ask for a shorter stretch of time, or ask again.")

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def close(self) -> None:
        """Ends what is under way."""
        with self._lock:
            left = list(self._under_way.values())
        for one in left:
            one.unwanted.set()
        wait([one.result for one in left], _END_SECONDS)

    def _do(self, key: Hashable, current: _Work[V], work: Callable[[Event], V]) -> None:
        try:
            found = work(current.unwanted)
        except BaseException as error:  # for those who wait, whatever it is
            with self._lock:
                self._end(key, current)
            current.result.set_exception(error)
            return
        with self._lock:
            self._end(key, current)
            # what is too large to be kept goes to those who wait all the same
            with suppress(ValueError):
                self._kept[key] = found
        current.result.set_result(found)

    def _left(self, key: Hashable, current: _Work[V]) -> str:
        """What becomes of the work when one who waited for it leaves; it ends when that was the last."""
        with self._lock:
            current.waiting -= 1
            if current.waiting:
                return "; others still wait for it"
            # who asks from now on begins anew
            self._end(key, current)
            current.unwanted.set()
        wait([current.result], _END_SECONDS)
        if not current.result.done():
            return ", and is being stopped"
        fault = current.result.exception()
        if fault is None or isinstance(fault, StoppedError):
            return ", and was stopped"
        return f", and could not be stopped: {fault}".rstrip(".")

    def _end(self, key: Hashable, current: _Work[V]) -> None:
        if self._under_way.get(key) is current:
            del self._under_way[key]


def _waited(result: "Future[V]", limits: Limits) -> str | None:
    """Why there is no result; None when there is one."""
    deadline = time.monotonic() + limits.timeout.total_seconds()
    while not result.done():
        left = deadline - time.monotonic()
        if left <= 0:
            return f"took longer than {limits.timeout.total_seconds():g} seconds"
        if limits.cancelled is None:
            wait([result], left)
        elif limits.cancelled.is_set():
            return "is not wanted any more"
        else:
            wait([result], min(left, _LOOK_SECONDS))
    return None
