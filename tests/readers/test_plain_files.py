"""A table bit by bit is the table at once, whether Arrow reads its files alone or has to leave that to PyIceberg."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import DataScan, Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IntegerType, LongType, NestedField, StructType

from dashboard.errors import ReadError
from dashboard.readers.lake import REVENUE_SCHEMA, Lake
from dashboard.readers.lake_table import LakeTable
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = "counts"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    with sqlite_catalog(tmp_path_factory.mktemp("plain")) as catalog:
        catalog.create_namespace(NAMESPACE)
        yield catalog


@pytest.fixture(autouse=True)
def no_tables_left(catalog: SqlCatalog) -> Iterator[None]:
    yield
    for name in catalog.list_tables(NAMESPACE):
        catalog.drop_table(name)


@pytest.fixture
def by_arrow_alone(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Holds whether it was, until a table is left to PyIceberg."""
    left, read = [True], DataScan.to_arrow_batch_reader

    def noted(scan: DataScan) -> pa.RecordBatchReader:
        left[0] = False
        return read(scan)

    monkeypatch.setattr(DataScan, "to_arrow_batch_reader", noted)
    return left


@pytest.mark.parametrize("zoned", [False, True])
def test_many_small_files_are_read_by_arrow_alone_in_their_order(
    catalog: SqlCatalog, by_arrow_alone: list[bool], zoned: bool
) -> None:
    table = revenue_table(catalog, zoned=zoned)
    for seconds in (20, 0, 10):
        append(table, [(NOON + timedelta(seconds=seconds + one), f"{seconds}.0{one}") for one in (0, 5)])
    found = opened(catalog, table)

    batches = pa.Table.from_batches(found.batches(REVENUE_SCHEMA.names))

    assert by_arrow_alone == [True]
    assert batches.equals(found.read(REVENUE_SCHEMA.names).select(REVENUE_SCHEMA.names))
    assert len(batches) == 6


def test_a_file_that_is_gone_is_an_error_that_says_so(catalog: SqlCatalog, by_arrow_alone: list[bool]) -> None:
    table = revenue_table(catalog)
    append(table, [(NOON, "1.00")])
    [task] = table.scan().plan_files()
    Path(task.file.file_path.removeprefix("file://")).unlink()

    with pytest.raises(ReadError, match="is gone"):
        list(opened(catalog, table).batches(REVENUE_SCHEMA.names))

    assert by_arrow_alone == [True]


def a_renamed_column(table: Table) -> str:
    table.append(counts(count=[1, 2]))
    with table.update_schema() as change:
        change.rename_column("count", "number")
    table.append(pa.table({"number": pa.array([3], pa.int64())}))
    return "number"


def a_name_that_was_dropped_and_came_again(table: Table) -> str:
    table.append(counts(count=[1, 2]))
    with table.update_schema(allow_incompatible_changes=True) as change:
        change.delete_column("count").add_column("count", LongType())
    table.append(counts(count=[3]))
    return "count"


def a_widened_column(table: Table) -> str:
    table.append(counts(small=[1]))
    with table.update_schema() as change:
        change.update_column("small", LongType())
    table.append(pa.table({"small": pa.array([2**40], pa.int64())}))
    return "small"


def a_name_that_avro_does_not_take(table: Table) -> str:
    table.append(pa.table({"$$offset": pa.array([1], pa.int64())}))
    return "$$offset"


def a_column_within_a_column(table: Table) -> str:
    table.append(pa.table({"nested": pa.array([{"one": 1}], pa.struct([("one", pa.int64())]))}))
    return "nested"


def a_file_of_somebody_elses_that_calls_it_otherwise(table: Table) -> str:
    path = add_file(table, "other.parquet", counts(count=[7]))
    pq.write_table(pa.table({"anzahl": pa.array([7], pa.int64())}), path)  # PyIceberg itself adds none such
    with table.transaction() as change:
        change.set_properties({"schema.name-mapping.default": '[{"field-id": 1, "names": ["count", "anzahl"]}]'})
    return "count"


def a_file_that_is_mapped_by_another_name_alone(table: Table) -> str:
    a_file_of_somebody_elses_that_calls_it_otherwise(table)
    with table.transaction() as change:
        change.set_properties({"schema.name-mapping.default": '[{"field-id": 1, "names": ["anzahl"]}]'})
    return "count"


def a_value_that_stands_in_the_partition_alone(table: Table) -> str:
    """As Hive writes it: the column is in no file."""
    add_file(table, "small=5/part.parquet", counts(count=[1]))
    return "small"


@pytest.mark.parametrize(
    "written",
    [
        a_renamed_column,
        a_name_that_was_dropped_and_came_again,
        a_widened_column,
        a_name_that_avro_does_not_take,
        a_column_within_a_column,
        a_file_of_somebody_elses_that_calls_it_otherwise,
        a_file_that_is_mapped_by_another_name_alone,
        a_value_that_stands_in_the_partition_alone,
    ],
)
def test_what_names_do_not_tell_is_left_to_pyiceberg(
    catalog: SqlCatalog, by_arrow_alone: list[bool], written: Callable[[Table], str]
) -> None:
    is_partitioned = written is a_value_that_stands_in_the_partition_alone
    spec = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "small")) if is_partitioned else PartitionSpec()
    schema = Schema(
        NestedField(1, "count", LongType()),
        NestedField(2, "small", IntegerType()),
        NestedField(3, "$$offset", LongType()),
        NestedField(4, "nested", StructType(NestedField(5, "one", LongType()))),
    )
    table = catalog.create_table((NAMESPACE, COUNTS), schema, partition_spec=spec)
    column = written(table)
    found = opened(catalog, table)

    rows = pa.Table.from_batches(found.batches([column]))

    assert by_arrow_alone == [False]
    assert rows.column_names == [column]
    assert sorted(map(str, rows.to_pylist())) == sorted(map(str, found.read([column]).to_pylist()))


def counts(**columns: list[int]) -> pa.Table:
    types = {"count": pa.int64(), "small": pa.int32()}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


def add_file(table: Table, name: str, rows: pa.Table) -> Path:
    path = Path(table.location().removeprefix("file://")) / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    table.add_files([str(path)])
    return path


def opened(catalog: SqlCatalog, table: Table) -> LakeTable:
    found = Lake("sqlite", NAMESPACE, catalog).table(table.name()[-1])
    assert found is not None
    return found
