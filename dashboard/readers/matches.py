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
KEPT_BYTES = 8 * 1024 * 1024
"""Of values that match, as they stand in the topic; the newest one is kept however large it is."""
_AT_A_TIME = 200
_TURN_SECONDS = 0.005
_LONGEST_REST_SECONDS = 1.0
_QUIET_SECONDS = 0.1
_UNWATCHED_SECONDS = 60.0
_turn = threading.Lock()
"""Of all conditions in this process one is asked at a time."""


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
    """One condition on one tail, asked in a thread of its own for as long as somebody looks; any thread may look."""

    def __init__(self, tail: Tail, condition: Condition, readable: Callable[[Record], Readable]) -> None:
        self._tail = tail
        self._condition = condition
        self._readable = readable
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._began: datetime | None = None
        self._begin()
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"condition on {tail.topic}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Nobody has looked for a minute, or it or the tail has ended: a new one is needed."""
        return not self._thread.is_alive()

    def look(self) -> Found:
        """What was found so far; waits for nothing, and keeps it going."""
        self._looked = time.monotonic()
        newest = self._tail.look().newest
        with self._lock:
            return Found(
                tuple(self._rows),
                self._matched,
                self._asked,
                self._missed,
                self._unanswered,
                self._why,
                is_behind=newest - self._asked_until > _AT_A_TIME,
            )

    def end(self) -> None:
        """Asks no more: whoever still holds it sees what was found until then."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.is_set() and not self._tail.ended and time.monotonic() - self._looked < _UNWATCHED_SECONDS:
            with _turn:
                started = time.monotonic()
                more = self._go_on(started + _TURN_SECONDS)
                # as long as it took: whatever conditions people write, half of the time is left for everything else
                time.sleep(min(time.monotonic() - started, _LONGEST_REST_SECONDS))
            if not more:
                self._end.wait(_QUIET_SECONDS)

    def _begin(self) -> None:
        self._rows: deque[tuple[int, Readable]] = deque()
        self._bytes = 0
        self._matched = self._asked = self._missed = self._unanswered = 0
        self._why = ""
        self._asked_until = 0

    def _go_on(self, deadline: float) -> bool:
        """Asks about the next records; gives whether there were any."""
        view = self._tail.look(keeps_going=False)
        if view.began != self._began:
            with self._lock:
                self._begin()
                self._began = view.began
                # what is kept no more was never to be asked
                self._asked_until = view.oldest - 1
        batch = self._tail.following(self._asked_until, _AT_A_TIME)
        if not batch:
            return False
        self._missed += batch[0][0] - self._asked_until - 1
        for number, record in batch:
            self._ask(number, record)
            # between two records, for one condition may take long for each
            if time.monotonic() >= deadline:
                break
        return True

    def _ask(self, number: int, record: Record) -> None:
        readable = self._readable(record)
        matches, why = False, ""
        try:
            matches = self._condition.matches(readable)
        except Unanswerable as error:
            why = str(error)
        with self._lock:
            self._asked += 1
            self._asked_until = number
            if matches:
                self._matched += 1
                self._keep(number, readable)
            elif why:
                self._unanswered += 1
                self._why = self._why or why

    def _keep(self, number: int, readable: Readable) -> None:
        self._rows.appendleft((number, readable))
        self._bytes += readable.size
        while len(self._rows) > KEPT or (self._bytes > KEPT_BYTES and len(self._rows) > 1):
            self._bytes -= self._rows.pop()[1].size
