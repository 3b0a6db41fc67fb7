"""What a pipeline on Confluent Cloud is seen to be, from a service that is late, broken or silent in parts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.deploy.confluent.versions import LABEL, NAME_LABEL
from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.errors import SalesTrendsError, SettingsError, UnreachableError
from dashboard.freshness.cloud_readings import CloudReadings
from dashboard.freshness.gatherer import Gatherer
from dashboard.freshness.readings import Part, StatementReading, TableflowReading
from dashboard.freshness.seen import Seen
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_errors import Refused
from tests.deploy.cloud import flink_of, metrics_of, tableflow_of
from tests.fakes.clock import ManualClock
from tests.fakes.confluent_cloud import FakeConfluentCloud

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
MARK = AT.timestamp() * 1000
COPY = "INSERT INTO c SELECT id FROM b"
PIPELINE = Pipeline(
    topics=[],
    statements=[
        Statement("make-c", "CREATE TABLE c (id INT)", {}),
        Statement("fill", "INSERT INTO b SELECT id FROM a", {}),
        Statement("copy", COPY, {}),
    ],
    tableflow_topics=["b", "c"],
    checks={},
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> Iterator[FakeConfluentCloud]:
    """Both statements have run for five minutes; b is copied to a table, c is not."""
    with FakeConfluentCloud(clock=clock) as cloud:
        flink = flink_of(cloud)
        for table in "abc":
            flink.create(f"make-{table}", f"CREATE TABLE {table} (id INT)", {}, {})
        clock.advance(cloud.delays.pending)
        for one in PIPELINE.statements[1:]:
            flink.create(one.name, one.text, {}, {})
        clock.advance(cloud.delays.pending)
        assert len(cloud.statements) == 5
        tableflow_of(cloud).create("b")
        clock.advance(300)
        yield cloud


@pytest.fixture
def readings(cloud: FakeConfluentCloud, clock: ManualClock) -> CloudReadings:
    metrics = metrics_of(cloud, Pace(clock.now, repeat_seconds=0, request_seconds=5))
    return CloudReadings(PIPELINE, flink_of(cloud), tableflow_of(cloud), metrics)


def looked(readings: CloudReadings) -> dict[Part, Seen | SalesTrendsError]:
    """All parts beside each other, as they are looked at."""
    with ThreadPoolExecutor(3) as threads:
        asked = {part: threads.submit(look) for part, look in readings.looks.items()}
    found: dict[Part, Seen | SalesTrendsError] = {}
    for part, answer in asked.items():
        error = answer.exception()
        if error is None:
            found[part] = answer.result()
        else:
            assert isinstance(error, SalesTrendsError)
            found[part] = error
    return found


def statements(found: dict[Part, Seen | SalesTrendsError]) -> dict[str, StatementReading]:
    seen = found[Part.FLINK]
    assert isinstance(seen, Seen)
    return dict(seen.statements)


def test_the_first_look_tells_each_statement_with_what_is_measured_of_it(
    cloud: FakeConfluentCloud, readings: CloudReadings
) -> None:
    cloud.measure("copy", minutes_ago=4, current_input_watermark_milliseconds=MARK, pending_records=7)
    cloud.measure("copy", minutes_ago=4, current_output_watermark_milliseconds=MARK - 5_000, num_late_records_in=1)

    found = statements(looked(readings))

    assert list(found) == ["fill", "copy"], "what only makes a table does not run"
    copy = found["copy"]
    assert (copy.phase, copy.runs, copy.detail, copy.warnings, copy.scaling) == ("RUNNING", True, "", (), "OK")
    assert (copy.input_watermark, copy.output_watermark) == (AT, AT - timedelta(seconds=5))
    assert (copy.pending, copy.records_in, copy.records_out) == (7, 0, 0)
    assert (copy.late_records or 0) > 0
    assert copy.measured_at is not None
    assert copy.counted_since is not None
    assert (copy.restarts, copy.checkpoint_age, copy.pending_for) == (None, None, None), "nothing tells them"
    assert (found["fill"].input_watermark, found["fill"].pending) == (None, 0)


def test_a_look_lists_statements_and_tables_once_and_asks_for_metrics_twice_a_minute(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    looked(readings)
    before = len(cloud.requests)
    looked(readings)
    assert sorted(one.path.rpartition("/")[2] for one in cloud.requests[before:]) == ["statements", "tableflow-topics"]
    clock.advance(30)
    looked(readings)
    assert len(cloud.requests) == before + 2 + 2 + 6


def test_words_of_the_service_are_kept(cloud: FakeConfluentCloud, readings: CloudReadings) -> None:
    cloud.exhaust_pool()
    cloud.set_phase("copy", "DEGRADED", "It restarts\n  again and again.")
    cloud.add_warning("copy", "CRITICAL", "STATE_GROWS", "The state grows.")
    cloud.set_phase("fill", "MADE_UP_TOMORROW")
    found = statements(looked(readings))
    assert (found["copy"].phase, found["copy"].detail) == ("DEGRADED", "It restarts again and again.")
    assert found["copy"].warnings == ("CRITICAL STATE_GROWS: The state grows.",)
    assert (found["fill"].phase, found["fill"].scaling) == ("MADE_UP_TOMORROW", "POOL_EXHAUSTED")


def test_failed_stopped_and_absent_statements_are_told_apart(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    cloud.fail_statement("fill", "cc_number 4111-1111-1111-1111 cannot be read.")
    flink_of(cloud).stop("copy")
    clock.advance(cloud.delays.stopping)
    found = statements(looked(readings))
    assert (found["fill"].phase, found["fill"].is_stopped) == ("FAILED", False)
    assert found["fill"].detail == "cc_number <card number> cannot be read."
    assert (found["copy"].phase, found["copy"].is_stopped) == ("STOPPED", True)

    flink_of(cloud).delete("copy")
    assert statements(looked(readings))["copy"] == StatementReading("copy", "absent"), "while it is being deleted"
    clock.advance(1)
    assert statements(looked(readings))["copy"].phase == "absent"


def test_a_statement_is_its_newest_version_in_whatever_pool(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    cloud.compute_pools.add("lfcp-other")
    flink = flink_of(cloud)
    flink.stop("copy")
    flink.create("copy-v2", COPY, {}, {LABEL: "true", NAME_LABEL: "copy"})
    clock.advance(1)
    flink.stop("copy-v2")
    clock.advance(1)
    flink.resume("copy-v2", compute_pool="lfcp-other")
    clock.advance(1)
    cloud.measure("copy-v2", minutes_ago=4, pending_records=12)
    clock.advance(240)
    found = statements(looked(readings))
    assert list(found) == ["fill", "copy"]
    assert (found["copy"].phase, found["copy"].is_stopped, found["copy"].pending) == ("RUNNING", False, 12)


@pytest.mark.parametrize(
    ("status", "family"), [(401, SettingsError), (403, Refused), (429, Refused), (500, UnreachableError)]
)
def test_statements_are_told_without_metrics_where_those_are_refused(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock, status: int, family: type
) -> None:
    cloud.faults.answer("*", "^/v2/metrics/", status=status)
    found = looked(readings)
    assert isinstance(found[Part.METRICS], family)
    assert isinstance(found[Part.TABLEFLOW], Seen)
    fill = statements(found)["fill"]
    assert (fill.phase, fill.pending, fill.measured_at, fill.counted_since) == ("RUNNING", None, None, None)
    clock.advance(30)
    looked(readings)
    assert statements(looked(readings))["fill"].pending == 0


def test_values_are_not_told_any_more_when_metrics_fail_later(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    looked(readings)
    assert statements(looked(readings))["fill"].pending == 0
    cloud.faults.answer("POST", "/query$", status=500, times=6)
    clock.advance(30)
    looked(readings)
    assert statements(looked(readings))["fill"].pending is None


def test_a_target_without_a_key_for_metrics_says_so_in_each_look(cloud: FakeConfluentCloud) -> None:
    missing = SettingsError("There is no key.", "Set it.")
    readings = CloudReadings(PIPELINE, flink_of(cloud), tableflow_of(cloud), missing)
    for _ in range(2):
        found = looked(readings)
        assert found[Part.METRICS] is missing
        assert statements(found)["copy"].phase == "RUNNING"


def test_metrics_of_a_pipeline_that_cannot_be_listed_are_not_asked_for(
    cloud: FakeConfluentCloud, readings: CloudReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.freshness.cloud_readings._FIRST_SECONDS", 0.2)
    cloud.faults.answer("GET", "/statements$", status=401)
    found = looked(readings)
    assert isinstance(found[Part.FLINK], SettingsError)
    assert found[Part.METRICS] == Seen()
    assert not [one for one in cloud.requests if one.path.startswith("/v2/metrics")]


def test_what_metrics_do_not_tell_and_their_age_are_noted_in_a_sentence(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    assert looked(readings)[Part.METRICS] == Seen()
    cloud.faults.answer("POST", "/query$", status=429, headers={"Retry-After": "600"}, times=6)
    clock.advance(180)
    (note,) = _notes(looked(readings))
    assert note == "Confluent Cloud's metrics are those of 3 min ago: it takes no more requests."

    cloud.metrics.names = {"num_late_records_in": "", "num_records_in": ""}
    other = metrics_of(cloud, Pace(clock.now, repeat_seconds=0))
    renamed = CloudReadings(PIPELINE, flink_of(cloud), tableflow_of(cloud), other)
    assert _notes(looked(renamed)) == ("Confluent Cloud's metrics do not tell records in, late records.",)


def _notes(found: dict[Part, Seen | SalesTrendsError]) -> tuple[str, ...]:
    seen = found[Part.METRICS]
    assert isinstance(seen, Seen)
    return seen.notes


def test_tableflow_tells_how_each_topic_is(
    cloud: FakeConfluentCloud, readings: CloudReadings, clock: ManualClock
) -> None:
    def tableflow() -> dict[str, TableflowReading]:
        return dict(readings.look_at_tableflow().tableflow)

    assert tableflow() == {"b": TableflowReading("b", "RUNNING"), "c": TableflowReading("c", "absent")}
    tableflow_of(cloud).create("c")
    assert tableflow()["c"].phase == "PENDING"
    clock.advance(cloud.delays.tableflow)
    cloud.fail_tableflow("c", "The schema\nhas changed.")
    cloud.suspend_tableflow("b", "a record at partition 0 offset 7 has a null value")
    told = tableflow()
    assert (told["c"].phase, told["c"].detail) == ("FAILED", "The schema has changed.")
    assert told["b"].is_suspended
    assert told["b"].detail == "a record at partition 0 offset 7 has a null value"


def test_a_part_that_is_refused_is_an_error_of_its_own(cloud: FakeConfluentCloud, readings: CloudReadings) -> None:
    cloud.faults.answer("GET", "/tableflow-topics$", status=403)
    found = looked(readings)
    assert isinstance(found[Part.TABLEFLOW], Refused)
    assert statements(found)["copy"].pending == 0


def test_a_gatherer_puts_all_parts_together(cloud: FakeConfluentCloud, readings: CloudReadings) -> None:
    cloud.metrics.names = {"num_late_records_in": ""}
    cloud.faults.answer("GET", "/tableflow-topics$", status=403)
    gatherer = Gatherer(readings.looks, patience=timedelta(seconds=20), first_patience=timedelta(seconds=20))
    first, second = gatherer.look(), gatherer.look()
    assert [one.part for one in first.silences] == [Part.TABLEFLOW]
    assert (first.statements["copy"].pending, first.notes) == (
        0,
        ("Confluent Cloud's metrics do not tell late records.",),
    )
    assert second.silences == ()
    assert second.tableflow["b"].phase == "RUNNING"
