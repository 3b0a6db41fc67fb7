"""Flink statements and what becomes of them over time, by the clock: each look brings them up to date first.

Source: the OpenAPI file of Confluent's Flink gateway, sql/v1, and what its own clients note about the live service.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.fakes.clock import Clock, Delays
from tests.fakes.engine import Engine, Outcome
from tests.fakes.sql_text import SqlRefused, canonical
from tests.fakes.tables import Place

_CARRY_OVER = "sql.tables.initial-offset-from"
_SHORTEST_WAIT = 0.01
TERMINAL = ("COMPLETED", "STOPPED", "FAILED")
_NO_OFFSETS_YET = "0001-01-01T00:00:00Z"
_STREAMING = re.compile(r"INSERT\b|CREATE\s+TABLE\b.*\bAS\s+(SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)


@dataclass
class Statement:
    """One statement; tests may look at it, and change it through the fake's own methods."""

    name: str
    text: str
    """As the gateway gives it back."""
    properties: dict[str, str]
    labels: dict[str, str]
    compute_pool_id: str
    principal: str
    created_at: str
    sequence: int
    """The order of creation."""
    uid: str = field(default_factory=lambda: str(uuid4()))
    stopped: bool = False
    phase: str = "PENDING"
    detail: str = ""
    updated_at: str = ""
    end_time: str = ""
    version: int = 1
    outcome: Outcome | None = None
    scaling_state: str = "OK"
    warnings: list[dict[str, str]] = field(default_factory=list)
    exceptions: list[dict[str, str]] = field(default_factory=list)
    """Newest first."""
    latest_offsets: dict[str, str] = field(default_factory=dict)
    latest_offsets_timestamp: str = _NO_OFFSETS_YET
    due: float = 0.0
    """When `step` is to be taken."""
    step: Callable[[], None] | None = None

    @property
    def resource_version(self) -> str:
        """Opaque: neither a number nor in order."""
        return f"{self.version * 2654435761 % 2**32:08x}"

    @property
    def ended(self) -> bool:
        return self.phase in TERMINAL

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "phase": self.phase,
            "detail": self.detail,
            "network_kind": "PUBLIC",
            "latest_offsets": self.latest_offsets,
            "latest_offsets_timestamp": self.latest_offsets_timestamp,
            "scaling_status": {"scaling_state": self.scaling_state},
        }
        if self.outcome and self.phase not in ("PENDING", "FAILED"):
            status["traits"] = self.outcome.traits()
        if self.warnings:
            status["warnings"] = self.warnings
        if self.end_time:
            status["end_time"] = self.end_time
        return status


