"""The SQLite file in which people keep what they make on the page, one for a target; several processes may open it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dashboard.errors import KeepError
from dashboard.settings import Settings

_TABLES = Path(__file__).with_name("kept_tables.sql")
_VERSION = 1
"""Of these tables; SQLite's own number for it stands in the file."""
_BUSY_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def kept_file(settings: Settings) -> Path:
    """Where what people keep of the target of these settings stands."""
    return settings.local.home / "kept" / settings.target / "kept.sqlite"


class KeptFile:
    """One connection, for one act of one thread. Every call raises KeepError where the file cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._faults():
            file.parent.mkdir(parents=True, exist_ok=True)
            # notes and views name people, and the stack's folder may be open to others
            file.touch(mode=0o600)
            self._connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            with self._faults():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All or nothing, and no other process between: what was counted in here still holds when it is written."""
        self.rows("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.rows("ROLLBACK")
            raise
        self.rows("COMMIT")

    def rows(self, sql: str, *values: object) -> list[Any]:
        with self._faults():
            return self._connection.execute(sql, values).fetchall()

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise KeepError(
                f"{self._file} was written by a newer version of Sales Trends.", "Use that version, or move it aside."
            )
        if version < _VERSION:
            tables = _TABLES.read_text(encoding="utf-8")
            self._connection.executescript(f"BEGIN IMMEDIATE;\n{tables}\nPRAGMA user_version = {_VERSION};\nCOMMIT;")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise KeepError(
                f"Notes and views cannot be kept in {self._file}: {error}.",
                "Make room there, or let its owner write it; move a damaged file aside, and they begin anew.",
            ) from error


def microseconds(at: datetime) -> int:
    """Since 1970, as the file has it."""
    return (at - _EPOCH) // _MICROSECOND


def moment_of(kept: int) -> datetime:
    """UTC."""
    return _EPOCH + kept * _MICROSECOND
