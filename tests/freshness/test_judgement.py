"""What one look or two tell, where the simulated pipeline cannot show it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.deploy.tableflow import statement_name
from dashboard.freshness.frontiers import IDLE_AFTER
from dashboard.freshness.judgement import judge
from dashboard.freshness.memory import FORGOTTEN_AFTER, Memory
from dashboard.freshness.profile import Profile, Written
from dashboard.freshness.readings import Part, Readings, Silence, StatementReading, TableflowReading, TableReading
from dashboard.freshness.thresholds import Threshold, Thresholds
from dashboard.freshness.verdict import Hop, State, Verdict
from tests.freshness.simulated import (
    DEDUPLICATION,
    JOIN,
    LETTERS,
    ORDERS,
    PAYMENTS,
    REVENUE,
    SUMS,
    UNIQUE,
    Simulated,
)

SECOND = timedelta(seconds=1)
COMMIT = f"commit:{REVENUE}"


@pytest.fixture
def pipeline() -> Simulated:
    """As it is after a minute in which nothing was wrong."""
    made = Simulated(20)
    list(made.run(60))
    return made


def hop(verdict: Verdict, name: str) -> Hop:
    return next(one for one in verdict.hops if one.name == name)


def with_statement(readings: Readings, name: str, **changed: object) -> Readings:
    statement = replace(readings.statements[name], **changed)  # type: ignore[arg-type]  # as the test gives them
    return replace(readings, statements=dict(readings.statements) | {name: statement})


def stands_still(pipeline: Simulated, statement: str, seconds: int = 40) -> None:
    pipeline.stuck.add(statement)
    list(pipeline.run(seconds))


def judged(pipeline: Simulated, readings: Readings, before: Verdict | None = None) -> Verdict:
    return judge(readings, pipeline.ways, pipeline.thresholds, before, pipeline.memory)


# where within a statement


def test_what_a_statement_has_not_read_is_held_in_its_queue(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN)
    readings = with_statement(pipeline.readings(), JOIN, pending=1_234, pending_for=35 * SECOND)

    held = judged(pipeline, readings).held_at
    assert held is not None
    assert (held.name, held.records, held.delay) == (f"queue:{JOIN}", 1_234, 35 * SECOND)
    assert held.reason == f"1,234 records wait for {JOIN}, the oldest for 35 s."


def test_what_a_statement_has_read_is_held_at_its_watermark(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN)
    readings = with_statement(pipeline.readings(), JOIN, pending=3, pending_for=SECOND)

    held = judged(pipeline, readings).held_at
    assert held is not None
    assert held.name == f"watermark:{JOIN}"


def test_queue_and_watermark_of_a_statement_add_up_to_the_distance_of_its_topics(pipeline: Simulated) -> None:
    stands_still(pipeline, SUMS)
    readings = with_statement(pipeline.readings(), SUMS, pending=9, pending_for=15 * SECOND)
    verdict = judged(pipeline, readings)

    ends = [readings.topics[name].frontier for name in ("completed_orders", REVENUE)]
    parts = [hop(verdict, f"{stage}:{SUMS}").delay for stage in ("queue", "watermark")]
    start, end = (one for one in ends if one is not None)
    assert sum((one for one in parts if one is not None), timedelta(0)) == start - end
    assert None not in parts


def test_where_only_watermarks_are_told_they_split_what_is_held(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN)
    readings = pipeline.readings()
    frontier = readings.topics[UNIQUE].frontier
    assert frontier is not None
    readings = with_statement(readings, JOIN, pending=50, input_watermark=frontier - 35 * SECOND)

    assert hop(judged(pipeline, readings), f"queue:{JOIN}").delay == 30 * SECOND


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_a_watermark_that_no_clock_ever_showed_is_not_reckoned_with(pipeline: Simulated, year: int) -> None:
    nonsense = pipeline.readings().at.replace(year=year)
    readings = with_statement(pipeline.readings(), JOIN, pending=50, input_watermark=nonsense)

    verdict = judged(pipeline, readings)
    assert verdict.state is State.FRESH
    assert hop(verdict, f"queue:{JOIN}").delay == timedelta(0)


def test_a_statement_without_checkpoints_is_told_so(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN)
    readings = with_statement(pipeline.readings(), JOIN, checkpoint_age=timedelta(minutes=3))

    held = judged(pipeline, readings).held_at
    assert held is not None
    assert "last checkpoint" in held.reason
    assert "3 min old" in held.reason


def test_a_statement_that_the_pool_has_no_compute_for_is_told_so(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN)
    readings = with_statement(pipeline.readings(), JOIN, pending=9, pending_for=40 * SECOND, scaling="POOL_EXHAUSTED")

    held = judged(pipeline, readings).held_at
    assert held is not None
    assert "POOL_EXHAUSTED" in held.reason


# the first that is worst


def test_of_two_statements_that_failed_the_one_upstream_is_named(pipeline: Simulated) -> None:
    readings = with_statement(with_statement(pipeline.readings(), SUMS, phase="FAILED"), JOIN, phase="FAILED")
    verdict = judged(pipeline, readings)

    assert verdict.held_at is not None
    assert verdict.held_at.name == f"queue:{JOIN}"
    assert f"The statement {SUMS} failed." in verdict.notes


def test_of_two_silent_sources_the_one_whose_program_does_not_run_is_named(pipeline: Simulated) -> None:
    pipeline.silent.update({PAYMENTS, ORDERS})
    pipeline.programs["order-feed"] = "stopped"
    list(pipeline.run(60))
    verdict = pipeline.look()

    assert verdict.held_at is not None
    assert verdict.held_at.name == f"ingest:{ORDERS}"
    assert verdict.headline().endswith("waiting for input")


def test_a_table_that_the_chart_does_not_need_is_noted_and_holds_nothing(pipeline: Simulated) -> None:
    readings = pipeline.readings()
    tables = dict(readings.tables)
    tables[PAYMENTS] = TableReading(PAYMENTS, 1, readings.at - timedelta(minutes=9))
    readings = with_statement(replace(readings, tables=tables), "tableflow-payments", phase="FAILED")
    verdict = judged(pipeline, readings)

    assert (verdict.state, verdict.held_at) == (State.FRESH, None)
    assert verdict.notes == ("The statement tableflow-payments failed.",)
    assert [one.name for one in verdict.concerns] == ["commit:payments"]


# what cannot be seen


@pytest.mark.parametrize("part", [Part.FLINK, Part.METRICS])
def test_a_system_that_only_gives_reasons_may_be_away_while_the_frontiers_move(pipeline: Simulated, part: Part) -> None:
    pipeline.silences[part] = f"{part.value} does not answer."
    verdicts = list(pipeline.run(30))

    assert {one.state for one in verdicts} == {State.FRESH}
    assert verdicts[-1].notes == (f"{part.value} does not answer.",)


def test_flink_that_is_away_is_the_reason_once_something_stands(pipeline: Simulated) -> None:
    pipeline.silences[Part.FLINK] = "Flink does not answer."
    stands_still(pipeline, SUMS)
    held = pipeline.look().held_at

    assert held is not None
    assert (held.name, held.reason) == (f"watermark:{SUMS}", "Flink does not answer.")


def test_records_that_cannot_be_decoded_without_the_registry_leave_all_unknown(pipeline: Simulated) -> None:
    readings = pipeline.readings()
    blind = {
        name: replace(topic, partitions=tuple(replace(one, frontier=None) for one in topic.partitions))
        for name, topic in readings.topics.items()
    }
    silence = Silence(Part.REGISTRY, "The schema registry does not answer.", "Start it.")
    verdict = judged(pipeline, replace(readings, topics=blind, silences=(silence,)))

    assert verdict.state is State.UNKNOWN
    assert verdict.held_at is not None
    assert (verdict.held_at.reason, verdict.held_at.hint) == (silence.message, silence.hint)


def test_with_the_catalog_away_the_age_is_still_told_as_it_was_last_known(pipeline: Simulated) -> None:
    before = pipeline.look()
    pipeline.silences[Part.CATALOG] = "The catalog does not answer."
    after = list(pipeline.run(20))[-1]

    assert after.as_of == before.as_of
    assert after.behind == (before.behind or timedelta(0)) + 20 * SECOND
    assert "its age cannot be judged" in after.headline()


def test_a_target_where_nothing_was_deployed_says_what_makes_it() -> None:
    nothing = Simulated(1)
    readings = Readings(nothing.readings().at, SECOND)
    verdict = judge(readings, nothing.ways, nothing.thresholds)

    assert (verdict.state, verdict.as_of) == (State.UNKNOWN, None)
    assert verdict.held_at is not None
    assert verdict.held_at.reason == "The topic payments does not exist."
    assert "`sales-trends apply`" in verdict.held_at.hint


def test_where_nobody_has_a_page_open_the_page_holds_nothing(pipeline: Simulated) -> None:
    verdict = judged(pipeline, replace(pipeline.readings(), page_age=None, page_frontier=None))

    assert verdict.state is State.FRESH


# to and fro


def test_pages_whose_readers_do_not_answer_are_not_said_to_be_fresh(pipeline: Simulated) -> None:
    pipeline.silences = {Part.READERS: "The dashboard's readers have not answered for 9 s."}
    list(pipeline.run(10))

    verdict = pipeline.look()
    assert (verdict.state, hop(verdict, "page").reason) == (State.UNKNOWN, pipeline.silences[Part.READERS])
    pipeline.silences = {}
    assert pipeline.look().state is State.FRESH


@pytest.mark.parametrize("part", [Part.KAFKA, Part.CATALOG, Part.READERS])
def test_a_part_that_misses_a_look_or_two_changes_nothing(pipeline: Simulated, part: Part) -> None:
    gone: dict[Part, dict[str, object]] = {
        Part.KAFKA: {"topics": {}},
        Part.CATALOG: {"tables": {}},
        Part.READERS: {"page_age": None, "page_frontier": None},
    }
    states, verdict = [], pipeline.look()
    for second in range(30):
        pipeline.step()
        readings = pipeline.readings()
        if second % 10 < 4:
            readings = replace(readings, **gone[part], silences=(Silence(part, "Too slow."),))  # type: ignore[arg-type]
        pipeline.memory = pipeline.memory.after(readings, pipeline.ways)
        verdict = judged(pipeline, readings, verdict)
        states.append(verdict.state)

    assert set(states) == {State.FRESH}


def test_a_hop_that_was_late_is_fresh_again_only_well_below_where_late_began(pipeline: Simulated) -> None:
    def page(seconds: float, before: Verdict | None) -> Verdict:
        readings = replace(pipeline.readings(), page_age=(5 + seconds) * SECOND)
        return judged(pipeline, readings, before)

    fine = page(4, None)
    late = page(6, fine)
    still = page(4, late)
    over = page(2, still)
    assert [one.state for one in (fine, late, still, over)] == [State.FRESH, State.LATE, State.LATE, State.FRESH]


def test_what_somebody_wrote_about_a_hop_decides(pipeline: Simulated) -> None:
    written = Profile({"page": Written(late=SECOND, stale=2 * SECOND)})
    strict = Thresholds(pipeline.thresholds.defaults, written)
    readings = replace(pipeline.readings(), page_age=9 * SECOND)

    assert judge(readings, pipeline.ways, strict, None, pipeline.memory).state is State.STALE
    assert pipeline.thresholds.of("page", readings.at) == Threshold(5 * SECOND, 60 * SECOND)


# Confluent Cloud's own


@pytest.mark.parametrize(
    ("tableflow", "told"),
    [
        (TableflowReading(REVENUE, "FAILED", "No access to the bucket."), "failed: No access to the bucket."),
        (TableflowReading(REVENUE, "RUNNING", is_suspended=True), "is suspended."),
    ],
)
def test_tableflow_that_does_not_copy_holds_the_commit(tableflow: TableflowReading, told: str) -> None:
    cloud = Simulated(2, commit=300, checkpoint=60, kind="Confluent Cloud")
    list(cloud.run(900, every=5))
    readings = replace(cloud.readings(), statements={}, tableflow={REVENUE: tableflow})
    verdict = judged(cloud, readings)

    assert verdict.held_at is not None
    assert verdict.held_at.name == COMMIT
    assert verdict.held_at.reason == f"Tableflow of {REVENUE} {told}"


def test_what_was_measured_a_minute_ago_does_not_make_a_queue(pipeline: Simulated) -> None:
    readings = pipeline.readings()
    read = readings.at - timedelta(minutes=1)
    readings = with_statement(readings, DEDUPLICATION, pending=9, input_watermark=read - 5 * SECOND, measured_at=read)

    assert hop(judged(pipeline, readings), f"queue:{DEDUPLICATION}").delay == timedelta(0)


# what else is told


def test_late_records_are_counted_over_the_last_minute(pipeline: Simulated) -> None:
    for late in (7, 7, 19):
        pipeline.step()
        readings = with_statement(pipeline.readings(), SUMS, late_records=late)
        pipeline.memory = pipeline.memory.after(readings, pipeline.ways)

    assert f"12 late records were left out by {SUMS} in 2 s." in judged(pipeline, readings).notes


def test_late_records_are_a_concern_though_the_chart_is_fresh(pipeline: Simulated) -> None:
    for late in (0, 3):
        pipeline.step()
        readings = with_statement(pipeline.readings(), SUMS, late_records=late)
        pipeline.memory = pipeline.memory.after(readings, pipeline.ways)
    verdict = judged(pipeline, readings)

    assert verdict.state is State.FRESH
    assert [one.name for one in verdict.concerns] == [f"late-records-{SUMS}"]


def test_rejected_payments_are_a_rate_and_no_fault_while_most_payments_pass(pipeline: Simulated) -> None:
    pipeline.letters = 2
    verdict = list(pipeline.run(61))[-1]

    assert verdict.state is State.FRESH
    assert verdict.notes == (f"120 payments a minute break their contract and go to {LETTERS}.",)


@pytest.mark.parametrize(("seconds", "told"), [(180, "3 min ahead of"), (-7, "7 s behind"), (1, "")])
def test_clocks_that_differ_are_noted(pipeline: Simulated, seconds: int, told: str) -> None:
    notes = judged(pipeline, replace(pipeline.readings(), clock_skew=seconds * SECOND)).notes

    assert notes == ((f"Kafka's clock is {told} this machine's: set both.",) if told else ())


def test_a_clock_that_is_behind_all_others_hides_nothing() -> None:
    pipeline = Simulated(20)
    pipeline.skew = 180
    assert {one.state for one in pipeline.run(60)} == {State.FRESH}
    stands_still(pipeline, DEDUPLICATION)
    held = pipeline.look().held_at

    assert held is not None
    assert held.name == f"watermark:{DEDUPLICATION}"


def test_warnings_of_statements_are_passed_on(pipeline: Simulated) -> None:
    readings = with_statement(pipeline.readings(), JOIN, warnings=("Its state grows without end.",))

    assert judged(pipeline, readings).notes == (f"{JOIN}: Its state grows without end.",)


def test_a_quiet_night_is_told_from_a_silence_that_is_odd(pipeline: Simulated) -> None:
    pipeline.silent.add(PAYMENTS)
    list(pipeline.run(60))
    now = pipeline.readings().at
    quiet = Profile(silences={PAYMENTS: {(now.weekday(), now.hour): timedelta(minutes=10)}})

    def reason(profile: Profile) -> str:
        thresholds = Thresholds(pipeline.thresholds.defaults, profile)
        held = judge(pipeline.readings(), pipeline.ways, thresholds, None, pipeline.memory).held_at
        return held.reason if held else ""

    assert "as is usual at this hour" in reason(quiet)
    assert "nothing writes to the topic" in reason(Profile())


# what is remembered


def test_memory_does_not_grow_with_the_number_of_looks() -> None:
    pipeline = Simulated(5)
    pipeline.stuck.update({DEDUPLICATION, JOIN, SUMS})
    list(pipeline.run(400))

    assert max(len(marks) for marks in pipeline.memory.marks.values()) <= 64
    assert len(pipeline.memory.samples) <= 15


def test_a_topic_that_was_made_anew_is_judged_anew(pipeline: Simulated) -> None:
    stands_still(pipeline, JOIN, 20)
    fresh = Simulated(20, seed=3)
    list(fresh.run(20))
    pipeline.topics, pipeline.table = fresh.topics, fresh.table
    for topic in pipeline.topics.values():
        topic.ends = [end // 9 for end in topic.ends]
    pipeline.memory = pipeline.memory.after(pipeline.readings(), pipeline.ways)

    counted = pipeline.memory.others[PAYMENTS]
    assert max(counted.values()) == 0
    assert pipeline.memory.overdue(next(way for way in pipeline.ways if way.name == f"watermark:{JOIN}")) == timedelta(
        0
    )


def test_after_a_long_time_without_a_look_nothing_is_remembered(pipeline: Simulated) -> None:
    readings = pipeline.readings()
    later = replace(readings, at=readings.at + FORGOTTEN_AFTER + SECOND)

    assert pipeline.memory.after(later, pipeline.ways).is_first
    assert not pipeline.memory.after(replace(readings, at=readings.at + SECOND), pipeline.ways).is_first


def test_a_partition_without_any_record_is_idle_once_the_others_got_many() -> None:
    pipeline = Simulated(20)
    pipeline.shut.add(2)
    first = Memory().after(pipeline.readings(), pipeline.ways)
    assert first.others[PAYMENTS] == dict.fromkeys(range(6), 0)
    verdict = list(pipeline.run(60))[-1]

    assert pipeline.memory.others[PAYMENTS][2] > IDLE_AFTER * 6
    assert verdict.held_at is not None
    assert "Partition 2 of payments has had no record ever" in verdict.held_at.reason


def test_a_statement_says_nothing_of_others(pipeline: Simulated) -> None:
    """One restarting is not all of them."""
    readings = with_statement(pipeline.readings(), SUMS, phase="RESTARTING", detail="Out of memory.")
    held = judged(pipeline, readings).held_at

    assert held is not None
    assert held.reason == f"The statement {SUMS} is restarting: Out of memory."


def test_the_only_statement_that_is_not_there_is_no_crash() -> None:
    nothing = Simulated(1)
    readings = replace(nothing.readings(), statements={JOIN: StatementReading(JOIN, "absent")})

    assert hop(judge(readings, nothing.ways, nothing.thresholds), f"queue:{JOIN}").state is State.LATE


@pytest.mark.parametrize("part", [Part.KAFKA, Part.CATALOG])
def test_what_stands_still_is_told_after_a_restart_also_when_the_first_look_saw_nothing_of_it(
    pipeline: Simulated, part: Part
) -> None:
    pipeline.stuck.add(statement_name(REVENUE) if part is Part.CATALOG else JOIN)
    list(pipeline.run(600, every=2))
    held = pipeline.look().held_at
    assert held is not None

    pipeline.memory, pipeline.verdict = Memory(), None
    pipeline.silences = {part: "It is slow."}
    pipeline.step()
    pipeline.look()
    pipeline.silences = {}
    pipeline.step()
    verdict = pipeline.look()
    assert verdict.held_at is not None
    assert (verdict.state, verdict.held_at.name) == (State.STALE, held.name)


def test_records_that_were_left_out_need_not_last_to_be_told(pipeline: Simulated) -> None:
    memory = pipeline.memory
    for late_records in (0, 0, 0, 7):
        for _ in range(5):
            pipeline.step()
        readings = with_statement(pipeline.readings(), SUMS, late_records=late_records)
        memory = memory.after(readings, pipeline.ways)

    [late] = judge(readings, pipeline.ways, pipeline.thresholds, None, memory).concerns
    assert (late.name, late.is_done) == (f"late-records-{SUMS}", True)
