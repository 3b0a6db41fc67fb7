"""Answers that DuckDB reads from the Iceberg tables itself, through the REST catalog, from files or object store."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from threading import Lock

import duckdb
import pyarrow as pa

from dashboard.errors import ReadError
from dashboard.readers.deadline import Stop
from dashboard.readers.duckdb_catalog import AttachedCatalog, database
from dashboard.readers.duckdb_errors import duckdb_translated
from dashboard.readers.in_memory import execute
from dashboard.readers.lake import Lake
from dashboard.readers.questions import at_snapshots
from dashboard.readers.table_engine import Asked, TableEngine

_ANOTHER_ENGINE = "Ask another engine, such as pyiceberg."


class DuckdbEngine(TableEngine):
    """Keeps the catalog attached, and asks it for a table's newest metadata with every answer."""

    name = "duckdb"

    def __init__(self, lake: Lake, window: timedelta) -> None:
        super().__init__(lake, window)
        self._catalog = AttachedCatalog(lake.access)
        self._attached = False
        self._lock = Lock()

    def close(self) -> None:
        with self._lock:
            if self._attached:
                with self._cursor() as cursor:
                    self._catalog.detach(cursor)
            self._attached = False

    def _read(self, asked: Asked, stop: Stop) -> pa.Table:
        clauses = {name: f"AT (VERSION => {pinned.snapshot.id:d})" for name, pinned in asked.tables.items()}
        namespace = self._quoted_namespace()
        with self._cursor() as cursor:
            with stop.interrupting(cursor.interrupt):
                self._open(cursor)
                cursor.execute(f"USE {self._catalog.name}.{namespace}")
            return execute(cursor, at_snapshots(asked.text, clauses), asked.parameters, stop)

    def _open(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if self._attached:
                self._catalog.renew(cursor)
            else:
                self._catalog.attach(cursor)
                self._attached = True

    def _quoted_namespace(self) -> str:
        access = self._lake.access
        if access.kind == "glue":
            raise ReadError("DuckDB does not read the tables of AWS Glue: it has no REST catalog.", _ANOTHER_ENGINE)
        if "." in access.namespace:
            raise ReadError(
                f"DuckDB cannot read the namespace {access.namespace}: to it a dot stands between levels of a name.",
                _ANOTHER_ENGINE,
            )
        quoted = access.namespace.replace('"', '""')
        return f'"{quoted}"'

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        access = self._lake.access
        tables = f"the tables of {access.namespace} at {access.uri}"
        # the secrets are those at the time of the error
        with closing(database().cursor()) as cursor, duckdb_translated(tables, lambda: self._catalog.secrets):
            yield cursor
