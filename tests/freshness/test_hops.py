from datetime import timedelta

import pytest

from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.freshness.hops import Way, ways_of
from dashboard.freshness.verdict import Stage
from dashboard.settings import PipelineSettings
from dashboard.targets import TargetKind


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PipelineSettings())


def ways(pipeline: Pipeline, kind: TargetKind = "local", **settings: timedelta) -> dict[str, Way]:
    return {way.name: way for way in ways_of(pipeline, PipelineSettings.model_validate(settings), kind)}


def test_the_ways_to_the_chart_stand_in_the_order_of_the_flow(pipeline: Pipeline) -> None:
    assert [name for name, way in ways(pipeline).items() if way.is_main] == [
        "ingest:payments",
        "ingest:shiftleft.public.orders",
        "queue:unique-payments-maintenance",
        "watermark:unique-payments-maintenance",
        "queue:completed-orders-materializer",
        "watermark:completed-orders-materializer",
        "queue:revenue-summary-materializer",
        "watermark:revenue-summary-materializer",
        "commit:revenue_summary",
        "page",
    ]


def test_tables_that_a_statement_reads_on_hold_nothing_up(pipeline: Pipeline) -> None:
    side = [way.downstream for way in ways(pipeline).values() if not way.is_main]

    assert side == [topic for topic in pipeline.tableflow_topics if topic != "revenue_summary"]


def test_a_way_knows_what_it_starts_from_and_leads_to(pipeline: Pipeline) -> None:
    join = ways(pipeline)["watermark:completed-orders-materializer"]

    assert set(join.upstream) == {"unique_payments", "shiftleft.public.orders"}
    assert join.downstream == "completed_orders"


def test_what_breaks_a_contract_belongs_to_the_source_that_the_contract_is_of(pipeline: Pipeline) -> None:
    assert {way.name: way.letters for way in ways(pipeline).values() if way.letters} == {
        "ingest:payments": "error-payments"
    }


def test_windows_are_awaited_where_they_are_summed_up_and_nowhere_before(pipeline: Pipeline) -> None:
    hourly = ways(pipeline, window_size=timedelta(hours=1))

    assert hourly["watermark:completed-orders-materializer"].normal < timedelta(seconds=15)
    assert hourly["watermark:revenue-summary-materializer"].normal > timedelta(hours=1)


@pytest.mark.parametrize(("kind", "writer"), [("local", "payment-app"), ("own clusters", ""), ("Confluent Cloud", "")])
def test_only_the_local_stack_has_programs_that_write_its_sources(
    pipeline: Pipeline, kind: TargetKind, writer: str
) -> None:
    assert ways(pipeline, kind)["ingest:payments"].program == writer


def test_confluent_cloud_commits_when_it_likes_and_no_statement_copies(pipeline: Pipeline) -> None:
    local, cloud = ways(pipeline)["commit:revenue_summary"], ways(pipeline, "Confluent Cloud")["commit:revenue_summary"]

    assert (local.statement, cloud.statement) == ("tableflow-revenue-summary", "")
    assert cloud.work >= timedelta(minutes=5) > local.work
    assert ways(pipeline, "Confluent Cloud")["queue:unique-payments-maintenance"].work > timedelta(minutes=1)


def test_every_hop_has_a_stage_of_its_own_kind(pipeline: Pipeline) -> None:
    assert all(way.name.startswith(way.stage.value) for way in ways(pipeline).values())
    assert {way.stage for way in ways(pipeline).values()} == set(Stage)
