"""Tableflow's Iceberg REST catalog: the local stack's catalog behind OAuth, only to be read.

Whoever fills it in a test writes through `FakeConfluentCloud.iceberg_catalog`, as Tableflow does behind the scenes.
"""

from pathlib import Path
from urllib.parse import parse_qs
from uuid import uuid4

from pyiceberg.catalog.sql import SqlCatalog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.local.catalog.pointers import Pointers
from dashboard.local.catalog.routes import create_catalog
from tests.fakes.calls import Call, Key
from tests.fakes.tables import Place

_TOKEN_SECONDS = 3600
_READS = ("GET", "HEAD")


class TableflowCatalog:
    """One catalog for the environment; a namespace per cluster, named by its id."""

    def __init__(self, folder: Path, place: Place, key: Key) -> None:
        self._pointers = Pointers(folder / "catalog.sqlite", folder / "warehouse")
        self._key = key
        self._tokens: set[str] = set()
        self.path = f"/iceberg/catalog/organizations/{place.organization}/environments/{place.environment}"
        self.catalog.create_namespace(place.cluster_id)

    @property
    def catalog(self) -> SqlCatalog:
        return self._pointers.catalog

    def app(self) -> ASGIApp:
        """Logins, and everything else for those who have one."""
        guarded = _ReadOnly(create_catalog(self._pointers), self._tokens)
        login = Route(f"{self.path}/v1/oauth/tokens", self._login, methods=["POST"])
        return Starlette(routes=[login, Mount(self.path, guarded)])

    def close(self) -> None:
        self._pointers.close()

    async def _login(self, request: Request) -> Response:
        """Key and secret come in the form, as PyIceberg sends them, or as Basic credentials, as DuckDB does."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        given = Call(request, b"").key or (form.get("client_id", ""), form.get("client_secret", ""))
        if given != self._key:
            return _refused(401, "invalid_client", "The key or its secret is wrong")
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "grant_type is client_credentials")
        if form.get("scope") != "catalog":
            return _refused(400, "invalid_scope", "scope is catalog")
        token = uuid4().hex
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": _TOKEN_SECONDS})


class _ReadOnly:
    """Asks for a token, and lets nothing be written."""

    def __init__(self, app: ASGIApp, tokens: set[str]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self._tokens:
            await _error(401, "NotAuthorizedException", "Credentials are required")(scope, receive, send)
        elif request.method not in _READS and not request.url.path.endswith("/metrics"):
            await _error(403, "ForbiddenException", "The catalog is read-only")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": kind, "code": status}}, status_code=status)
