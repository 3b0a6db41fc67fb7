"""The command as a shell sees it: exit codes, what goes to stdout, and what it refuses to do."""

import importlib.metadata
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import __version__
from dashboard.errors import ExitCode
from dashboard.local import services
from dashboard.local.processes import ProcessTable, Service
from tests.commands import one_line, run
from tests.conftest import eventually, processes_of


@pytest.mark.parametrize("words", [["nonsense"], ["status", "--nonsense"], ["up", "--target", "mars"]])
def test_wrong_usage_ends_with_64(environment: dict[str, str], words: list[str]) -> None:
    assert run(environment, *words).returncode == 64


def test_a_wrong_setting_ends_with_64_and_names_it(environment: dict[str, str]) -> None:
    result = run(environment | {"SALES_SHOP__RATE": "fast"}, "status")
    assert result.returncode == 64
    assert "SALES_SHOP__RATE" in one_line(result)


def test_an_option_is_judged_like_the_setting_it_stands_for(environment: dict[str, str]) -> None:
    result = run(environment, "up", "--window", "7s")
    assert result.returncode == 64
    assert "divide a day" in one_line(result)


def test_every_command_explains_itself(environment: dict[str, str]) -> None:
    overview = run(environment, "--help").stdout
    for command in ("demo", "up", "down", "status", "logs", "doctor", "verify"):
        assert f"\n  {command} " in overview
        assert "--target" in run(environment, command, "--help").stdout
    assert "130  interrupted" in overview


def test_status_of_nothing_is_whole_json_on_stdout_and_ends_with_1(environment: dict[str, str]) -> None:
    result = run(environment, "status", "--json")
    facts = json.loads(result.stdout)
    assert result.returncode == 1
    assert facts["running"] is False
    assert {one["state"] for one in facts["services"]} == {"stopped"}
    assert {one["state"] for one in facts["statements"]} == {"absent"}


def test_down_of_nothing_is_fine(environment: dict[str, str]) -> None:
    assert run(environment, "down").returncode == 0


def test_verify_without_a_catalog_says_that_it_cannot_be_reached(environment: dict[str, str]) -> None:
    result = run(environment, "verify", "--json")
    assert result.returncode == 69
    assert result.stdout == ""
    assert "sales-trends up" in one_line(result)


