"""The hosted Schema Registry: the local stack's registry behind a key of its own, and the DEK registry beside it."""

from pathlib import Path
from threading import RLock

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.local.registry.routes import create_registry
from dashboard.local.registry.store import Store
from dashboard.local.registry.subjects import Subjects
from tests.fakes.calls import Call, Key, routes
from tests.fakes.keks import DekRegistry


class BasicKey:
    """Refuses whoever does not know the key, in the registry's error form and not in the cloud's."""

    def __init__(self, app: ASGIApp, key: Key) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and Call(Request(scope), b"").key != self._key:
            refusal = JSONResponse({"error_code": 401, "message": "Unauthorized"}, status_code=401)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class FakeRegistry:
    """Subjects and keys of one environment, kept in `folder` until `close`."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder / "registry.sqlite")
        self.subjects = Subjects(self._store)
        self.deks = DekRegistry()

    def app(self, key: Key, lock: RLock) -> ASGIApp:
        served = Starlette(routes=[*routes(self.deks.table(), _anyone, lock), Mount("/", create_registry(self._store))])
        return BasicKey(served, key)

    def close(self) -> None:
        self._store.close()


def _anyone(call: Call) -> None:
    """Who comes this far has shown the key."""
