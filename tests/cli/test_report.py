"""`sales-trends report` as a command, on a real table in the stack's own catalog."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from dashboard.cli import asking
from dashboard.errors import ReadError
from dashboard.freshness.overview import folder_of
from dashboard.revenue.view import View
from dashboard.settings import load_settings
from dashboard.trends.ranges import resolve
from dashboard.wording import iso
from tests.cli.test_query import NOON, Command, Lake, filled


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


@pytest.mark.parametrize("grain", ["day", "hour", "window"])
def test_a_report_says_with_which_command_its_rows_can_be_asked_for_again(run: Command, grain: str) -> None:
    words = ("report", "--range", "all", "--engine", "pyiceberg", "--zone", "Asia/Kolkata", "--grain", grain)
    told = run.out(*words, "--format", "html")

    [command] = re.findall('<th scope="row">query</th><td>sales-trends (.*)</td>', told)

    rows = run.json(*shlex.split(unescape(command)), "--engine", "pyiceberg", "--format", "json")["rows"]
    assert sum(Decimal(row["revenue"]) for row in rows) == Decimal("1000000000000002.20")


def test_a_file_is_written_in_the_form_that_it_ends_with(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "week.html"

    assert run.out("report", "--range", "All", "--zone", "Asia/Kolkata", "--output", str(file)) == ""

    assert file.read_text().startswith("<!doctype html>")
    assert "2026-03-01 18:30:05+05:30" in file.read_text()


def test_parts_of_the_calendar_are_those_of_the_page_by_the_same_settings(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_VIEW__FISCAL_YEAR_START", "2")
    monkeypatch.setenv("SALES_VIEW__WEEK_START", "sunday")
    monkeypatch.setenv("SALES_VIEW__CURRENCY", "SEK")
    settings, zone = load_settings(), ZoneInfo("Asia/Tokyo")

    for name in ("This fiscal year", "Last quarter", "Last week"):
        told, now = run.out("report", "--range", name, "--zone", zone.key, "--engine", "pyiceberg"), datetime.now(UTC)
        asked = View(name).asked(settings.view, zone, now)
        stretch = resolve(
            asked.range, asked.calendar, window=timedelta(seconds=5), first=NOON, until=NOON, today=asked.today
        )
        assert f"- start: {iso(stretch.start)}" in told
        assert f"- end: {iso(stretch.end)}" in told
        assert "weeks begin on Sunday). All amounts are in SEK." in told
        assert "- currency: SEK" in told


def test_a_week_begins_as_the_option_says_where_it_says_so(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_VIEW__WEEK_START", "sunday")

    assert "weeks begin on Wednesday)" in run.out("report", "--range", "last-week", "--week-start", "wednesday")


def test_a_report_has_as_much_time_as_any_command_that_asks(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_TIMEOUT", timedelta(microseconds=1))

    assert "no answer within 1e-06 s" in run.fails("report", "--range", "all", "--engine", "duckdb").message


def test_a_last_look_that_cannot_be_read_is_told_and_does_not_end_the_report(run: Command, lake: Lake) -> None:
    file = folder_of(load_settings()) / "overview.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{")
    try:
        told = run.out("report", "--range", "all", "--engine", "duckdb")
    finally:
        file.unlink()

    assert "| Revenue | 1,000,000,000,000,002.20 |" in told
    assert "- How fresh these figures are is not known: the last look at the pipeline cannot be read." in told
    assert "overview" not in told
    assert f"{file} cannot be read" in run.told.getvalue()


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
