"""A fake of one's own for each test, on a clock that stands still, and plain httpx to talk to it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.calls import Key
from tests.fakes.clock import ManualClock
from tests.fakes.confluent_cloud import FakeConfluentCloud


class Flink:
    """The statements API as a careful caller uses it; each call answers httpx's own response."""

    def __init__(self, cloud: FakeConfluentCloud, clock: ManualClock, http: httpx.Client) -> None:
        self.cloud, self.clock, self.http = cloud, clock, http

    def post(self, name: str, sql: str, properties: dict[str, str] | None = None, **spec: Any) -> httpx.Response:
        current = {
            "sql.current-catalog": self.cloud.environment,
            "sql.current-database": self.cloud.cluster_name,
        }
        content = {"statement": sql, "properties": current | (properties or {})} | spec
        return self.http.post("/statements", json={"name": name, "spec": content})

    def get(self, name: str) -> dict[str, Any]:
        response = self.http.get(f"/statements/{name}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def run(self, name: str, sql: str, **properties: str) -> dict[str, Any]:
        """The statement once it is no longer PENDING."""
        response = self.post(name, sql, properties)
        assert response.status_code == 201, response.text
        self.clock.advance(self.cloud.delays.pending)
        return self.get(name)

    def patch(self, name: str, path: str, value: Any) -> httpx.Response:
        operation = [{"op": "replace", "path": path, "value": value}]
        headers = {"Content-Type": "application/json-patch+json"}
        return self.http.patch(f"/statements/{name}", json=operation, headers=headers)

    def rows(self, name: str) -> list[list[Any]]:
        """All rows, over all pages."""
        rows: list[list[Any]] = []
        page = self.http.get(f"/statements/{name}/results").json()
        while True:
            rows += [one["row"] for one in page["results"]["data"]]
            if not page["metadata"]["next"]:
                return rows
            page = self.http.get(page["metadata"]["next"]).json()

    def ask(self, sql: str) -> list[list[Any]]:
        """The rows of a bounded query; its statement is gone afterwards."""
        answer = self.run("query", sql)
        assert answer["status"]["phase"] == "COMPLETED", answer["status"]["detail"]
        rows = self.rows("query")
        self.cloud.purge_finished()
        return rows


def client(url: str, key: Key | None) -> httpx.Client:
    return httpx.Client(base_url=url, auth=key, trust_env=False, verify=url.startswith("https"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> Iterator[FakeConfluentCloud]:
    with FakeConfluentCloud(clock=clock) as cloud:
        yield cloud


@pytest.fixture
def flink(cloud: FakeConfluentCloud, clock: ManualClock) -> Iterator[Flink]:
    base = f"{cloud.flink_url}/sql/v1/organizations/{cloud.organization}/environments/{cloud.environment}"
    with client(base, cloud.flink_key) as http:
        yield Flink(cloud, clock, http)


@pytest.fixture
def control_plane(cloud: FakeConfluentCloud) -> Iterator[httpx.Client]:
    with client(cloud.control_plane_url, cloud.tableflow_key) as http:
        yield http


@pytest.fixture
def registry(cloud: FakeConfluentCloud) -> Iterator[httpx.Client]:
    with client(cloud.registry_url, cloud.registry_key) as http:
        yield http
