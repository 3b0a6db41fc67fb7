"""The Iceberg tables of a Glue database, by their metadata alone: no query, so nothing that is metered."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from cachetools import LRUCache, TTLCache
from pyathena.util import retry_api_call, stop_retries_on
from pyiceberg.exceptions import ValidationError
from pyiceberg.serializers import Compressor, FromByteStream
from pyiceberg.table.metadata import TableMetadata

from dashboard.errors import ReadError
from dashboard.readers.athena.access import RETRIES, AthenaSession
from dashboard.readers.athena.errors import no_database, translated
from dashboard.readers.engine import Limits
from dashboard.readers.lake_table import Snapshot, told
from dashboard.readers.shared_work import SharedWork

_MOST_TABLES = 16


@dataclass(frozen=True)
class TableState:
    """One table as Glue had it; it does not change."""

    metadata: TableMetadata

    @property
    def newest(self) -> Snapshot | None:
        """None while nothing was committed."""
        current = self.metadata.current_snapshot()
        return None if current is None else told(current)

    def snapshot(self, snapshot_id: int) -> Snapshot | None:
        """One that is still known."""
        found = self.metadata.snapshot_by_id(snapshot_id)
        return None if found is None else told(found)


class AthenaTables:
    """Looks a table up in Glue once in a while, whoever asks, and reads its metadata file when that is another one."""

    def __init__(self, session: AthenaSession, look_every: timedelta) -> None:
        self._session = session
        looks: MutableMapping[Any, TableState | None] = TTLCache(_MOST_TABLES, look_every.total_seconds())
        self._looks = SharedWork(looks)
        self._files: MutableMapping[str, TableMetadata] = LRUCache(_MOST_TABLES)
        self._files_lock = Lock()

    def look(self, table: str, limits: Limits, *, anew: bool = False) -> TableState | None:
        """The table as it was at most `look_every` ago, `anew` as it is; None while Glue does not hold it.

        Raises SettingsError where the database is not there or the credentials are not taken, ReadError for a table
        that is not Iceberg's, UnreachableError when Glue or S3 do not answer.
        """
        if anew:
            self._looks.forget(table)
        return self._looks.get(table, lambda stop: self._look(table, stop), limits, f"Looking up {table}")[0]

    def close(self) -> None:
        self._looks.close()

    def _look(self, table: str, stop: Event) -> TableState | None:
        access = self._session.access
        thing = f"{access.database}.{table}"
        with stop_retries_on(stop), translated(access, thing):
            clients = self._session.clients()
            found = _unless_missing(clients.glue.get_table, DatabaseName=access.database, Name=table)
            if found is None:
                # Glue says the same of a table and of a database that is not there
                if _unless_missing(clients.glue.get_database, Name=access.database) is None:
                    raise no_database(access)
                return None
            location = found["Table"].get("Parameters", {}).get("metadata_location")
            if not location:
                raise ReadError(f"{thing} is no Iceberg table in Glue.", "Enable Tableflow's Iceberg tables for it.")
            return TableState(self._metadata(location, thing))

    def _metadata(self, location: str, thing: str) -> TableMetadata:
        with self._files_lock:
            known = self._files.get(location)
        if known is None:
            # tables are looked up side by side; two who read the same file get the same
            known = self._read(location, thing)
            with self._files_lock:
                self._files[location] = known
        return known

    def _read(self, location: str, thing: str) -> TableMetadata:
        """A file is never written twice, so one that was read need not be read again."""
        address = urlsplit(location)
        body = retry_api_call(
            self._session.clients().s3.get_object, config=RETRIES, Bucket=address.netloc, Key=address.path.lstrip("/")
        )["Body"].read()
        try:
            return FromByteStream.table_metadata(BytesIO(body), compression=Compressor.get_compressor(location))
        except (ValidationError, ValueError, OSError) as error:
            raise ReadError(f"The metadata of {thing} cannot be read.", "It may be of a newer Iceberg.") from error


def _unless_missing(ask: Callable[..., Any], **names: Any) -> Any:
    """Glue's answer; None where it holds no such thing."""
    try:
        return retry_api_call(ask, config=RETRIES, **names)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "EntityNotFoundException":
            return None
        raise
