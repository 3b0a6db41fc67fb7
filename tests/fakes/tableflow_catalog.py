"""Tableflow's Iceberg REST catalog: the local stack's catalog behind OAuth, only to be read.

Whoever fills it in a test writes through `FakeConfluentCloud.iceberg_catalog`, as Tableflow does behind the scenes; a
table whose files are in S3 is lent with the keys to them, to whoever asks for delegation as the specification says.
Source: rest-catalog-open-api.yaml of github.com/apache/iceberg, `LoadTableResult`, `IcebergErrorResponse` and the
header X-Iceberg-Access-Delegation; RFC 6749, section 5.2, for refused logins.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.local.catalog.pointers import Pointers
from dashboard.local.catalog.routes import create_catalog
from tests.fakes.calls import Call, Key
from tests.fakes.tables import Place

_READS = ("GET", "HEAD")
_DELEGATION = "x-iceberg-access-delegation"


@dataclass
class _Fault:
    """What the next `times` requests that hold a token are answered instead."""

    status: int
    kind: str
    message: str
    times: int


@dataclass(frozen=True)
class _Lent:
    """A table elsewhere than in the warehouse of this machine."""

    table: Table
    keys: Mapping[str, str]
    place: Literal["config", "storage-credentials"]
    """Where the answer holds the keys: the older way, and the newer one."""

    def answer(self, asked: str) -> Response:
        lends = "vended-credentials" in asked
        content = {
            "metadata-location": self.table.metadata_location,
            "metadata": json.loads(self.table.metadata.model_dump_json()),
            "config": dict(self.keys) if lends and self.place == "config" else {},
        }
        if lends and self.place == "storage-credentials":
            content["storage-credentials"] = [{"prefix": "s3://", "config": dict(self.keys)}]
        return JSONResponse(content)


class TableflowCatalog:
    """One catalog for the environment; a namespace per cluster, named by its id."""

    def __init__(self, folder: Path, place: Place, key: Key) -> None:
        self._pointers = Pointers(folder / "catalog.sqlite", folder / "warehouse")
        self._key = key
        self._tokens: set[str] = set()
        self._lent: dict[str, _Lent] = {}
        self._faults: list[_Fault] = []
        self.token_seconds: float | None = 3600
        """What a login says of its token; None says nothing."""
        self.path = f"/iceberg/catalog/organizations/{place.organization}/environments/{place.environment}"
        self.catalog.create_namespace(place.cluster_id)

    @property
    def catalog(self) -> SqlCatalog:
        return self._pointers.catalog

    def app(self) -> ASGIApp:
        """Logins, and everything else for those who have one."""
        guarded = _ReadOnly(create_catalog(self._pointers), self._tokens, self._lent, self._faults)
        login = Route(f"{self.path}/v1/oauth/tokens", self._login, methods=["POST"])
        return Starlette(routes=[login, Mount(self.path, guarded)])

    def close(self) -> None:
        self._pointers.close()

    def expire_tokens(self) -> None:
        """All that were given are refused from now on."""
        self._tokens.clear()

    def refuse(self, status: int, kind: str = "Fault", message: str = "a fault to order", times: int = 1) -> None:
        """The next requests that come with a good token are answered with an error in the specification's form."""
        self._faults.append(_Fault(status, kind, message, times))

    def lend(
        self,
        name: str,
        table: Table,
        keys: Mapping[str, str],
        place: Literal["config", "storage-credentials"] = "config",
    ) -> None:
        """Shows a table, as it is now, whose files are elsewhere; the keys go to who asks for vended credentials."""
        self._lent[name] = _Lent(table, keys, place)

    async def _login(self, request: Request) -> Response:
        """Key and secret come in the form, as PyIceberg sends them, or as Basic credentials, as DuckDB does."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        given = Call(request, b"").key or (form.get("client_id", ""), form.get("client_secret", ""))
        if given != self._key:
            return _refused(401, "invalid_client", "The key or its secret is wrong")
        if "client_id" in form and "authorization" in request.headers:
            return _refused(400, "invalid_request", "More than one way of authentication")  # RFC 6749, section 2.3
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "grant_type is client_credentials")
        if form.get("scope") != "catalog":
            return _refused(400, "invalid_scope", "scope is catalog")
        token = uuid4().hex
        self._tokens.add(token)
        lasting = {} if self.token_seconds is None else {"expires_in": self.token_seconds}
        return JSONResponse({"access_token": token, "token_type": "bearer"} | lasting)


class _ReadOnly:
    """Asks for a token, and lets nothing be written."""

    def __init__(self, app: ASGIApp, tokens: set[str], lent: Mapping[str, _Lent], faults: list[_Fault]) -> None:
        self._app = app
        self._tokens = tokens
        self._lent = lent
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self._tokens:
            await _error(401, "NotAuthorizedException", "Credentials are required")(scope, receive, send)
        elif request.method not in _READS and not request.url.path.endswith("/metrics"):
            await _error(403, "ForbiddenException", "The catalog is read-only")(scope, receive, send)
        elif fault := next((one for one in self._faults if one.times), None):
            fault.times -= 1
            await _error(fault.status, fault.kind, fault.message)(scope, receive, send)
        elif (lent := self._lent.get(_table_of(request))) and request.method == "GET":
            await lent.answer(request.headers.get(_DELEGATION, ""))(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _table_of(request: Request) -> str:
    """Of a path that ends with a table's name; else empty."""
    head, _, name = request.url.path.rpartition("/")
    return unquote(name) if head.endswith("/tables") else ""


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": kind, "code": status}}, status_code=status)
