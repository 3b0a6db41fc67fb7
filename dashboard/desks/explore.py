"""What people do on the page Explore: tables, their columns, snapshots and files, and SQL of their own that only reads.

Each function takes who calls and checks that before anything else. SQL of people is never run where a secret is: DuckDB
runs it in a process that is lent what the caller may see (`sandbox/`), Athena over views of just that.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dashboard.access import Caller, Role
from dashboard.deploy.pipeline import load_pipeline
from dashboard.desks.lake import LakeDesk
from dashboard.errors import AccessError, SettingsError, StatementError
from dashboard.lake_connections import athena_access_of
from dashboard.readers.athena.access import AthenaAccess
from dashboard.readers.engine import Limits
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.lake import ORDERS_TABLE
from dashboard.readers.lake_table import Column
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, compose
from dashboard.readers.state_file import StateFile
from dashboard.sandbox.admission import ALL_TABLES
from dashboard.sandbox.lender import Lent
from dashboard.sandbox.limits import LONGEST_TEXT, MOST_ROWS, ROWS, TIME
from dashboard.sandbox.places import Place, Places
from dashboard.sandbox.process import Found, run
from dashboard.settings import Settings
from dashboard.statements import Statement, Statements

if TYPE_CHECKING:
    from dashboard.sandbox.athena import AthenaSandbox

DUCKDB, ATHENA = "duckdb", "athena"
AT_ONCE = 2
"""Statements that run: each may take a gigabyte and a processor."""
SHOWN_FILES = 200
_WHAT = "Running SQL"


@dataclass(frozen=True)
class Files:
    """Of a table's newest state."""

    largest: list[StateFile]
    """SHOWN_FILES of them at most."""
    count: int
    bytes: int
    """Of all of them."""


