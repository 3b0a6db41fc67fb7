"""The default engine: a mirror of the tables, kept in step by snapshot, that answers in milliseconds.

Whoever asks first after the interval has the catalog looked at; everybody else is answered at once from what there is.
"""

import threading
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from cachetools import LRUCache

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.readers.deadline import Stop, within
from dashboard.readers.duckdb_errors import duckdb_translated
from dashboard.readers.engine import NOW, WITHOUT_HASTE, Answer, Limits, Parameter, Progress
from dashboard.readers.in_memory import execute
from dashboard.readers.lake import REVENUE_TABLE, Lake
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.mirror.file import MirroredState, Version
from dashboard.readers.mirror.ranges import statement
from dashboard.readers.mirror.refresh import Refresh
from dashboard.readers.mirror.seen import NEVER
from dashboard.readers.mirror.store import MirrorStore
from dashboard.readers.pyiceberg_engine import PyicebergEngine

_NO_WINDOW = timedelta(seconds=1)
_CLOSING_SECONDS = 10.0
_BEGINNING_SECONDS, _STEP_SECONDS = 5.0, 0.05
_OVERHEAD_BYTES = 64 * 1024
"""What DuckDB keeps behind an answer of a few rows."""
_KEPT_BYTES = 16 * 2**20
"""Of answers."""
_ASKED_OF = timedelta(seconds=1)
"""A question may be answered from a state that is so old; whoever needs the newest one asks for that first."""
PATIENCE = timedelta(milliseconds=250)
"""A page would rather show the last state than wait longer."""


