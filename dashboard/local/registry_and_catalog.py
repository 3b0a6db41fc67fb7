"""Schema registry and Iceberg REST catalog of the local stack, in one process on the loopback address.

A stand-in for development: it keeps what the hosted services keep, has no login and no replicas, and is never to be
offered for production. The root page and the header `Server` say so too.

    python -m dashboard.local.registry_and_catalog
"""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.local.catalog.pointers import Pointers
from dashboard.local.catalog.routes import create_catalog
from dashboard.local.registry.routes import create_registry
from dashboard.local.registry.store import Store
from dashboard.settings import load_settings

SERVER = "sales-trends-local (development stand-in)"
_PAGE = """Sales Trends, local stack: schema and DEK registry (here) and Iceberg REST catalog (under /iceberg).
A stand-in for development, not Confluent's Schema Registry and not for production.
"""


class EncodedPaths:
    """Routes on the path as it was sent: decoded first, as servers do, `a%2Fb` would be two segments."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


class NoPages:
    """Refuses what a browser sends on behalf of a web page: without a login, any page could rewrite a contract."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "origin" in Headers(scope=scope):
            refusal = PlainTextResponse("Web pages may not use this service.\n", status_code=403)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def page(request: Request) -> Response:
    return PlainTextResponse(_PAGE)


def create_app(data: Path, warehouse: Path) -> Starlette:
    """Both services over files in `data`; the tables' own files go to `warehouse`."""
    store = Store(data / "registry.sqlite")
    pointers = Pointers(data / "catalog.sqlite", warehouse)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()
        pointers.close()

    routes = [
        Route("/", page),
        Route("/health", health),
        Mount("/iceberg", create_catalog(pointers)),
        Mount("/", create_registry(store)),
    ]
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        Middleware(NoPages),
        Middleware(EncodedPaths),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def main() -> None:
    settings = load_settings()
    local = settings.local
    app = create_app(local.home / "registry", local.home / "warehouse")
    # what is loaded by now stays: collecting it over and over would hold up a commit by 50 ms each time (measured)
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=local.registry_port,
        access_log=False,
        log_level="warning",
        ws="none",
        server_header=False,
        headers=[("Server", SERVER)],
        # writers commit every 10 s: closing their idle connections after the default 5 s would race with a commit,
        # and a commit whose connection breaks has an unknown outcome
        timeout_keep_alive=600,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
