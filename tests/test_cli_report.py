"""`sales-trends report` as a command, on a real table in the stack's own catalog."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from dashboard.errors import ReadError
from tests.test_cli_query import NOON, Command, Lake, filled


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with filled(tmp_path_factory.mktemp("report")) as lake:
        yield lake


@pytest.fixture
def run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name, value in lake.variables.items():
        monkeypatch.setenv(name, value)
    return Command()


def test_a_report_goes_to_stdout_with_what_it_stands_on(run: Command, lake: Lake) -> None:
    told = run.out("report", "--range", "all", "--engine", "duckdb", "--compare", "nothing")

    assert "| Revenue | 1,000,000,000,000,002.20 |  |" in told
    assert f"- snapshot: {lake.snapshots[-1]}" in told
    assert "- engine: duckdb" in told
    assert "Data as of 2026-03-01 13:00:05+00:00" in run.told.getvalue()


def test_a_file_is_written_in_the_form_that_it_ends_with(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "week.html"

    assert run.out("report", "--range", "All", "--zone", "Asia/Kolkata", "--output", str(file)) == ""

    assert file.read_text().startswith("<!doctype html>")
    assert "2026-03-01 18:30:05+05:30" in file.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--range", "8d"), "'8d' is none of 15min, 1h"),
        (("--compare", "decade"), "'decade' is none of previous, week, year, nothing"),
        (("--zone", "Mars/Base"), "no time zone"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(run: Command, words: tuple[str, ...], told: str) -> None:
    fault = run.fails("report", *words)

    assert isinstance(fault, click.UsageError)
    assert told in fault.format_message()


def test_while_a_window_is_doubled_nothing_is_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("doubled")
    with filled(folder) as doubled, pytest.MonkeyPatch.context() as patch:
        for name, value in doubled.variables.items():
            patch.setenv(name, value)
        doubled.commit((NOON, "1.00"), (NOON + timedelta(hours=2), "1.00"))
        file = folder / "report.md"

        fault = Command().fails("report", "--range", "all", "--engine", "duckdb", "--output", str(file))

    assert isinstance(fault, ReadError)
    assert "so no sum is right" in fault.message
    assert not file.exists()
