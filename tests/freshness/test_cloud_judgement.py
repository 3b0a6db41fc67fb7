"""What Confluent Cloud tells of Tableflow and of old metrics, in the verdict on a pipeline on paper."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.freshness.judgement import judge
from dashboard.freshness.memory import Memory
from dashboard.freshness.readings import Readings, TableflowReading
from dashboard.freshness.verdict import Hop, State, Verdict
from tests.freshness.looks import readings
from tests.freshness.simulated import JOIN, REVENUE, Simulated


@pytest.fixture(scope="module")
def pipeline() -> Simulated:
    """One that has run for half an hour as it should."""
    pipeline = Simulated(1, 5, 300, 60, kind="Confluent Cloud")
    for _ in range(1_800):
        pipeline.step()
    return pipeline


def judged(pipeline: Simulated, readings: Readings) -> Verdict:
    memory = Memory().after(readings, pipeline.ways)
    return judge(readings, pipeline.ways, pipeline.thresholds, None, memory)


def hop(verdict: Verdict, name: str) -> Hop:
    return next(one for one in verdict.hops if one.name == name)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (TableflowReading(REVENUE, "FAILED", "No access."), f"Tableflow of {REVENUE} failed: No access."),
        (TableflowReading(REVENUE, "FAILED", "A null.", True), f"Tableflow of {REVENUE} is suspended: A null."),
        (TableflowReading(REVENUE, "RUNNING", is_suspended=True), f"Tableflow of {REVENUE} is suspended."),
        (TableflowReading(REVENUE, "absent"), f"{REVENUE} is no Tableflow topic."),
    ],
)
def test_a_topic_that_tableflow_does_not_copy_holds_the_chart_at_once(
    pipeline: Simulated, told: TableflowReading, said: str
) -> None:
    readings = pipeline.readings()
    assert judged(pipeline, readings).state is State.FRESH
    verdict = judged(pipeline, replace(readings, tableflow={REVENUE: told}))
    assert verdict.state is State.LATE
    assert verdict.held_at is not None
    assert (verdict.held_at.name, verdict.held_at.reason) == (f"commit:{REVENUE}", said)
    assert verdict.held_at.hint


@pytest.mark.parametrize("phase", ["RUNNING", "PENDING", "MADE_UP_TOMORROW"])
def test_a_topic_that_is_copied_or_soon_will_be_is_judged_by_its_commits(pipeline: Simulated, phase: str) -> None:
    readings = replace(pipeline.readings(), tableflow={REVENUE: TableflowReading(REVENUE, phase)})
    assert judged(pipeline, readings).state is State.FRESH
    # as if nothing had been committed for an hour
    revenue = readings.tables[REVENUE]
    old = replace(revenue, frontier=readings.at - timedelta(hours=1), committed_at=readings.at - timedelta(hours=1))
    verdict = judged(pipeline, replace(readings, tables={**readings.tables, REVENUE: old}))
    assert verdict.held_at is not None
    assert verdict.held_at.name == f"commit:{REVENUE}"
    waits = phase == "RUNNING" or f"Tableflow of {REVENUE} is {phase.lower()}." == verdict.held_at.reason
    assert waits, verdict.held_at


def test_a_queue_is_as_long_as_it_was_when_it_was_measured(pipeline: Simulated) -> None:
    readings = pipeline.readings()
    measured_at = readings.at - timedelta(minutes=4)
    waiting = replace(
        readings.statements[JOIN],
        pending=3,
        input_watermark=measured_at - timedelta(seconds=20),
        measured_at=measured_at,
    )
    verdict = judged(pipeline, replace(readings, statements={**readings.statements, JOIN: waiting}))
    delay = hop(verdict, f"queue:{JOIN}").delay
    assert delay is not None
    assert delay <= timedelta(seconds=20), "the four minutes since then are no queue"


def test_what_is_noted_of_a_look_is_in_the_verdict(pipeline: Simulated) -> None:
    note = "Confluent Cloud's metrics do not tell late records."
    assert note in judged(pipeline, replace(pipeline.readings(), notes=(note,))).notes


def test_late_records_that_are_counted_from_another_day_on_are_no_new_ones() -> None:
    first = readings()
    (name, statement), *_ = first.statements.items()

    def then(after: timedelta, late: int, since: timedelta) -> Readings:
        one = replace(statement, late_records=late, counted_since=first.at + since)
        return replace(first, at=first.at + after, statements={name: one})

    day = timedelta(days=1)
    looks = [then(timedelta(0), 30, -7 * day), then(timedelta(seconds=10), 20, -6 * day)]
    memory = Memory().after(looks[0], ()).after(looks[1], ())

    assert memory.grown(name)[0] == 0
