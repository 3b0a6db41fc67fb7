"""The Iceberg tables as a reader sees them, through PyIceberg and a REST catalog; the only module that knows either.

The address of the catalog and one namespace (on Confluent Cloud and here the id of the Kafka cluster) are all it needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    NoSuchNamespaceError,
    NoSuchTableError,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThan
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, ancestors_between_ids
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.types import TimestamptzType
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as HttpConnectionError
from requests.exceptions import RequestException, Timeout

from dashboard.errors import ReadError, UnreachableError

REVENUE_TABLE = "revenue_summary"
TIMESTAMP = pa.timestamp("us", tz="UTC")
REVENUE_SCHEMA = pa.schema(
    [("window_start", TIMESTAMP), ("window_end", TIMESTAMP), ("total_revenue", pa.decimal128(18, 2))]
)
"""What an empty answer looks like; rows keep the stored precision of total_revenue."""

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 10.0
"""How long a catalog may take to accept a connection, and to begin its answer."""

# both take a name and a value, which PyIceberg's types do not say
_AT_LEAST: Callable[[str, str], BooleanExpression] = cast(Any, GreaterThanOrEqual)
_BELOW: Callable[[str, str], BooleanExpression] = cast(Any, LessThan)

_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_START = "Start it with `sales-trends up`."
_LATER = "Try again; `sales-trends status` says what runs."
_WRONG = "Another program may use its port; `sales-trends status` says what runs."


@dataclass(frozen=True)
class Snapshot:
    """One committed state of a table; it never changes, so it is what caches are keyed by."""

    id: int
    committed_at: datetime
    """UTC."""
    rows: int | None = None
    """How many rows the table has, as far as its writer says."""


class Lake:
    """Reads the tables of one namespace; safe to share between threads."""

    def __init__(self, uri: str, namespace: str, catalog: Catalog | None = None) -> None:
        """`catalog` takes the place of the REST catalog at `uri`; without it one is opened at the first read."""
        self.uri = uri
        self.namespace = namespace
        self._catalog = catalog
        self._loaded: Table | None = None

    def snapshot(self) -> Snapshot | None:
        """The newest state of `revenue_summary`; None while the table does not exist or nothing was committed."""
        table = self._load()
        current = table and table.current_snapshot()
        if not current:
            return None
        rows = current.summary and current.summary.additional_properties.get("total-records")
        return Snapshot(
            current.snapshot_id,
            datetime.fromtimestamp(current.timestamp_ms / 1000, UTC),
            int(rows) if rows else None,
        )

    def revenue(
        self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
    ) -> pa.Table:
        """The rows of `revenue_summary` whose window_start is in [start, end), as stored, oldest first.

        Columns: window_start and window_end (timestamp[us], UTC), total_revenue (decimal as stored; NULL and doubled
        windows are passed on, the caller judges them). Without `snapshot_id` the newest state is read. No row means
        that no such window is in the table; a table that does not exist has no rows.

        Raises UnreachableError when the catalog does not answer, ReadError when it or the files make no sense.
        """
        table = self._loaded
        if table is None or snapshot_id is None or table.snapshot_by_id(snapshot_id) is None:
            table = self._load()
        if table is None or table.current_snapshot() is None:
            return REVENUE_SCHEMA.empty_table()
        with _translated(self.uri, f"{self.namespace}.{REVENUE_TABLE}"):
            scan = table.scan(
                row_filter=_between(table, start, end),
                selected_fields=tuple(REVENUE_SCHEMA.names),
                snapshot_id=snapshot_id,
            )
            return _normalised(scan.to_arrow()).sort_by("window_start")

    def revenue_added(self, since: int, until: int) -> pa.Table | None:
        """The rows that the snapshots after `since`, up to and with `until`, added; columns and order as above.

        None when the difference cannot be told as added rows: a snapshot between them changed or removed some, or
        `since` is not in the table's past as far as that is still known. Then only `revenue` tells the truth.
        """
        table = self._loaded
        if table is None or table.snapshot_by_id(until) is None:
            return None
        steps = list(ancestors_between_ids(since, until, table.metadata))
        if not steps or steps[-1].parent_snapshot_id != since or not all(map(_keeps_rows, steps)):
            return None
        with _translated(self.uri, f"{self.namespace}.{REVENUE_TABLE}"):
            scan = table.incremental_append_scan(
                from_snapshot_id_exclusive=since,
                to_snapshot_id_inclusive=until,
                selected_fields=tuple(REVENUE_SCHEMA.names),
            )
            return _normalised(scan.to_arrow()).sort_by("window_start")

    def _load(self) -> Table | None:
        with _translated(self.uri, f"{self.namespace}.{REVENUE_TABLE}"):
            if self._catalog is None:
                self._catalog = open_catalog(self.uri)
            try:
                self._loaded = self._catalog.load_table((self.namespace, REVENUE_TABLE))
            except (NoSuchTableError, NoSuchNamespaceError):
                self._loaded = None
            return self._loaded


def find_namespace(uri: str, catalog: Catalog | None = None) -> str | None:
    """The one namespace of the catalog that holds `revenue_summary`; None as long as there is none.

    Raises ReadError when several hold it, since nothing here can tell which one is meant.
    """
    with _translated(uri, "the list of namespaces"):
        catalog = catalog or open_catalog(uri)
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


def open_catalog(uri: str) -> Catalog:
    """A REST catalog whose every request ends after a while; asks it for its configuration at once."""
    return _PatientCatalog("lake", uri=uri)


class _Adapter(HTTPAdapter):
    """PyIceberg 0.12 sets no time limit on its requests and offers no property for one."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_SECONDS, ANSWER_SECONDS)
        return super().send(request, *args, **kwargs)


