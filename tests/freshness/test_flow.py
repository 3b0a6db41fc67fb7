"""A pipeline on paper, looked at second by second: well at every rate, and each fault named where it is."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.deploy.tableflow import statement_name
from dashboard.freshness.readings import Part
from dashboard.freshness.verdict import State, Verdict
from dashboard.targets import TargetKind
from tests.freshness.simulated import (
    DEDUPLICATION,
    JOIN,
    ORDERS,
    PAYMENTS,
    REVENUE,
    SUMS,
    Simulated,
    seconds_until,
)

COPYING = statement_name(REVENUE)
WITHIN_S = 30


def warm(pipeline: Simulated) -> Simulated:
    """After its first windows, and before anybody looks."""
    for _ in range(round(20 / pipeline.rate + pipeline.window + 2 * pipeline.commit)):
        pipeline.step()
    return pipeline


def told(verdict: Verdict) -> str:
    return f"{verdict.headline()}: {verdict.held_at}"


@dataclass(frozen=True)
class Steady:
    rate: float
    window: float
    commit: float
    checkpoint: float = 1
    kind: TargetKind = "local"
    seconds: int = 600
    every: int = 1


STEADY = {
    "many a second": Steady(50, 5, 10, seconds=120),
    "two a second": Steady(2, 5, 10),
    "one in 20 seconds": Steady(0.05, 5, 10, seconds=2_400, every=2),
    "minutes": Steady(2, 60, 10),
    "hours": Steady(1, 3_600, 10, seconds=9_000, every=15),
    "few in an hour": Steady(0.01, 3_600, 300, seconds=15_000, every=15),
    "a minute, on Confluent Cloud": Steady(1, 60, 300, 60, "Confluent Cloud", seconds=1_800, every=5),
    "few, on Confluent Cloud": Steady(0.02, 5, 300, 60, "Confluent Cloud", seconds=3_600, every=5),
}


@pytest.mark.parametrize("steady", STEADY.values(), ids=STEADY)
def test_what_goes_on_as_it_should_is_fresh_all_the_time(steady: Steady) -> None:
    pipeline = warm(Simulated(steady.rate, steady.window, steady.commit, steady.checkpoint, kind=steady.kind))

    wrong = [told(verdict) for verdict in pipeline.run(steady.seconds, steady.every) if verdict.state != State.FRESH]
    assert wrong == []


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), rate=st.sampled_from([0.1, 1.0, 8.0]), window=st.sampled_from([5, 60]))
def test_the_teeth_of_a_saw_are_never_taken_for_lateness(seed: int, rate: float, window: int) -> None:
    pipeline = warm(Simulated(rate, window, 10, seed=seed))

    late = [told(one) for one in pipeline.run(150) if one.state in (State.LATE, State.STALE, State.UNKNOWN)]
    assert late == []


def test_a_past_that_is_sent_fast_is_told_as_one_and_for_how_long_it_goes_on() -> None:
    pipeline = Simulated(20, 5, 10)
    pipeline.late_by = 6_000
    told_of = []
    while pipeline.late_by > 0:
        told_of += [hop for one in pipeline.run(1) for hop in one.hops if hop.name == f"ingest:{PAYMENTS}"]
        pipeline.late_by -= 100  # in each second

    assert {hop.state for hop in told_of} == {State.STALE}
    assert told_of[5].reason == (
        "Past payments are being sent, so far up to 07:28:25 UTC: 101 times as fast as they happened."
    )
    assert [hop.hint for hop in told_of[5:40:34]] == [
        "Nothing is to be done: at this pace they have caught up in 55 s.",
        "Nothing is to be done: at this pace they have caught up in 21 s.",
    ]
    assert [*pipeline.run(60)][-1].state == State.FRESH


@pytest.mark.parametrize("rate", [0.05, 0.2, 20])
def test_a_writer_that_is_late_is_not_told_as_a_past_that_is_sent_however_seldom_it_writes(rate: float) -> None:
    pipeline = Simulated(rate, 5, 10)
    pipeline.late_by = 3_600

    reasons = [hop.reason for one in pipeline.run(300, 2) for hop in one.hops if hop.name == f"ingest:{PAYMENTS}"]
    assert any("are old" in reason for reason in reasons)
    assert [reason for reason in reasons if "Past payments are being sent" in reason] == []


@dataclass(frozen=True)
class Fault:
    begin: Callable[[Simulated], None]
    hop: str
    state: State
    reason: str
    hint: str = ""


def sets(name: str, value: object) -> Callable[[Simulated], None]:
    return lambda pipeline: setattr(pipeline, name, value)


FAULTS = {
    "the payment app is stopped": Fault(
        lambda one: one.stop_program(PAYMENTS, "payment-app"),
        "ingest:payments",
        State.WAITING,
        "No payments since 09:00:59 UTC: the payment app is not running.",
        "`sales-trends up` starts it.",
    ),
    "the order feed is stopped": Fault(
        lambda one: one.stop_program(ORDERS, "order-feed"),
        "ingest:shiftleft.public.orders",
        State.WAITING,
        "the order feed is not running",
        "`sales-trends up` starts it.",
    ),
    "nobody pays": Fault(
        sets("silent", {PAYMENTS}), "ingest:payments", State.WAITING, "nothing writes to the topic payments"
    ),
    "only late records come": Fault(
        sets("late_by", 3_600),
        "ingest:payments",
        State.LATE,
        "The payments that come are old: the newest is of 09:00:59 UTC.",
    ),
    "records of a time to come": Fault(
        sets("late_by", -60), "ingest:payments", State.LATE, "There are payments of a time that is", "Set the clock"
    ),
    "one partition gets nothing": Fault(
        sets("shut", {3}),
        f"watermark:{DEDUPLICATION}",
        State.LATE,
        "Partition 3 of payments has had no record since 09:00:59 UTC",
        "a record in it lets",
    ),
    "most payments are rejected": Fault(
        sets("letters", 200),
        "ingest:payments",
        State.LATE,
        "broke their contract and went to error-payments",
        "`sales-trends dlq list`",
    ),
    "a statement failed": Fault(
        sets("phases", {JOIN: "FAILED"}), f"queue:{JOIN}", State.LATE, f"{JOIN} failed.", "`sales-trends status`"
    ),
    "a statement is degraded": Fault(
        sets("phases", {SUMS: "DEGRADED"}), f"queue:{SUMS}", State.LATE, f"The statement {SUMS} is degraded."
    ),
    "a statement waits for compute": Fault(
        sets("phases", {SUMS: "PENDING"}), f"queue:{SUMS}", State.LATE, f"{SUMS} waits for compute.", "compute pool"
    ),
    "a statement is absent": Fault(
        sets("phases", {SUMS: "absent"}), f"queue:{SUMS}", State.LATE, f"{SUMS} is not there.", "`sales-trends plan`"
    ),
    "a statement was stopped": Fault(
        sets("stopped", {SUMS}), f"queue:{SUMS}", State.LATE, f"{SUMS} was stopped on purpose.", f"resume {SUMS}`"
    ),
    "the deduplication runs and does nothing": Fault(
        sets("stuck", {DEDUPLICATION}),
        f"watermark:{DEDUPLICATION}",
        State.LATE,
        f"{DEDUPLICATION} runs and passes on nothing newer than 09:00:54 UTC.",
    ),
    "the join runs and does nothing": Fault(sets("stuck", {JOIN}), f"watermark:{JOIN}", State.LATE, f"{JOIN} runs"),
    "the sums run and do nothing": Fault(sets("stuck", {SUMS}), f"watermark:{SUMS}", State.LATE, f"{SUMS} runs"),
    "all statements are restarting": Fault(
        lambda one: one.phases.update(dict.fromkeys(one.statements, "RESTARTING")),
        f"queue:{DEDUPLICATION}",
        State.LATE,
        "No TaskManager carries the statements",
        "`sales-trends doctor`",
    ),
    "the TaskManager is killed": Fault(
        sets("programs", {"taskmanager": "dead"}),
        f"queue:{DEDUPLICATION}",
        State.LATE,
        "The TaskManager is not running.",
        "`sales-trends up` starts it.",
    ),
    "the copying statement is stopped": Fault(
        sets("stopped", {COPYING}), "commit:revenue_summary", State.LATE, f"{COPYING} was stopped on purpose."
    ),
    "nothing is committed": Fault(
        sets("stuck", {COPYING}), "commit:revenue_summary", State.LATE, "No commit of revenue_summary since"
    ),
    "the catalog is away": Fault(
        sets("silences", {Part.CATALOG: "The catalog does not answer."}),
        "commit:revenue_summary",
        State.UNKNOWN,
        "The catalog does not answer.",
        "`sales-trends doctor`",
    ),
    "Kafka is away": Fault(
        sets("silences", {Part.KAFKA: "Kafka does not answer."}),
        "ingest:payments",
        State.UNKNOWN,
        "Kafka does not answer.",
    ),
    "the page does not ask": Fault(
        sets("asks", False), "page", State.LATE, "The dashboard has not seen the newest state for"
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_where_it_is_within_half_a_minute_and_forgotten_when_it_is_over(fault: Fault) -> None:
    pipeline = Simulated(50)
    assert [told(one) for one in pipeline.run(60) if one.state != State.FRESH] == []

    fault.begin(pipeline)
    seconds_until(pipeline, lambda verdict: verdict.held_at is not None, WITHIN_S)
    first = pipeline.look()
    assert first.held_at is not None
    assert (first.held_at.name, first.state) == (fault.hop, fault.state), told(first)
    assert fault.reason in first.held_at.reason
    assert fault.hint in first.held_at.hint
    assert {one.held_at.name for one in pipeline.run(60) if one.held_at} == {fault.hop}, "and nowhere else later"

    pipeline.heal()
    seconds_until(pipeline, lambda verdict: verdict.state is State.FRESH, 90)
    assert {one.state for one in pipeline.run(30)} == {State.FRESH}


def test_what_lasts_becomes_stale() -> None:
    pipeline = Simulated(20)
    list(pipeline.run(40))
    pipeline.stuck.add(SUMS)
    seconds_until(pipeline, lambda verdict: verdict.state is State.STALE, 120)

    verdict = pipeline.look()
    assert verdict.overdue is not None
    assert verdict.overdue.total_seconds() > 60


def test_with_hours_a_table_that_nobody_commits_is_late_minutes_after_its_window() -> None:
    pipeline = warm(Simulated(0.5, 3_600, 10))
    pipeline.stuck.add(COPYING)
    to_next_hour = round(3_600 - pipeline.now % 3_600)

    states = [verdict.state for verdict in pipeline.run(to_next_hour, every=10)]
    assert set(states) == {State.FRESH}, "nothing was due yet"
    assert seconds_until(pipeline, lambda verdict: verdict.state is State.LATE, 400) > 300


@pytest.mark.parametrize("stuck", [DEDUPLICATION, JOIN, SUMS, COPYING])
def test_one_look_at_something_that_stands_still_since_long_tells_so(stuck: str) -> None:
    pipeline = warm(Simulated(20))
    pipeline.stuck.add(stuck)
    for _ in range(300):
        pipeline.step()

    verdict = pipeline.look()
    assert verdict.state is State.STALE
    assert verdict.held_at is not None
    expected = "commit:revenue_summary" if stuck == COPYING else f"watermark:{stuck}"
    assert verdict.held_at.name == expected


def test_one_look_names_the_partition_that_holds_the_watermark() -> None:
    pipeline = warm(Simulated(20))
    pipeline.shut.add(5)
    for _ in range(300):
        pipeline.step()

    held = pipeline.look().held_at
    assert held is not None
    assert "Partition 5 of payments" in held.reason


def test_who_looks_again_after_an_hour_is_not_told_of_lateness_in_between() -> None:
    pipeline = warm(Simulated(2))
    list(pipeline.run(30))
    for _ in range(3_600):
        pipeline.step()

    assert {verdict.state for verdict in pipeline.run(30)} == {State.FRESH}
