"""The SQLite file of the history, and the statements of history_sql that it is asked with."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from dashboard.errors import ReadError
from dashboard.sql_files import read_sql
from dashboard.sqlite_file import SqliteFile

_FORMAT = 1
_SQL = "dashboard/freshness/history_sql"


class Run(Protocol):
    """Runs a file of history_sql."""

    def __call__(self, file: str, /, **values: Any) -> sqlite3.Cursor: ...


class HistoryFile(SqliteFile):
    """Every call raises ReadError when the file cannot be used, and the next one tries anew."""

    @contextmanager
    def transaction(self, kind: str = "DEFERRED") -> Iterator[Run]:
        """All of it sees one state of the file, and is kept whole or not at all."""
        with self._transaction(kind) as connection:
            yield lambda file, /, **values: connection.execute(_sql(file), values)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _FORMAT):
            raise self._unusable(f"it has format {found}, this version has {_FORMAT}")
        if not found:
            connection.executescript(f"BEGIN IMMEDIATE; {_sql('tables')} PRAGMA user_version = {_FORMAT}; COMMIT;")

    def _fault(self, error: Exception) -> ReadError:
        return self._unusable((error.strerror if isinstance(error, OSError) else None) or str(error))

    def _unusable(self, why: str) -> ReadError:
        return ReadError(
            f"The history of freshness {self._file} cannot be used: {why}.",
            "Make room or grant the right; a damaged file may be moved away, and the history begins anew.",
        )


@cache
def _sql(name: str) -> str:
    return read_sql(_SQL, name)
