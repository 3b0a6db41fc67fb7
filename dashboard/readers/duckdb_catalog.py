"""The one DuckDB of this process that reads Iceberg, and the REST catalogs that are attached to it."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from dashboard.errors import ReadError
from dashboard.readers.catalog import ANSWER_SECONDS, CatalogAccess
from dashboard.readers.in_memory import BOUNDED

_EXTENSIONS = ("avro", "httpfs", "iceberg")
"""In the order in which they need each other; each is a file in a wheel of its own."""
_NUMBERS = count(1)
_SCOPE = "catalog"
"""Of tokens; DuckDB's own default is one that Tableflow does not know."""
_S3_OPTIONS = {
    "s3.access-key-id": "KEY_ID",
    "s3.secret-access-key": "SECRET",
    "s3.session-token": "SESSION_TOKEN",
    "s3.region": "REGION",
}
_SECRET_PROPERTIES = ("credential", "token", "s3.access-key-id", "s3.secret-access-key", "s3.session-token")


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
    key, rights = _key(access.properties), _rights(access.properties)
    if key:
        _create_secret(cursor, f"{name}_key", "iceberg", key)
    if rights:
        _create_secret(cursor, f"{name}_files", "s3", rights)
    login = f"SECRET {name}_key" if key else "AUTHORIZATION_TYPE 'none'"
    lent = "none" if rights else "vended_credentials"
    options = f"TYPE iceberg, {login}, ACCESS_DELEGATION_MODE '{lent}', ENDPOINT $uri"
    cursor.execute(f"ATTACH 'warehouse' AS {name} ({options})", {"uri": access.uri})
    return name


def detach(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    cursor.execute(f"DETACH {name}")
    for kind in ("key", "files"):
        cursor.execute(f"DROP SECRET IF EXISTS {name}_{kind}")


def secrets_of(access: CatalogAccess) -> list[str]:
    """What may stand in no error."""
    values = [access.properties[name] for name in _SECRET_PROPERTIES if name in access.properties]
    return [*values, *(part for value in values for part in value.split(":", 1))]


def _key(properties: Mapping[str, str]) -> dict[str, str]:
    """How to log in at the catalog, from what PyIceberg is given for it; nothing where it asks for no login."""
    if "token" in properties:
        return {"TOKEN": properties["token"]}
    if "credential" not in properties:
        return {}
    client_id, _, client_secret = properties["credential"].partition(":")
    key = {"CLIENT_ID": client_id, "CLIENT_SECRET": client_secret, "OAUTH2_SCOPE": properties.get("scope", _SCOPE)}
    if "oauth2-server-uri" in properties:
        key["OAUTH2_SERVER_URI"] = properties["oauth2-server-uri"]
    return key


def _rights(properties: Mapping[str, str]) -> dict[str, str | bool]:
    """To the files of one's own bucket; nothing where the catalog lends them, or the files are on this machine."""
    if "s3.access-key-id" not in properties:
        return {}
    rights: dict[str, str | bool] = {
        option: properties[name] for name, option in _S3_OPTIONS.items() if name in properties
    }
    if endpoint := properties.get("s3.endpoint"):
        address = urlsplit(endpoint)
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
