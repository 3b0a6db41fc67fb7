"""How many requests a plan costs, and how long it takes, whatever else lives in the environment."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from dashboard.deploy.apply import plan_for
from tests.deploy.cloud import applied, cloud_on, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

ROUND_TRIP_SECONDS = 0.05


@pytest.fixture(scope="module")
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture(scope="module")
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        applied(target_on(cloud, kafka))
        yield cloud


def asked_by_a_plan(cloud: FakeConfluentCloud, kafka: FakeKafka) -> tuple[Counter[str], float]:
    """Requests by what they ask, and seconds."""
    before, began = len(cloud.requests), time.monotonic()
    assert plan_for(target_on(cloud, kafka)).changes == []
    seconds = time.monotonic() - began
    paths = [(one.method, one.path.removesuffix("/")) for one in cloud.requests[before:]]
    return Counter(_kind(method, path) for method, path in paths), seconds


def _kind(method: str, path: str) -> str:
    if "/sql/v1/" in path:
        return "statement pages" if method == "GET" and path.endswith("/statements") else "tables"
    return path


def with_foreign_statements(cloud: FakeConfluentCloud, count: int) -> None:
    """Made without the network, which would take longer than the test."""
    spec = {"statement": "SELECT 1", "properties": {}}
    for number in range(count):
        cloud._statements.create(spec, f"others-{number}", {})


def test_requests_grow_with_pages_and_a_plan_takes_no_longer_than_they_do(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    asked_by_a_plan(cloud, kafka)
    cloud.faults.delay_seconds = ROUND_TRIP_SECONDS
    few, least_seconds = asked_by_a_plan(cloud, kafka)
    with_foreign_statements(cloud, 1_000)
    many, seconds = asked_by_a_plan(cloud, kafka)
    assert (few["statement pages"], many["statement pages"]) == (1, 11)
    others = {kind: count for kind, count in many.items() if kind not in ("statement pages", "tables")}
    # of these a page each, and the level of the one contract and its one key
    assert others == {
        "/schemas": 1,
        "/config/payments-value": 1,
        "/dek-registry/v1/keks/CSFLE_Key": 1,
        "/tableflow/v1/tableflow-topics": 1,
    }
    assert {kind: count for kind, count in few.items() if kind in others} == others
    # as often as the one query is asked whether it is done
    assert abs(many["tables"] - few["tables"]) <= 3
    # the best of some, since other programs take the machine's time
    seconds = min(seconds, *(asked_by_a_plan(cloud, kafka)[1] for _ in range(4)))
    assert seconds - least_seconds <= 1.1 * 10 * ROUND_TRIP_SECONDS
