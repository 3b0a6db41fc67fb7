"""What both journals have in common: a SQLite file, facts about the run, and how far the topic is settled.

A row is written before its record is sent. `settled_through` says up to which row the fate of the records is known;
rows beyond it are in flight, or were when the process died. A settled row was sent unless `left_out` names it.
`ends` holds what the topic looked like at the settlement: the next offset of each partition and the newest record
timestamp in it.

The files are in WAL mode with synchronous=NORMAL: they outlive the death of the process at any moment, and a power
loss may cost the newest transactions. Card numbers are never written to them.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dashboard.errors import ReadError, StackError
from dashboard.local.identity import identity, same_process

_BUSY_SECONDS = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS ends (
    topic_partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, newest_ms INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS left_out (row INTEGER PRIMARY KEY, why TEXT NOT NULL) STRICT;
"""
VOID, REJECTED = "void", "rejected"
"""Why a row is left out: it never reached the topic, or the contract's rules refused it."""


@dataclass(frozen=True, slots=True)
class End:
    """Where one partition of the topic ended at the last settlement."""

    next_offset: int
    newest_ms: int | None
    """The newest record timestamp in it; None while it is empty."""

    def after(self, before: "End | None") -> "End":
        """This end, with the newest of both timestamps: records may be out of order from one batch to the next."""
        stamps = [end.newest_ms for end in (before, self) if end is not None and end.newest_ms is not None]
        return End(self.next_offset, max(stamps, default=None))


class Journal:
    """One process's journal, for writing; entering it raises StackError while another living process has it."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # autocommit: every transaction here is begun and ended by name
        self.connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        self.path = path
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA cache_size = -32768")
        # in one transaction, so that a reader finds either all tables or none
        self.connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {schema} COMMIT;")

    def __enter__(self) -> Self:
        try:
            self._claim()
        except BaseException:
            self.connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self.transaction():
            self.set_facts(pid=None, live_since_ms=None)
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # a full disk has rolled back by itself
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def fact(self, name: str) -> int | None:
        return _fact(self.connection, name)

    def set_facts(self, **facts: float | None) -> None:
        self.connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def note_batch(self) -> None:
        """A batch is about to be sent, at this moment of the clock (its records may bear older times)."""
        self.set_facts(written_ms=time.time() * 1000)

    def ends(self) -> dict[int, End]:
        return ends_of(self.connection)

    def merge_ends(self, ends: Mapping[int, End]) -> None:
        """Moves the ends on; the newest timestamp never moves back, since records may be out of order."""
        before = self.ends()
        self.set_ends({partition: end.after(before.get(partition)) for partition, end in ends.items()})

    def set_ends(self, ends: Mapping[int, End]) -> None:
        rows = [(partition, end.next_offset, end.newest_ms) for partition, end in ends.items()]
        self.connection.executemany("INSERT OR REPLACE INTO ends VALUES (?, ?, ?)", rows)

    def leave_out(self, rows: Iterable[int], why: str) -> None:
        self.connection.executemany("INSERT INTO left_out VALUES (?, ?)", ((row, why) for row in rows))

    def _claim(self) -> None:
        with self.transaction():
            pid = running_pid(self.connection)
            if pid is not None and pid != os.getpid():
                raise StackError(
                    f"The journal {self.path} belongs to the running process {pid}.",
                    "The shop runs once per stack; `sales-trends status` shows it.",
                )
            self.set_facts(pid=os.getpid(), process_identity=identity(os.getpid()), live_since_ms=None)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """One unchanging view of a journal that its process may be writing; None while it does not exist.

    Raises ReadError when the file is no journal.
    """
    if not path.exists():
        yield None
        return
    try:
        # not mode=ro: a reader of a WAL file whose last writer closed it must be able to make the index file anew
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", timeout=_BUSY_SECONDS, uri=True)
        try:
            connection.isolation_level = None
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            # a file without tables is one that its process has only just made
            written = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            yield connection if written else None
            connection.execute("COMMIT")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ReadError(f"The journal {path} could not be read: {error}.") from error


def running_pid(connection: sqlite3.Connection) -> int | None:
    """The process that has the journal; None when it ended, however it ended."""
    pid, noted = _fact(connection, "pid"), _fact(connection, "process_identity")
    if pid is None or noted is None:
        return None
    return pid if same_process(pid, noted) else None


def facts_of(connection: sqlite3.Connection) -> dict[str, int | None]:
    return dict(connection.execute("SELECT name, value FROM facts"))


def ends_of(connection: sqlite3.Connection) -> dict[int, End]:
    rows = connection.execute("SELECT topic_partition, next_offset, newest_ms FROM ends ORDER BY 1")
    return {partition: End(next_offset, newest_ms) for partition, next_offset, newest_ms in rows}


def _fact(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None
