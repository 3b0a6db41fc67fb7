"""One Iceberg table at the moment it was looked up: its states, its rows, and what one state added to another."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, cast

import pyarrow as pa
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThan
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.manifest import DataFile, ManifestContent
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import (
    TOTAL_EQUALITY_DELETES,
    TOTAL_POSITION_DELETES,
    TOTAL_RECORDS,
    Operation,
    ancestors_between_ids,
)
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.types import NestedField, PrimitiveType, TimestamptzType

from dashboard.errors import ReadError
from dashboard.readers.catalog import translated
from dashboard.readers.plain_files import FILES_AT_ONCE, has_plain_columns, plain_batches
from dashboard.readers.state_file import StateFile, told_file

TIMESTAMP = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# both take a name and a value, which PyIceberg's types do not say
_AT_LEAST: Callable[[str, str], BooleanExpression] = cast(Any, GreaterThanOrEqual)
_BELOW: Callable[[str, str], BooleanExpression] = cast(Any, LessThan)


@dataclass(frozen=True)
class Snapshot:
    """One committed state of a table; it never changes, so it is what caches are keyed by."""

    id: int
    committed_at: datetime
    """UTC."""
    rows: int | None = None
    """How many rows the table has, as far as its writer says."""


@dataclass(frozen=True)
class Range:
    """Rows whose time is in [start, end); without one of them, open on that side."""

    column: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """In Iceberg's words."""
    names: frozenset[str]
    """All that it, and whatever is nested in it, is called or ever was in this table."""