class ExploreDesk:
    """Of one target; one for a process. Any thread may call."""

    def __init__(
        self, settings: Settings, lake: LakeDesk, athena: Callable[[Settings], AthenaAccess] = athena_access_of
    ) -> None:
        self._settings = settings
        self.lake = lake
        """For tables, previews and snapshots."""
        self._athena_access = athena
        self._lock = threading.Lock()
        self._statements = Statements()
        self._places = Places(AT_ONCE)
        self._athena: AthenaSandbox | None = None
        self._has_orders = False
        """Once there is the table, it stays."""

    def engines(self, caller: Caller) -> list[str]:
        """Those that run SQL here, the usual one first."""
        caller.require(Role.VIEWER, _WHAT)
        with suppress(SettingsError):
            self._athena_access(self._settings)
            return [DUCKDB, ATHENA]
        return [DUCKDB]

    def files(self, caller: Caller, table: str) -> Files:
        found = self.lake.files(caller, table)
        return Files(found[:SHOWN_FILES], len(found), sum(one.bytes for one in found))

    def sql_of(self, caller: Caller, inquiry: Inquiry) -> list[str]:
        """The statements that a figure comes from, to be copied and run; several where the zone's clock changes.

        Raises what `Inquiry.parts` raises.
        """
        caller.require(Role.VIEWER, "Seeing the SQL of a figure")
        composed = compose(inquiry.question, DIRECT)
        if ORDERS_TABLE in composed.tables and not self._has_orders:
            # a page may show the SQL again and again, for which the catalog need not be asked
            self._has_orders = self.lake.exists(caller, ORDERS_TABLE)
            composed = composed if self._has_orders else compose(inquiry.question, DIRECT, WITHOUT_ORDERS)
        seconds = int(self._settings.pipeline.window_size.total_seconds())
        parts = [composed.values(part, window_seconds=seconds) for part in inquiry.parts()]
        return [f"{composed.filled(values)};" for values in parts]

    def run(
        self, caller: Caller, sql: str, engine: str = DUCKDB, rows: int = ROWS, limits: Limits | None = None
    ) -> Found:
        """The first rows of one statement that only reads. Waits for its turn and for it, TIME at most each.

        Raises StatementError for what is refused and for a fault in the text, saying where; AccessError for a table
        that this caller may not see; SettingsError for an engine that is not here; ReadError at a limit;
        UnreachableError where catalog, files or engine do not answer.
        """
        caller.require(Role.VIEWER, _WHAT)
        _check(sql, rows)
        limits = limits or Limits(TIME)
        return self._found(caller, sql, engine, rows, limits, self._places.take(caller.name, limits.timeout))

    def begin(self, caller: Caller, sql: str, engine: str = DUCKDB, rows: int = ROWS) -> str:
        """Begins it, and gives the name under which the same caller can watch and cancel it.

        Raises what `run` raises before it starts, and ReadError when as many run as may, or one of this caller's.
        """
        caller.require(Role.VIEWER, _WHAT)
        _check(sql, rows)
        statement = Statement(caller.name, caller.role, engine, datetime.now(UTC))
        place = self._places.take(caller.name)
        name = self._statements.begin(statement)
        limits = Limits(TIME, statement.unwanted)
        work = threading.Thread(
            target=self._carry_out,
            args=(name, statement, caller, sql, rows, limits, place),
            name="SQL of people",
            daemon=True,
        )
        work.start()
        return name

    def watch(self, caller: Caller, name: str) -> Statement:
        """Raises ReadError for one that is forgotten or somebody else's."""
        caller.require(Role.VIEWER, _WHAT)
        return self._statements.find(name, caller.name, caller.role)

    def cancel(self, caller: Caller, name: str) -> None:
        self.watch(caller, name).unwanted.set()

    def close(self) -> None:
        """Ends what runs; for the end of the process."""
        self._statements.cancel_all()
        with self._lock:
            if self._athena is not None:
                self._athena.close()

    def _asked_of_athena(self) -> "AthenaSandbox":
        # boto3 and sqlglot, for which nobody else should wait
        from dashboard.sandbox.athena import AthenaSandbox

        with self._lock:
            if self._athena is None:
                tables = load_pipeline(self._settings.pipeline).tableflow_topics
                self._athena = AthenaSandbox(self._athena_access(self._settings), tables)
            return self._athena

    def _carry_out(
        self, name: str, statement: Statement, caller: Caller, sql: str, rows: int, limits: Limits, place: Place
    ) -> None:
        try:
            statement.result.set_result(self._found(caller, sql, statement.engine, rows, limits, place))
        except BaseException as error:  # whoever looks raises it
            statement.result.set_exception(error)
        finally:
            self._statements.end(name)

    def _found(self, caller: Caller, sql: str, engine: str, rows: int, limits: Limits, place: Place) -> Found:
        with place:
            if engine not in self.engines(caller):
                wanted = " or ".join(self.engines(caller))
                raise SettingsError(f"There is no engine {engine!r} here.", f"Wanted {wanted}.")
            if engine == ATHENA:
                return self._asked_of_athena().run(sql, partial(self._permitted, caller), rows, limits, place)
            return run(sql, partial(self._lend, caller), rows, limits, place)

    def _lend(self, caller: Caller, names: Sequence[str]) -> list[Lent]:
        """Raises AccessError or StatementError for a table that is not there for this caller."""
        if ALL_TABLES in names:
            names = [name for name in self.lake.names(caller) if self.lake.exists(caller, name)]
        return [self.lake.lent(caller, name) for name in dict.fromkeys(self._known(caller, name) for name in names)]

    def _permitted(self, caller: Caller, name: str, columns: list[Column]) -> tuple[str, list[Column]]:
        known = self._known(caller, name)
        return known, self.lake.open_columns(caller, known, columns)

    def _known(self, caller: Caller, name: str) -> str:
        """The table as the pipeline calls it."""
        seen = self.lake.names(caller)
        for one in seen:
            if one.casefold() == name.casefold():
                return one
        hint = f"You may ask about {', '.join(seen)}."
        if name.casefold() in map(str.casefold, load_pipeline(self._settings.pipeline).tableflow_topics):
            raise AccessError(f"Seeing the table {name} is for {Role.OPS.people}.", hint)
        raise StatementError(f"There is no table {name[:100]} here.", hint)


def _check(sql: str, rows: int) -> None:
    if not sql.strip():
        raise StatementError("There is no SQL to run.", "Write a SELECT, or take one of the questions.")
    if len(sql) > LONGEST_TEXT:
        raise StatementError(f"The SQL has {len(sql):,} characters.", f"At most {LONGEST_TEXT:,} are run.")
    if not 0 < rows <= MOST_ROWS:
        raise SettingsError(f"{rows:,} rows are too few or too many.", f"Wanted 1 to {MOST_ROWS:,}.")
