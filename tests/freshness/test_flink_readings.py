import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import httpx
import pytest

from dashboard.deploy.statement_status import StatementStatus, job_state
from dashboard.errors import UnreachableError
from dashboard.freshness import flink_readings
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.flink_readings import FlinkReadings
from dashboard.freshness.readings import StatementReading
from dashboard.remotes.flink import Job
from dashboard.remotes.flink_metrics import FlinkMetrics
from tests.conftest import eventually
from tests.freshness.job_manager import NOW, READER, FakeJob, JobManager

NAMES = ["unique-payments-maintenance", "tableflow-payments"]
FIRST, SECOND = NAMES


class World:
    """Statements on a fake JobManager; how they are is what their jobs say, unless told otherwise."""

    def __init__(self) -> None:
        self.now = NOW
        self.flink = JobManager(FakeJob("aa", FIRST), FakeJob("bb", SECOND))
        self.jobs = self.flink.jobs
        self.backlog = Backlog()
        self.asked = 0
        self.told: dict[str, StatementStatus] = {}
        self.fault: UnreachableError | None = None
        self.may_tell = threading.Event()
        self.may_tell.set()
        metrics = FlinkMetrics("http://127.0.0.1:1", self.flink.transport)
        self.readings = FlinkReadings(
            metrics, NAMES, lambda: self.jobs(), self._statuses, self.backlog, now=lambda: self.now
        )

    def look(self) -> Mapping[str, StatementReading]:
        return self.readings.look().statements

    def _statuses(self, jobs: Mapping[str, Job]) -> Sequence[StatementStatus]:
        self.asked += 1
        assert self.may_tell.wait(30)
        if self.fault is not None:
            raise self.fault
        plain = {name: StatementStatus(name, job_state(jobs.get(name))) for name in NAMES}
        return list({**plain, **self.told}.values())


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.may_tell.set()
    world.readings.close()


def test_a_running_statement_tells_how_far_it_is(world: World) -> None:
    world.flink.by_id["aa"].restarts = 3
    reading = world.look()[FIRST]
    assert reading.runs
    assert reading.input_watermark == reading.output_watermark == NOW - timedelta(seconds=7)
    assert (reading.records_in, reading.records_out, reading.late_records, reading.restarts) == (100, 90, 2, 3)
    assert (reading.pending, reading.pending_for) == (0, timedelta(0))
    assert reading.checkpoint_age == timedelta(seconds=1)
    assert (reading.detail, reading.warnings, reading.is_stopped) == ("", (), False)


def test_all_statements_are_told_of_in_their_order_also_without_a_job(world: World) -> None:
    del world.flink.by_id["aa"]
    readings = world.look()
    assert list(readings) == NAMES
    assert readings[FIRST].phase == "absent"
    assert readings[FIRST].checkpoint_age is None
    assert readings[SECOND].runs


def test_what_waits_is_told_in_seconds_by_when_the_end_of_its_topic_was_seen(world: World) -> None:
    for seconds in range(11):
        world.backlog.note("payments", 100 * seconds, NOW + timedelta(seconds=seconds))
    world.flink.by_id["aa"].measured[f"{READER}.pendingRecords"] = 400
    reading = world.look()[FIRST]
    assert (reading.pending, reading.pending_for) == (400, timedelta(seconds=4))


def test_why_a_statement_does_not_run_is_told(world: World) -> None:
    world.flink.by_id["aa"].state = "RESTARTING"
    world.told[FIRST] = StatementStatus(FIRST, "RESTARTING", "Avro says no")
    world.told[SECOND] = StatementStatus(SECOND, "STOPPED", "somebody stopped it")
    readings = world.look()
    assert (readings[FIRST].phase, readings[FIRST].detail) == ("RESTARTING", "Avro says no")
    assert readings[SECOND].is_stopped


def test_a_lost_task_manager_is_told_of_each_statement_that_needs_it(world: World) -> None:
    world.flink.task_managers = 0
    world.told[SECOND] = StatementStatus(SECOND, "STOPPED", "somebody stopped it")
    readings = world.look()
    assert readings[FIRST].detail == "No TaskManager is registered at Flink."
    assert readings[SECOND].detail == "somebody stopped it"


def test_a_reason_that_takes_long_to_find_holds_nobody_up_and_is_told_when_it_is_there(world: World) -> None:
    world.flink.by_id["aa"].state = "RESTARTING"
    world.told[FIRST] = StatementStatus(FIRST, "RESTARTING", "its input cannot be read")
    world.may_tell.clear()
    reading = world.look()[FIRST]
    assert (reading.phase, reading.detail) == ("RESTARTING", "")
    world.may_tell.set()
    eventually(lambda: world.look()[FIRST].detail == "its input cannot be read", 10, every_seconds=0.01)
    world.may_tell.clear()
    assert world.look()[FIRST].detail == "its input cannot be read", "nothing has changed since it was found"
    world.flink.by_id["aa"].state = "RUNNING"
    reading = world.look()[FIRST]
    assert (reading.phase, reading.detail) == ("RUNNING", "")


