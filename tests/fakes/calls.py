"""One request to a fake API, and how routes are made of functions that answer one.

Paths arrive still percent-encoded, so that a name with a slash stays one segment.
"""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable
from threading import RLock
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.fakes.refusals import CloudRefusal

Key = tuple[str, str]
"""A key and its secret."""


class Call:
    """What the caller asks."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.headers = request.headers
        self.query = request.query_params
        self.url = str(request.url)
        self.base = f"{request.url.scheme}://{request.url.netloc}"
        self.body = body
        self._path = {name: unquote(part) for name, part in request.path_params.items()}

    def part(self, name: str) -> str:
        return self._path[name]

    def has(self, name: str) -> bool:
        return name in self._path

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def content(self, media_type: str = "application/json") -> Any:
        """The JSON body; raises CloudRefusal for another media type, or for what is not JSON."""
        sent = self.headers.get("content-type", "").split(";")[0].strip()
        if sent != media_type:
            raise CloudRefusal(415, f"Content-Type is {media_type}, not '{sent}'")
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise CloudRefusal(400, f"The body is not JSON: {error}") from error

    def object(self) -> dict[str, Any]:
        content = self.content()
        if not isinstance(content, dict):
            raise CloudRefusal(400, "The body is not a JSON object")
        return content

    def page_size(self) -> int:
        text = self.query.get("page_size", "10")
        if not text.isdecimal() or not 1 <= int(text) <= 100:
            raise CloudRefusal(400, f"page_size is between 1 and 100, not {text}", parameter="page_size")
        return int(text)

    @property
    def key(self) -> Key | None:
        """The Basic credentials; None without any that can be read."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except (Error, UnicodeDecodeError):
            return None
        return (name, secret) if scheme.lower() == "basic" and name else None


Work = Callable[[Call], Response]
Guard = Callable[[Call], None]


def routes(table: list[tuple[str, str, Work]], guard: Guard, lock: RLock) -> list[Route]:
    """Every answer is given under the fake's one lock, after the guard let the caller in."""
    return [Route(path, _endpoint(work, guard, lock), methods=[method]) for method, path, work in table]


def nobody(call: Call) -> None:
    """Keeps nobody out."""


def both(first: Guard, second: Guard) -> Guard:
    def check(call: Call) -> None:
        first(call)
        second(call)

    return check


def cloud_guard(allowed: Key, known: tuple[Key, ...]) -> Guard:
    """Lets one key in: 401 for what is no key at all, 403 for a key that is meant for something else."""

    def check(call: Call) -> None:
        if call.key not in known:
            raise CloudRefusal(401, "Valid authentication credentials must be provided")
        if call.key != allowed:
            raise CloudRefusal(403, "The API key is not valid for this resource")

    return check


def _endpoint(work: Work, guard: Guard, lock: RLock) -> Callable[[Request], Awaitable[Response]]:
    def answer(call: Call) -> Response:
        with lock:
            guard(call)
            return work(call)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, Call(request, await request.body()))

    return endpoint
