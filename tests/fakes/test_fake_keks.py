"""The fake of Confluent's DEK registry and the local stack's answer the same, but for the keys that are shared."""

from collections.abc import Iterator
from pathlib import Path
from threading import RLock
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.local.registry.routes import create_registry
from dashboard.local.registry.store import Store
from dashboard.local.registry_and_catalog import EncodedPaths
from tests.fakes.calls import routes
from tests.fakes.keks import DekRegistry

KEKS = "/dek-registry/v1/keks"
KEK = {"name": "key", "kmsType": "AWS_KMS", "kmsKeyId": "arn:aws:kms:us-east-1:1:key/2"}
ONE, DEKS = f"{KEKS}/key", f"{KEKS}/key/deks"
DEK = {"encryptedKeyMaterial": "bXk="}
Asked = tuple[str, str, dict[str, Any] | None]
LIFE: tuple[Asked, ...] = (
    ("GET", KEKS, None),
    ("GET", ONE, None),
    ("POST", f"{ONE}/undelete", None),
    ("POST", KEKS, KEK),
    ("POST", KEKS, KEK),
    ("POST", KEKS, KEK | {"name": "9"}),
    ("POST", KEKS, {"name": "key"}),
    ("POST", KEKS, KEK | {"name": "other", "kmsProps": {"b": "1", "a": "2"}, "doc": ""}),
    ("GET", KEKS, None),
    ("GET", f"{KEKS}?offset=1&limit=1", None),
    ("GET", ONE, None),
    ("PUT", ONE, {"doc": "cards", "kmsKeyId": "another"}),
    ("PUT", ONE, {"doc": None}),
    ("PUT", f"{KEKS}/none", {"doc": "cards"}),
    ("DELETE", f"{ONE}?permanent=true", None),
    ("POST", f"{DEKS}/a", {}),
    ("POST", f"{DEKS}/a%2Fb", DEK),
    ("POST", f"{DEKS}/a%2Fb", DEK),
    ("POST", f"{DEKS}/a%2Fb", DEK | {"version": 2, "encryptedKeyMaterial": "djI="}),
    ("POST", DEKS, DEK | {"subject": "b", "algorithm": "AES256_SIV"}),
    ("POST", DEKS, DEK),
    ("POST", f"{KEKS}/none/deks/a", DEK),
    ("GET", DEKS, None),
    ("GET", f"{DEKS}/a%2Fb", None),
    ("GET", f"{DEKS}/a%2Fb/versions", None),
    ("GET", f"{DEKS}/a%2Fb/versions/1", None),
    ("GET", f"{DEKS}/a%2Fb/versions/latest", None),
    ("GET", f"{DEKS}/a%2Fb/versions/3", None),
    ("GET", f"{DEKS}/a%2Fb?algorithm=AES256_SIV", None),
    ("GET", f"{DEKS}/none", None),
    ("GET", f"{DEKS}/none/versions", None),
    ("DELETE", ONE, None),
    ("DELETE", f"{DEKS}/a%2Fb?permanent=true", None),
    ("DELETE", f"{DEKS}/a%2Fb/versions/1", None),
    ("GET", f"{DEKS}/a%2Fb", None),
    ("GET", f"{DEKS}/a%2Fb?deleted=true", None),
    ("GET", f"{DEKS}/a%2Fb/versions", None),
    ("GET", f"{DEKS}/a%2Fb/versions?deleted=true", None),
    ("POST", f"{DEKS}/a%2Fb", DEK | {"encryptedKeyMaterial": "bmV3"}),
    ("POST", f"{DEKS}/a%2Fb", DEK),
    ("DELETE", f"{DEKS}/a%2Fb", None),
    ("POST", f"{DEKS}/a%2Fb/versions/2/undelete", None),
    ("GET", f"{DEKS}/a%2Fb/versions", None),
    ("POST", f"{DEKS}/a%2Fb/undelete", None),
    ("GET", f"{DEKS}/a%2Fb/versions", None),
    ("DELETE", f"{DEKS}/none", None),
    ("DELETE", f"{DEKS}/a%2Fb", None),
    ("DELETE", f"{DEKS}/b?algorithm=AES256_SIV", None),
    ("DELETE", ONE, None),
    ("GET", ONE, None),
    ("GET", f"{ONE}?deleted=true", None),
    ("GET", DEKS, None),
    ("GET", f"{DEKS}?deleted=true", None),
    ("GET", f"{DEKS}/a%2Fb", None),
    ("POST", f"{DEKS}/c", DEK),
    ("POST", f"{DEKS}/a%2Fb/undelete", None),
    ("PUT", ONE, {"doc": "cards"}),
    ("DELETE", f"{ONE}?permanent=true", None),
    ("POST", KEKS, KEK | {"doc": "another"}),
    ("POST", KEKS, KEK),
    ("GET", ONE, None),
    ("DELETE", ONE, None),
    ("DELETE", f"{DEKS}/a%2Fb?permanent=true", None),
    ("DELETE", f"{DEKS}/b?algorithm=AES256_SIV&permanent=true", None),
    ("DELETE", f"{ONE}?permanent=true", None),
    ("GET", f"{KEKS}?deleted=true", None),
)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[TestClient]:
    store = Store(tmp_path / "registry.sqlite")
    yield TestClient(EncodedPaths(create_registry(store)))
    store.close()


@pytest.fixture
def fake() -> TestClient:
    return TestClient(EncodedPaths(Starlette(routes=routes(DekRegistry().table(), lambda call: None, RLock()))))


def answer(client: TestClient, asked: Asked) -> tuple[int, Any]:
    method, path, body = asked
    answered = client.request(method, path, json=body)
    content = answered.json() if answered.content else None
    if isinstance(content, dict):
        content.pop("ts", None)
        # what is wrong and where is said alike; the local one adds the next step
        content |= {"message": content["message"].partition(".")[0]} if "message" in content else {}
    return answered.status_code, content


def test_a_life_of_keys_is_answered_alike(fake: TestClient, local: TestClient) -> None:
    for asked in LIFE:
        assert answer(local, asked) == answer(fake, asked), asked