class _PatientCatalog(RestCatalog):
    def _create_session(self) -> Session:
        session = super()._create_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter())
        if self.uri.startswith(_LOOPBACK):
            session.trust_env = False  # a proxy set for the internet cannot reach this machine's loopback address
        return session


def _keeps_rows(snapshot: IcebergSnapshot) -> bool:
    """True for added rows and for compaction, which replaces files and leaves the rows as they are."""
    return snapshot.summary is not None and snapshot.summary.operation in {Operation.APPEND, Operation.REPLACE}


def _between(table: Table, start: datetime | None, end: datetime | None) -> BooleanExpression:
    zoned = isinstance(table.schema().find_type("window_start"), TimestamptzType)

    def literal(moment: datetime) -> str:
        utc = moment.astimezone(UTC)
        return (utc if zoned else utc.replace(tzinfo=None)).isoformat()

    lower = AlwaysTrue() if start is None else _AT_LEAST("window_start", literal(start))
    upper = AlwaysTrue() if end is None else _BELOW("window_start", literal(end))
    return And(lower, upper)


def _normalised(rows: pa.Table) -> pa.Table:
    """A `timestamp` without a zone is UTC here, as the pipeline writes it."""

    def utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
        return (pc.assume_timezone(column, "UTC") if column.type.tz is None else column).cast(TIMESTAMP)

    columns = [utc(rows["window_start"]), utc(rows["window_end"]), rows["total_revenue"]]
    return pa.table(columns, names=REVENUE_SCHEMA.names)


@contextmanager
def _translated(uri: str, thing: str) -> Iterator[None]:
    """What PyIceberg, requests, pydantic and pyarrow raise, as one of ours."""
    try:
        yield
    except Timeout as error:
        raise UnreachableError(f"The catalog at {uri} did not answer in time.", _START) from error
    except HttpConnectionError as error:
        raise UnreachableError(f"The catalog at {uri} cannot be reached.", _START) from error
    except (ServerError, ServiceUnavailableError, TooManyRequestsError) as error:
        raise UnreachableError(f"The catalog at {uri} cannot serve {thing} now: {error}", _LATER) from error
    except (RESTError, NotImplementedError) as error:
        raise ReadError(f"The catalog at {uri} refuses to serve {thing}: {error}", _WRONG) from error
    except (RequestException, ValidationError) as error:
        raise ReadError(f"What answers at {uri} is not an Iceberg catalog.", _WRONG) from error
    except FileNotFoundError as error:
        raise ReadError(
            f"A file of {thing} is gone: {error.filename or error}.", "It may just have been replaced; read again."
        ) from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise ReadError(f"{thing} cannot be read: {error}", "Check the table's files and columns.") from error
