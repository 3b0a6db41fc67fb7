"""Tries each step of the way to the Iceberg tables, and says at the first that fails what is wrong and what to do."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table
from requests import Response, Session
from requests.exceptions import RequestException

from dashboard.errors import ReadError, SalesTrendsError, UnreachableError
from dashboard.local.doctor import Finding
from dashboard.readers.athena.access import AthenaAccess
from dashboard.readers.athena.engine import AthenaEngine
from dashboard.readers.catalog import CatalogAccess, open_catalog, translated
from dashboard.readers.catalog_login import ClientCredentials, OAuthLogin
from dashboard.readers.http_session import is_local, nobody, patient, unanswered
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_TABLE
from dashboard.readers.s3_file import check_readable, is_in_s3, keys_are_lent
from dashboard.remotes.aws_faults import SET_CLOCK, clock_skew, spoken_skew

_MOST_APART = timedelta(seconds=30)
"""An AWS request may be five minutes off at most; tokens are dated too."""
_NAMED = 10
_REFUSED, _TOO_MANY, _UNWELL = (401, 403, 419), 429, 500
_NOT_ICEBERG = "Check the address: Tableflow's ends in /organizations/…/environments/env-…, others often in /iceberg."
_NO_TABLE = "The first commit makes it: Tableflow's comes some 15 minutes after it was turned on for the topic."


def examine_lake(access: CatalogAccess, *, tables: tuple[str, ...] = (REVENUE_TABLE, ORDERS_TABLE)) -> list[Finding]:
    """Every finding on the way to these tables, as far as one comes. Changes nothing.

    A table that is not there yet is no fault on this machine, where a stack may just have begun.
    """
    return list(_Way(access, tables).steps())


def examine_athena(access: AthenaAccess, window: timedelta) -> Finding:
    """One question about the last whole hour, which costs what Athena's smallest query does."""
    return Finding.of("Athena", lambda: _answered(access, window))


