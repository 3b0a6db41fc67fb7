"""Namespaces and their properties, on SqlCatalog.

SqlCatalog knows a namespace by its property rows, or by what lies below it. Here every namespace keeps one row of its
own that no client sees, and exists only if that row does; so it outlives its last property.
"""

from collections.abc import Sequence
from typing import Any

from pyiceberg.catalog.sql import IcebergNamespaceProperties, SqlCatalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.typedef import Properties

from dashboard.local.catalog.names import Levels, check_names, is_allowed, original_levels, shown, stored_levels
from dashboard.local.catalog.refusals import (
    CatalogRefusal,
    NamespaceExists,
    NamespaceNotEmpty,
    NamespaceUnknown,
    Overlap,
)

_MARKER = IcebergNamespaceProperties.NAMESPACE_MINIMAL_PROPERTIES


class Namespaces:
    """Writes are not guarded here: the caller lets one through at a time."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self._catalog = catalog

    def properties(self, levels: Levels) -> Properties:
        """What clients set on the namespace; raises NamespaceUnknown."""
        rows = self._rows(levels)
        if not rows.keys() >= _MARKER.keys():
            raise NamespaceUnknown(shown(levels))
        return {key: value for key, value in rows.items() if key not in _MARKER}

    def check_exists(self, levels: Levels) -> None:
        self.properties(levels)

    def exists(self, levels: Levels) -> bool:
        try:
            self.check_exists(levels)
        except NamespaceUnknown:
            return False
        return True

    def children(self, parent: Levels) -> list[Levels]:
        """The namespaces one level below, sorted; the top ones for the empty parent."""
        if parent:
            self.check_exists(parent)
        return sorted(original_levels(levels) for levels in self._catalog.list_namespaces(stored_levels(parent)))

    def create(self, levels: Levels, properties: Properties) -> Properties:
        check_names(levels)
        _check_keys(properties)
        if self._rows(levels).keys() >= _MARKER.keys():
            raise NamespaceExists(shown(levels))
        if levels[:-1]:
            self.check_exists(levels[:-1])
        self._catalog.create_namespace(stored_levels(levels), {**properties, **_MARKER})
        return properties

    def drop(self, levels: Levels) -> None:
        if self.children(levels) or self.tables(levels):
            raise NamespaceNotEmpty(shown(levels))
        self._catalog.drop_namespace(stored_levels(levels))

    def tables(self, levels: Levels) -> list[str]:
        """The names of the tables in a namespace, sorted."""
        self.check_exists(levels)
        return sorted(str(identifier[-1]) for identifier in self._catalog.list_tables(stored_levels(levels)))

    def update(self, levels: Levels, removals: Sequence[str], updates: Properties) -> dict[str, list[str]]:
        """Which keys were updated and removed, and which of those to remove were missing."""
        self.check_exists(levels)
        _check_keys([*removals, *updates])
        if overlap := sorted(set(removals) & set(updates)):
            raise Overlap(f"Keys both to update and to remove: {', '.join(overlap)}")
        done = self._catalog.update_namespace_properties(stored_levels(levels), set(removals), updates)
        return {"updated": sorted(done.updated), "removed": sorted(done.removed), "missing": sorted(done.missing)}

    def _rows(self, levels: Levels) -> Properties:
        if not levels or not all(is_allowed(level) for level in levels):
            raise NamespaceUnknown(shown(levels))
        try:
            return self._catalog.load_namespace_properties(stored_levels(levels))
        except NoSuchNamespaceError:
            return {}


def _check_keys(keys: Any) -> None:
    if any(key in _MARKER for key in keys):
        raise CatalogRefusal(f"The properties {', '.join(_MARKER)} are the catalog's own.")
