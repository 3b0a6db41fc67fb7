"""What a commit asks of a table, checked against what is there and applied to it.

The rules of the metadata are PyIceberg's; here stands what a server must add: updates that change nothing are left out,
'the last added one' gets its number, and a snapshot that came late is a conflict to retry, not a bad request.
Source: CatalogHandlers.java and TableMetadata.java of Apache Iceberg 1.11.
"""

from collections.abc import Iterable, Sequence

from pyiceberg.exceptions import CommitFailedException, ValidationError
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata, TableMetadataV1
from pyiceberg.table.update import (
    AddPartitionSpecUpdate,
    AddSchemaUpdate,
    AddSnapshotUpdate,
    AddSortOrderUpdate,
    RemovePropertiesUpdate,
    SetCurrentSchemaUpdate,
    SetDefaultSortOrderUpdate,
    SetDefaultSpecUpdate,
    TableRequirement,
    TableUpdate,
    UpgradeFormatVersionUpdate,
    update_table_metadata,
)

from dashboard.local.catalog.refusals import CatalogRefusal, CommitConflict, Unsupported

FORMAT_VERSION = 2
_LAST_ADDED = -1


def check_requirements(requirements: Iterable[TableRequirement], base: TableMetadata | None) -> None:
    """Raises CommitConflict, upon which clients refresh the table and try again."""
    try:
        for requirement in requirements:
            requirement.validate(base)
    except CommitFailedException as exc:
        raise CommitConflict(str(exc)) from exc


def updated(base: TableMetadata | None, updates: Sequence[TableUpdate], location: str | None) -> TableMetadata:
    """The metadata after the updates; `base` None makes a new table, `location` is the file that `base` came from."""
    for update in updates:
        if isinstance(update, UpgradeFormatVersionUpdate):
            check_format(update.format_version)
        if base is not None and isinstance(update, AddSnapshotUpdate):
            _check_sequence(update, base)
    start = base if base is not None else _nothing()
    try:
        metadata = update_table_metadata(
            start, tuple(_settled(start, updates)), enforce_validation=base is None, metadata_location=location
        )
    except (ValueError, ValidationError, KeyError) as exc:
        raise CatalogRefusal(f"The updates do not fit the table: {exc}") from exc
    check_format(metadata.format_version)
    return metadata


def check_format(version: int) -> None:
    if version != FORMAT_VERSION:
        raise Unsupported(f"Tables of format v{version} are not supported by this catalog, only v{FORMAT_VERSION}.")


def _nothing() -> TableMetadata:
    """What the updates of a new table start from, as in PyIceberg's own catalogs, where the function is private."""
    return TableMetadataV1.model_construct(last_column_id=-1, schema=Schema())  # type: ignore[call-arg]  # not valid yet


def _check_sequence(update: AddSnapshotUpdate, base: TableMetadata) -> None:
    number = update.snapshot.sequence_number
    if isinstance(base, TableMetadataV1):
        return
    if number is not None and number <= base.last_sequence_number and update.snapshot.parent_snapshot_id is not None:
        raise CommitConflict(f"Snapshot has sequence number {number}; the table is at {base.last_sequence_number}.")


def _settled(base: TableMetadata, updates: Sequence[TableUpdate]) -> Iterable[TableUpdate]:
    """The updates without what is there already: PyIceberg appends a schema, spec or order again, Java does not."""
    last_schema = last_spec = last_order = _LAST_ADDED
    for update in updates:
        match update:
            case AddSchemaUpdate():
                last_schema = update.schema_.schema_id
                if any(s.schema_id == last_schema and s == update.schema_ for s in base.schemas):
                    continue
            case AddPartitionSpecUpdate():
                last_spec = update.spec.spec_id
                if update.spec in base.partition_specs:
                    continue
            case AddSortOrderUpdate():
                last_order = update.sort_order.order_id
                if update.sort_order in base.sort_orders:
                    continue
            case SetCurrentSchemaUpdate(schema_id=-1):
                yield SetCurrentSchemaUpdate(schema_id=last_schema)
                continue
            case SetDefaultSpecUpdate(spec_id=-1):
                yield SetDefaultSpecUpdate(spec_id=last_spec)
                continue
            case SetDefaultSortOrderUpdate(sort_order_id=-1):
                yield SetDefaultSortOrderUpdate(sort_order_id=last_order)
                continue
            case RemovePropertiesUpdate():
                present = [key for key in update.removals if key in base.properties]
                yield RemovePropertiesUpdate(removals=present)
                continue
        yield update