class LakeTable:
    """Safe to share between threads: it does not change, and knows nothing of what is committed later."""

    def __init__(self, table: Table, uri: str) -> None:
        self._table = table
        self._uri = uri

    @property
    def identity(self) -> str:
        """Another one after the table was dropped and made again."""
        return str(self._table.metadata.table_uuid)

    @property
    def metadata(self) -> TableMetadata:
        """All that the catalog says of it; see `history.py`."""
        return self._table.metadata

    @property
    def columns(self) -> list[str]:
        return [field.name for field in self._table.schema().fields]

    @property
    def newest(self) -> Snapshot | None:
        """The state that this table is in; None while nothing was committed."""
        current = self._table.current_snapshot()
        return None if current is None else told(current)

    def snapshot(self, snapshot_id: int) -> Snapshot | None:
        """One that is still known."""
        found = self._table.snapshot_by_id(snapshot_id)
        return None if found is None else told(found)

    def at(self, snapshot_id: int | None) -> Snapshot | None:
        """A state by its id, or the newest one, which is None while nothing was committed.

        Raises ReadError for one that is gone.
        """
        if snapshot_id is None:
            return self.newest
        found = self.snapshot(snapshot_id)
        if found is None:
            raise ReadError(
                f"The snapshot {snapshot_id} of {self._name} is not known any more.",
                "Snapshots expire; ask for a newer one, which `sales-trends tables` lists.",
            )
        return found

    def read(
        self,
        columns: Sequence[str],
        range_: Range | None = None,
        snapshot_id: int | None = None,
        check: Callable[[], None] | None = None,
    ) -> pa.Table:
        """The rows of a state, in no order; times are timestamp[us] in UTC, everything else as stored.

        A state that is asked for by its id has the columns that it was committed with. `check` is called between
        files, and ends the reading by raising. Raises ReadError for a snapshot that is gone and for files that make no
        sense, UnreachableError where they cannot be had.
        """
        with self._translated():
            scan = self._scan(columns, range_, snapshot_id)
            if check is None:
                return normalised(scan.to_arrow())
            with scan.to_arrow_batch_reader() as reader:
                return normalised(pa.Table.from_batches(_checked(reader, check), reader.schema))

    def batches(self, columns: Sequence[str], snapshot_id: int | None = None) -> Iterator[pa.RecordBatch]:
        """The same rows bit by bit, so that memory stays bounded."""
        with self._translated():
            scan = self._scan(columns, None, snapshot_id)
            plain = None
            if has_plain_columns(self._table.metadata, scan.projection()):
                plain = plain_batches(self._table, scan.projection(), list(scan.plan_files()))
            for batch in scan.to_arrow_batch_reader() if plain is None else plain:
                yield from normalised(pa.Table.from_batches([batch])).to_batches()

    def added(self, columns: Sequence[str], since: int, until: int) -> pa.Table | None:
        """The rows that the snapshots after `since`, up to and with `until`, added.

        None when the difference cannot be told as added rows: a snapshot between them changed or removed some, or
        `since` is not in the table's past as far as that is still known. Then only `read` tells the truth.
        """
        if self._table.snapshot_by_id(until) is None:
            return None
        steps = list(ancestors_between_ids(since, until, self._table.metadata))
        if not steps or steps[-1].parent_snapshot_id != since or not all(map(_keeps_rows, steps)):
            return None
        with self._translated():
            scan = self._table.incremental_append_scan(
                from_snapshot_id_exclusive=since, to_snapshot_id_inclusive=until, selected_fields=tuple(columns)
            )
            return normalised(scan.to_arrow())

    def changed(self, columns: Sequence[str], before: int | None, after: int) -> tuple[pa.Table, pa.Table]:
        """Rows of the files that `before` alone reads, and of those that `after` alone does, without any of both.

        A file of which more is deleted than before is read by both in its own way. A row may be on both sides, as after
        compaction; so the difference is what is left of each side without the other. `before` None is nothing at all.
        Raises what `read` raises.
        """
        with self._translated():
            scans = [None if one is None else self._scan(columns, None, one) for one in (before, after)]
            tasks = [{} if scan is None else {_reads(task): task for task in scan.plan_files()} for scan in scans]
            first, second = (
                [tasks[side][key] for key in tasks[side].keys() - tasks[1 - side].keys()] for side in (0, 1)
            )
            return self._rows(scans[0] or scans[1], first), self._rows(scans[1], second)

    def last(self, columns: Sequence[str], by: str, most: int, snapshot_id: int | None = None) -> pa.Table:
        """The rows with the largest values of the column `by`, the largest first, from as few files as may hold them.

        `by` is a time or a whole number. Raises what `read` raises.
        """
        wanted = tuple(dict.fromkeys([*columns, by]))
        with self._translated():
            scan = self._scan(wanted, None, snapshot_id)
            field = scan.projection().find_field(by)
            found = self._rows(scan, [])
            for bound, task in sorted(
                ((_upper(task.file, field), task) for task in scan.plan_files()), key=lambda one: one[0], reverse=True
            ):
                if len(found) == most and (least := _plain(found[by][most - 1])) is not None and bound < least:
                    break
                rows = pa.concat_tables([found, self._rows(scan, [task])], promote_options="permissive")
                found = rows.sort_by([(by, "descending")]).slice(0, most)
            return found.select(list(columns))

    def upper_bounds(self, column: str, known: Mapping[str, datetime | None]) -> dict[str, datetime | None]:
        """By file of the newest state's metadata: no time in that column of its rows is later; None where none is told.

        Rows are not read, and of metadata not what is known already, for such a file never changes. Raises what `read`
        raises.
        """
        current = self._table.current_snapshot()
        if current is None:
            return {}
        with self._translated():
            field, io = self._table.schema().find_field(column), self._table.io
            manifests = [one for one in current.manifests(io) if one.content is ManifestContent.DATA]
            bounds = {one.manifest_path: known[one.manifest_path] for one in manifests if one.manifest_path in known}
            for one in manifests:
                if one.manifest_path not in bounds:
                    files = [entry.data_file for entry in one.fetch_manifest_entry(io)]
                    latest = max((_upper(file, field) for file in files), default=inf)
                    bounds[one.manifest_path] = None if latest == inf else _EPOCH + timedelta(microseconds=latest)
            return bounds

    def files(self, columns: Sequence[str], snapshot_id: int | None = None) -> list[StateFile]:
        """What a state is made of, with the bounds of these columns; reads manifests, no file of data.

        Raises what `read` raises.
        """
        metadata = self._table.metadata
        with self._translated():
            scan = self._scan(columns, None, snapshot_id)
            schema, specs = scan.projection(), metadata.specs()
            whole = metadata.schema()
            return [told_file(task, specs[task.file.spec_id], whole, schema.fields) for task in scan.plan_files()]

    def batches_of(
        self, files: Sequence[StateFile], columns: Sequence[str], snapshot_id: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of some of its files, few of them at a time to bound memory. Raises what `read` raises."""
        for place in range(0, len(files), FILES_AT_ONCE):
            with self._translated():
                scan = self._scan(columns, None, snapshot_id)
                read = ArrowScan(self._table.metadata, self._table.io, scan.projection(), AlwaysTrue())
                yield from read.to_record_batches([one.task for one in files[place : place + FILES_AT_ONCE]])

    def arrow_schema(self, columns: Sequence[str], snapshot_id: int | None = None) -> pa.Schema:
        """How rows of a state come, in the order of these columns; times in UTC."""
        with self._translated():
            stored = schema_to_pyarrow(self._scan(columns, None, snapshot_id).projection(), include_field_ids=False)
        return normalised(pa.schema([stored.field(name) for name in columns]).empty_table()).schema

    def columns_at(self, snapshot_id: int | None = None) -> list[Column]:
        """The columns of a state, in order; raises ReadError when it is gone."""
        with self._translated():
            return columns_of(self._table.metadata, self._scan(("*",), None, snapshot_id).projection())

    def _rows(self, scan: Any, tasks: Sequence[FileScanTask]) -> pa.Table:
        read = ArrowScan(self._table.metadata, self._table.io, scan.projection(), AlwaysTrue())
        return normalised(read.to_table(tasks))

    def _scan(self, columns: Sequence[str], range_: Range | None, snapshot_id: int | None) -> Any:
        self.at(snapshot_id)
        row_filter = AlwaysTrue() if range_ is None else self._between(range_)
        return self._table.scan(row_filter=row_filter, selected_fields=tuple(columns), snapshot_id=snapshot_id)

    def _between(self, range_: Range) -> BooleanExpression:
        zoned = isinstance(self._table.schema().find_type(range_.column), TimestamptzType)

        def literal(moment: datetime) -> str:
            utc = moment.astimezone(UTC)
            return (utc if zoned else utc.replace(tzinfo=None)).isoformat()

        lower = AlwaysTrue() if range_.start is None else _AT_LEAST(range_.column, literal(range_.start))
        upper = AlwaysTrue() if range_.end is None else _BELOW(range_.column, literal(range_.end))
        return And(lower, upper)

    @property
    def _name(self) -> str:
        return ".".join(self._table.name())

    def _translated(self) -> Any:
        return translated(self._uri, self._name)


def columns_of(metadata: TableMetadata, schema: Schema) -> list[Column]:
    """Those of one of the table's schemas, with all names that they ever had in it."""
    ever: dict[int, set[str]] = defaultdict(set)
    for known in metadata.schemas:
        for id_ in known.field_ids:
            ever[id_].add(known.find_field(id_).name)
    return [
        Column(
            field.name,
            str(field.field_type),
            frozenset(name for id_ in Schema(field).field_ids for name in ever[id_] | {field.name}),
        )
        for field in schema.fields
    ]


def told(snapshot: IcebergSnapshot) -> Snapshot:
    """As people know it."""
    said = {} if snapshot.summary is None else snapshot.summary.additional_properties
    rows = said.get(TOTAL_RECORDS)
    # rows of data files, the deleted ones among them; of equality deletes only reading tells how many they delete
    known = rows and int(said.get(TOTAL_EQUALITY_DELETES, 0)) == 0
    count = int(rows) - int(said.get(TOTAL_POSITION_DELETES, 0)) if rows and known else None
    committed_at = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
    return Snapshot(snapshot.snapshot_id, committed_at, count)


def normalised(rows: pa.Table) -> pa.Table:
    """A `timestamp` without a zone is UTC here, as the pipeline writes it."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type != TIMESTAMP:
            # Arrow casts what has no zone to UTC as it stands; assume_timezone would look at each value
            rows = rows.set_column(place, field.name, rows[place].cast(TIMESTAMP))
    return rows


def _checked(batches: Iterable[pa.RecordBatch], check: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        check()
        yield batch


def _keeps_rows(snapshot: IcebergSnapshot) -> bool:
    """True for added rows and for compaction, which replaces files and leaves the rows as they are."""
    return snapshot.summary is not None and snapshot.summary.operation in {Operation.APPEND, Operation.REPLACE}


def _reads(task: FileScanTask) -> tuple[str, frozenset[str]]:
    """What makes the rows that a state reads of a file."""
    return task.file.file_path, frozenset(deletes.file_path for deletes in task.delete_files)


def _upper(file: DataFile, field: NestedField) -> float:
    """No value of the file is larger; infinite where nothing is said."""
    bound = (file.upper_bounds or {}).get(field.field_id)
    return inf if bound is None else cast(int, from_bytes(cast(PrimitiveType, field.field_type), bound))


def _plain(value: pa.Scalar) -> int | None:
    """As bounds are."""
    return cast("int | None", value.value if isinstance(value, pa.TimestampScalar) else value.as_py())
