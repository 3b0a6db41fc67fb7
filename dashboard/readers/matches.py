"""The records of a tail that a condition wants; asked of each record once for all who look with the same condition."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dashboard.readers.condition import Condition, Unanswerable
from dashboard.readers.readable import Readable
from dashboard.readers.tail import Tail
from dashboard.remotes.kafka import Record

KEPT = 500
_AT_A_TIME = 200


@dataclass(frozen=True)
class Found:
    """What a condition has found so far."""

    rows: tuple[tuple[int, Readable], ...]
    """The newest that match with their numbers, the newest first."""
    matched: int
    asked: int
    """Records that the condition was asked about."""
    missed: int
    """Records that were gone before it could be asked."""
    unanswered: int
    """Records that it has no answer for, which do not match."""
    why: str
    """Why it had none for the first of them."""
    is_behind: bool
    """Whether there are records that it will be asked about at the next look."""


class Matches:
    """One condition on one tail; any thread may look."""

    def __init__(self, tail: Tail, condition: Condition, readable: Callable[[Record], Readable]) -> None:
        self._tail = tail
        self._condition = condition
        self._readable = readable
        self._lock = threading.Lock()
        self._began: datetime | None = None
        self._begin()

    def look(self, within_seconds: float = 0.03) -> Found:
        """Goes on for so long at most, then tells; others who look meanwhile are told what there was before."""
        if self._lock.acquire(blocking=False):
            try:
                self._go_on(time.monotonic() + within_seconds)
                self._found = Found(
                    tuple(self._rows),
                    self._matched,
                    self._asked,
                    self._missed,
                    self._unanswered,
                    self._why,
                    self._asked_until < self._tail.look().newest,
                )
            finally:
                self._lock.release()
        return self._found

    def _begin(self) -> None:
        self._rows: deque[tuple[int, Readable]] = deque(maxlen=KEPT)
        self._matched = self._asked = self._missed = self._unanswered = 0
        self._why = ""
        self._asked_until = 0
        self._found = Found((), 0, 0, 0, 0, "", is_behind=True)

    def _go_on(self, deadline: float) -> None:
        view = self._tail.look()
        if view.began != self._began:
            self._begin()
            self._began = view.began
            # what is kept no more was never to be asked
            self._asked_until = view.oldest - 1
        while time.monotonic() < deadline and (batch := self._tail.following(self._asked_until, _AT_A_TIME)):
            self._missed += batch[0][0] - self._asked_until - 1
            self._asked_until = batch[0][0] - 1
            for number, record in batch:
                self._ask(number, record)
                # between two records, for one condition may take long for each
                if time.monotonic() >= deadline:
                    break

    def _ask(self, number: int, record: Record) -> None:
        readable = self._readable(record)
        self._asked += 1
        self._asked_until = number
        try:
            if self._condition.matches(readable):
                self._matched += 1
                self._rows.appendleft((number, readable))
        except Unanswerable as error:
            self._unanswered += 1
            self._why = self._why or str(error)
