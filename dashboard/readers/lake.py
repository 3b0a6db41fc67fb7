"""The Iceberg tables of one namespace as a reader sees them: each looked up by one call to the catalog."""

from datetime import datetime
from threading import Lock

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

from dashboard.errors import ReadError
from dashboard.readers.catalog import CatalogAccess, open_catalog, translated
from dashboard.readers.lake_table import TIMESTAMP, LakeTable, Range, Snapshot

REVENUE_TABLE = "revenue_summary"
ORDERS_TABLE = "completed_orders"
REVENUE_SCHEMA = pa.schema(
    [("window_start", TIMESTAMP), ("window_end", TIMESTAMP), ("total_revenue", pa.decimal128(18, 2))]
)
"""What an empty answer looks like; rows keep the stored precision of total_revenue."""


class Lake:
    """Reads the tables of one namespace; safe to share between threads."""

    def __init__(self, uri: str, namespace: str, catalog: Catalog | None = None) -> None:
        """`catalog` takes the place of the REST catalog at `uri`; without it one is opened at the first read."""
        self.access = CatalogAccess(uri, namespace)
        self._catalog = catalog
        self._opening = Lock()
        self._revenue: LakeTable | None = None

    @classmethod
    def reached_by(cls, access: CatalogAccess) -> "Lake":
        """Of a catalog of any kind, opened at the first read."""
        lake = cls(access.uri, access.namespace)
        lake.access = access
        return lake

    @property
    def uri(self) -> str:
        return self.access.uri

    @property
    def namespace(self) -> str:
        return self.access.namespace

    def table(self, name: str) -> LakeTable | None:
        """A table as it is now; None while it does not exist.

        Raises UnreachableError when the catalog does not answer, ReadError when its answer makes no sense.
        """
        with translated(self.uri, f"{self.namespace}.{name}"):
            catalog = self._opened()
            try:
                return LakeTable(catalog.load_table((self.namespace, name)), self.uri)
            except (NoSuchTableError, NoSuchNamespaceError):
                return None

    def table_names(self) -> list[str]:
        """Of the namespace, by name; none where there is no namespace. Raises what `table` raises."""
        with translated(self.uri, f"the tables of {self.namespace}"):
            catalog = self._opened()
            try:
                return sorted(name[-1] for name in catalog.list_tables((self.namespace,)))
            except NoSuchNamespaceError:
                return []

    def _opened(self) -> Catalog:
        """Once for all threads, for it logs in."""
        with self._opening:
            if self._catalog is None:
                self._catalog = open_catalog(self.access)
            return self._catalog

    def snapshot(self) -> Snapshot | None:
        """The newest state of `revenue_summary`; None while the table does not exist or nothing was committed."""
        self._revenue = self.table(REVENUE_TABLE)
        return None if self._revenue is None else self._revenue.newest

    def revenue(
        self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
    ) -> pa.Table:
        """The rows of `revenue_summary` whose window_start is in [start, end), as stored, oldest first.

        Columns: window_start and window_end (timestamp[us], UTC), total_revenue (decimal as stored; NULL and doubled
        windows are passed on, the caller judges them). Without `snapshot_id` the newest state is read. No row means
        that no such window is in the table; a table that does not exist has no rows.

        Raises UnreachableError when the catalog does not answer, ReadError when it or the files make no sense.
        """
        table = self._revenue
        if table is None or snapshot_id is None or table.snapshot(snapshot_id) is None:
            table = self._revenue = self.table(REVENUE_TABLE)
        if table is None or table.newest is None:
            return REVENUE_SCHEMA.empty_table()
        rows = table.read(REVENUE_SCHEMA.names, Range("window_start", start, end), snapshot_id)
        return rows.sort_by("window_start")


def find_namespace(uri: str, catalog: Catalog | None = None) -> str | None:
    """The one namespace of the catalog that holds `revenue_summary`; None as long as there is none.

    Raises ReadError when several hold it, since nothing here can tell which one is meant.
    """
    with translated(uri, "the list of namespaces"):
        catalog = catalog or open_catalog(CatalogAccess(uri, ""))
        found = [
            namespace[0]
            for namespace in catalog.list_namespaces()
            if len(namespace) == 1 and catalog.table_exists((namespace[0], REVENUE_TABLE))
        ]
    if len(found) > 1:
        raise ReadError(
            f"{len(found)} namespaces of the catalog at {uri} hold {REVENUE_TABLE}: {', '.join(sorted(found))}.",
            "One is expected, named after the Kafka cluster; drop the tables of the clusters that are gone.",
        )
    return found[0] if found else None
