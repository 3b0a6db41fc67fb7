"""Tables in the stack's own catalog, with a secret in every place that one could have it in, and a desk over them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import (
    BinaryType,
    DoubleType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
)

from dashboard.access import Caller, Role
from dashboard.desks.lake import LakeDesk
from dashboard.readers.duckdb_engine import DuckdbEngine
from dashboard.readers.engine import Engine
from dashboard.readers.lake import Lake
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.settings import Settings, load_settings
from tests.iceberg_tables import NAMESPACE, append, revenue_table, served_catalog
from tests.readers.test_history import NOON

ADA, OTTO, VERA = Caller("ada", Role.ADMIN), Caller("otto", Role.OPS), Caller("vera", Role.VIEWER)
NOBODY = Caller("nobody", None)
CARD = "4111-1111-1111-1111"
CIPHERTEXT = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kKvN7xI="
WINDOW = timedelta(seconds=5)


class World:
    """Tables in the stack's own catalog, and a desk over them."""

    def __init__(self, uri: str, settings: Settings) -> None:
        self.lake = Lake(uri, NAMESPACE)
        self.settings = settings
        self.desk = LakeDesk(settings, lambda _settings: self.lake, self._engine)
        self.snapshots: list[int] = []

    def _engine(self, _settings: Settings, name: str) -> Engine:
        return {"pyiceberg": PyicebergEngine, "duckdb": DuckdbEngine}[name](self.lake, WINDOW)


@contextmanager
def desk_world(folder: Path) -> Iterator[World]:
    with served_catalog(folder) as uri, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALES_LOCAL__HOME", str(folder / "home"))
        world = World(uri, load_settings())
        world.lake.table_names()
        catalog = world.lake._catalog  # the one that it opened
        assert catalog is not None
        revenue = revenue_table(catalog)
        for second, total in ((0, "1.10"), (5, "2.20")):
            append(revenue, [(NOON + timedelta(seconds=second), total)])
            current = revenue.refresh().current_snapshot()
            assert current is not None
            world.snapshots.append(current.snapshot_id)
        orders(catalog)
        payments(catalog)
        yield world
        world.desk.close()


def orders(catalog: Catalog) -> Table:
    """completed_orders, into which somebody brought a card number."""
    table = catalog.create_table(
        (NAMESPACE, "completed_orders"),
        Schema(
            NestedField(1, "order_id", LongType()),
            NestedField(2, "amount", DoubleType()),
            NestedField(3, "ts", TimestampType()),
            NestedField(4, "cc_number", StringType()),
            NestedField(5, "$$partition", IntegerType()),
            NestedField(6, "$$offset", LongType()),
        ),
    )
    table.append(
        pa.table(
            {
                "order_id": pa.array([1, 2], pa.int64()),
                "amount": [1.1, 2.2],
                "ts": pa.array([at(1), at(6)], pa.timestamp("us")),
                "cc_number": [CARD, CARD],
                "$$partition": pa.array([0, 0], pa.int32()),
                "$$offset": pa.array([0, 1], pa.int64()),
            }
        )
    )
    return table


def payments(catalog: Catalog) -> Table:
    """With the secret in every place and spelling that a table could have it in."""
    nested = StructType(NestedField(20, "CC_Number", StringType()), NestedField(21, "code", StringType()))
    table = catalog.create_table(
        (NAMESPACE, "payments"),
        Schema(
            NestedField(1, "order_id", LongType()),
            NestedField(2, "cc_number", StringType()),
            NestedField(3, "Cc_Number2", StringType()),
            NestedField(4, "CC_NUMBER", StringType()),
            NestedField(5, "card", nested),
            NestedField(6, "cards", ListType(30, nested_copy(40))),
            NestedField(7, "by_name", MapType(50, StringType(), 51, nested_copy(60))),
            NestedField(8, "old_name", StringType()),
            NestedField(9, "note", StringType()),
            NestedField(10, "tags", ListType(70, StringType())),
            NestedField(11, "$$raw-value", BinaryType()),
            NestedField(12, "$$headers", MapType(80, StringType(), 81, BinaryType())),
            NestedField(13, "$$cc_number", StringType()),
            NestedField(14, "$$partition", IntegerType()),
            NestedField(15, "$$offset", LongType()),
        ),
    )
    paid(table, 0)
    for old, new in (("Cc_Number2", "harmless"), ("old_name", "cc_number_old"), ("CC_NUMBER", "renamed")):
        with table.update_schema() as change:
            change.rename_column(old, new)
    for offset in (1, 2):
        paid(table, offset)
    return table


def paid(table: Table, offset: int) -> None:
    one = {"CC_Number": CARD, "code": "A"}
    row = {
        "order_id": offset,
        "cc_number": CIPHERTEXT if offset else CARD,
        "CC_NUMBER": CARD,
        "renamed": CARD,
        "card": one,
        "cards": [one],
        "by_name": [("first", one)],
        "note": f"paid with {CARD}",
        "tags": [CARD, "b"],
        "$$raw-value": CARD.encode(),
        "$$headers": [("h", CARD.encode())],
        "$$cc_number": CARD,
        "$$partition": 0,
        "$$offset": offset,
    }
    table.refresh()
    table.append(pa.Table.from_pylist([row], table.schema().as_arrow()))


def nested_copy(id_: int) -> StructType:
    return StructType(NestedField(id_, "CC_Number", StringType()), NestedField(id_ + 1, "code", StringType()))


def at(seconds: int) -> datetime:
    return (NOON + timedelta(seconds=seconds)).replace(tzinfo=None)
