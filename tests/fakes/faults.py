"""What goes wrong between a client and the cloud: refusals, broken connections, answers that are no JSON, limits.

It stands before all services of the fake, and also keeps the list of requests.
"""

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import NamedTuple
from uuid import uuid4

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.fakes.clock import Clock
from tests.fakes.refusals import CloudRefusal

_PER_SECOND = 50


class Received(NamedTuple):
    """One request as it came: path and query still percent-encoded."""

    method: str
    path: str
    query: str


@dataclass
class Fault:
    """One thing that goes wrong with the next `times` requests that match."""

    method: str
    path: re.Pattern[str]
    times: int
    response: Response | None = None
    """None: the connection is cut."""
    after_handling: bool = False

    def meets(self, received: Received) -> bool:
        return bool(self.times and self.method in (received.method, "*") and self.path.search(received.path))


@dataclass
class Faults:
    """The faults to come, in the order they were asked for; the method "*" stands for any."""

    faults: list[Fault] = field(default_factory=list)
    delay_seconds: float = 0
    """How long every request is on its way."""
    clock_seconds: float = 0
    """How far the clock that every answer tells is ahead of this machine's."""

    def answer(
        self, method: str, path_regex: str, *, status: int, headers: dict[str, str] | None = None, times: int = 1
    ) -> None:
        """The request is not carried out; the answer is an error in the cloud's form."""
        response = CloudRefusal(status, f"A fault of status {status}").response()
        if status == 429:
            # only what the test asks for: a client must also do without Retry-After
            del response.headers["Retry-After"]
        response.headers.update(headers or {})
        self.faults.append(Fault(method, re.compile(path_regex), times, response))

    def not_json(self, method: str, path_regex: str, *, status: int = 200, times: int = 1) -> None:
        """The request is not carried out; a page comes back, as from a proxy."""
        page = PlainTextResponse("<html><body>Service Unavailable</body></html>", status, media_type="text/html")
        self.faults.append(Fault(method, re.compile(path_regex), times, page))

    def cut(self, method: str, path_regex: str, *, times: int = 1, after_handling: bool = True) -> None:
        """The connection ends without an answer; `after_handling`: although the request was carried out."""
        self.faults.append(Fault(method, re.compile(path_regex), times, None, after_handling))

    def next_for(self, received: Received) -> Fault | None:
        fault = next((fault for fault in self.faults if fault.meets(received)), None)
        if fault:
            fault.times -= 1
        return fault


class FaultyNetwork:
    """All requests come through here, one middleware for all services."""

    def __init__(self, app: ASGIApp, faults: Faults, clock: Clock) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._recent: deque[float] = deque()
        self.requests: list[Received] = []
        self.rate_limit = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = Received(
            scope["method"], scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        )
        self.requests.append(received)
        if self._faults.delay_seconds:
            await asyncio.sleep(self._faults.delay_seconds)
        fault = self._faults.next_for(received)
        if fault and fault.response:
            await fault.response(scope, receive, send)
        elif fault:
            if fault.after_handling:
                await self._app(scope, receive, _nowhere)
            await _cut(receive, send)
        elif self._too_fast():
            await CloudRefusal(429, "Too many requests").response()(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send, self._faults.clock_seconds))

    def _too_fast(self) -> bool:
        now = self._clock.now()
        self._recent.append(now)
        while self._recent[0] <= now - 1:
            self._recent.popleft()
        return self.rate_limit and len(self._recent) > _PER_SECOND


async def _nowhere(message: Message) -> None:
    """An answer that nobody hears."""


async def _cut(receive: Receive, send: Send) -> None:
    """ASGI has no word for it: `send` is a method of uvicorn's cycle, which holds the connection."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass


def _with_headers(send: Send, clock_seconds: float) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = formatdate(time.time() + clock_seconds, usegmt=True).encode()
            message["headers"] = [*message["headers"], (b"x-request-id", uuid4().hex.encode()), (b"date", date)]
        await send(message)

    return sending
