"""Tables whose columns are called in every file what they are called now: Arrow reads their files together, by name.

PyIceberg asks each file for its field ids, in Python: of many small files that takes three times as long as their rows.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds
from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.manifest import FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.transforms import IdentityTransform

FILES_AT_ONCE = 8
"""Read side by side: one may be far away, and all of them are held."""


def has_plain_columns(metadata: TableMetadata, columns: Schema) -> bool:
    """Whether a name says of every file which of these columns is meant, or that the file lacks it."""
    mapping = metadata.name_mapping()
    names: dict[int | None, str] = {field.field_id: field.name for field in metadata.schemas[0].fields}
    return (
        # the first schema and no other ever: nothing was renamed, and nothing was dropped whose name came again
        [schema.schema_id for schema in metadata.schemas] == [0]
        and all(field.field_type.is_primitive for field in columns.fields)
        # Java writes other names into Parquet for those that Avro does not take
        and all(field.name.isascii() and field.name.isidentifier() for field in columns.fields)
        # which files of somebody else's may go by
        and (mapping is None or all(field.names == [names.get(field.field_id)] for field in mapping))
        # a value that such files have in their path alone
        and not any(
            isinstance(field.transform, IdentityTransform) for one in metadata.partition_specs for field in one.fields
        )
    )


def plain_batches(table: Table, columns: Schema, tasks: Sequence[FileScanTask]) -> Iterator[pa.RecordBatch] | None:
    """The rows of files of a table with plain columns, in their order; None where Arrow alone would read them wrong.

    Raises what Arrow raises.
    """
    io = table.io
    if not isinstance(io, PyArrowFileIO) or any(
        task.delete_files or task.file.file_format is not FileFormat.PARQUET for task in tasks
    ):
        return None
    places = [io.parse_location(task.file.file_path, io.properties) for task in tasks]
    stores = {(scheme, netloc) for scheme, netloc, _ in places}
    if len(stores) != 1:
        return None
    dataset = ds.FileSystemDataset.from_paths(
        [path for _, _, path in places],
        schema=schema_to_pyarrow(columns, include_field_ids=False),
        format=ds.ParquetFileFormat(pre_buffer=True),
        filesystem=io.fs_by_scheme(*stores.pop()),
    )
    batches: Iterator[pa.RecordBatch] = dataset.to_batches(fragment_readahead=FILES_AT_ONCE)
    return batches
