import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from dashboard.local.identity import identity, same_process
from tests.conftest import eventually

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPS) as process:
        yield process
        process.kill()


def test_a_process_is_known_again_by_another_one_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    asked = f"from dashboard.local.identity import identity; print(identity({child.pid}))"
    noted = int(subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True).stdout)
    found = same_process(child.pid, noted)
    assert found is not None
    assert found.pid == child.pid
    child.kill()
    eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, 10, every_seconds=0.01)
    assert same_process(child.pid, noted) is None, "its parent has not looked yet"
    child.wait()
    assert same_process(child.pid, noted) is None


def test_another_process_with_that_pid_is_not_the_one_that_was_noted(child: subprocess.Popen[bytes]) -> None:
    assert same_process(child.pid, identity(os.getpid())) is None


def test_it_is_the_same_one_when_the_clock_is_set(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, created = identity(child.pid), psutil.Process(child.pid).create_time()
    set_clock_on(monkeypatch, 3600)
    assert psutil.Process(child.pid).create_time() == pytest.approx(created + 3600, abs=5)
    assert same_process(child.pid, noted) is not None


def set_clock_on(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As the system tells of it: its own start, seen from the new time, was so much later."""
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: booted + seconds)


def test_after_a_restart_of_the_machine_a_process_of_that_pid_and_moment_is_another_one(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = identity(child.pid)
    monkeypatch.setattr("dashboard.local.identity._boot", lambda: 1)
    assert same_process(child.pid, noted) is None


def test_what_an_older_version_started_and_noted_is_known_again(child: subprocess.Popen[bytes]) -> None:
    assert same_process(child.pid, hash(psutil.Process(child.pid))) is not None
