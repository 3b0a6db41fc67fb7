"""The one DuckDB of this process that reads Iceberg, and the REST catalogs that are attached to it."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from dashboard.errors import ReadError
from dashboard.readers.catalog import CatalogAccess, FileAccess
from dashboard.readers.catalog_login import BearerToken, ClientCredentials
from dashboard.readers.http_session import ANSWER_SECONDS
from dashboard.readers.in_memory import BOUNDED
from dashboard.readers.lake_faults import lake_fault
from dashboard.remotes.aws_faults import CREDENTIALS

_EXTENSIONS = ("avro", "httpfs", "iceberg")
"""In the order in which they need each other; each is a file in a wheel of its own."""
_NUMBERS = count(1)
_NO_WAREHOUSE = "warehouse"
"""DuckDB always names one; a catalog that has only one takes any name."""
_SECRET = frozenset({"CLIENT_ID", "CLIENT_SECRET", "TOKEN", "KEY_ID", "SECRET", "SESSION_TOKEN"})


@cache
def database() -> duckdb.DuckDBPyConnection:
    """With the extensions loaded, which takes 0.3 s; nothing is ever downloaded. Sessions are in UTC."""
    connection = duckdb.connect(config={**BOUNDED, "autoload_known_extensions": False})
    for extension in _EXTENSIONS:
        connection.load_extension(str(_file(extension)))
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET GLOBAL http_timeout = $seconds", {"seconds": int(ANSWER_SECONDS)})
    connection.execute("SET GLOBAL http_retries = 1")
    return connection


class AttachedCatalog:
    """One REST catalog in that database, by a name of its own, and the keys to it; for one thread at a time.

    Every method raises what DuckDB raises, which may hold `secrets`; one of ours where AWS gives no keys.
    """

    def __init__(self, access: CatalogAccess) -> None:
        self._access = access
        self._key = _key(access.login)
        self._rights: dict[str, str | bool] = {}
        self._given: dict[str, str | bool] = {}
        """Those of the rights that DuckDB has."""
        self.name = f"lake_{next(_NUMBERS)}"

    @property
    def secrets(self) -> list[str]:
        """What may stand in no error."""
        named = {name: value for name, value in {**self._key, **self._rights}.items() if name in _SECRET}
        return [str(value) for value in named.values()]

    def attach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self._key:
            _create_secret(cursor, f"{self.name}_key", "iceberg", self._key)
        self.renew(cursor)
        login = f"SECRET {self.name}_key" if self._key else "AUTHORIZATION_TYPE 'none'"
        lent = "vended_credentials" if self._access.files.lent else "none"
        options = f"TYPE iceberg, {login}, ACCESS_DELEGATION_MODE '{lent}', ENDPOINT $uri"
        # no parameter may stand for the warehouse
        warehouse = (self._access.warehouse or _NO_WAREHOUSE).replace("'", "''")
        cursor.execute(f"ATTACH '{warehouse}' AS {self.name} ({options})", {"uri": self._access.uri})

    def renew(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Our own keys to the files as they are now, for they end; nothing where the catalog lends them."""
        files = self._access.files
        if files.lent:
            return
        try:
            self._rights = _rights(files)
        except (BotoCoreError, ClientError) as error:
            doing = f"read the files of {self._access.namespace}"
            raise lake_fault(error, doing, files.endpoint or "S3's own address", CREDENTIALS) from None
        if self._rights != self._given:
            _create_secret(cursor, f"{self.name}_files", "s3", self._rights)
            self._given = self._rights

    def detach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute(f"DETACH {self.name}")
        for kind in ("key", "files"):
            cursor.execute(f"DROP SECRET IF EXISTS {self.name}_{kind}")


def _key(login: ClientCredentials | BearerToken | None) -> dict[str, str]:
    """How to log in at the catalog; nothing where it asks for no login."""
    if login is None:
        return {}
    if isinstance(login, BearerToken):
        return {"TOKEN": login.token.get_secret_value()}
    return {
        "CLIENT_ID": login.client_id.get_secret_value(),
        "CLIENT_SECRET": login.client_secret.get_secret_value(),
        # DuckDB's own default is one that Tableflow does not know
        "OAUTH2_SCOPE": login.scope,
        "OAUTH2_SERVER_URI": login.token_uri,
    }


def _rights(files: FileAccess) -> dict[str, str | bool]:
    """To the files of one's own bucket; nothing where AWS's usual places hold no key."""
    try:
        found = _credentials()
    except NoCredentialsError:
        return {}
    frozen = found.get_frozen_credentials()
    rights: dict[str, str | bool] = {"KEY_ID": frozen.access_key, "SECRET": frozen.secret_key}
    rights |= {"SESSION_TOKEN": frozen.token} if frozen.token else {}
    rights |= {"REGION": files.region} if files.region else {}
    if files.endpoint:
        address = urlsplit(files.endpoint)
        rights |= {"ENDPOINT": address.netloc, "USE_SSL": address.scheme == "https", "URL_STYLE": "path"}
    return rights


@cache
def _credentials() -> Any:
    """Renews itself before it ends; NoCredentialsError where there is none, which is looked for anew each time.

    DuckDB's own way to it is in an extension that has no wheel.
    """
    # a third of a second that nobody else waits for
    import botocore.session

    if (found := botocore.session.Session().get_credentials()) is None:
        raise NoCredentialsError
    return found


def _create_secret(cursor: duckdb.DuckDBPyConnection, name: str, kind: str, options: Mapping[str, str | bool]) -> None:
    given = ", ".join(f"{option} ${option.lower()}" for option in options)
    values = {option.lower(): value for option, value in options.items()}
    cursor.execute(f"CREATE OR REPLACE SECRET {name} (TYPE {kind}, {given})", values)


def _file(extension: str) -> Path:
    """The extension for this version of DuckDB, in its wheel."""
    package = find_spec(f"duckdb_extension_{extension}")
    found = [] if package is None else sorted(Path(str(package.origin)).parent.rglob(f"{extension}.duckdb_extension"))
    if len(found) != 1:
        raise ReadError(
            f"DuckDB's extension {extension} is not installed.",
            f"Install duckdb-extension-{extension} in the version of duckdb, {duckdb.__version__}.",
        )
    return found[0]
