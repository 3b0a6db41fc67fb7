"""Each process is killed while 1,000 payments a second flow: the supervisor brings it back, and no window is wrong."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from dashboard.checkups.stack import examine_stack
from dashboard.deploy.statements import DEDUPLICATION
from dashboard.lifecycle import LocalStack
from dashboard.local.services import DASHBOARD, PLATFORM, SHOP, SUPERVISOR
from tests.conftest import eventually, processes_of, running_stack, stack_settings
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.stack, pytest.mark.long]


@pytest.fixture(scope="module")
def busy_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = stack_settings(
        tmp_path_factory.mktemp("recovery") / "home", shop={"history": "0s", "rate": 1_000, "payment_delay": "10s"}
    )
    with running_stack(settings, page=True) as stack:
        yield stack


def kill(stack: LocalStack, name: str) -> int:
    """Kills a process of the stack at once and returns its pid."""
    process = stack.processes.find(name)
    assert process is not None, f"{name} does not run"
    os.kill(process.pid, signal.SIGKILL)
    return process.pid


def runs_again(stack: LocalStack, name: str, killed_pid: int) -> bool:
    process = stack.processes.find(name)
    status = stack.status()
    return (
        process is not None
        and process.pid != killed_pid
        and all(one.state == "running" for one in status.services)
        and status.running
        # a process that runs again does not answer at once
        and all(finding.ok for finding in examine_stack(stack))
    )


def assert_back_and_right(stack: LocalStack, name: str, pid: int) -> None:
    killed = time.monotonic()
    eventually(lambda: runs_again(stack, name, pid), within_seconds=120)
    seconds = time.monotonic() - killed
    found = verified_until(stack, datetime.now(UTC))
    print(f"{name}: everything runs after {seconds:.1f} s, {found.compared} windows right")  # noqa: T201  # pytest -s
    assert not found.missing + found.doubled + found.mismatched


@pytest.mark.parametrize("name", [*PLATFORM, *SHOP, DASHBOARD])
def test_a_killed_process_is_brought_back_and_every_window_is_right(busy_stack: LocalStack, name: str) -> None:
    assert_back_and_right(busy_stack, name, kill(busy_stack, name))


def test_a_frozen_broker_is_ended_and_brought_back(busy_stack: LocalStack) -> None:
    process = busy_stack.processes.find("kafka")
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    assert_back_and_right(busy_stack, "kafka", process.pid)


def test_up_brings_back_a_killed_supervisor_and_leaves_what_runs(busy_stack: LocalStack) -> None:
    before = {one.name: one.pid for one in busy_stack.status().services}
    kill(busy_stack, SUPERVISOR)
    eventually(lambda: busy_stack.processes.find(SUPERVISOR) is None, 10)
    busy_stack.up()
    after = {one.name: one.pid for one in busy_stack.status().services}
    assert after.pop(SUPERVISOR) not in (None, before.pop(SUPERVISOR))
    assert after == before


def test_a_supervisor_killed_in_the_middle_of_a_repair_leaves_what_up_mends(busy_stack: LocalStack) -> None:
    log = busy_stack.processes.log_file(SUPERVISOR)
    said_before = log.read_text()
    kill(busy_stack, "kafka")
    eventually(lambda: "Ended: Kafka broker." in log.read_text()[len(said_before) :], 30, every_seconds=0.01)
    kill(busy_stack, SUPERVISOR)
    busy_stack.up()
    assert not verified_until(busy_stack, datetime.now(UTC)).missing
    home, programs = busy_stack.settings.local.home, len(busy_stack.status().services)
    # Flink begins a short-lived command for a file of a table now and then
    eventually(lambda: len(processes_of(home)) == programs, 10)


def test_killed_as_a_whole_it_comes_back_with_up_and_nothing_is_left_over(busy_stack: LocalStack) -> None:
    for pid in processes_of(busy_stack.settings.local.home):
        psutil.Process(pid).kill()
    started = time.monotonic()
    busy_stack.up()
    print(f"all: everything runs after {time.monotonic() - started:.1f} s")  # noqa: T201
    assert verified_until(busy_stack, datetime.now(UTC)).ok
    assert busy_stack.deployment.statements.jobs()[DEDUPLICATION].running
