"""The fake's Metrics API: as strict, as late and as sparing as the published one."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import Flink, client
from tests.fakes.metrics import NO_WATERMARK

IN, PENDING = "io.confluent.flink/num_records_in", "io.confluent.flink/pending_records"
WATERMARK = "io.confluent.flink/current_input_watermark_milliseconds"
STATEMENT, TABLE = "resource.flink_statement.name", "metric.table_name"


@pytest.fixture
def metrics(cloud: FakeConfluentCloud) -> Iterator[httpx.Client]:
    with client(f"{cloud.metrics_url}/v2/metrics/cloud", cloud.cloud_key) as http:
        yield http


@pytest.fixture
def copying(flink: Flink) -> str:
    """A statement that runs, and reads two tables."""
    for table in ("a", "b", "c"):
        flink.run(f"make-{table}", f"CREATE TABLE {table} (id INT)")
    flink.run("copy", "INSERT INTO c SELECT a.id FROM a, b WHERE a.id = b.id")
    return "copy"


def asking(cloud: FakeConfluentCloud, metric: str, **more: Any) -> dict[str, Any]:
    pool = {"field": "resource.compute_pool.id", "op": "EQ", "value": cloud.compute_pool}
    return {
        "aggregations": [{"metric": metric}],
        "filter": pool,
        "granularity": "PT1M",
        "intervals": ["now-10m|m/now|m"],
        "group_by": [STATEMENT],
    } | more


def test_a_minute_is_told_some_time_after_its_end_and_the_newest_first(
    flink: Flink, metrics: httpx.Client, copying: str
) -> None:
    flink.cloud.measure(copying, pending_records=4)
    body = asking(flink.cloud, PENDING)
    flink.clock.advance(flink.cloud.delays.metrics)
    assert metrics.post("/query", json=body).json()["data"] == []

    flink.clock.advance(180)
    points = metrics.post("/query", json=body).json()["data"]
    assert {(one[STATEMENT], one["value"]) for one in points} == {("copy", 8.0)}, "of both tables it reads"
    stamps = [one["timestamp"] for one in points]
    assert len(stamps) >= 2
    assert stamps == sorted(stamps, reverse=True)


def test_groups_are_of_each_table_and_a_counter_is_summed_over_all_minutes(
    flink: Flink, metrics: httpx.Client, copying: str
) -> None:
    flink.cloud.measure(copying, "a", minutes_ago=4, num_records_in=10, pending_records=6)
    flink.cloud.measure(copying, "b", minutes_ago=4, num_records_in=1, pending_records=0)
    flink.clock.advance(flink.cloud.delays.metrics)
    both = {"group_by": [STATEMENT, TABLE], "format": "GROUPED", "granularity": "ALL"}
    a, b = metrics.post("/query", json=asking(flink.cloud, IN, **both)).json()["data"]
    assert (a[TABLE], b[TABLE]) == ("sales-trends.sales-cluster.a", "sales-trends.sales-cluster.b")
    assert [point["value"] for point in a["points"]] == [40.0]
    a, b = metrics.post("/query", json=asking(flink.cloud, PENDING, **both)).json()["data"]
    assert [point["value"] for point in a["points"]] == [6.0], "a gauge is averaged"
    first = metrics.post("/query", json=asking(flink.cloud, IN, **both, limit=1)).json()
    token = first["meta"]["pagination"]["next_page_token"]
    (second,) = metrics.post(
        "/query", params={"page_token": token}, json=asking(flink.cloud, IN, **both, limit=1)
    ).json()["data"]
    assert second[TABLE] == b[TABLE]


def test_what_runs_and_has_seen_nothing_has_the_word_for_no_watermark(
    flink: Flink, metrics: httpx.Client, copying: str
) -> None:
    flink.clock.advance(flink.cloud.delays.metrics + 60)
    points = metrics.post("/query", json=asking(flink.cloud, WATERMARK)).json()["data"]
    assert {one["value"] for one in points} == {NO_WATERMARK}


def test_a_statement_that_stopped_tells_nothing_more(flink: Flink, metrics: httpx.Client, copying: str) -> None:
    flink.patch(copying, "/spec/stopped", True)
    flink.clock.advance(flink.cloud.delays.stopping)
    assert flink.get(copying)["status"]["phase"] == "STOPPED"
    flink.clock.advance(3600)
    assert metrics.post("/query", json=asking(flink.cloud, PENDING)).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"aggregations": [{"metric": IN}, {"metric": PENDING}]}, "exactly one"),
        ({"aggregations": [{"metric": "io.confluent.flink/made_up"}]}, "Unknown metric"),
        ({"aggregations": [{"metric": WATERMARK, "agg": "SUM"}]}, "not supported"),
        ({"filter": None}, "resource filter"),
        ({"filter": {"field": TABLE, "op": "EQ", "value": "a"}}, "resource filter"),
        ({"filter": {"op": "AND", "filters": []}}, "must not be empty"),
        ({"filter": {"field": "resource.kafka.id", "op": "EQ", "value": "lkc-1"}}, "not valid for metric"),
        ({"group_by": ["metric.topic"]}, "not valid for metric"),
        ({"granularity": "PT2M"}, "granularity"),
        ({"intervals": []}, "intervals"),
        ({"intervals": ["now-7h/now"]}, "too long"),
        ({"intervals": ["now/now-1m"]}, "after its start"),
        ({"intervals": ["2026-01-01T00:00:00/PT1H"]}, "time zone"),
        ({"intervals": ["yesterday/now"]}, "not a timestamp"),
        ({"limit": 1001}, "limit"),
        ({"format": "GROUPED", "group_by": []}, "GROUPED"),
        ({"order_by": [{"metric": IN}]}, "order_by"),
        ({"groupBy": [STATEMENT]}, "Unrecognized field"),
    ],
)
def test_a_question_that_the_interface_does_not_take_is_refused(
    cloud: FakeConfluentCloud, metrics: httpx.Client, change: dict[str, Any], said: str
) -> None:
    refused = metrics.post("/query", json=asking(cloud, IN) | change)
    assert refused.status_code == 400
    assert said in refused.json()["errors"][0]["detail"]


def test_a_pool_that_is_not_ours_is_forbidden_and_another_key_too(
    cloud: FakeConfluentCloud, metrics: httpx.Client
) -> None:
    other = {"field": "resource.compute_pool.id", "op": "EQ", "value": "lfcp-other"}
    assert metrics.post("/query", json=asking(cloud, IN, filter=other)).status_code == 403
    with client(f"{cloud.metrics_url}/v2/metrics/cloud", cloud.flink_key) as http:
        assert http.get("/descriptors/metrics").status_code == 403
    with client(f"{cloud.metrics_url}/v2/metrics/cloud", None) as http:
        assert http.get("/descriptors/metrics").status_code == 401


def test_sixty_requests_a_minute_are_taken_whoever_asks(
    flink: Flink, metrics: httpx.Client, cloud: FakeConfluentCloud
) -> None:
    assert {metrics.get("/descriptors/metrics").status_code for _ in range(60)} == {200}
    flink.clock.advance(20)
    limited = metrics.get("/descriptors/metrics")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "41")
    assert flink.http.get("/statements").status_code == 200, "of the metrics alone"
    flink.clock.advance(41)
    assert metrics.get("/descriptors/metrics").status_code == 200


def test_descriptors_come_in_pages(cloud: FakeConfluentCloud, metrics: httpx.Client) -> None:
    first = metrics.get("/descriptors/metrics", params={"page_size": "5"}).json()
    token = first["meta"]["pagination"]["next_page_token"]
    second = metrics.get("/descriptors/metrics", params={"page_size": "5", "page_token": token}).json()
    assert "next_page_token" not in second["meta"]["pagination"]
    names = [one["name"] for one in [*first["data"], *second["data"]]]
    assert len(set(names)) == first["meta"]["pagination"]["total_size"] == len(names)
    assert {IN, PENDING, WATERMARK} <= set(names)
