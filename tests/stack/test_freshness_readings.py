"""What a look at the running stack tells, beside what Kafka, Flink's own REST interface and the catalog say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.freshness.gatherer import Gatherer
from dashboard.freshness.open_source import OpenSourceParts
from dashboard.freshness.readings import Readings, StatementReading
from dashboard.freshness.tables import TableReadings
from dashboard.freshness.topics import EVENT_TIMES
from dashboard.lifecycle import LocalStack
from dashboard.remotes.wire_format import Decoder
from tests.conftest import eventually

pytestmark = pytest.mark.stack

WINDOWS = "revenue-summary-materializer"
FLOW = ("payments", "unique_payments", "completed_orders", "revenue_summary")
SOON = timedelta(seconds=60)


@pytest.fixture(scope="module")
def gatherer(stack: LocalStack) -> Iterator[Gatherer]:
    deployment = stack.deployment
    parts = OpenSourceParts(
        deployment.statements,
        deployment.statuses,
        deployment.kafka,
        deployment.registry,
        TableReadings(stack.lake, deployment.pipeline.tableflow_topics, stack.settings.local.catalog_interval).look,
    )
    # the machine of the tests is busy with the stack itself
    yield Gatherer(parts.looks, patience=timedelta(seconds=20), first_patience=timedelta(seconds=60))
    parts.close()


@pytest.fixture(scope="module")
def readings(stack: LocalStack, gatherer: Gatherer) -> Readings:
    """Of a stack on which everything has got going, and whose history is worked on."""

    def live() -> Readings | None:
        readings = gatherer.look()
        tables = readings.tables.values()
        is_live = (
            not readings.silences
            and all(_measured(one) for one in readings.statements.values())
            and len(tables) == len(stack.deployment.pipeline.tableflow_topics)
            and all(one.snapshot_id for one in tables)
            and (readings.tables["revenue_summary"].frontier or readings.at - 2 * SOON) > readings.at - SOON
        )
        return readings if is_live else None

    return eventually(live, 240)


def _measured(reading: StatementReading) -> bool:
    told = (reading.input_watermark, reading.output_watermark, reading.records_in, reading.records_out, reading.pending)
    return reading.runs and None not in told


def test_every_topic_tells_how_far_it_is(stack: LocalStack, readings: Readings) -> None:
    pipeline = stack.deployment.pipeline
    assert readings.topics.keys() == {one.name for one in pipeline.topics} | pipeline.created_tables.keys()
    for name, reading in readings.topics.items():
        assert reading.newest_at is not None
        assert readings.at - SOON < reading.newest_at, name
        if name in EVENT_TIMES:
            assert reading.frontier is not None
            assert reading.lateness is not None
            assert readings.at - SOON < reading.frontier < readings.at + SOON, name
    assert readings.clock_skew == timedelta(0)


def test_a_topics_frontier_is_the_newest_event_time_in_it(stack: LocalStack, gatherer: Gatherer) -> None:
    for name in ("payments", "completed_orders", "revenue_summary"):
        before = gatherer.look().topics[name].frontier
        seen = _newest_event(stack, name)
        after = gatherer.look().topics[name].frontier
        assert before is not None
        assert after is not None
        assert before <= seen <= after, name


def test_every_statement_tells_how_far_it_is(stack: LocalStack, readings: Readings) -> None:
    assert list(readings.statements) == stack.deployment.statements.statement_names
    for name, reading in readings.statements.items():
        assert (reading.phase, reading.detail, reading.restarts, reading.is_stopped) == ("RUNNING", "", 0, False), name
        for watermark in (reading.input_watermark, reading.output_watermark):
            assert watermark is not None
            assert readings.at - SOON < watermark < readings.at, name
        assert reading.checkpoint_age is not None
        assert reading.checkpoint_age < SOON, name
        assert reading.pending_for is not None
        assert reading.pending_for < SOON, name
    assert readings.statements[WINDOWS].late_records is not None


@pytest.mark.parametrize("name", [DEDUPLICATION, JOIN])
def test_what_a_statement_has_read_is_what_its_tasks_say_they_passed_on(
    stack: LocalStack, gatherer: Gatherer, readings: Readings, name: str
) -> None:
    """Another of Flink's figures: nothing is left out between reading and the next task of these two."""
    before = readings.statements[name].records_in
    job = stack.deployment.statements.jobs()[name]
    told = httpx.get(f"{stack.deployment.statements.flink.rest}/jobs/{job.id}", trust_env=False).json()
    passed_on = sum(one["metrics"]["write-records"] for one in told["vertices"] if one["name"].startswith("Source:"))
    assert before is not None
    assert before <= passed_on
    eventually(lambda: (gatherer.look().statements[name].records_in or 0) >= passed_on, 60)


def test_the_tables_tell_their_newest_commit(stack: LocalStack, gatherer: Gatherer) -> None:
    before = gatherer.look().tables["revenue_summary"]
    snapshot = stack.lake.snapshot()
    newest = stack.lake.revenue()["window_end"].to_pylist()[-1]
    after = gatherer.look().tables["revenue_summary"]
    assert snapshot is not None
    assert before.committed_at is not None
    assert after.committed_at is not None
    assert before.committed_at <= snapshot.committed_at <= after.committed_at
    assert before.frontier is not None
    assert before.frontier <= newest
    assert after.frontier is not None
    assert after.frontier <= datetime.now(UTC)
    eventually(lambda: (gatherer.look().tables["revenue_summary"].frontier or newest) > newest, 60)


def test_frontiers_stand_in_the_order_of_the_flow(readings: Readings) -> None:
    flow = [
        readings.topics[name].frontier
        for name in ("payments", "unique_payments", "completed_orders", "revenue_summary")
    ]
    reached = [*flow, readings.tables["revenue_summary"].frontier]
    known = [one for one in reached if one is not None]
    assert len(known) == 5
    for earlier, later in pairwise(known):
        # looked at side by side, so the one behind may have been looked at a little later
        assert later <= earlier + timedelta(seconds=5)


def test_a_statement_that_is_stopped_is_told_and_its_table_stands_still(stack: LocalStack, gatherer: Gatherer) -> None:
    name = "tableflow-completed-orders"
    stack.stop(name)
    try:
        eventually(lambda: gatherer.look().statements[name].is_stopped, 30)
        stopped = gatherer.look().statements[name]
        assert "somebody stopped it" in stopped.detail
        assert stopped.input_watermark is None
        held = gatherer.look()
        eventually(lambda: (gatherer.look().topics["completed_orders"].end) > held.topics["completed_orders"].end, 60)
        assert gatherer.look().tables["completed_orders"] == held.tables["completed_orders"]
    finally:
        stack.resume(name)
    eventually(lambda: gatherer.look().statements[name].runs, 60)


def _newest_event(stack: LocalStack, topic: str) -> datetime:
    ends = stack.kafka.end_offsets(topic)
    starts = {partition: max(0, end - 50) for partition, end in ends.items()}
    decode = Decoder(stack.deployment.registry.schema)
    times: list[datetime] = [decode(one.value)[EVENT_TIMES[topic]] for one in stack.kafka.records(topic, starts, ends)]
    return max(times)