@pytest.mark.parametrize(
    ("completed", "savepoint", "failed", "age", "warned"),
    [
        (9, None, 20, 9, False),
        (20, None, 9, 20, True),
        (20, 3, 9, 3, False),
        (None, None, 9, 3_600, True),
        (None, None, None, 3_600, False),
    ],
    ids=["mended since", "fails now", "a savepoint since", "never one", "not yet one"],
)
def test_a_checkpoint_that_failed_is_warned_of_until_one_is_complete(
    world: World, completed: int | None, savepoint: int | None, failed: int | None, age: int, warned: bool
) -> None:
    def ago(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    job = world.flink.by_id["aa"]
    job.completed, job.savepoint, job.failed = ago(completed), ago(savepoint), ago(failed)
    job.failure = "Checkpoint expired before completing.\n\tat org.apache.flink"
    reading = world.look()[FIRST]
    assert reading.checkpoint_age == timedelta(seconds=age)
    told = ("Its newest checkpoint failed: Checkpoint expired before completing.",)
    assert reading.warnings == (told if warned else ())


def test_a_job_that_ends_during_the_look_leaves_the_others_alone(world: World) -> None:
    listed = world.flink.jobs()
    world.jobs = lambda: listed
    del world.flink.by_id["aa"]
    readings = world.look()
    assert readings[FIRST].records_in is None
    assert readings[SECOND].records_in == 100


@pytest.mark.parametrize("running_for", [3_600 + 100, 5], ids=["not collected for long", "restarted since"])
def test_what_was_measured_before_a_task_manager_was_lost_is_not_told_as_if_it_were_now(
    world: World, running_for: int
) -> None:
    world.flink.by_id["aa"].running_for = timedelta(seconds=running_for)
    reading = world.look()[FIRST]
    assert reading.runs
    assert (reading.input_watermark, reading.records_in, reading.restarts) == (None, None, None)
    assert reading.checkpoint_age == timedelta(seconds=1)
    assert reading.warnings == ("What its tasks measure is not collected: Flink waits for a TaskManager that is gone",)
    assert world.look()[SECOND].warnings == ()


def test_of_a_job_that_does_not_run_nothing_measured_is_told(world: World) -> None:
    world.flink.by_id["aa"].state = "RESTARTING"
    reading = world.look()[FIRST]
    assert (reading.input_watermark, reading.pending, reading.warnings) == (None, None, ())


def test_while_nothing_changes_it_is_not_asked_at_every_look_how_statements_are(world: World) -> None:
    for _ in range(5):
        world.look()
    assert world.asked == 1
    world.flink.by_id["aa"].state = "RESTARTING"
    world.look()
    assert world.asked == 2


def test_what_the_job_manager_has_not_collected_yet_is_waited_for(world: World) -> None:
    world.flink.answers_empty = 3
    assert [one.records_in for one in world.look().values()] == [100, 100]


def test_a_look_asks_little_once_all_that_is_measured_has_a_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flink_readings, "_PARTIAL_KEPT_SECONDS", 0)
    world = World()
    job = world.flink.by_id["bb"]
    all_of_it = job.measured
    job.measured = {name: value for name, value in all_of_it.items() if not name.startswith(READER)}
    assert world.look()[SECOND].pending is None
    job.measured = all_of_it
    assert world.look()[SECOND].pending == 0
    world.flink.requests.clear()
    world.look()
    assert len(world.flink.requests) == 1 + 2 * 4
    world.readings.close()


def test_a_second_source_that_begins_later_is_not_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flink_readings, "_PARTIAL_KEPT_SECONDS", 0)
    world = World()
    job = world.flink.by_id["aa"]
    job.more["orders"] = {}
    assert world.look()[FIRST].records_in == 100
    job.more["orders"] = {"Source__orders[3].currentOutputWatermark": 0, "Source__orders[3].numRecordsIn": 50}
    assert world.look()[FIRST].records_in == 150
    world.readings.close()


def test_a_job_manager_that_is_away_is_unreachable(world: World) -> None:
    def refuse() -> None:
        raise httpx.ConnectError("refused")

    world.flink.before_answering = refuse
    with pytest.raises(UnreachableError, match=r"^Flink at http://127\.0\.0\.1:1 did not answer: ConnectError\."):
        world.look()
    world.flink.before_answering = lambda: None
    assert world.look()[FIRST].runs


def test_what_was_asked_for_a_reason_and_failed_is_asked_again(world: World) -> None:
    world.fault = UnreachableError("Flink did not answer.")
    with pytest.raises(UnreachableError):
        world.look()
    world.fault = None
    assert world.look()[FIRST].runs
