"""The one DuckDB of this process that reads Iceberg, and the REST catalogs that are attached to it."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from dashboard.errors import ReadError
from dashboard.readers.catalog import CatalogAccess, FileAccess
from dashboard.readers.catalog_login import BearerToken, ClientCredentials
from dashboard.readers.http_session import ANSWER_SECONDS
from dashboard.readers.in_memory import BOUNDED

_EXTENSIONS = ("avro", "httpfs", "iceberg")
"""In the order in which they need each other; each is a file in a wheel of its own."""
_NUMBERS = count(1)
_SECRET_RIGHTS = ("KEY_ID", "SECRET", "SESSION_TOKEN")


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


def attach(cursor: duckdb.DuckDBPyConnection, access: CatalogAccess) -> str:
    """The name under which the catalog is now attached. Raises duckdb.Error, which may hold secrets."""
    name = f"lake_{next(_NUMBERS)}"
    key, rights = _key(access.login), _rights(access.files)
    if key:
        _create_secret(cursor, f"{name}_key", "iceberg", key)
    if rights:
        _create_secret(cursor, f"{name}_files", "s3", rights)
    login = f"SECRET {name}_key" if key else "AUTHORIZATION_TYPE 'none'"
    lent = "vended_credentials" if access.files.lent else "none"
    options = f"TYPE iceberg, {login}, ACCESS_DELEGATION_MODE '{lent}', ENDPOINT $uri"
    # no parameter can stand for it
    warehouse = (access.warehouse or "warehouse").replace("'", "''")
    cursor.execute(f"ATTACH '{warehouse}' AS {name} ({options})", {"uri": access.uri})
    return name


def detach(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    cursor.execute(f"DETACH {name}")
    for kind in ("key", "files"):
        cursor.execute(f"DROP SECRET IF EXISTS {name}_{kind}")


def secrets_of(access: CatalogAccess) -> list[str]:
    """What may stand in no error."""
    files = [str(value) for name, value in _rights(access.files).items() if name in _SECRET_RIGHTS]
    return [*map(str, _key(access.login).values()), *files]


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
    """To the files of one's own bucket; nothing where the catalog lends them."""
    if files.lent:
        return {}
    # a third of a second that nobody else waits for; DuckDB's own way to them is in an extension that has no wheel
    import botocore.session

    found = botocore.session.Session().get_credentials()
    rights: dict[str, str | bool] = {"REGION": files.region} if files.region else {}
    if found is not None:
        frozen = found.get_frozen_credentials()
        rights |= {"KEY_ID": frozen.access_key, "SECRET": frozen.secret_key}
        rights |= {"SESSION_TOKEN": frozen.token} if frozen.token else {}
    if files.endpoint:
        address = urlsplit(files.endpoint)
        rights |= {"ENDPOINT": address.netloc, "USE_SSL": address.scheme == "https", "URL_STYLE": "path"}
    return rights


def _create_secret(cursor: duckdb.DuckDBPyConnection, name: str, kind: str, options: Mapping[str, str | bool]) -> None:
    given = ", ".join(f"{option} ${option.lower()}" for option in options)
    values = {option.lower(): value for option, value in options.items()}
    cursor.execute(f"CREATE SECRET {name} (TYPE {kind}, {given})", values)


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
