"""The SQLite file of the history, and the statements of history_sql that it is asked with."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from dashboard.errors import ReadError
from dashboard.sql_files import read_sql

_FORMAT = 1
_SQL = "dashboard/freshness/history_sql"
_BUSY_SECONDS = 10


class Run(Protocol):
    """Runs a file of history_sql."""

    def __call__(self, file: str, /, **values: Any) -> sqlite3.Cursor: ...


class HistoryFile:
    """One connection, opened by the first call, and one user at a time; several may be open on one file.

    Every call raises ReadError when the file cannot be used, and the next one tries anew.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @contextmanager
    def transaction(self, kind: str = "DEFERRED") -> Iterator[Run]:
        """All of it sees one state of the file, and is kept whole or not at all."""
        with self._faults(), self._lock:
            connection = self._opened = self._opened or self._open()
            connection.execute(f"BEGIN {kind}")
            try:
                yield lambda file, /, **values: connection.execute(_sql(file), values)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _FORMAT):
            raise self._fault(f"it has format {found}, this version has {_FORMAT}")
        if not found:
            connection.executescript(f"BEGIN IMMEDIATE; {_sql('tables')} PRAGMA user_version = {_FORMAT}; COMMIT;")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._fault(str(error)) from error
        except OSError as error:
            raise self._fault(error.strerror or str(error)) from error

    def _fault(self, why: str) -> ReadError:
        return ReadError(
            f"The history of freshness {self._file} cannot be used: {why}.",
            "Make room or grant the right; a damaged file may be moved away, and the history begins anew.",
        )


@cache
def _sql(name: str) -> str:
    return read_sql(_SQL, name)
