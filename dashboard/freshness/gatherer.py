"""One look at everything at a time, all parts side by side, and none waited for beyond its deadline."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from dashboard.crash import save_trace
from dashboard.errors import SalesTrendsError
from dashboard.freshness.readings import Part, Readings, Silence
from dashboard.freshness.seen import Seen
from dashboard.freshness.side_by_side import begun

Look = Callable[[], Seen]
V = TypeVar("V")
_OLD_SECONDS = 15.0
"""So long after it was asked for, an answer that came too late for its look is of the past."""
_PATIENT = 0.4
"""Of the time until the next look: the rest is for judging, keeping and telling what was seen."""
_FIRST_PATIENCE = timedelta(seconds=3)
"""At least so long in the first look of all: connections are made, and schemas and names of metrics looked up."""


def patience_of(interval: timedelta) -> timedelta:
    """How long a look waits for its parts, where looks are so far apart: 0.8 s with a look every 2 s, 4 s every 10 s.

    A part that does not answer makes no look late; one that takes its time, as a service far away does, is seen.
    """
    return _PATIENT * interval


class _Watched:
    """One part; it is not asked again before it has answered."""

    def __init__(self, part: Part, look: Look) -> None:
        self.part = part
        self._look = look
        self._asked_at = 0.0
        self._answer: Future[Seen] | None = None
        self._late: Future[Seen] | None = None
        self._is_told = False

    def ask(self) -> "Future[Seen]":
        """The answer to come.

        One that came after its look stands in until a newer one is there, unless it is old: a part that always takes
        longer than a look would never be seen.
        """
        self._late = None
        if self._answer is not None:
            if not self._answer.done():
                return self._answer
            if not self._is_told and time.monotonic() - self._asked_at < _OLD_SECONDS:
                self._late = self._answer
        self._asked_at, self._is_told = time.monotonic(), False
        self._answer = begun(f"looks at {self.part}", self._look)
        return self._answer

    def seen(self, answer: "Future[Seen]") -> Seen:
        """What it told, or why it did not."""
        if answer.done():
            self._is_told = True
        elif self._late is not None:
            answer = self._late
        else:
            seconds = time.monotonic() - self._asked_at
            name = f"{self.part[0].upper()}{self.part[1:]}"
            return self._silent(f"{name} has not answered for {seconds:.1f} s.", "It is asked again when it has.")
        try:
            return answer.result()
        except SalesTrendsError as error:
            return self._silent(error.message, error.hint)
        except Exception as error:
            trace = save_trace(error)
            return self._silent(f"Looking at {self.part} ended by a fault of Sales Trends itself.", f"See {trace}.")

    def _silent(self, message: str, hint: str) -> Seen:
        return Seen(silences=(Silence(self.part, message, hint),))


class Gatherer:
    """One for a process and a target; any thread may ask."""

    def __init__(
        self,
        parts: Mapping[Part, Look],
        patience: timedelta,
        first_patience: timedelta | None = None,
        beside: Look = Seen,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Each of `parts` is asked by one thread at a time, so it may remember what it saw. None is waited for longer
        than `patience`, in the first look three seconds at least unless it is told otherwise.

        `beside` is what this machine knows by itself: it is asked in each look, and has no deadline.
        """
        self._parts = [_Watched(part, look) for part, look in parts.items()]
        self._patience = patience.total_seconds()
        self._first_patience: float | None = (
            max(_FIRST_PATIENCE, patience) if first_patience is None else first_patience
        ).total_seconds()
        self._beside = beside
        self._now = now
        self._lock = threading.Lock()
        self._flight: Future[Readings] | None = None

    def look(self) -> Readings:
        """What there is to see now; a part that is away is a silence. Whoever comes during a look gets that look's."""
        with self._lock:
            if self._flight is None:
                # in a thread of its own: whoever asked first may be interrupted, and others wait
                self._flight = begun("freshness", self._landed)
            flight = self._flight
        return flight.result()

    def _landed(self) -> Readings:
        try:
            return self._gathered()
        finally:
            with self._lock:
                self._flight = None

    def _gathered(self) -> Readings:
        at, began = self._now(), time.monotonic()
        patience, self._first_patience = self._first_patience or self._patience, None
        answers = [one.ask() for one in self._parts]
        beside = self._beside()
        left = max(0.0, began + patience - time.monotonic())
        wait(answers, left)
        seen = [one.seen(answer) for one, answer in zip(self._parts, answers, strict=True)]
        parts = tuple(one.part for one in self._parts)
        return _together([*seen, beside], parts, at, timedelta(seconds=time.monotonic() - began))


def _together(seen: Sequence[Seen], parts: tuple[Part, ...], at: datetime, took: timedelta) -> Readings:
    return Readings(
        at,
        took,
        topics={name: topic for one in seen for name, topic in one.topics.items()},
        statements={name: statement for one in seen for name, statement in one.statements.items()},
        tables={name: table for one in seen for name, table in one.tables.items()},
        page_age=_first(one.page_age for one in seen),
        page_frontier=_first(one.page_frontier for one in seen),
        programs={name: state for one in seen for name, state in one.programs.items()},
        clock_skew=_first(one.clock_skew for one in seen),
        looked_at=parts,
        silences=tuple(silence for one in seen for silence in one.silences),
        notes=tuple(note for one in seen for note in one.notes),
        tableflow={name: topic for one in seen for name, topic in one.tableflow.items()},
    )


def _first(told: Iterable[V | None]) -> V | None:
    return next((one for one in told if one is not None), None)
