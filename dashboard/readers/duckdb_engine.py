"""Answers that DuckDB reads from the Iceberg tables itself, through the REST catalog, from files or object store."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from threading import Lock

import duckdb
import pyarrow as pa

from dashboard.errors import ReadError
from dashboard.readers.deadline import Stop
from dashboard.readers.duckdb_catalog import attach, database, detach, secrets_of
from dashboard.readers.duckdb_errors import duckdb_translated
from dashboard.readers.in_memory import execute
from dashboard.readers.lake import Lake
from dashboard.readers.questions import at_snapshots
from dashboard.readers.table_engine import Asked, TableEngine


class DuckdbEngine(TableEngine):
    """Keeps the catalog attached, and asks it for a table's newest metadata with every answer."""

    name = "duckdb"

    def __init__(self, lake: Lake, window: timedelta) -> None:
        super().__init__(lake, window)
        self._attached: str | None = None
        self._lock = Lock()

    def close(self) -> None:
        with self._lock:
            if self._attached is not None:
                with self._cursor() as cursor:
                    detach(cursor, self._attached)
            self._attached = None

    def _read(self, asked: Asked, stop: Stop) -> pa.Table:
        clauses = {name: f"AT (VERSION => {pinned.snapshot.id:d})" for name, pinned in asked.tables.items()}
        with self._cursor() as cursor:
            with stop.interrupting(cursor.interrupt):
                cursor.execute(f'USE {self._catalog(cursor)}."{self._namespace}"')
            return execute(cursor, at_snapshots(asked.text, clauses), asked.parameters, stop)

    def _catalog(self, cursor: duckdb.DuckDBPyConnection) -> str:
        """The name that the catalog is attached by, from the first answer on."""
        with self._lock:
            if self._attached is None:
                self._attached = attach(cursor, self._lake.access)
            return self._attached

    @property
    def _namespace(self) -> str:
        """As it stands between double quotes."""
        name = self._lake.namespace
        if "." in name:
            raise ReadError(
                f"DuckDB cannot read the namespace {name}: to it a dot stands between two levels of a name.",
                "Ask another engine, such as pyiceberg.",
            )
        return name.replace('"', '""')

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        access = self._lake.access
        tables = f"the tables of {access.namespace} at {access.uri}"
        with closing(database().cursor()) as cursor, duckdb_translated(tables, secrets_of(access)):
            yield cursor
