"""The SQLite file in which people keep what they make on the page, one for a target; several processes may open it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dashboard.errors import KeepError
from dashboard.settings import Settings
from dashboard.sqlite_file import SqliteFile

_TABLES = Path(__file__).with_name("kept_tables.sql")
_VERSION = 1
"""Of these tables; SQLite's own number for it stands in the file."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def kept_file(settings: Settings) -> Path:
    """Where what people keep of the target of these settings stands."""
    return settings.local.home / "kept" / settings.target / "kept.sqlite"


class KeptFile(SqliteFile):
    """For one act of one thread, opened at once. Every call raises KeepError where the file cannot be used."""

    def __init__(self, file: Path) -> None:
        # notes and views name people, and the stack's folder may be open to others
        super().__init__(file, mode=0o600)
        with self._faults():
            self._connection()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All or nothing, and no other process between: what was counted in here still holds when it is written."""
        with self._transaction():
            yield

    def rows(self, sql: str, *values: object) -> list[Any]:
        return self._rows(sql, *values)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise KeepError(
                f"{self._file} was written by a newer version of Sales Trends.", "Use that version, or move it aside."
            )
        if version < _VERSION:
            tables = _TABLES.read_text(encoding="utf-8")
            connection.executescript(f"BEGIN IMMEDIATE;\n{tables}\nPRAGMA user_version = {_VERSION};\nCOMMIT;")

    def _fault(self, error: Exception) -> KeepError:
        return KeepError(
            f"Notes and views cannot be kept in {self._file}: {error}.",
            "Make room there, or let its owner write it; move a damaged file aside, and they begin anew.",
        )


def microseconds(at: datetime) -> int:
    """Since 1970, as the file has it."""
    return (at - _EPOCH) // _MICROSECOND


def moment_of(kept: int) -> datetime:
    """UTC."""
    return _EPOCH + kept * _MICROSECOND
