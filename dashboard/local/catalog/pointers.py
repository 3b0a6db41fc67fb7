"""Which metadata file is a table's newest: PyIceberg's SqlCatalog on SQLite, and the swap that makes a commit one.

SqlCatalog reads and parses the metadata file wherever it needs a pointer, and commits one table at a time; the swap
here moves the pointers of one or more tables in a single transaction and touches no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import ICEBERG_TABLE_TYPE, IcebergTables, SqlCatalog
from sqlalchemy import URL, Connection, event, insert, select, update
from sqlalchemy.exc import IntegrityError

from dashboard.local.catalog.names import TableName, is_allowed, stored_text
from dashboard.local.catalog.refusals import CommitConflict, TableExists

_CATALOG_NAME = "local"


@dataclass(frozen=True)
class Swap:
    """A table's pointer moves from the file it was read at to a new one."""

    table: TableName
    old: str | None
    """None: the table must not exist yet."""
    new: str


class Pointers:
    """The pointers of one warehouse."""

    def __init__(self, file: Path, warehouse: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        warehouse.mkdir(parents=True, exist_ok=True)
        self.warehouse = f"file://{warehouse.resolve()}"
        self.catalog = SqlCatalog(
            _CATALOG_NAME,
            uri=URL.create("sqlite", database=str(file)).render_as_string(),
            warehouse=self.warehouse,
            **{"py-io-impl": "dashboard.local.catalog.files.WarehouseIO"},
        )
        # SqlCatalog has opened connections by now; WAL needs each of them to be told how hard to write
        self.catalog.engine.dispose()
        event.listen(self.catalog.engine, "connect", _set_pragmas)

    def close(self) -> None:
        self.catalog.close()

    def location(self, table: TableName) -> str | None:
        """The newest metadata file; None if there is no such table."""
        if not all(is_allowed(name) for name in (*table.namespace, table.name)):
            return None
        with self.catalog.engine.connect() as connection:
            location: str | None = connection.scalar(select(IcebergTables.metadata_location).where(*_is(table)))
            return location

    def swap(self, swaps: Sequence[Swap]) -> None:
        """All pointers move, or none; raises CommitConflict or TableExists if one is not where it was."""
        with self.catalog.engine.begin() as connection:
            for swap in swaps:
                if swap.old is None:
                    _insert(connection, swap)
                else:
                    _move(connection, swap, swap.old)


def _insert(connection: Connection, swap: Swap) -> None:
    row = {
        "catalog_name": _CATALOG_NAME,
        "table_namespace": stored_text(swap.table.namespace),
        "table_name": swap.table.name,
        "metadata_location": swap.new,
        "iceberg_type": ICEBERG_TABLE_TYPE,
    }
    try:
        connection.execute(insert(IcebergTables).values(**row))
    except IntegrityError as exc:
        raise TableExists(str(swap.table)) from exc


def _move(connection: Connection, swap: Swap, old: str) -> None:
    unmoved = (*_is(swap.table), IcebergTables.metadata_location == old)
    files = {"metadata_location": swap.new, "previous_metadata_location": old}
    if connection.execute(update(IcebergTables).where(*unmoved).values(**files)).rowcount != 1:
        raise CommitConflict(f"Table has been updated by another writer: {swap.table}")


def _is(table: TableName) -> tuple[Any, ...]:
    return (
        IcebergTables.catalog_name == _CATALOG_NAME,
        IcebergTables.table_namespace == stored_text(table.namespace),
        IcebergTables.table_name == table.name,
    )


def _set_pragmas(connection: Any, record: object) -> None:
    # SqlCatalog looks for namespaces with LIKE, which in SQLite takes `A` for `a` unless told otherwise
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "case_sensitive_like=ON"):
        connection.execute(f"PRAGMA {pragma}")
