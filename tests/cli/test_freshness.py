"""`sales-trends freshness`, `watch` and `alerts` as people and schedulers run them."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from dashboard.cli.command import commands
from dashboard.errors import ExitCode, ReadError, SettingsError
from dashboard.freshness.alert_store import AlertStore
from dashboard.freshness.alerts import Rules
from dashboard.freshness.overview import OverviewFile
from dashboard.freshness.verdict import State
from dashboard.narration import Narrator
from tests.freshness.kept import MINUTE, SECOND, leave, overview

AWAY = dict.fromkeys(
    ("SALES_LOCAL__KAFKA_PORT", "SALES_LOCAL__REGISTRY_PORT", "SALES_LOCAL__FLINK_PORT", "SALES_LOCAL__GATEWAY_PORT"),
    "1",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the watch of the local stack keeps what it saw; nothing of the stack runs."""
    for name, value in {**AWAY, "SALES_LOCAL__HOME": str(tmp_path), "SALES_LAKE__MIRROR": str(tmp_path / "m")}.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "freshness" / "local"


def run(*words: str) -> Result:
    narrator = Narrator(Console(file=sys.stderr, width=120))
    return CliRunner().invoke(commands, words, obj=narrator, standalone_mode=False)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.FRESH, ExitCode.OK),
        (State.WAITING, ExitCode.OK),
        (State.LATE, ExitCode.CHANGES),
        (State.STALE, ExitCode.CHANGES),
        (State.UNKNOWN, ExitCode.FAILED),
    ],
)
def test_the_exit_code_tells_a_scheduler_the_state(folder: Path, state: State, code: ExitCode) -> None:
    leave(folder, overview(state))
    done = run("freshness", "--json")
    assert done.return_value == code or done.exit_code == code
    told = json.loads(done.stdout)
    assert told["state"] == state.value
    assert (told["behind_seconds"], told["watcher"]) == (42.0, "dashboard 4711")


def test_the_hop_that_holds_the_numbers_is_named_with_what_to_do(folder: Path) -> None:
    leave(folder, overview())
    out = run("freshness").stdout
    assert "22 s late, held at: Iceberg commit of revenue_summary." in out
    assert "Nothing was committed. Start it." in out
    assert max(map(len, out.splitlines())) <= 100


def test_what_nobody_has_seen_for_long_is_looked_at_now(folder: Path) -> None:
    leave(folder, overview(State.FRESH, ago=10 * MINUTE))
    done = run("freshness", "--json")
    told = json.loads(done.stdout)
    assert told["state"] == "unknown"
    assert "Kafka broker is not running" in told["reason"]
    assert told["watcher"].startswith("command ")
    assert OverviewFile(folder / "overview.json").read() is not None


def test_was_it_late_at_nine(folder: Path) -> None:
    leave(folder, overview(State.FRESH), {30 * MINUTE: State.FRESH, 20 * MINUTE: State.STALE, 10 * MINUTE: State.FRESH})
    then = (datetime.now(UTC) - 20 * MINUTE + 20 * SECOND).isoformat()
    told = json.loads(run("freshness", "--at", then, "--json").stdout)
    assert (told["state"], told["held_at"]) == ("stale", "commit:revenue_summary")
    nobody = run("freshness", "--at", "5h")
    assert isinstance(nobody.exception, ReadError)
    assert "Nobody looked" in str(nobody.exception)


def test_alerts_are_listed_snoozed_and_woken(folder: Path) -> None:
    raised_at = overview(State.STALE)
    store = AlertStore(folder / "alerts.sqlite")
    store.see(raised_at.verdict, Rules(timedelta(0), MINUTE, MINUTE), [])
    store.close()

    listed = json.loads(run("alerts", "list", "--json").stdout)
    assert [one["subject"] for one in listed["open"]] == ["pipeline"]
    assert run("alerts", "snooze", "--for", "1h").exception is None
    [snooze] = json.loads(run("alerts", "list", "--json").stdout)["snoozes"]
    assert snooze["subject"] == "pipeline"
    assert run("alerts", "wake").exception is None
    assert json.loads(run("alerts", "list", "--json").stdout)["snoozes"] == []


def test_each_open_alert_is_listed_with_who_was_told_of_it_and_who_refused(folder: Path) -> None:
    store = AlertStore(folder / "alerts.sqlite")
    store.see(overview(State.STALE).verdict, Rules(timedelta(0), MINUTE, MINUTE), ["webhook", "mail to ada"])
    assert run("alerts", "list").stdout.count("not told yet.") == 2
    webhook, mail = store.letters()
    store.told(webhook, datetime(2026, 3, 1, 12, 5, tzinfo=UTC))
    store.give_up(mail, "The mail server refused it. Correct the address.")
    store.close()

    lines = run("alerts", "list").stdout.splitlines()
    assert lines[1:] == [
        "  mail to ada: refused for good: The mail server refused it. Correct the address.",
        "  webhook: told at 2026-03-01T12:05:00Z.",
    ]
    [alert] = json.loads(run("alerts", "list", "--json").stdout)["open"]
    assert [(one["way"], one["fate"], one["told_at"]) for one in alert["deliveries"]] == [
        ("mail to ada", "given_up", None),
        ("webhook", "told", "2026-03-01T12:05:00Z"),
    ]


@pytest.mark.parametrize(
    ("words", "told"), [(("nothing",), "There is no alert about nothing"), (("--for", "90d"), "cannot be snoozed")]
)
def test_a_snooze_that_cannot_be_is_one_sentence(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = run("alerts", "snooze", *words)
    assert isinstance(done.exception, SettingsError)
    assert told in str(done.exception)


def test_watching_keeps_what_it_sees_until_it_is_interrupted_and_gives_the_lease_back(folder: Path) -> None:
    command = [sys.executable, "-m", "dashboard", "watch"]
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                assert "Watching local" in process.stderr.readline()
                # what the one before saw comes first
                while "[watch" in (line := process.stderr.readline()):
                    pass
                assert "held at: ingest of payments" in line
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == ExitCode.INTERRUPTED
    seen = OverviewFile(folder / "overview.json").read()
    assert seen is not None
    assert (seen.verdict.state, seen.watcher) == (State.UNKNOWN, f"watch {process.pid}")


def test_watching_goes_on_over_what_another_version_left(folder: Path) -> None:
    folder.mkdir(parents=True)
    file = folder / "overview.json"
    file.write_text('{"of": "another version"}')
    command = [sys.executable, "-m", "dashboard", "watch"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            # nothing of it is readable until the first look has written it anew
            lines = iter(process.stderr.readline, "")
            assert next(line for line in lines if "held at: ingest of payments" in line)
        finally:
            process.kill()
