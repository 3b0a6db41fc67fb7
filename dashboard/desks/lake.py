"""What people see of the Iceberg tables: the functions behind the pages about the past and the commands that ask.

Each takes who calls and checks that before anything else. Viewers see revenue and completed orders, ops every table of
the pipeline. Columns that contracts call secret are left out for everybody but admins, who see the ciphertext.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice

import pyarrow as pa

from dashboard.access import Caller, Role
from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import AccessError, ReadError, SettingsError
from dashboard.lake_connections import lake_of
from dashboard.lake_engines import engine_of
from dashboard.pipeline_reading import secret_names
from dashboard.readers.engine import WITHOUT_HASTE, Answer, Engine, Limits, Prepared, Progress
from dashboard.readers.history import AsOf, Commit, History, Page
from dashboard.readers.inquiry import Inquiry, ask_whole, faults_in
from dashboard.readers.lake import REVENUE_TABLE, Lake
from dashboard.readers.lake_table import Column, LakeTable, Snapshot
from dashboard.readers.masked_rows import masked_rows
from dashboard.readers.questions import TABLES
from dashboard.readers.revisions import Revisions, added_by, difference, revisions
from dashboard.readers.state_file import StateFile
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.sandbox.lender import Lent
from dashboard.settings import Settings
from dashboard.trends.sales import NOTHING_AHEAD, Ahead
from dashboard.trends.trend import Asked as AskedTrend
from dashboard.trends.trend import Trend, trend

MOST_ROWS = 1_000
"""Of a preview."""
NEWEST = "newest_window"
_PLAIN = frozenset({"$$partition", "$$offset", "$$timestamp", "$$timestamp-type", "$$leader-epoch", "$$topic"})
"""The columns of Tableflow's own that say where a record stood; the others hold it whole, whatever is secret in it."""
_RECENT = timedelta(days=1)


@dataclass(frozen=True)
class TableFacts:
    """One table as this caller may see it."""

    name: str
    columns: list[tuple[str, str]]
    """Name and type."""
    withheld: int
    """Columns that this caller may not see."""
    newest: Snapshot | None
    """None while nothing was committed."""

    @property
    def rows(self) -> int | None:
        return 0 if self.newest is None else self.newest.rows


@dataclass(frozen=True)
class Asked:
    """An answer, and what it stands on."""

    answer: Answer
    as_of: AsOf | None
    """When a time was asked for, and the table holds anything."""
    faults: int
    """Windows that make it wrong: doubled ones, and those without an amount. While there are any, no sum is right."""


