"""Equality deletes, which no writer in Python makes: a file of values whose rows are gone, and its commit."""

from collections.abc import Sequence
from datetime import datetime
from time import time
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, SetSnapshotRefUpdate
from pyiceberg.typedef import Record


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def delete_by_value(catalog: Catalog, table: Table, column: str, values: Sequence[datetime]) -> None:
    """One commit that deletes the rows whose `column` has one of the values, as Flink's upserts do."""
    table.refresh()
    base, parent = table.metadata, table.current_snapshot()
    assert parent is not None
    assert isinstance(base, TableMetadataV2)
    field = table.schema().find_field(column)
    snapshot_id, sequence = uuid4().int >> 66, base.last_sequence_number + 1
    folder = table.location()

    deletes = f"{folder}/data/{uuid4()}-deletes.parquet"
    kind = pa.field(column, pa.timestamp("us"), metadata={"PARQUET:field_id": str(field.field_id)})
    rows = pa.table({column: pa.array([value.replace(tzinfo=None) for value in values], kind.type)})
    pq.write_table(rows.cast(pa.schema([kind])), deletes.removeprefix("file://"))
    file = DataFile.from_args(
        content=DataFileContent.EQUALITY_DELETES,
        file_path=deletes,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=len(values),
        file_size_in_bytes=len(table.io.new_input(deletes)),
        equality_ids=[field.field_id],
    )
    output = table.io.new_output(f"{folder}/metadata/{uuid4()}-m0.avro")
    with _DeleteManifest(table.spec(), table.schema(), output, snapshot_id, "null") as writer:
        writer.add_entry(
            ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file)
        )
    listed = table.io.new_output(f"{folder}/metadata/snap-{snapshot_id}.avro")
    with write_manifest_list(2, listed, snapshot_id, parent.snapshot_id, sequence, "null") as manifests:
        manifests.add_manifests([*parent.manifests(table.io), writer.to_manifest_file()])

    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=parent.snapshot_id,
        sequence_number=sequence,
        timestamp_ms=max(int(time() * 1000), base.last_updated_ms),
        manifest_list=listed.location,
        summary=Summary(Operation.DELETE, **{"added-equality-deletes": str(len(values))}),
        schema_id=base.current_schema_id,
    )
    moved = SetSnapshotRefUpdate.model_validate({"ref-name": "main", "type": "branch", "snapshot-id": snapshot_id})
    catalog.commit_table(
        table,
        (AssertRefSnapshotId(ref="main", snapshot_id=parent.snapshot_id),),
        (AddSnapshotUpdate(snapshot=snapshot), moved),
    )
    table.refresh()
