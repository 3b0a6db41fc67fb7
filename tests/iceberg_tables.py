"""Real Iceberg tables for tests: a SQLite catalog or the local REST catalog, and a warehouse in a temporary folder."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import uvicorn
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    TimestampType,
    TimestamptzType,
)

from dashboard.local.registry_and_catalog import create_app
from dashboard.readers.lake_table import LakeTable

NAMESPACE = "lkc-test"
WINDOW = timedelta(seconds=5)
_NAIVE = pa.timestamp("us")
Row = tuple[datetime, str | None]
"""window_start and the total as text."""
Order = tuple[datetime, float]
"""When it was paid, and its amount."""


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


def lake_table(table: Table) -> LakeTable:
    """As the readers see it now."""
    table.refresh()
    return LakeTable(table, "http://unused")


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
    table.refresh()
    table.append(revenue_rows(table, rows, window, first_offset=first_offset))


def revenue_rows(table: Table, rows: Sequence[Row], window: timedelta = WINDOW, *, first_offset: int = 0) -> pa.Table:
    """Windows as the table takes them, whatever precision and zone its columns have; other columns are left out."""
    columns = {
        "window_start": pa.array([start.astimezone(UTC).replace(tzinfo=None) for start, _ in rows], _NAIVE),
        "window_end": pa.array([(start + window).astimezone(UTC).replace(tzinfo=None) for start, _ in rows], _NAIVE),
        "total_revenue": pa.array([text and Decimal(text) for _, text in rows], pa.decimal128(38, 2)),
        "$$partition": pa.array([0] * len(rows), pa.int32()),
        "$$offset": pa.array(range(first_offset, first_offset + len(rows)), pa.int64()),
    }
    return _as_taken(table, columns)


def commit_nothing(catalog: Catalog, table: Table, times: int) -> Table:
    """The table after so many commits that added nothing; written as one file, for real ones take a minute."""
    table.refresh()
    path = Path(table.metadata_location.removeprefix("file://"))
    metadata = json.loads(path.read_text())
    newest = max(metadata["snapshots"], key=lambda snapshot: snapshot["sequence-number"])
    for _ in range(times):
        parent, number = newest["snapshot-id"], newest["sequence-number"] + 1
        newest = {**newest, "snapshot-id": uuid4().int >> 66, "parent-snapshot-id": parent, "sequence-number": number}
        metadata["snapshots"].append(newest)
        metadata["snapshot-log"].append({name: newest[name] for name in ("snapshot-id", "timestamp-ms")})
    metadata["current-snapshot-id"] = metadata["refs"]["main"]["snapshot-id"] = newest["snapshot-id"]
    metadata["last-sequence-number"] = newest["sequence-number"]
    written = path.with_name(f"{int(path.name[:5]) + 1:05}-{uuid4()}.metadata.json")
    written.write_text(json.dumps(metadata))
    catalog.drop_table(table.name())
    return catalog.register_table(table.name(), f"file://{written}")


def orders_table(catalog: Catalog, *, zoned: bool = False, namespace: str = NAMESPACE) -> Table:
    """An empty `completed_orders`, with the columns that anybody reads."""
    catalog.create_namespace_if_not_exists(namespace)
    return catalog.create_table(
        (namespace, "completed_orders"),
        Schema(
            NestedField(1, "amount", DoubleType()),
            NestedField(2, "ts", TimestamptzType() if zoned else TimestampType()),
            NestedField(3, "$$partition", IntegerType()),
            NestedField(4, "$$offset", LongType()),
        ),
    )


def append_orders(table: Table, orders: Sequence[Order], *, first_offset: int = 0) -> None:
    """One commit with these orders, in the order in which they reached the topic."""
    columns = {
        "amount": pa.array([amount for _, amount in orders], pa.float64()),
        "ts": pa.array([paid_at.astimezone(UTC).replace(tzinfo=None) for paid_at, _ in orders], _NAIVE),
        "$$partition": pa.array([0] * len(orders), pa.int32()),
        "$$offset": pa.array(range(first_offset, first_offset + len(orders)), pa.int64()),
    }
    table.refresh()
    table.append(_as_taken(table, columns))


def _as_taken(table: Table, columns: dict[str, pa.Array]) -> pa.Table:
    schema = table.schema().as_arrow()
    kept = [name for name in columns if name in schema.names]
    return pa.table({name: columns[name].cast(schema.field(name).type) for name in kept})


def call_it_compaction(metadata: Path) -> None:
    """PyIceberg 0.12 cannot compact: the same files and rows, with the operation that Flink's compaction writes."""
    content = json.loads(metadata.read_text())
    for snapshot in content["snapshots"][-2:]:
        snapshot["summary"]["operation"] = "replace"
    metadata.write_text(json.dumps(content))
