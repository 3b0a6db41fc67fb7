import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from threading import Timer

import psutil
import pytest
from rich.console import Console

from dashboard.errors import StackError
from dashboard.local.processes import MARK_VARIABLE, ProcessTable, Service
from dashboard.narration import Step
from tests.conftest import eventually


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ProcessTable]:
    table = ProcessTable(tmp_path)
    yield table
    table.stop("it", 0)


@pytest.fixture
def step() -> Step:
    return Step("it", Console(file=StringIO()), None)


def service(program: str, ready: Callable[[], str] = lambda: "", within_seconds: float = 20) -> Service:
    command = [sys.executable, "-c", program]
    return Service("it", "The service", command, ready, ready_within_seconds=within_seconds)


def sleeper(marker: Path, ready: Callable[[], str] | None = None) -> Service:
    program = f"import pathlib, time; pathlib.Path({str(marker)!r}).touch(); time.sleep(60)"
    return service(program, ready or (lambda: "" if marker.exists() else "its marker"))


def test_a_started_service_is_found_again_by_another_command(table: ProcessTable, step: Step, tmp_path: Path) -> None:
    table.launch(sleeper(tmp_path / "marker"))
    table.wait_ready(sleeper(tmp_path / "marker"), step)
    found = ProcessTable(tmp_path).find("it")
    assert found is not None
    assert found.pid == table.find("it").pid  # type: ignore[union-attr]  # it was just found


def test_launching_a_running_service_again_leaves_it_alone(table: ProcessTable, step: Step, tmp_path: Path) -> None:
    table.launch(sleeper(tmp_path / "marker"))
    table.wait_ready(sleeper(tmp_path / "marker"), step)
    first = table.find("it")
    table.launch(sleeper(tmp_path / "marker"))
    assert table.find("it") == first


def test_the_port_of_a_killed_service_is_waited_for_and_that_of_another_program_is_not(
    table: ProcessTable, step: Step, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert table.another_listens("it", port), "nothing of ours was ever there"
        table.launch(sleeper(tmp_path / "marker"))
        table.wait_ready(sleeper(tmp_path / "marker"), step)
        assert not table.another_listens("it", port), "it is ours"
        os.kill(table.find("it").pid, signal.SIGKILL)  # type: ignore[union-attr]  # it runs
        eventually(lambda: table.died("it"), 10)
        freed = Timer(0.5, held.close)
        freed.start()
        assert not table.another_listens("it", port)
        freed.join()


def test_a_service_that_dies_while_starting_is_told_with_the_end_of_its_log(table: ProcessTable, step: Step) -> None:
    dying = service("import sys; sys.exit('no such disk')", lambda: "its port")
    table.launch(dying)
    with pytest.raises(StackError, match=r"The service ended while starting. Its log ends: no such disk"):
        table.wait_ready(dying, step)
    assert table.find("it") is None


def test_a_service_that_is_not_ready_in_time_is_told_and_not_left_running(table: ProcessTable, step: Step) -> None:
    hanging = service("import time; time.sleep(60)", lambda: "its port", within_seconds=0.5)
    table.launch(hanging)
    process = table.find("it")
    assert process is not None
    with pytest.raises(StackError, match="not ready within 0 s: its port"):
        table.wait_ready(hanging, step)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_service_that_ignores_the_request_to_end_is_ended(table: ProcessTable, step: Step, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    stubborn = service(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(marker)!r}).touch(); time.sleep(60)",
        lambda: "" if marker.exists() else "its marker",
    )
    table.launch(stubborn)
    table.wait_ready(stubborn, step)
    table.stop("it", 0.2)
    assert table.find("it") is None


def test_a_killed_service_is_not_found(table: ProcessTable, step: Step, tmp_path: Path) -> None:
    table.launch(sleeper(tmp_path / "marker"))
    table.wait_ready(sleeper(tmp_path / "marker"), step)
    process = table.find("it")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=5)
    assert table.find("it") is None


def test_a_pid_that_now_belongs_to_another_program_is_not_taken_for_ours(table: ProcessTable, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "it.json").write_text(f'{{"pid": {os.getpid()}, "identity": 1}}')
    assert table.find("it") is None
    table.stop("it", 0)  # must not end this very process


def test_a_record_cut_short_by_a_crash_means_no_process(table: ProcessTable, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "it.json").write_text('{"pid": 12')
    assert table.find("it") is None


def test_one_that_was_started_but_never_recorded_is_ended_and_no_other(
    table: ProcessTable, step: Step, tmp_path: Path
) -> None:
    stray_service = dataclasses.replace(sleeper(tmp_path / "stray"), name="stray")
    table.launch(stray_service)
    table.launch(sleeper(tmp_path / "marker"))
    stray, kept = table.find("stray"), table.find("it")
    assert stray is not None
    assert kept is not None
    (tmp_path / "run" / "stray.json").unlink()  # as when its command is killed just before it writes that
    table.end_strays()
    assert [one.pid for one in table.marked()] == [kept.pid]


def test_a_clock_that_is_set_makes_no_service_count_as_ended_nor_ends_it(
    table: ProcessTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a machine that was paused goes on; before it, psutil tells of another start of every process."""
    table.launch(sleeper(tmp_path / "marker"))
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: booted + 3600)
    running = table.find("it")
    assert running is not None
    assert not table.died("it")
    table.end_strays()
    assert running.is_running()
    assert [one.pid for one in table.marked()] == [running.pid]


def test_who_ends_strays_does_not_end_itself(table: ProcessTable, tmp_path: Path) -> None:
    """As a supervisor whose record was lost."""
    ends_strays = (
        "import pathlib; from dashboard.local.processes import ProcessTable;"
        f"ProcessTable(pathlib.Path({str(tmp_path)!r})).end_strays()"
    )
    marked = {**os.environ, MARK_VARIABLE: str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", ends_strays], env=marked, timeout=60)
    assert ended.returncode == 0


def test_what_another_stack_runs_is_not_ours(table: ProcessTable, tmp_path: Path) -> None:
    other = ProcessTable(tmp_path / "other")
    other.launch(sleeper(tmp_path / "marker"))
    try:
        table.end_strays()
        assert table.marked() == []
        assert other.find("it") is not None
    finally:
        other.stop("it", 0)


def test_what_a_program_started_through_another_is_no_stray_and_what_has_just_ended_no_fault(
    table: ProcessTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Flink, which begins short-lived commands through a shell now and then."""
    script = "sh -c 'sh -c \"sleep 300 & wait\" & wait' & wait"
    table.launch(dataclasses.replace(sleeper(tmp_path / "marker"), command=["sh", "-c", script]))
    eventually(lambda: len(table.marked()) == 4, 20, every_seconds=0.05)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        gone = psutil.Process(ended.pid)
    there = table.marked()
    monkeypatch.setattr(table, "marked", lambda: [gone, *there])
    table.end_strays()
    assert all(one.is_running() for one in there)
    for one in there:
        one.kill()