class MirrorEngine:
    """One for a process and a table; any thread may ask."""

    name = "mirror"

    def __init__(self, lake: Lake, folder: Path, interval: timedelta, patience: timedelta = PATIENCE) -> None:
        """`folder` is this table's own; `interval` is how often the catalog is asked, as long as somebody asks.

        Whoever has it asked waits at most `patience` for what it brings, before the answer comes from what there was.
        """
        self._lake = lake
        self._folder = folder
        self._interval = interval.total_seconds()
        self._asked_of = min(2 * interval, _ASKED_OF)
        self._patience = patience.total_seconds()
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._opened: tuple[MirrorStore, Refresh] | None = None
        self._flight: Future[None] | None = None
        self._looked_at = -float("inf")
        self._due = 0.0
        self._cursors = threading.local()
        self._answers: LRUCache[Hashable, pa.Table] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda rows: rows.nbytes + _OVERHEAD_BYTES
        )
        self._answers_of = 0
        """The version that they are of."""
        self._answers_lock = threading.Lock()
        self.fault: SalesTrendsError | None = None
        """Why the newest state could not be had, the last time it was looked for; answers come from the one before."""

    @property
    def progress(self) -> Progress | None:
        """As `Prepared` says."""
        opened = self._opened
        return None if opened is None else opened[1].progress

    def first_read(self, patience: timedelta) -> Progress | None:
        """As `Prepared` says; begins it. What keeps the tables from being read is told by `newest`."""
        if _snapshot(self._store.version()) is not None:
            return None
        flight, _ = self._flight_now()
        if flight is None or wait([flight], patience.total_seconds()).done:
            return None
        # the catalog may take its time first, or say nothing at all
        deadline = time.monotonic() + _BEGINNING_SECONDS
        while self.progress is None and time.monotonic() < deadline:
            if wait([flight], _STEP_SECONDS).done:
                return None
        return self.progress

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        """The state that answers come from; raises what kept it from being the newest one."""
        self._look(WITHOUT_HASTE, at_most_old)
        if self.fault is not None:
            raise self.fault
        return _snapshot(self._store.version())

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        """As `Engine` says; of an older snapshot from the table itself, as `Answer.engine` then tells."""
        begun = time.perf_counter()
        # before any call: what cannot be asked costs none
        statement(question, parameters, window=_NO_WINDOW, ends=NEVER)
        self._look(limits, self._asked_of)
        version = self._store.version()
        while True:
            snapshot = _snapshot(version)
            if snapshot_id is not None and (snapshot is None or snapshot.id != snapshot_id):
                direct = PyicebergEngine(self._lake, _window(version))
                return direct.ask(question, parameters, snapshot_id=snapshot_id, limits=limits)
            rows = self._kept(question, parameters, version, limits)
            # what was committed meanwhile may be in the answer
            if (reached := self._store.version()).number == version.number:
                return Answer(rows, snapshot, self.name, time.perf_counter() - begun)
            version = reached

    def close(self) -> None:
        """Returns when the file is free for another process, or after a while; what is being read is given up."""
        with self._lock:
            self._due = float("inf")
            flight = self._flight
        with self._opening:
            opened = self._opened
        if opened is not None:
            store, refresh = opened
            refresh.cancel()
            if flight is not None:
                wait([flight], _CLOSING_SECONDS)
            store.close(_CLOSING_SECONDS)

    @property
    def _store(self) -> MirrorStore:
        return self._open()[0]

    def _open(self) -> tuple[MirrorStore, Refresh]:
        """Once for all threads, at the first question: a command that asks another engine makes no file."""
        with self._opening:
            if self._opened is None:
                store = MirrorStore(self._folder)
                self._opened = store, Refresh(self._lake, store)
            return self._opened

    def _look(self, limits: Limits, at_most_old: timedelta) -> None:
        """Has the catalog looked at when it is time, by one thread for all; waits for it where nothing is there."""
        flight, is_ours = self._flight_now(at_most_old)
        if flight is None:
            if self.fault is not None and _snapshot(self._store.version()) is None:
                raise self.fault
            return
        if _snapshot(self._store.version()) is not None:
            if is_ours:
                wait([flight], self._patience)
            return
        within(limits, lambda stop: _await(flight, stop))
        if self.fault is not None and _snapshot(self._store.version()) is None:
            raise self.fault

    def _flight_now(self, at_most_old: timedelta = NOW) -> tuple[Future[None] | None, bool]:
        """The look at the catalog that is under way, begun here if it is time; and whether it was."""
        with self._lock:
            now = time.monotonic()
            if self._flight is not None or now < max(self._due, self._looked_at + at_most_old.total_seconds()):
                return self._flight, False
            flight: Future[None] = Future()
            # first, because a system may refuse another thread
            threading.Thread(target=self._fly, args=(flight,), name="mirror", daemon=True).start()
            self._flight = flight
            self._looked_at, self._due = now, now + self._interval
            return flight, True

    def _fly(self, flight: Future[None]) -> None:
        try:
            self._open()[1].run()
            self.fault = None
        except SalesTrendsError as fault:
            self.fault = fault
        except Exception as error:
            self.fault = ReadError("The mirror ended by a fault of Sales Trends itself.", f"See {save_trace(error)}.")
        finally:
            with self._lock:
                self._flight = None
            flight.set_result(None)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's own: making one is cheap, planning with a warm one cheaper."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._cursors, "cursor", None)
        if cursor is None:
            cursor = self._cursors.cursor = self._store.cursor()
        return cursor

    def _kept(self, question: str, parameters: Mapping[str, Parameter], version: Version, limits: Limits) -> pa.Table:
        """The same answer for all who ask the same of one version."""
        key = (question, frozenset(parameters.items()))
        with self._answers_lock:
            if self._answers_of != version.number:
                self._answers.clear()
                self._answers_of = version.number
            rows = self._answers.get(key)
        if rows is None:
            rows = self._rows(question, parameters, version, limits)
            with self._answers_lock:
                if rows.nbytes <= _KEPT_BYTES // 16 and self._answers_of == version.number:
                    self._answers[key] = rows
        return rows

    def _rows(self, question: str, parameters: Mapping[str, Parameter], version: Version, limits: Limits) -> pa.Table:
        asked = statement(question, parameters, window=_window(version), ends=version.ends)
        if asked.is_quick and limits.cancelled is None:
            with duckdb_translated("the mirror"):
                return execute(self._cursor(), asked.text, asked.parameters, Stop())

        def apart(stop: Stop) -> pa.Table:
            with self._store.cursor() as cursor, duckdb_translated("the mirror"):
                return execute(cursor, asked.text, asked.parameters, stop)

        return within(limits, apart)


def _await(flight: Future[None], stop: Stop) -> None:
    while not wait([flight], 0.1).done:
        stop.check()


def _window(version: Version) -> timedelta:
    """How long a window is; a second where there is none."""
    state = version.states.get(REVENUE_TABLE)
    return (None if state is None else state.newest) or _NO_WINDOW


def _snapshot(version: Version) -> Snapshot | None:
    state: MirroredState | None = version.states.get(REVENUE_TABLE)
    return None if state is None else state.snapshot
