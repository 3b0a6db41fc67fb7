"""Several services on loopback ports of their own, in one thread of this process."""

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
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]


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
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
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
