"""The command as a shell sees it: exit codes, what goes to stdout, and what it refuses to do."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import one_line, run


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
    for command in ("demo", "up", "down", "status", "doctor", "verify"):
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
        time.sleep(1)  # whatever it has begun by then must end
        demo.send_signal(signal.SIGINT)
        _, narration = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in narration
    states = {one["state"] for one in json.loads(run(environment, "status", "--json").stdout)["services"]}
    assert states == {"stopped"}
