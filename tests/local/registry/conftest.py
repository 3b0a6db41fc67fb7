"""A real registry on a real socket, one for all tests of this folder; each test has subjects of its own."""

import socket
import threading
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
import uvicorn
from confluent_kafka.schema_registry import SchemaRegistryClient

from dashboard.local.registry_and_catalog import create_app


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("registry")
    server = uvicorn.Server(
        uvicorn.Config(create_app(home / "registry", home / "warehouse"), log_level="warning", ws="none")
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(address: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": address, "max.retries": 0}) as client:
        yield client


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as http:
        yield http


@pytest.fixture
def subject() -> str:
    """A subject that no other test uses."""
    return f"shiftleft.public.{uuid4().hex}-value"