def test_doctor_names_a_port_that_another_program_uses(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run(environment | {"SALES_LOCAL__KAFKA_PORT": str(port)}, "doctor", "--json")
    assert result.returncode == 1
    finding = next(one for one in json.loads(result.stdout) if one["name"] == "Kafka port")
    assert not finding["ok"]
    assert "SALES_LOCAL__KAFKA_PORT" in finding["remedy"]


def test_up_refuses_a_port_in_use_and_leaves_nothing_running(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run(environment | {"SALES_LOCAL__GATEWAY_PORT": str(port)}, "up")
    assert result.returncode == 1
    assert f"port {port}" in one_line(result)
    states = {one["state"] for one in json.loads(run(environment, "status", "--json").stdout)["services"]}
    assert states == {"stopped"}


def test_a_stack_keeps_the_window_it_was_made_with(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "stack.json").write_text('{"format": 1, "window_seconds": 5.0}')
    result = run(environment, "up", "--window", "1h")
    assert result.returncode == 64
    assert "0:00:05" in one_line(result)


def test_data_is_deleted_only_when_its_name_is_typed(environment: dict[str, str], tmp_path: Path) -> None:
    kept = tmp_path / "home" / "kafka" / "a-topic"
    kept.parent.mkdir(parents=True)
    kept.touch()
    (tmp_path / "home" / "stack.json").write_text('{"format": 1, "window_seconds": 5.0}')
    assert run(environment, "down", "--delete-data", typed="yes\n").returncode == 1
    assert kept.exists()
    assert run(environment, "down", "--delete-data", typed="local\n").returncode == 0
    assert not kept.exists()


def test_a_folder_that_holds_no_stack_is_never_deleted(environment: dict[str, str], tmp_path: Path) -> None:
    theirs = tmp_path / "home" / "logs" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    assert run(environment, "down", "--delete-data", "--yes").returncode == 1
    assert theirs.exists()


def test_a_second_command_is_told_that_one_is_at_work(environment: dict[str, str], tmp_path: Path) -> None:
    holder = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    input()"
    (tmp_path / "home").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "home" / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        result = run(environment, "down")
        other.communicate("\n")
    assert result.returncode == 1
    assert "Another command" in one_line(result)


def test_an_interrupt_while_starting_ends_with_130_and_leaves_nothing_running(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "dashboard", "demo"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        while "Ctrl-C stops" not in demo.stderr.readline():
            assert demo.poll() is None
        # as early as can be: perhaps it has not even noted yet what it started
        home = Path(environment["SALES_LOCAL__HOME"])
        eventually(lambda: processes_of(home), 30, every_seconds=0.001)
        demo.send_signal(signal.SIGINT)
        _, narration = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in narration
    states = {one["state"] for one in json.loads(run(environment, "status", "--json").stdout)["services"]}
    assert states == {"stopped"}
    assert not processes_of(home)


@pytest.fixture
def sleeper(environment: dict[str, str]) -> Iterator[ProcessTable]:
    """A home in which a program that only sleeps stands for the broker."""
    table = ProcessTable(Path(environment["SALES_LOCAL__HOME"]))
    program = "print('it sleeps', flush=True); import time; time.sleep(300)"
    table.launch(Service("kafka", "Kafka broker", [sys.executable, "-c", program], lambda: ""))
    eventually(lambda: "it sleeps" in table.log_file("kafka").read_text(), 30, every_seconds=0.1)
    yield table
    table.stop("kafka", 0)


def test_status_tells_each_programs_pid_address_version_memory_and_log(
    environment: dict[str, str], sleeper: ProcessTable
) -> None:
    process = sleeper.find("kafka")
    assert process is not None
    by_name = {one["name"]: one for one in json.loads(run(environment, "status", "--json").stdout)["services"]}
    kafka = by_name["kafka"]
    assert kafka["pid"] == process.pid
    assert kafka["address"] == f"127.0.0.1:{environment['SALES_LOCAL__KAFKA_PORT']}"
    assert kafka["memory_mb"] > 0
    assert kafka["state"] == "running"
    assert kafka["log"] == str(sleeper.log_file("kafka"))
    assert {name: one["version"] for name, one in by_name.items()} == {
        "kafka": "4.2.0",
        "registry": __version__,
        "jobmanager": importlib.metadata.version("apache-flink-libraries"),
        "taskmanager": importlib.metadata.version("apache-flink-libraries"),
        "gateway": importlib.metadata.version("apache-flink-libraries"),
        "order-feed": __version__,
        "payment-app": __version__,
        "dashboard": importlib.metadata.version("streamlit"),
        "supervisor": __version__,
    }


def test_status_is_a_table_that_fits_a_terminal(environment: dict[str, str], sleeper: ProcessTable) -> None:
    lines = run(environment, "status").stdout.splitlines()
    head, kafka = lines[:2]
    for title, shown in (("state", "running"), ("version", "4.2.0"), ("address", "127.0.0.1:"), ("log", "kafka.log")):
        assert kafka[head.index(title) :].startswith(shown)
    assert f"Logs are in {sleeper.log_file('kafka').parent};" in "\n".join(lines)
    assert max(len(line) for line in lines if not line.startswith("Logs")) <= 100


def test_doctor_asks_the_parts_of_what_runs(environment: dict[str, str], sleeper: ProcessTable) -> None:
    result = run(environment, "doctor")
    assert result.returncode == 1
    assert "✓ Program kafka" in result.stdout
    assert "✗ Kafka " in result.stdout
    assert "sales-trends logs kafka" in result.stdout
    assert "Traceback" not in result.stderr


def test_logs_shows_the_end_of_a_log(environment: dict[str, str], sleeper: ProcessTable) -> None:
    result = run(environment, "logs", "kafka", "-n", "1")
    assert (result.returncode, result.stdout) == (0, "it sleeps\n")


def test_logs_refuses_an_unknown_program_with_the_names_there_are(environment: dict[str, str]) -> None:
    result = run(environment, "logs", "nonsense")
    assert result.returncode == 64
    for name in services.NAMES:
        assert f"'{name}'" in one_line(result)


def test_logs_says_when_there_is_none(environment: dict[str, str]) -> None:
    result = run(environment, "logs", "gateway")
    assert (result.returncode, result.stdout) == (1, "")
    assert "gateway has no log yet" in one_line(result)


def test_logs_follows_until_it_is_interrupted(environment: dict[str, str], sleeper: ProcessTable) -> None:
    command = [sys.executable, "-m", "dashboard", "logs", "kafka", "--follow", "-n", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == "it sleeps\n"
        with sleeper.log_file("kafka").open("a") as log:
            log.write("it dreams\n")
        assert logs.stdout.readline() == "it dreams\n"
        logs.send_signal(signal.SIGINT)
        _, said = logs.communicate(timeout=30)
    assert logs.returncode == 130
    assert "Traceback" not in said


def test_a_sentence_with_brackets_is_told_whole(environment: dict[str, str]) -> None:
    home = f"{environment['SALES_LOCAL__HOME']}[/red][bold]"
    assert home in run(environment | {"SALES_LOCAL__HOME": home}, "logs", "kafka").stderr


def interrupted(script: str, by: str = "env") -> subprocess.CompletedProcess[str]:
    """The command, doing this in place of what it is asked for."""
    program = f"""
import os, signal, threading, time
from dashboard.cli import command

def act(**_):
    {script}

command.commands.main = act
command.main()
"""
    return subprocess.run(
        [by, sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )


def test_ctrl_c_waits_for_no_thread_that_is_deep_in_a_library_and_loses_nothing_that_was_written() -> None:
    busy = "threading.Thread(target=time.sleep, args=(600,)).start()"
    ended = interrupted(f"{busy}; print('half'); os.kill(os.getpid(), signal.SIGINT)")
    assert ended.returncode == ExitCode.INTERRUPTED
    assert ended.stdout == "half\n"
    assert ended.stderr == "Interrupted.\n"


@pytest.mark.parametrize(("by", "code"), [("nohup", ExitCode.OK), ("env", ExitCode.INTERRUPTED)])
def test_a_closed_terminal_ends_a_command_unless_nohup_began_it(by: str, code: ExitCode) -> None:
    assert interrupted("os.kill(os.getpid(), signal.SIGHUP)", by).returncode == code
