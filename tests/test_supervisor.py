"""What the supervisor does, with small programs in the place of the stack's and jobs that Flink is said to have.

That Flink and Kafka behave so is proven in tests/stack.
"""

import errno
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console

from dashboard import supervisor as supervising
from dashboard.deploy.one_job import Doubled
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.deploy.stopped import StopList
from dashboard.errors import UnreachableError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.processes import Service
from dashboard.narration import Narrator
from dashboard.remotes.flink import Job
from dashboard.supervisor import Supervisor
from tests.conftest import eventually, stack_settings

Programs = dict[str, Service]


def sleeper(name: str, ready: Callable[[], str] = lambda: "", within_seconds: float = 20) -> Service:
    command = [sys.executable, "-c", "import time; time.sleep(300)"]
    return Service(name, f"The {name}", command, ready, ready_within_seconds=within_seconds)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    stack = LocalStack(stack_settings(tmp_path / "home"), Narrator(Console(file=StringIO())))
    stack.settings.local.home.mkdir()
    yield stack
    stack.kill()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    """What the supervisor knows to start; none of them needs Flink."""
    programs = {name: sleeper(name) for name in ("registry", "order-feed", "dashboard", services.SUPERVISOR)}
    monkeypatch.setattr(services, "all_services", lambda _settings, _classpaths: dict(programs))
    return programs


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def killed(stack: LocalStack, name: str) -> int:
    process = stack.processes.find(name)
    assert process is not None
    process.kill()
    eventually(lambda: stack.processes.died(name), 10, every_seconds=0.05)
    return process.pid


def pid(stack: LocalStack, name: str) -> int | None:
    process = stack.processes.find(name)
    return process.pid if process else None


@pytest.mark.parametrize("name", ["registry", "order-feed", "dashboard"])
def test_a_program_that_ended_is_started_again_and_said(
    stack: LocalStack, programs: Programs, said: pytest.LogCaptureFixture, name: str
) -> None:
    stack.processes.launch(programs[name])
    supervisor = Supervisor(stack, Event())
    first = killed(stack, name)
    supervisor.look()
    assert pid(stack, name) not in (None, first)
    assert f"Ended: The {name}. Its log ends: it wrote nothing" in said.text


