"""A SQLite file of ours: one connection, one user at a time, every fault told in its owner's words."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dashboard.errors import SalesTrendsError

_BUSY_SECONDS = 10


class SqliteFile(ABC):
    """Opened by the first call; several may be open on one file, in one process or in many.

    Every call raises what `_fault` makes when the file cannot be used, and the next one tries anew.
    """

    def __init__(self, file: Path, mode: int | None = None) -> None:
        """`mode` is that of a file which is made."""
        self._file = file
        self._mode = mode
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    @abstractmethod
    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Makes what a file lacks that is new."""

    @abstractmethod
    def _fault(self, error: Exception) -> SalesTrendsError:
        """Why the file cannot be used."""

    def close(self) -> None:
        """A call after it opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """All of it sees one state of the file, and is kept whole or not at all."""
        with self._faults(), self._lock:
            connection = self._connection()
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
            except BaseException:
                # a full disk has rolled back by itself
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with self._faults(), self._lock:
            return self._connection().execute(sql, values).fetchall()

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._mode is not None:
            self._file.touch(mode=self._mode)
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from error
