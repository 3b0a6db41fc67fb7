"""Asks the questions of queries/ of Amazon Athena, over the Glue database that Tableflow keeps.

Athena is paid by what it scans, at least 10 MB a query. So each question is asked once for all who want the answer: by
its parameters and the snapshots that it is read from, which never change.
"""

import re
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

from cachetools import LRUCache

from dashboard.errors import ReadError
from dashboard.readers.athena.access import AthenaAccess, AthenaSession
from dashboard.readers.athena.errors import SnapshotGoneError
from dashboard.readers.athena.query import run
from dashboard.readers.athena.tables import AthenaTables
from dashboard.readers.deadline import Stop
from dashboard.readers.engine import NOW, WITHOUT_HASTE, Answer, Limits, Parameter
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, at_snapshots, compose
from dashboard.readers.shared_work import SharedWork

__all__ = ["AthenaAccess", "AthenaEngine"]

_KEPT_BYTES = 64 * 2**20
_KEPT_ANSWERS = 512
_LOOK_EVERY = timedelta(seconds=5)
# what looks like a parameter within quotes or a comment is none
_PLACES = re.compile(r'"[^"]*"|\'[^\']*\'|--[^\n]*|\$(?P<name>[a-z_][a-z_0-9]*)')


@dataclass(frozen=True)
class _Asked:
    """One query, whole; equal ones have one answer."""

    question: str
    values: frozenset[tuple[str, Parameter]]
    revenue: Snapshot | None
    orders: Snapshot | None


class AthenaEngine:
    """An Engine; any thread may call."""

    name = "athena"

    def __init__(self, access: AthenaAccess, window: timedelta, *, look_every: timedelta = _LOOK_EVERY) -> None:
        """`window` is the length of the windows; `look_every` how often Glue is asked for a table, whoever asks."""
        self._session = AthenaSession(access)
        self._window_seconds = int(window.total_seconds())
        self._tables = AthenaTables(self._session, look_every)
        # an answer counts as one of so many at least, so that small ones are bounded too
        kept: MutableMapping[Any, Answer] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda answer: max(answer.rows.nbytes, _KEPT_BYTES // _KEPT_ANSWERS)
        )
        self._answers = SharedWork(kept)

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        """The newest state of revenue_summary, as Glue had it at most `look_every` ago; no query."""
        table = self._tables.look(REVENUE_TABLE, WITHOUT_HASTE)
        return None if table is None else table.newest

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        """As the Engine says; scanned_bytes is 0 for what was asked before or by another at the same time."""
        began = time.monotonic()
        values = self._values(question, parameters)
        try:
            asked = self._asked(question, values, snapshot_id, limits)
            answer, own = self._ask(asked, _left(limits, began))
        except SnapshotGoneError:
            if snapshot_id is not None:
                raise
            asked = self._asked(question, values, None, _left(limits, began), anew=True)
            answer, own = self._ask(asked, _left(limits, began))
        return answer if own else replace(answer, took_seconds=time.monotonic() - began, scanned_bytes=0)

    def close(self) -> None:
        self._answers.close()
        self._tables.close()
        self._session.close()

    def _ask(self, asked: _Asked, limits: Limits) -> tuple[Answer, bool]:
        thing = f"{asked.question} of {self._session.access.database}"
        return self._answers.get(asked, lambda stop: self._answer(asked, thing, stop), limits, thing)

    def _answer(self, asked: _Asked, thing: str, stop: Event) -> Answer:
        began = time.monotonic()
        values = dict(asked.values)
        if asked.revenue is None:
            # without a table nothing is asked of Athena
            composed = compose(asked.question, DIRECT, WITHOUT_ORDERS)
            named = {name: values[name] for name in composed.parameters}
            rows = ask_tables({REVENUE_TABLE: REVENUE_SCHEMA.empty_table()}, composed.text, named, Stop())
            return Answer(rows, None, self.name, time.monotonic() - began, 0)
        composed = compose(asked.question, DIRECT, () if asked.orders else WITHOUT_ORDERS)
        snapshots = {REVENUE_TABLE: asked.revenue, ORDERS_TABLE: asked.orders}
        clauses = {name: f"FOR VERSION AS OF {one.id:d}" for name, one in snapshots.items() if one is not None}
        found = run(self._session, _in_athenas_way(at_snapshots(composed.text, clauses)), values, stop, thing)
        return Answer(found.rows, asked.revenue, self.name, time.monotonic() - began, found.scanned_bytes)

    def _asked(
        self,
        question: str,
        values: frozenset[tuple[str, Parameter]],
        snapshot_id: int | None,
        limits: Limits,
        *,
        anew: bool = False,
    ) -> _Asked:
        """With the snapshots that the answer is read from, one of each table."""
        revenue = self._snapshot(REVENUE_TABLE, snapshot_id, limits, anew)
        if revenue is None or ORDERS_TABLE not in compose(question, DIRECT).tables:
            return _Asked(question, values, revenue, None)
        return _Asked(question, values, revenue, self._snapshot(ORDERS_TABLE, None, limits, anew))

    def _snapshot(self, name: str, snapshot_id: int | None, limits: Limits, anew: bool) -> Snapshot | None:
        """The newest one without an id; None where there is no table, or nothing in it."""
        table = self._tables.look(name, limits, anew=anew)
        if snapshot_id is None:
            return None if table is None else table.newest
        found = None if table is None else table.snapshot(snapshot_id)
        if found is None:
            raise ReadError(
                f"The snapshot {snapshot_id} of {self._session.access.database}.{name} is not known any more.",
                "Snapshots expire; ask for a newer one, which `sales-trends tables` lists.",
            )
        return found

    def _values(self, question: str, parameters: Mapping[str, Parameter]) -> frozenset[tuple[str, Parameter]]:
        """What the question takes: whole numbers, and moments in UTC without a zone."""
        given = compose(question, DIRECT).values(parameters, window_seconds=self._window_seconds)
        for name, value in given.items():
            # nothing else ever becomes a part of a query's text
            if type(value) not in (int, datetime):
                raise ReadError(
                    f"The parameter {name} of {question} is neither a whole number nor a time.",
                    f"See queries/{question}.sql.",
                )
        return frozenset(given.items())


def _left(limits: Limits, began: float) -> Limits:
    return replace(limits, timeout=limits.timeout - timedelta(seconds=time.monotonic() - began))


def _in_athenas_way(text: str) -> str:
    """Each `$name` as PyAthena has parameters, and each per cent sign as one that is meant."""
    doubled = text.replace("%", "%%")
    return _PLACES.sub(lambda place: f"%({place['name']})s" if place["name"] else place[0], doubled)