class Statements:
    """All statements of one environment, whatever their compute pool."""

    def __init__(self, place: Place, engine: Engine, clock: Clock, delays: Delays) -> None:
        self.place = place
        self.engine = engine
        self.clock = clock
        self.delays = delays
        self.pools = {place.compute_pool}
        self.pool_exhausted = False
        self.dooms: dict[str, str] = {}
        """Name to detail: how the next statement of this name is to fail."""
        self._live: dict[str, Statement] = {}
        self._ghosts: list[tuple[float, Statement]] = []
        """Gone, and listed for a while yet."""
        self._created = 0

    def live(self) -> dict[str, Statement]:
        """By name, brought up to date."""
        while due := [one for one in self._live.values() if one.step and one.due <= self.clock.now()]:
            first = min(due, key=lambda one: (one.due, one.sequence))
            step, first.step = first.step, None
            if step:
                step()
        return self._live

    def listed(self) -> list[Statement]:
        live = self.live()
        now = self.clock.now()
        self._ghosts = [(until, one) for until, one in self._ghosts if until > now]
        return [*live.values(), *(one for _, one in self._ghosts if one.name not in live)]

    def create(self, spec: dict[str, Any], name: str, labels: dict[str, str]) -> Statement:
        """A new statement, PENDING; a dry run is over at once, has no uid and is not kept."""
        self._created += 1
        statement = Statement(
            name=name,
            text=canonical(spec["statement"]),
            properties=dict(spec.get("properties") or {}),
            labels=dict(labels),
            compute_pool_id=spec.get("compute_pool_id") or self.place.compute_pool,
            principal=spec.get("principal") or "u-owner1",
            created_at=self.clock.stamp(),
            updated_at=self.clock.stamp(),
            sequence=self._created,
            stopped=bool(spec.get("stopped")),
            latest_offsets_timestamp=_NO_OFFSETS_YET,
        )
        if statement.properties.get("sql.dry-run", "").lower() == "true":
            statement.uid = ""
            self._execute(statement, dry=True)
            return statement
        self._live[name] = statement
        self._schedule(statement, self.delays.pending, self._start)
        return statement

    def stop(self, statement: Statement) -> None:
        """Accepted in any phase; what runs goes on saying so until STOPPED."""
        statement.stopped = True
        self._touch(statement)
        if not statement.ended and statement.phase != "DELETING":
            self._schedule(statement, self.delays.stopping, self._stopped)

    def resume(self, statement: Statement) -> None:
        statement.stopped = False
        self._touch(statement)
        if statement.phase == "STOPPED":
            statement.end_time = ""
            self.enter(statement, "PENDING")
            self._schedule(statement, self.delays.pending, self._start)

    def delete(self, statement: Statement) -> None:
        if statement.phase != "DELETING":
            self.enter(statement, "DELETING")
            self._schedule(statement, self.delays.deleting, self._gone)

    def fail(self, statement: Statement, detail: str) -> None:
        statement.outcome = None
        statement.step = None
        self.add_exception(statement, detail)
        self.enter(statement, "FAILED", detail)

    def add_exception(self, statement: Statement, message: str, name: str = "SqlValidationException") -> None:
        entry = {"kind": "StatementException", "name": name, "message": message, "timestamp": self.clock.stamp()}
        statement.exceptions.insert(0, entry)

    def enter(self, statement: Statement, phase: str, detail: str = "") -> None:
        statement.phase, statement.detail = phase, detail
        if statement.ended:
            statement.end_time = self.clock.stamp()
        self._touch(statement)

    def forget(self, statement: Statement) -> None:
        self._live.pop(statement.name, None)

    def forget_finished(self) -> None:
        """What has ended and was never to run on: DDL and queries, not what writes a table."""
        for statement in list(self.live().values()):
            if statement.ended and not _STREAMING.match(statement.text):
                self.forget(statement)

    def exhaust(self) -> None:
        """The pool is full: nothing starts, and what runs gets no more."""
        self.pool_exhausted = True
        for statement in self.live().values():
            if statement.phase == "RUNNING":
                statement.scaling_state = "POOL_EXHAUSTED"
                self._touch(statement)

    def wake(self) -> None:
        """The pool has room again."""
        self.pool_exhausted = False
        for statement in self._live.values():
            if statement.scaling_state == "POOL_EXHAUSTED":
                statement.scaling_state = "OK"
                statement.detail = ""
                if statement.phase == "PENDING":
                    self._schedule(statement, self.delays.pending, self._start)

    def _start(self, statement: Statement) -> None:
        if statement.name in self.dooms:
            self.fail(statement, self.dooms.pop(statement.name))
        elif statement.stopped:
            self._stopped(statement)
        elif self.pool_exhausted:
            statement.scaling_state = "POOL_EXHAUSTED"
            statement.detail = "The compute pool is exhausted. The statement waits for resources."
            self._touch(statement)
        elif (old := statement.properties.get(_CARRY_OVER)) and not statement.outcome:
            self._take_over(statement, old)
        elif statement.outcome:
            # resumed: its table is there already
            self.enter(statement, "RUNNING")
        else:
            self._execute(statement)

    def _take_over(self, statement: Statement, old: str) -> None:
        """It goes on where another statement stopped, and so waits for it to stop."""
        other = self._live.get(old)
        if other is None:
            self.fail(statement, f"The statement '{old}' to carry offsets over from does not exist.")
        elif other.ended:
            self._execute(statement)
        else:
            statement.detail = f"Waiting for the statement '{old}' to stop."
            self._schedule(statement, max(self.delays.pending, _SHORTEST_WAIT), self._start)

    def _execute(self, statement: Statement, *, dry: bool = False) -> None:
        try:
            outcome = self.engine.run(statement.text, statement.properties, dry=dry)
        except SqlRefused as refusal:
            self.fail(statement, str(refusal))
            return
        statement.outcome = outcome
        self.enter(statement, "RUNNING" if outcome.streams and not dry else "COMPLETED")

    def _stopped(self, statement: Statement) -> None:
        self.enter(statement, "STOPPED")

    def _gone(self, statement: Statement) -> None:
        self.forget(statement)
        self._ghosts.append((statement.due + self.delays.listed_after_delete, statement))

    def _schedule(self, statement: Statement, seconds: float, step: Callable[[Statement], None]) -> None:
        statement.due = self.clock.now() + seconds
        statement.step = lambda: step(statement)

    def _touch(self, statement: Statement) -> None:
        statement.version += 1
        statement.updated_at = self.clock.stamp()
