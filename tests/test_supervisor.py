"""What the supervisor does about programs, with small ones in their place; statements are proven in tests/stack."""

import errno
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dashboard import supervisor as supervising
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.processes import Service
from dashboard.narration import Narrator
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
    supervisor = Supervisor(stack)
    first = killed(stack, name)
    supervisor.look()
    assert pid(stack, name) not in (None, first)
    assert f"Ended: The {name}. Its log ends: it wrote nothing" in said.text


def test_what_died_before_the_supervisor_began_is_started_again(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    killed(stack, "registry")
    Supervisor(stack).look()
    assert pid(stack, "registry")


def test_what_was_stopped_or_never_started_stays_so(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    stack.processes.stop("registry", 5)
    Supervisor(stack).look()
    assert not any(pid(stack, name) for name in programs)


def test_one_that_is_not_ready_in_time_is_tried_again(
    stack: LocalStack, programs: Programs, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "_LONGEST_PAUSE_SECONDS", 0.0)
    answers = ["its health page"]
    programs["registry"] = sleeper("registry", lambda: answers[0], within_seconds=0.2)
    stack.processes.launch(programs["registry"])
    supervisor = Supervisor(stack)
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
    supervisor = Supervisor(stack)
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
    supervisor = Supervisor(stack)
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
    supervisor = Supervisor(stack)

    def other_pid() -> bool:
        supervisor.look()
        return pid(stack, "order-feed") not in (None, first)

    eventually(other_pid, 20, every_seconds=0.1)
    assert "does not answer since" in said.text


def test_while_a_command_is_at_work_it_touches_nothing(stack: LocalStack, programs: Programs) -> None:
    stack.processes.launch(programs["registry"])
    supervisor = Supervisor(LocalStack(stack.settings, stack.narrator))
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
    supervisor = Supervisor(stack)
    supervisor.look()
    supervisor.look()
    assert said.text.count(f"MB are free for {stack.settings.local.home}") == 1
