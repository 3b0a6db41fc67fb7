"""The tables of the catalog: load, create, commit, drop, rename, register.

Writers are let through one at a time, so a commit is judged against the table as it is, and two commits that do not
contradict each other both succeed; the swap of the pointer still guards against another process on the same files.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from pyiceberg.exceptions import NoSuchTableError, ValidationError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table import TableProperties
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import AssertCreate, TableRequirement, TableUpdate

from dashboard.local.catalog.bodies import CreateTable, RegisterTable
from dashboard.local.catalog.changes import FORMAT_VERSION, check_format, check_requirements, updated
from dashboard.local.catalog.files import WarehouseIO, path_of
from dashboard.local.catalog.metadata import MetadataFiles, Version
from dashboard.local.catalog.names import Levels, TableName, check_names
from dashboard.local.catalog.namespaces import Namespaces
from dashboard.local.catalog.pointers import Pointers, Swap
from dashboard.local.catalog.refusals import CatalogRefusal, TableExists, TableUnknown, Unsupported

_LOG = logging.getLogger(__name__)

# Five tables with a commit every 10 s write 43,000 metadata files a day, each as long as the table has snapshots
_DEFAULT_PROPERTIES = {
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "10",
}


@dataclass(frozen=True)
class Change:
    """What one commit asks of one table."""

    table: TableName
    requirements: tuple[TableRequirement, ...]
    updates: tuple[TableUpdate, ...]


@dataclass(frozen=True)
class _Step:
    table: TableName
    base: Version | None
    """None: the table is new."""
    metadata: TableMetadata


class Tables:
    """The tables, and the lock under which every write to the catalog happens."""

    def __init__(self, pointers: Pointers, namespaces: Namespaces) -> None:
        self.writing = threading.Lock()
        self._pointers = pointers
        self._namespaces = namespaces
        self._files = MetadataFiles(WarehouseIO({"warehouse": pointers.warehouse}))

    def load(self, table: TableName) -> Version:
        """The newest version; raises TableUnknown."""
        version = self._newest(table)
        if version is None:
            raise TableUnknown(str(table))
        return version

    def check_exists(self, table: TableName) -> None:
        if self._pointers.location(table) is None:
            raise TableUnknown(str(table))

    def create(self, namespace: Levels, body: CreateTable) -> Version:
        """The new table; a staged one has no file yet, exists only in the answer and comes back as a commit."""
        table = TableName(namespace, body.name)
        with self.writing:
            location = self._location_of_new(table, body.location)
            properties = _DEFAULT_PROPERTIES | body.properties
            check_format(_format_version(properties))
            try:
                metadata = new_table_metadata(
                    schema=body.schema_,
                    partition_spec=body.partition_spec or UNPARTITIONED_PARTITION_SPEC,
                    sort_order=body.write_order or UNSORTED_SORT_ORDER,
                    location=location,
                    properties=properties,
                )
            except (ValueError, ValidationError) as exc:
                raise CatalogRefusal(f"The table {table} cannot be made: {exc}") from exc
            if body.stage_create:
                # DuckDB writes its manifests here before the commit, and makes no folders
                path_of(f"{location}/metadata", self._pointers.warehouse).mkdir(parents=True, exist_ok=True)
                return Version("", metadata)
            return self._write([_Step(table, None, metadata)])[0]

    def commit(self, changes: Sequence[Change]) -> list[Version]:
        """The versions after the changes: all of them, or none and a CommitConflict."""
        if len({change.table for change in changes}) < len(changes):
            raise CatalogRefusal("A transaction changes each of its tables once.")
        with self.writing:
            steps = [self._planned(change) for change in changes]
            return self._write(steps)

    def drop(self, table: TableName, *, purge: bool) -> None:
        """Forget the table; with `purge` its files go too, and what cannot be deleted is told in the log."""
        self.check_exists(table)
        catalog = self._pointers.catalog
        try:
            if purge:
                catalog.purge_table(table.stored)
            else:
                catalog.drop_table(table.stored)
        except NoSuchTableError as exc:
            raise TableUnknown(str(table)) from exc
        except (CatalogRefusal, OSError):
            _LOG.warning("The table %s is dropped, but not all its files are deleted", table, exc_info=True)
            if self._pointers.location(table) is not None:
                catalog.drop_table(table.stored)

    def rename(self, source: TableName, destination: TableName) -> None:
        """The table keeps its folder."""
        check_names([*destination.namespace, destination.name])
        with self.writing:
            self.check_exists(source)
            self._namespaces.check_exists(destination.namespace)
            if self._pointers.location(destination) is not None:
                raise TableExists(str(destination))
            self._pointers.catalog.rename_table(source.stored, destination.stored)

    def register(self, namespace: Levels, body: RegisterTable) -> Version:
        """A table whose files are there already."""
        if body.overwrite:
            raise Unsupported("Registering over an existing table is not supported by this catalog.")
        table = TableName(namespace, body.name)
        with self.writing:
            self._location_of_new(table, None)
            try:
                version = self._files.read(body.metadata_location)
            except (ValueError, ValidationError) as exc:
                raise CatalogRefusal(f"{body.metadata_location} is not table metadata: {exc}") from exc
            check_format(version.metadata.format_version)
            path_of(version.metadata.location, self._pointers.warehouse)
            self._pointers.swap([Swap(table, None, version.location)])
            return version

    def _newest(self, table: TableName) -> Version | None:
        location = self._pointers.location(table)
        return None if location is None else self._files.read(location)

    def _planned(self, change: Change) -> _Step:
        base = self._newest(change.table)
        if base is None and not any(isinstance(one, AssertCreate) for one in change.requirements):
            raise TableUnknown(str(change.table))
        check_requirements(change.requirements, base.metadata if base else None)
        if base is None:
            self._location_of_new(change.table, None)
        metadata = updated(base.metadata if base else None, change.updates, base.location if base else None)
        path_of(metadata.location, self._pointers.warehouse)
        return _Step(change.table, base, metadata)

    def _location_of_new(self, table: TableName, wanted: str | None) -> str:
        """Where a new table lives; raises if its namespace is not there, or the table is."""
        properties = self._namespaces.properties(table.namespace)
        check_names([table.name])
        if self._pointers.location(table) is not None:
            raise TableExists(str(table))
        folder = properties.get("location", "/".join([self._pointers.warehouse, *table.namespace])).rstrip("/")
        location = (wanted or f"{folder}/{table.name}").rstrip("/")
        path_of(location, self._pointers.warehouse)
        return location

    def _write(self, steps: Sequence[_Step]) -> list[Version]:
        """Write and publish what changes; the files of a swap that was refused are removed again."""
        versions = []
        for step in steps:
            if step.base is not None and step.metadata == step.base.metadata:
                versions.append(step.base)
            else:
                versions.append(self._files.write(step.metadata, _number_after(step.base)))
        moved = [(step, version) for step, version in zip(steps, versions, strict=True) if version != step.base]
        try:
            self._pointers.swap([Swap(step.table, _place(step.base), version.location) for step, version in moved])
        except CatalogRefusal:
            for _, version in moved:
                self._files.delete(version.location)
            raise
        for step, version in moved:
            self._files.keep(version, instead_of=step.base)
            if step.base is not None:
                self._files.delete_outdated(step.base.metadata, version.metadata)
        return versions


def _place(version: Version | None) -> str | None:
    return None if version is None else version.location


def _number_after(base: Version | None) -> int:
    """The number that the next metadata file carries in its name."""
    if base is None:
        return 0
    digits = base.tag.split("-", 1)[0]
    return int(digits) + 1 if digits.isdecimal() else 0


def _format_version(properties: dict[str, str]) -> int:
    text = properties.get(TableProperties.FORMAT_VERSION, str(FORMAT_VERSION))
    if not text.isdecimal():
        raise CatalogRefusal(f"{TableProperties.FORMAT_VERSION} is a number, got {text!r}.")
    return int(text)