def test_what_died_before_the_supervisor_began_is_started_again(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    killed(stack, "registry")
    Supervisor(stack, Event()).look()
    assert pid(stack, "registry")


def test_what_was_stopped_or_never_started_stays_so(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    stack.processes.stop("registry", 5)
    Supervisor(stack, Event()).look()
    assert not any(pid(stack, name) for name in programs)


def test_one_that_is_not_ready_in_time_is_tried_again(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_LONGEST_PAUSE_SECONDS", 0.0)
    answers = ["its health page"]
    programs["registry"] = sleeper("registry", lambda: answers[0], within_seconds=0.2)
    stack.processes.launch(programs["registry"])
    supervisor = Supervisor(stack, Event())
    killed(stack, "registry")
    supervisor.look()
    assert pid(stack, "registry") is None, "what does not get ready is not left running"
    assert "was not ready within" in said.text
    answers[0] = ""
    supervisor.look()
    assert pid(stack, "registry")


def test_a_full_disk_is_said_and_tried_again_later(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_LONGEST_PAUSE_SECONDS", 0.0)
    stack.processes.launch(programs["registry"])
    killed(stack, "registry")

    full = [True]

    def prepare() -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device", "/disk/registry")

    programs["registry"] = replace(programs["registry"], prepare=prepare)
    supervisor = Supervisor(stack, Event())
    supervisor.look()
    assert "/disk/registry cannot be used: No space left on device." in said.text
    assert pid(stack, "registry") is None
    full[0] = False
    supervisor.look()
    assert pid(stack, "registry")


def test_a_failed_repair_waits_before_the_next(
    stack: LocalStack, programs: Programs, said: pytest.LogCaptureFixture
) -> None:
    programs["registry"] = sleeper("registry", lambda: "its health page", within_seconds=0.1)
    stack.processes.launch(programs["registry"])
    killed(stack, "registry")
    supervisor = Supervisor(stack, Event())
    supervisor.look()
    supervisor.look()
    assert said.text.count("was not ready within") == 1
    assert "Next try in 2 s." in said.text


def test_one_that_is_frozen_is_ended_and_started_again(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_PROBE_SECONDS", 0.0)
    monkeypatch.setattr(supervising, "HUNG_SECONDS", 0.3)
    stack.processes.launch(programs["order-feed"])
    first = pid(stack, "order-feed")
    process = stack.processes.find("order-feed")
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    supervisor = Supervisor(stack, Event())

    def other_pid() -> bool:
        supervisor.look()
        return pid(stack, "order-feed") not in (None, first)

    eventually(other_pid, 20, every_seconds=0.1)
    assert "does not answer since" in said.text


def test_while_a_command_is_at_work_it_touches_nothing(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    supervisor = Supervisor(LocalStack(stack.settings, stack.narrator), Event())
    killed(stack, "registry")
    with stack.lock:
        supervisor.look()
        assert pid(stack, "registry") is None
    supervisor.look()
    assert pid(stack, "registry")


def test_little_room_on_the_disk_is_said_once(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_PROBE_SECONDS", 0.0)
    monkeypatch.setattr(supervising, "LEAST_DISK_MB", 2**40)
    supervisor = Supervisor(stack, Event())
    supervisor.look()
    supervisor.look()
    assert said.text.count(f"MB are free for {stack.settings.local.home}") == 1


@dataclass
class Jobs:
    """The statements of a stack as its Flink shows them."""

    hold: Path
    stopped: StopList
    shown: dict[str, Job] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    orders_unread: int = 0
    silent: bool = False
    doubled: list[Doubled] = field(default_factory=list)
    statement_names = (DEDUPLICATION, JOIN)
    whole: set[str] = field(default_factory=lambda: {DEDUPLICATION, JOIN})

    def end_doubles(self) -> list[Doubled]:
        if self.silent:
            raise UnreachableError("Flink did not answer.")
        ended, self.doubled = self.doubled, []
        for one in ended:
            self.cancel(one.name)
        return ended

    def jobs(self) -> dict[str, Job]:
        if self.silent:
            raise UnreachableError("Flink did not answer.")
        return dict(self.shown)

    def run(self, *names: str, tasks: int = 1) -> None:
        self.shown |= {name: Job(name, name, "RUNNING", tasks, 1) for name in names}

    def cancel(self, name: str) -> None:
        self.shown.pop(name, None)

    def start(self, name: str) -> None:
        self.started.append(name)
        self.run(name)


@pytest.fixture
def jobs(stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A stack whose JobManager and gateway run, with these jobs."""
    jobs = Jobs(stack.settings.local.home / "hold", StopList(stack.settings.local.home / "stopped.json"))
    programs |= {name: sleeper(name) for name in ("jobmanager", "gateway")}
    for name in ("jobmanager", "gateway"):
        stack.processes.launch(programs[name])
    monkeypatch.setattr(stack.deployment, "statements", jobs)
    monkeypatch.setattr(stack.deployment, "start", jobs.start)
    monkeypatch.setattr(stack.deployment.target, "whole", lambda: set(jobs.whole))
    monkeypatch.setattr(stack.deployment, "orders_to_read", lambda _ends: jobs.orders_unread)
    monkeypatch.setattr(stack.deployment, "lost_transactions", lambda: dict.fromkeys(jobs.jobs(), 0))
    monkeypatch.setattr(stack.kafka, "end_offsets", lambda _topic: {0: 1})
    monkeypatch.setattr(supervising, "_LONGEST_PAUSE_SECONDS", 0.0)
    return jobs


def test_payments_are_held_back_while_the_join_is_away_and_follow_when_the_orders_are_read(
    stack: LocalStack, jobs: Jobs
) -> None:
    jobs.run(DEDUPLICATION)
    supervisor = Supervisor(stack, Event())
    jobs.orders_unread = 100
    supervisor.look()
    assert DEDUPLICATION not in jobs.shown
    assert jobs.started == [JOIN]
    supervisor.look()
    assert DEDUPLICATION not in jobs.shown, "the orders that came meanwhile are not read"
    jobs.orders_unread = 0
    supervisor.look()
    assert jobs.started == [JOIN, DEDUPLICATION]


def test_a_join_that_fails_again_before_it_read_the_orders_is_waited_for_anew(
    stack: LocalStack, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {0: 100}
    read = 0
    monkeypatch.setattr(stack.kafka, "end_offsets", lambda _topic: dict(ends))
    monkeypatch.setattr(stack.deployment, "orders_to_read", lambda wanted: max(wanted[0] - read, 0))
    jobs.run(JOIN)
    supervisor = Supervisor(stack, Event())
    supervisor.look()
    jobs.run(JOIN, tasks=0)
    supervisor.look()
    ends[0], read = 5_000, 100
    jobs.run(JOIN)
    supervisor.look()
    assert DEDUPLICATION not in jobs.shown
    read = 5_000
    supervisor.look()
    assert DEDUPLICATION in jobs.shown


def test_a_join_that_was_left_without_payments_gets_them_when_it_has_read_the_orders(
    stack: LocalStack, jobs: Jobs
) -> None:
    jobs.run(JOIN, DEDUPLICATION)
    jobs.hold.touch()
    Supervisor(stack, Event()).look()
    assert not jobs.hold.exists()


def test_a_program_that_cannot_start_keeps_no_other_and_no_statement_from_being_brought_back(
    stack: LocalStack, programs: Programs, jobs: Jobs, said: pytest.LogCaptureFixture
) -> None:
    programs["registry"] = replace(programs["registry"], command=["/no/such/program"])
    for name in ("registry", "dashboard"):
        stack.processes.launch(sleeper(name))
        killed(stack, name)
    Supervisor(stack, Event()).look()
    assert pid(stack, "dashboard")
    assert JOIN in jobs.started
    assert "The registry cannot be run" in said.text


def test_a_jobmanager_that_does_not_answer_is_ended_although_its_jobs_cannot_be_asked_for(
    stack: LocalStack, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_PROBE_SECONDS", 0.0)
    monkeypatch.setattr(supervising, "HUNG_SECONDS", 0.3)
    jobs.silent = True
    first = stack.processes.find("jobmanager")
    assert first is not None
    first.send_signal(signal.SIGSTOP)
    supervisor = Supervisor(stack, Event())

    def other_pid() -> bool:
        supervisor.look()
        return pid(stack, "jobmanager") not in (None, first.pid)

    eventually(other_pid, 20, every_seconds=0.1)


def test_a_fault_of_its_own_is_said_and_does_not_end_it(
    stack: LocalStack, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    def fail(_name: str) -> None:
        raise KeyError

    monkeypatch.setattr(stack.deployment, "start", fail)
    Supervisor(stack, Event()).look()
    assert "The supervisor failed: KeyError; its trace is in" in said.text


def test_one_that_is_told_to_end_submits_nothing_more(stack: LocalStack, jobs: Jobs) -> None:
    stop = Event()
    stop.set()
    Supervisor(stack, stop).look()
    assert jobs.started == []


def test_a_part_of_the_shop_that_shows_no_work_is_ended_and_started_again(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_PROBE_SECONDS", 0.0)
    monkeypatch.setattr(supervising, "HUNG_SECONDS", 0.3)
    shows = [""]
    programs["order-feed"] = replace(sleeper("order-feed"), silence=lambda: shows[0])
    stack.processes.launch(programs["order-feed"])
    first = pid(stack, "order-feed")
    supervisor = Supervisor(stack, Event())
    for _ in range(5):
        supervisor.look()
    assert pid(stack, "order-feed") == first
    shows[0] = "no sign of work since 60 s"

    def other_pid() -> bool:
        supervisor.look()
        return pid(stack, "order-feed") not in (None, first)

    eventually(other_pid, 20, every_seconds=0.1)
    assert "no sign of work since 60 s" in said.text


@pytest.mark.parametrize(("wrote", "word"), [(("a", "b"), "holds records twice"), (("a",), "no record is doubled")])
def test_a_statement_with_two_jobs_is_ended_said_and_started_once(
    stack: LocalStack, jobs: Jobs, said: pytest.LogCaptureFixture, wrote: tuple[str, ...], word: str
) -> None:
    jobs.run(JOIN)
    jobs.doubled = [Doubled(JOIN, ("a", "b"), wrote)]
    supervisor = Supervisor(stack, Event())
    supervisor.look()
    assert f"The statement {JOIN} had 2 live jobs" in said.text
    assert word in said.text
    supervisor.look()
    assert jobs.started.count(JOIN) == 1


@pytest.mark.parametrize("left", [JOIN, DEDUPLICATION])
def test_what_a_deployment_left_half_done_is_said_once_and_not_started(
    stack: LocalStack, jobs: Jobs, said: pytest.LogCaptureFixture, left: str
) -> None:
    jobs.whole.remove(left)
    supervisor = Supervisor(stack, Event())
    for _ in range(3):
        supervisor.look()
    assert left not in jobs.started
    assert said.text.count("is not deployed as described") == 1


def test_what_somebody_stopped_stays_away_also_for_the_next_supervisor_and_while_programs_are_brought_back(
    stack: LocalStack, jobs: Jobs
) -> None:
    for name in (DEDUPLICATION, JOIN):
        jobs.stopped.add(name)
    first = Supervisor(stack, Event())
    first.look()
    killed(stack, "jobmanager")
    first.look()
    assert pid(stack, "jobmanager"), "what nobody stopped is brought back"
    Supervisor(stack, Event()).look()
    assert jobs.started == []
    jobs.stopped.clear()
    first.look()
    assert jobs.started == [JOIN]


def test_a_deduplication_that_somebody_stopped_does_not_follow_a_join_that_is_brought_back(
    stack: LocalStack, jobs: Jobs
) -> None:
    jobs.stopped.add(DEDUPLICATION)
    jobs.hold.touch()
    supervisor = Supervisor(stack, Event())
    for _ in range(3):
        supervisor.look()
    assert jobs.started == [JOIN]
    assert not jobs.hold.exists(), "the join is not kept from payments for ever"


def test_payments_are_held_back_from_a_join_that_somebody_stopped(stack: LocalStack, jobs: Jobs) -> None:
    jobs.stopped.add(JOIN)
    jobs.run(DEDUPLICATION)
    supervisor = Supervisor(stack, Event())
    for _ in range(3):
        supervisor.look()
    assert jobs.shown == {}
