"""The local registry on a real socket, within the test's own process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from dashboard.local.registry_and_catalog import create_app


@contextmanager
def registry_at(home: Path, port: int = 0) -> Iterator[str]:
    """Its address, on any port unless one is given; it keeps its files in `home`."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(home / "registry", home / "warehouse"), log_level="warning", ws="none")
    )
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