@dataclass(frozen=True)
class _Way:
    access: CatalogAccess
    tables: tuple[str, ...]

    def steps(self) -> Iterator[Finding]:
        if self.access.kind == "rest":
            for found in self._address():
                yield found
                if not found.ok and found.name != "Clock":
                    return
        opened: list[Catalog] = []
        yield (found := Finding.of("Lake catalog", lambda: self._open(opened)))
        if not found.ok:
            return
        catalog = opened[0]
        try:
            yield (found := Finding.of("Lake namespace", lambda: self._namespace(catalog)))
            if found.ok:
                for name in self.tables:
                    yield from self._table(catalog, name)
        finally:
            catalog.close()

    def _address(self) -> Iterator[Finding]:
        """Without any key, so that an address that is another's is sent none."""
        answers: list[Response] = []
        began = datetime.now(UTC)
        yield Finding.of("Lake address", lambda: self._greet(answers))
        if answers and (date := answers[0].headers.get("Date")):
            skew = clock_skew(date, began + (datetime.now(UTC) - began) / 2)
            if skew is not None and abs(skew) > _MOST_APART:
                yield Finding("Clock", False, spoken_skew(skew, "the catalog's"), SET_CLOCK)
        if isinstance(login := self.access.login, ClientCredentials):
            yield Finding.of("Lake login", lambda: _logged_in(login))

    def _greet(self, answers: list[Response]) -> str:
        uri = self.access.uri
        try:
            with patient(Session()) as session:
                session.auth = nobody
                answer = session.get(f"{uri}/v1/config", params={"warehouse": self.access.warehouse or None})
        except RequestException as error:
            raise unanswered("The catalog", uri, error) from error
        answers.append(answer)
        status = answer.status_code
        if status == _TOO_MANY or status >= _UNWELL:
            raise UnreachableError(f"The catalog at {uri} cannot serve us now (status {status}).", "Try again later.")
        # without a token it refuses, in whatever form
        if status not in _REFUSED and not _speaks_iceberg(answer):
            raise ReadError(f"What answers at {uri} is not an Iceberg catalog (status {status}).", _NOT_ICEBERG)
        return uri

    def _open(self, opened: list[Catalog]) -> str:
        with translated(self.access.uri, "its configuration"):
            opened.append(open_catalog(self.access))
        return "AWS Glue" if self.access.kind == "glue" else "an Iceberg REST catalog that lets us in"

    def _namespace(self, catalog: Catalog) -> str:
        uri, wanted = self.access.uri, self.access.namespace
        with translated(uri, f"the namespace {wanted}"):
            # the right to list all databases of Glue is one that few have
            if self.access.kind == "glue" and _has_database(catalog, wanted):
                return wanted
            there = [".".join(name) for name in catalog.list_namespaces()]
        if wanted in there:
            return wanted
        if is_local(uri) and not self.access.login:
            return f"{wanted} is not there yet; the first commit makes it"
        raise ReadError(
            f"The catalog at {uri} has no namespace {wanted}; it has {_shown(there)}.",
            "On Confluent Cloud it is the id of the Kafka cluster, in Glue the database; it is made with its first "
            "table. Correct the setting that names it, or wait for that.",
        )

    def _table(self, catalog: Catalog, name: str) -> Iterator[Finding]:
        title = f"Table {name}"
        loaded: list[Table] = []
        yield Finding.of(title, lambda: self._load(catalog, name, loaded))
        if loaded and loaded[0].current_snapshot() is not None:
            yield Finding.of(f"Files of {name}", lambda: self._read(loaded[0], name))

    def _load(self, catalog: Catalog, name: str, loaded: list[Table]) -> str:
        uri, namespace = self.access.uri, self.access.namespace
        with translated(uri, f"{namespace}.{name}"):
            try:
                loaded.append(catalog.load_table((namespace, name)))
            except NoSuchTableError:
                if is_local(uri) and not self.access.login:
                    return "not there yet; the first commit makes it"
                shown = _shown(one[-1] for one in catalog.list_tables((namespace,)))
                raise ReadError(f"{namespace} has no table {name}; it has {shown}.", _NO_TABLE) from None
        newest = loaded[0].current_snapshot()
        if newest is None:
            return "there, and nothing committed yet"
        return f"newest snapshot of {datetime.fromtimestamp(newest.timestamp_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"

    def _read(self, table: Table, name: str) -> str:
        thing = f"{self.access.namespace}.{name}"
        column = table.schema().fields[0].name
        try:
            with translated(self.access.uri, thing):
                table.scan(selected_fields=(column,), limit=1).to_arrow()
        except SalesTrendsError:
            # Arrow's question has an answer without a reason: the same one is asked so that S3 tells it
            for location in _locations(table, self.access.uri):
                check_readable(location, table.io.properties)
            raise
        keys = "with keys that the catalog lends" if keys_are_lent(table.io.properties) else "with our own rights"
        return f"read {keys}" if is_in_s3(table.location()) else "read"


def _answered(access: AthenaAccess, window: timedelta) -> str:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with closing(AthenaEngine(access, window)) as engine:
        answer = engine.ask("revenue_totals", {"start": hour - timedelta(hours=1), "end": hour})
    scanned = f"{answer.scanned_bytes or 0:,} bytes scanned"
    return f"the workgroup {access.workgroup} answers in {answer.took_seconds:.1f} s, {scanned}"


def _logged_in(login: ClientCredentials) -> str:
    OAuthLogin(login).auth_header()
    return f"a token from {login.token_uri}"


def _has_database(catalog: Catalog, name: str) -> bool:
    try:
        catalog.load_namespace_properties((name,))
    except NoSuchNamespaceError:
        return False
    return True


def _speaks_iceberg(answer: Response) -> bool:
    try:
        told = json.loads(answer.content)
    except ValueError:
        return False
    return isinstance(told, dict) and (isinstance(told.get("error"), dict) or not {"defaults", "overrides"} - set(told))


def _shown(names: Iterable[str]) -> str:
    there = sorted(names)
    return ", ".join(there[:_NAMED]) + (", …" if len(there) > _NAMED else "") or "none"


def _locations(table: Table, uri: str) -> Iterator[str]:
    """Files of a table in S3 in the order in which they are read."""
    newest = table.current_snapshot()
    for location in (table.metadata_location, newest and newest.manifest_list):
        if location and is_in_s3(location):
            yield location
    try:
        with translated(uri, "the list of its files"):
            first = list(islice(table.scan(limit=1).plan_files(), 1))
    except SalesTrendsError:
        return  # whoever read the table has met this too, and tells it
    yield from (task.file.file_path for task in first if is_in_s3(task.file.file_path))
