"""A real registry on a real socket, one for all tests of this folder; each test has subjects of its own."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from tests.registry_server import registry_at


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry_at(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": address, "max.retries": 0}) as client:
        yield client


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, verify=address.startswith("https")) as http:
        yield http


@pytest.fixture
def subject() -> str:
    """A subject that no other test uses."""
    return f"shiftleft.public.{uuid4().hex}-value"
