"""The DuckDB file of a mirror as it is found, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import duckdb

from dashboard.errors import ReadError
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.mirror.seen import NEVER
from dashboard.readers.mirror.slot import Slot
from dashboard.sql_files import read_sql

_SQL = "dashboard/readers/mirror/sql"
MOST_ADDED = 2_000_000
"""More rows than that are read with the whole table, bit by bit: what was added comes at once."""
_NOT_TORN = ("lock", "No space", "Permission denied", "Too many open files")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    # a question that two share ends no sooner, and keeps another one waiting
    "threads": 1,
    "memory_limit": "512MB",
}


@dataclass(frozen=True)
class MirroredState:
    """Which state of an Iceberg table the mirror holds."""

    table: str
    identity: str
    """Of the table, to tell it from another one of its name."""
    snapshot: Snapshot
    longest: timedelta
    """The longest window."""
    newest: timedelta
    """The newest one; of orders, how long the windows are that they are placed in."""


@dataclass(frozen=True)
class Version:
    """What the mirror holds between two changes."""

    number: int
    states: Mapping[str, MirroredState]
    """By table; none before the first load."""
    ends: datetime
    """Of the newest window, UTC; NEVER without one."""


def came(before: Snapshot, after: Snapshot) -> int:
    """About how many rows one state has more than another; 0 where their writer does not say."""
    return max(0, (after.rows or 0) - (before.rows or 0))


def opened(slot: Slot) -> tuple[duckdb.DuckDBPyConnection, Version]:
    """Another version's file, or a torn one, is begun anew: everything in it stands in the lake."""
    for attempt in range(2):
        try:
            database = duckdb.connect(str(slot.path), config=_CONFIG)
        except duckdb.Error as error:
            if attempt or any(sign in str(error) for sign in _NOT_TORN):
                raise ReadError(
                    f"The mirror in {slot.path.parent} cannot be opened: {error}",
                    "Make room on its disk, or end who else has it open; without it, it is read anew.",
                ) from error
            slot.forget()
            continue
        try:
            database.execute("SET TimeZone = 'UTC'")
            return database, _read_version(database)
        except duckdb.Error:
            database.close()
            if attempt:
                raise
            slot.forget()
    raise AssertionError


def _read_version(database: duckdb.DuckDBPyConnection) -> Version:
    """Of a file as it is found; raises duckdb.Error where it has another layout than ours."""
    tables = read_sql(_SQL, "tables")
    layout = sha256(tables.encode()).hexdigest()
    database.execute(tables)
    database.execute("CREATE TABLE IF NOT EXISTS layout (digest VARCHAR)")
    if (known := database.execute("SELECT digest FROM layout").fetchall()) not in ([], [(layout,)]):
        raise duckdb.CatalogException(f"the layout is {known}")
    if not known:
        if database.execute("SELECT COUNT(*) FROM mirrored").fetchall() != [(0,)]:
            raise duckdb.CatalogException("the layout is an older one")
        database.execute("INSERT INTO layout VALUES ($layout)", {"layout": layout})
    states = {
        table: MirroredState(
            table,
            identity,
            Snapshot(id_, at.replace(tzinfo=UTC), rows),
            timedelta(microseconds=longest),
            timedelta(microseconds=newest),
        )
        for table, identity, id_, at, rows, longest, newest in database.execute("SELECT * FROM mirrored").fetchall()
    }
    [ends] = database.execute("SELECT MAX(window_end) FROM windows").fetchone() or [None]
    return Version(0, states, NEVER if ends is None else ends.replace(tzinfo=UTC))
