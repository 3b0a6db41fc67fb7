"""How many requests a plan costs, and how long it takes, whatever else lives in the environment."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.confluent.statements import DIGEST_LABEL
from dashboard.deploy.confluent.versions import LABEL
from dashboard.deploy.ledger import Ledger
from dashboard.deploy.pipeline import Pipeline, Statement
from tests.deploy.cloud import applied, cloud_on, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

ROUND_TRIP_SECONDS = 0.05
AT_MOST_SECONDS = 2 * 10 * ROUND_TRIP_SECONDS
"""Twice what ten more pages take: the machine has other things to do. One by one they would take fifty times this."""


@pytest.fixture(scope="module")
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture(scope="module")
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        applied(target_on(cloud, kafka))
        yield cloud


def asked_by_a_plan(
    cloud: FakeConfluentCloud, kafka: FakeKafka, pipeline: Pipeline | None = None
) -> tuple[Counter[str], float]:
    """Requests by what they ask, and seconds."""
    before, began = len(cloud.requests), time.monotonic()
    assert plan_for(target_on(cloud, kafka, pipeline)).changes == []
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
    assert seconds - least_seconds <= AT_MOST_SECONDS


def one_table(inserts: int) -> Pipeline:
    """A made-up pipeline: so many statements fill one table."""
    table = Statement("many", "CREATE TABLE many (\n    order_id INT\n)", {})
    texts = [
        f"INSERT INTO many\nSELECT orderid\nFROM `shiftleft.public.orders`\nWHERE orderid = {n}" for n in range(inserts)
    ]
    return Pipeline([], [table, *(Statement(f"many-{n}", text, {}) for n, text in enumerate(texts))], [], {})


def deploy_inserts(cloud: FakeConfluentCloud, kafka: FakeKafka, pipeline: Pipeline) -> None:
    """As an apply leaves them; made without the network, which would take longer than the test."""
    texts = {one.name: one.text for one in pipeline.statements}
    wanted = target_on(cloud, kafka, pipeline).wanted()
    there = set(cloud.statements)
    place = {"sql.current-catalog": cloud.environment, "sql.current-database": cloud.cluster_name}
    for one in wanted:
        if one.id.name not in there:
            labels = {LABEL: "true", DIGEST_LABEL: one.digest}
            cloud._statements.create({"statement": texts[one.id.name], "properties": place}, one.id.name, labels)
    Ledger(kafka).note({one.id: one.digest for one in wanted})
    while any(one.phase == "PENDING" for one in cloud.statements.values()):
        time.sleep(ROUND_TRIP_SECONDS)


def test_a_thousand_unchanged_statements_of_ours_cost_no_more_than_their_pages() -> None:
    kafka = FakeKafka()
    with cloud_on(kafka) as cloud:
        applied(target_on(cloud, kafka, one_table(0)))
        cloud.faults.delay_seconds = ROUND_TRIP_SECONDS
        few = [asked_by_a_plan(cloud, kafka, one_table(0)) for _ in range(3)]
        pipeline = one_table(1_000)
        deploy_inserts(cloud, kafka, pipeline)
        many = [asked_by_a_plan(cloud, kafka, pipeline) for _ in range(5)]
    assert {asked["statement pages"] for asked, _ in few} == {1}
    assert {asked["statement pages"] for asked, _ in many} == {11}
    # the best of some, since other programs take the machine's time
    seconds = min(seconds for _, seconds in many) - min(seconds for _, seconds in few)
    assert seconds <= AT_MOST_SECONDS
