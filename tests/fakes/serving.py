"""Several services on loopback ports of their own, in one thread of this process."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.local.registry_and_catalog import EncodedPaths

_START_SECONDS = 10


class ByPort:
    """Hands a request to the service whose port it came to: each stands for a host of its own."""

    def __init__(self, apps: Mapping[int, ASGIApp]) -> None:
        self._apps = {port: EncodedPaths(app) for port, app in apps.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)


@contextmanager
def ports(count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(_listener()) for _ in range(count)]


def _listener() -> socket.socket:
    """Made with the protocol named: asyncio sends at once (TCP_NODELAY) only then, else an answer waits for 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


class _Server(uvicorn.Server):
    """Looks more often whether it is to end: there is a fake for each of many tests."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.01)


@contextmanager
def serving(app: ASGIApp, listeners: list[socket.socket]) -> Iterator[None]:
    config = uvicorn.Config(
        app,
        http="h11",  # faults cut connections through its transport
        interface="asgi3",
        lifespan="off",
        ws="none",
        proxy_headers=False,
        access_log=False,
        date_header=False,  # a test may move the clock that it tells
        log_config=None,  # what the tests set up stays as it is
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": listeners}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the fake did not start")
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join()
