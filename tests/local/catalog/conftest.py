"""A real catalog on a real socket, one for all tests of this folder; each test has a namespace of its own."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uvicorn
from pyiceberg.catalog.rest import RestCatalog

from dashboard.local.registry_and_catalog import create_app


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the catalog keeps its pointers; the tables are in its folder `warehouse`."""
    return tmp_path_factory.mktemp("catalog, with spaces & 100%")


@pytest.fixture(scope="session")
def address(home: Path) -> Iterator[str]:
    app = create_app(home / "registry", home / "warehouse")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/iceberg"
        server.should_exit = True
        thread.join()


@pytest.fixture
def catalog(address: str) -> Iterator[RestCatalog]:
    catalog = RestCatalog("local", uri=address)
    yield catalog
    catalog.close()


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{address}/v1", verify=address.startswith("https")) as http:
        yield http


@pytest.fixture
def namespace(http: httpx.Client) -> str:
    """A namespace named like a Kafka cluster."""
    name = f"lkc-{uuid4().hex}"
    assert http.post("/namespaces", json={"namespace": [name]}).status_code == 200
    return name
