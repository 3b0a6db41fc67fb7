"""SQL of people's that was begun: which of it runs, and what the rest came to, kept for a while."""

import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dashboard.access import Role
from dashboard.errors import ReadError
from dashboard.sandbox.process import Found

KEPT_BYTES = 64 * 2**20
"""Of all answers that are kept."""
_KEPT_SECONDS = 600
_LEAST_BYTES = KEPT_BYTES // 32
"""What each counts for at least, so that there are not too many."""


@dataclass(frozen=True)
class Statement:
    """SQL of somebody's that was begun; any thread may look."""

    by: str
    """The caller's name."""
    role: Role | None
    """At that time; whoever has less now sees nothing of it."""
    engine: str
    began: datetime
    """UTC."""
    unwanted: threading.Event = field(default_factory=threading.Event, repr=False)
    result: "Future[Found]" = field(default_factory=Future, repr=False)

    @property
    def is_done(self) -> bool:
        return self.result.done()

    @property
    def ran(self) -> timedelta:
        """So far."""
        return datetime.now(UTC) - self.began

    def found(self) -> Found:
        """Waits for it; raises what kept it from being answered."""
        return self.result.result()


@dataclass(frozen=True)
class _Kept:
    statement: Statement
    bytes: int
    until: float
    """In the seconds of time.monotonic()."""


class Statements:
    """Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Statement] = {}
        self._ended: dict[str, _Kept] = {}
        """The oldest first."""

    def begin(self, statement: Statement) -> str:
        """The name that it is known by from now on."""
        name = uuid.uuid4().hex
        with self._lock:
            self._running[name] = statement
        return name

    def end(self, name: str) -> None:
        """Of one that has its result. Where answers take too much, the oldest of whoever has most of them goes."""
        with self._lock:
            statement = self._running.pop(name)
            self._forget()
            self._ended[name] = _Kept(statement, _bytes(statement), time.monotonic() + _KEPT_SECONDS)
            while sum(one.bytes for one in self._ended.values()) > KEPT_BYTES:
                most = max((one.statement.by for one in self._ended.values()), key=self._kept_by)
                del self._ended[next(key for key, one in self._ended.items() if one.statement.by == most)]

    def find(self, name: str, by: str, role: Role | None) -> Statement:
        """Raises ReadError for one that is forgotten or somebody else's."""
        with self._lock:
            self._forget()
            kept = self._ended.get(name)
            statement = self._running.get(name) if kept is None else kept.statement
        if statement is None or statement.by != by or statement.role != role:
            raise ReadError("The result of that statement is kept no more.", "Run it again.")
        return statement

    def cancel_all(self) -> None:
        with self._lock:
            for statement in self._running.values():
                statement.unwanted.set()

    def _forget(self) -> None:
        now = time.monotonic()
        self._ended = {name: one for name, one in self._ended.items() if one.until > now}

    def _kept_by(self, name: str) -> int:
        return sum(one.bytes for one in self._ended.values() if one.statement.by == name)


def _bytes(statement: Statement) -> int:
    if statement.result.exception() is not None:
        return _LEAST_BYTES
    size: int = statement.found().rows.nbytes
    return max(size, _LEAST_BYTES)