class LakeDesk:
    """Of one target; one for a process. Any thread may call."""

    def __init__(
        self,
        settings: Settings,
        lakes: Callable[[Settings], Lake] = lake_of,
        engines: Callable[[Settings, str], Engine] = engine_of,
    ) -> None:
        self._settings = settings
        self._lakes = lakes
        self._new_engine = engines
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def tables(self, caller: Caller) -> list[TableFacts]:
        """Those that this caller may see and that exist, by name. Raises what `Lake.table` raises."""
        caller.require(Role.VIEWER, "Seeing the tables")
        found = ((name, self._lake.table(name)) for name in self.names(caller))
        return [self._facts(caller, name, table) for name, table in found if table is not None]

    def history(self, caller: Caller, table: str, page: int = 1) -> Page:
        """The snapshots of a table, the newest first."""
        return History(self._table(caller, table)).page(page)

    def commit(self, caller: Caller, snapshot_id: int) -> Commit | None:
        """What a snapshot of revenue did; None where there is none of that id, or no more."""
        return History(self._table(caller, REVENUE_TABLE)).find(snapshot_id)

    def as_of(self, caller: Caller, when: datetime) -> AsOf | None:
        """What stands for revenue at a time; None while nothing was committed."""
        return History(self._table(caller, REVENUE_TABLE)).as_of(when)

    def difference(self, caller: Caller, before: int, after: int) -> pa.Table:
        """What two snapshots of revenue say otherwise, by window; see `revisions.DIFFERENCE`."""
        return difference(self._table(caller, REVENUE_TABLE), before, after)

    def added(self, caller: Caller, snapshot_id: int) -> pa.Table:
        """What one snapshot of revenue made otherwise, by window."""
        return added_by(self._table(caller, REVENUE_TABLE), snapshot_id)

    def revised(self, caller: Caller) -> Revisions:
        """The windows whose amount was taken back later, as far as that is known."""
        return revisions(self._table(caller, REVENUE_TABLE))

    def preview(self, caller: Caller, table: str, rows: int = 20, snapshot: int | None = None) -> pa.Table:
        """The newest rows of a state by their first time, else by offset; nested values as JSON.

        Without the columns that the caller may not see, and without card numbers. Raises SettingsError for more rows
        than MOST_ROWS.
        """
        found = self._table(caller, table)
        if not 0 < rows <= MOST_ROWS:
            raise SettingsError(f"{rows} rows of {table} are too few or too many.", f"Wanted 1 to {MOST_ROWS}.")
        if found.at(snapshot) is None:
            return pa.table({})
        columns = self._open(caller, found.columns_at(snapshot))
        names = [one.name for one in columns]
        by = next((one.name for one in columns if one.type.startswith("timestamp")), None)
        by = by or next((name for name in names if name == "$$offset"), None)
        if by is None:
            batches = list(islice((one for one in found.batches(names, snapshot) if one.num_rows), rows))
            newest = pa.Table.from_batches(batches).slice(0, rows) if batches else pa.table({})
        else:
            newest = found.last(names, by, rows, snapshot)
        return masked_rows(newest, self._secret, numbers=True)

    def ask(
        self,
        caller: Caller,
        inquiry: Inquiry,
        engine: str = "",
        at: int | datetime | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Asked:
        """The answer now, at a snapshot of revenue, or as of a time, by the engine that is set where none is named.

        Raises what `ask_whole` raises.
        """
        caller.require(Role.VIEWER, "Asking about revenue")
        asked_of = self._engine(engine or self._settings.lake.engine)
        as_of = self._as_of(at) if isinstance(at, datetime) else None
        snapshot_id = as_of.snapshot.id if as_of else at if isinstance(at, int) else None
        until = as_of.last_start(self._settings.pipeline.window_size) if as_of else None
        answer = ask_whole(asked_of, inquiry, snapshot_id=snapshot_id, until=until, limits=limits)
        for name in answer.rows.schema.names:
            if name.casefold() in self._secret:
                raise AccessError(f"The answer of {inquiry.question} holds {name}, which nobody may ask for.")
        return Asked(answer, as_of, faults_in(inquiry.question, answer.rows))

    def trend(
        self,
        caller: Caller,
        asked: AskedTrend,
        engine: str = "",
        *,
        ahead: Ahead = NOTHING_AHEAD,
        at: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Trend | None:
        """Everything of one range, of one state; None while no window has closed. Raises what `trends.trend` raises."""
        caller.require(Role.VIEWER, "Asking about revenue")
        engine_asked = self._engine(engine or self._settings.lake.engine)
        return trend(engine_asked, asked, ahead=ahead, snapshot_id=at, limits=limits)

    def newest_end(
        self, caller: Caller, engine: str = "", at: int | datetime | None = None, limits: Limits = WITHOUT_HASTE
    ) -> datetime | None:
        """When the newest window ends, in UTC; None where there is none."""
        caller.require(Role.VIEWER, "Asking about revenue")
        # recent ones first: few files hold them
        for start in (datetime.now(UTC) - _RECENT, EARLIEST):
            rows = self.ask(caller, Inquiry(NEWEST, start, LATEST), engine, at, limits).answer.rows
            found: datetime | None = rows["window_end"][0].as_py()
            if found is not None:
                return found
        return None

    def progress(self, caller: Caller) -> Progress | None:
        """While an engine reads a table whole, for whoever asks: how far it is."""
        caller.require(Role.VIEWER, "Asking about revenue")
        with self._lock:
            engines = [one for one in self._engines.values() if isinstance(one, Prepared)]
        return next(filter(None, (one.progress for one in engines)), None)

    def names(self, caller: Caller) -> list[str]:
        """The tables that this caller may see, whether they exist or not; nothing is asked."""
        caller.require(Role.VIEWER, "Seeing the tables")
        return [name for name in self._names if caller.may(_role(name))]

    def exists(self, caller: Caller, table: str) -> bool:
        caller.require(_role(table), f"Seeing the table {table}")
        return self._lake.table(table) is not None

    def lent(self, caller: Caller, table: str) -> Lent:
        """What this caller may see of a table, for SQL of theirs; raises what `preview` raises."""
        found = self._table(caller, table)
        # the table may have other columns already, of which the newest state has nothing
        newest = found.newest
        columns = found.columns_at(None if newest is None else newest.id)
        names = [one.name for one in self._open(caller, columns)]
        return Lent(table, found, names, self._secret)

    def open_columns(self, caller: Caller, table: str, columns: list[Column]) -> list[Column]:
        """Those that this caller may see, for admins too without the secret ones: nothing would hide what is clear."""
        caller.require(_role(table), f"Seeing the table {table}")
        return [one for one in self._open(caller, columns) if not self._is_secret(one)]

    def files(self, caller: Caller, table: str, snapshot: int | None = None) -> list[StateFile]:
        """What a state of a table is made of, the largest first."""
        found = self._table(caller, table)
        if found.at(snapshot) is None:
            return []
        columns = [one.name for one in self._open(caller, found.columns_at(snapshot))]
        return sorted(found.files(columns, snapshot), key=lambda one: one.bytes, reverse=True)

    def close(self) -> None:
        """Ends the engines; for the end of the process."""
        with self._lock:
            engines = list(self._engines.values())
            self._engines.clear()
        for engine in engines:
            engine.close()

    @cached_property
    def _names(self) -> list[str]:
        return sorted(load_pipeline(self._settings.pipeline).tableflow_topics)

    @cached_property
    def _secret(self) -> frozenset[str]:
        return secret_names(self._settings.pipeline)

    @cached_property
    def _lake(self) -> Lake:
        return self._lakes(self._settings)

    def _engine(self, name: str) -> Engine:
        with self._lock:
            if name not in self._engines:
                self._engines[name] = self._new_engine(self._settings, name)
            return self._engines[name]

    def _as_of(self, when: datetime) -> AsOf | None:
        table = self._lake.table(REVENUE_TABLE)
        return None if table is None else History(table).as_of(when)

    def _table(self, caller: Caller, name: str) -> LakeTable:
        caller.require(_role(name), f"Seeing the table {name}")
        if name not in self._names:
            raise SettingsError(f"{name} is no table of the pipeline.", f"Wanted {', '.join(self._names)}.")
        table = self._lake.table(name)
        if table is None:
            raise ReadError(f"There is no table {name} yet.", "`sales-trends status` says what the pipeline waits for.")
        return table

    def _facts(self, caller: Caller, name: str, table: LakeTable) -> TableFacts:
        columns = table.columns_at()
        seen = self._open(caller, columns)
        return TableFacts(name, [(one.name, one.type) for one in seen], len(columns) - len(seen), table.newest)

    def _open(self, caller: Caller, columns: list[Column]) -> list[Column]:
        """Those that this caller may see."""
        return [one for one in columns if self._may_see(caller, one)]

    def _may_see(self, caller: Caller, column: Column) -> bool:
        # what holds the whole record holds its secrets too, and cannot be shown without them
        if any(name.startswith("$$") and name not in _PLAIN for name in column.names):
            return False
        return caller.may(Role.ADMIN) or not self._is_secret(column)

    def _is_secret(self, column: Column) -> bool:
        return any(name.casefold() in self._secret for name in column.names)


def _role(table: str) -> Role:
    return Role.VIEWER if table in TABLES else Role.OPS
