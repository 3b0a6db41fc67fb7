"""Real Iceberg tables for tests: a SQLite catalog or the local REST catalog, and a warehouse in a temporary folder."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import uvicorn
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IntegerType, LongType, NestedField, TimestampType, TimestamptzType

from dashboard.local.registry_and_catalog import create_app

NAMESPACE = "lkc-test"
WINDOW = timedelta(seconds=5)
Row = tuple[datetime, str | None]
"""window_start and the total as text."""


@contextmanager
def sqlite_catalog(folder: Path) -> Iterator[SqlCatalog]:
    catalog = SqlCatalog(
        "test", uri=f"sqlite:///{folder / 'catalog.sqlite'}", warehouse=f"file://{folder / 'warehouse'}"
    )
    try:
        yield catalog
    finally:
        catalog.close()


@contextmanager
def served_catalog(folder: Path, port: int = 0) -> Iterator[str]:
    """The address of the local stack's own REST catalog, served from this process."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = uvicorn.Server(uvicorn.Config(create_app(folder, folder / "warehouse"), log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the catalog did not start"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/iceberg"
        finally:
            server.should_exit = True
            thread.join(10)


def revenue_table(catalog: Catalog, *, zoned: bool = False, namespace: str = NAMESPACE) -> Table:
    """An empty `revenue_summary` as Tableflow makes it, with its two columns of its own."""
    catalog.create_namespace_if_not_exists(namespace)
    timestamp = TimestamptzType() if zoned else TimestampType()
    return catalog.create_table(
        (namespace, "revenue_summary"),
        Schema(
            NestedField(1, "window_start", timestamp),
            NestedField(2, "window_end", timestamp),
            NestedField(3, "total_revenue", DecimalType(18, 2)),
            NestedField(4, "$$partition", IntegerType()),
            NestedField(5, "$$offset", LongType()),
        ),
    )


def append(table: Table, rows: Sequence[Row], window: timedelta = WINDOW, *, first_offset: int = 0) -> None:
    """One commit with these windows, which stood in the topic one behind the other."""
    kind = pa.timestamp("us", tz="UTC")
    if isinstance(table.schema().find_type("window_start"), TimestampType):
        kind = pa.timestamp("us")
    starts = pa.array([start.astimezone(UTC).replace(tzinfo=None) for start, _ in rows], pa.timestamp("us"))
    ends = pa.array([(start + window).astimezone(UTC).replace(tzinfo=None) for start, _ in rows], pa.timestamp("us"))
    table.refresh()
    table.append(
        pa.table(
            {
                "window_start": starts.cast(kind),
                "window_end": ends.cast(kind),
                "total_revenue": pa.array([text and Decimal(text) for _, text in rows], pa.decimal128(18, 2)),
                "$$partition": pa.array([0] * len(rows), pa.int32()),
                "$$offset": pa.array(range(first_offset, first_offset + len(rows)), pa.int64()),
            }
        )
    )
