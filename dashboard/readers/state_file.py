"""One file of a table's state as its manifest tells it; the file itself is not opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from pyiceberg.conversions import from_bytes
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask
from pyiceberg.types import (
    DateType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    TimestampType,
    TimestamptzType,
)

_ORDERED = (DateType, IntegerType, LongType, TimestampType, TimestamptzType)
"""Types whose bounds are whole numbers: days, numbers, microseconds since 1970."""


@dataclass(frozen=True)
class Bounds:
    """Every value of a column in a file is between them, both inclusive."""

    least: int
    most: int
    nulls: bool
    """Whether there may be NULL besides."""


@dataclass(frozen=True)
class StateFile:
    name: str
    """Without the folders, which say where the tables lie."""
    rows: int
    """Those that are deleted among them."""
    bytes: int
    partition: str
    """Such as `ts_day=2026-03-01`; empty where the table has none."""
    deletes: int
    """Files that say which rows count no more."""
    bounds: dict[str, Bounds]
    """By column, as far as its writer said."""
    task: FileScanTask = field(repr=False, compare=False)
    """For PyIceberg, to read it."""


def told_file(task: FileScanTask, spec: PartitionSpec, schema: Schema, fields: Sequence[NestedField]) -> StateFile:
    """`fields` are those whose bounds are wanted."""
    file = task.file
    bounds = {one.name: found for one in fields if (found := _bounds(task, one)) is not None}
    partition = "" if spec.is_unpartitioned() else spec.partition_to_path(file.partition, schema)
    name = file.file_path.rpartition("/")[2]
    return StateFile(name, file.record_count, file.file_size_in_bytes, partition, len(task.delete_files), bounds, task)


def _bounds(task: FileScanTask, column: NestedField) -> Bounds | None:
    lower = (task.file.lower_bounds or {}).get(column.field_id)
    upper = (task.file.upper_bounds or {}).get(column.field_id)
    if lower is None or upper is None or not isinstance(column.field_type, _ORDERED):
        return None
    kind = cast(PrimitiveType, column.field_type)
    nulls = (task.file.null_value_counts or {}).get(column.field_id)
    return Bounds(cast(int, from_bytes(kind, lower)), cast(int, from_bytes(kind, upper)), nulls != 0)
