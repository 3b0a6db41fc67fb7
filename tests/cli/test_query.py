"""`sales-trends query`, `tables` and `changes` as commands, on a real table in the stack's own catalog."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from pyiceberg.table import Table
from rich.console import Console

from dashboard.cli import asking
from dashboard.cli.answer import Told, check_output, format_of, lines_of, write
from dashboard.cli.command import commands
from dashboard.errors import ExitCode, ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.narration import Narrator
from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.readers.lake_table import LakeTable
from dashboard.readers.questions import question_names
from tests.conftest import eventually
from tests.iceberg_tables import append, revenue_rows, revenue_table, served_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AMOUNTS = ("999999999999999.99", "0.01", "2.20")


class Lake:
    """A served catalog, and the commands that are run against it in this process."""

    def __init__(self, port: str, folder: Path) -> None:
        self.variables = {"SALES_LOCAL__REGISTRY_PORT": port, "SALES_LOCAL__HOME": str(folder / "home")}
        self.variables["SALES_LAKE__MIRROR"] = str(folder / "mirror")
        self.snapshots: list[int] = []
        self.table: Table

    def commit(self, *rows: tuple[datetime, str | None]) -> int:
        append(self.table, rows)
        current = self.table.refresh().current_snapshot()
        assert current is not None
        return current.snapshot_id


class Command:
    """Runs the command as `main` does, without a process."""

    def __init__(self) -> None:
        self.told = StringIO()

    def __call__(self, *words: str) -> Result:
        self.told = StringIO()
        narrator = Narrator(Console(file=self.told, width=200))
        return CliRunner().invoke(commands, words, obj=narrator, standalone_mode=False)

    def json(self, *words: str) -> Any:
        return json.loads(self.out(*words))

    def out(self, *words: str) -> str:
        result = self(*words)
        assert result.exception is None, result.exception
        return result.stdout

    def fails(self, *words: str) -> SalesTrendsError | click.UsageError:
        result = self(*words)
        assert isinstance(result.exception, (SalesTrendsError, click.UsageError)), result
        return result.exception


@contextmanager
def filled(folder: Path) -> Iterator[Lake]:
    with served_catalog(folder) as uri:
        lake = Lake(uri.rpartition(":")[2].partition("/")[0], folder)
        lake.table = revenue_table(open_catalog(CatalogAccess(uri, "")))
        for seconds, amount in zip((0, 5, 3600), AMOUNTS, strict=True):
            lake.snapshots.append(lake.commit((NOON + timedelta(seconds=seconds), amount)))
        yield lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with filled(tmp_path_factory.mktemp("query")) as lake:
        yield lake


@pytest.fixture
def run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name, value in lake.variables.items():
        monkeypatch.setenv(name, value)
    return Command()


def query(*words: str) -> tuple[str, ...]:
    return ("query", "--engine", "pyiceberg", *words)


# answers


def test_the_default_is_the_last_day_until_the_newest_windows_end(lake: Lake, run: Command) -> None:
    told = run.json(*query("revenue_totals", "--format", "json"))
    assert told["rows"] == [
        {
            "windows": 3,
            "revenue": "1000000000000002.20",
            "orders": None,
            "uncounted": 3,
            "faults": 0,
        }
    ]
    assert {name: told[name] for name in told if name != "rows"} == {
        "question": "revenue_totals",
        "engine": "pyiceberg",
        "snapshot": str(lake.snapshots[-1]),
        "from": "2026-02-28T13:00:05Z",
        "to": "2026-03-01T13:00:05Z",
        "zone": "UTC",
    }
    said = run.told.getvalue()
    assert "From 2026-02-28T13:00:05Z to 2026-03-01T13:00:05Z." in said
    assert f"1 rows by pyiceberg from snapshot {lake.snapshots[-1]}" in said


def test_whoever_waits_until_a_table_is_read_whole_is_told_how_far_that_is(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_LAKE__MIRROR", str(tmp_path))
    monkeypatch.setattr(asking, "_TELL_SECONDS", 0.05)
    batches = LakeTable.batches

    def slowly(table: LakeTable, *asked: Any) -> Iterator[pa.RecordBatch]:
        eventually(lambda: "Reading the revenue table whole: 0 of 3 windows so far." in run.told.getvalue(), 10, 0.01)
        yield from batches(table, *asked)

    monkeypatch.setattr(LakeTable, "batches", slowly)

    assert len(run.json("query", "revenue_windows", "--format", "json")["rows"]) == 3


@pytest.mark.parametrize("engine", ["mirror", "pyiceberg", "duckdb"])
def test_every_question_is_answered_on_a_clock_that_changed(run: Command, engine: str) -> None:
    for question in question_names():
        words = ["--from", "2026-01-01T00:00", "--to", "2028-01-01T00:00", "--zone", "Europe/Berlin"]
        words += ["--bucket", "7h"] if question == "revenue_by_bucket" else []
        told = run.json("query", question, "--engine", engine, "--format", "json", *words)
        assert (told["from"], told["to"]) == ("2025-12-31T23:00:00Z", "2027-12-31T23:00:00Z")
        if question == "revenue_by_day":
            [row] = told["rows"]
            assert (row["local_day"], row["revenue"]) == ("2026-03-01", "1000000000000002.20")


def test_csv_has_exact_amounts_as_text_and_times_in_utc(run: Command) -> None:
    out = run.out(*query("revenue_windows", "--format", "csv"))
    rows = list(csv.reader(StringIO(out)))
    assert rows[0] == ["window_start", "window_end", "total_revenue"]
    assert rows[1] == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:05Z", "999999999999999.99"]
    assert len(rows) == 4


def test_parquet_has_decimals_instants_and_what_it_is_an_answer_to(lake: Lake, run: Command, tmp_path: Path) -> None:
    file = tmp_path / "windows.parquet"
    assert run.out(*query("revenue_windows", "--from", "30m", "--output", str(file))) == ""
    read = pq.read_table(file)
    assert read.schema.field("window_start").type == pa.timestamp("us", "UTC")
    assert pa.types.is_decimal128(read.schema.field("total_revenue").type)
    assert read["total_revenue"].to_pylist() == [Decimal("2.20")]
    assert json.loads(read.schema.metadata[b"sales-trends"]) == {
        "question": "revenue_windows",
        "engine": "pyiceberg",
        "snapshot": str(lake.snapshots[-1]),
        "from": "2026-03-01T12:30:05Z",
        "to": "2026-03-01T13:00:05Z",
        "zone": "UTC",
        "rows": 1,
    }
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_table_fits_eighty_columns_and_shows_the_clock_that_was_asked_for(run: Command) -> None:
    words = query("revenue_by_bucket", "--bucket", "1h", "--zone", "Europe/Berlin")
    out = run.out(*words)
    assert max(map(len, out.splitlines())) <= 80
    # a time is folded before an amount is cut
    assert "1,000,000,000,000,000.00" in out
    assert run.out(*words, "--from", "30m").splitlines()[1].split("  ")[0] == "2026-03-01 14:00+01:00"


def test_times_without_an_offset_are_of_the_zone(run: Command) -> None:
    words = ("revenue_windows", "--from", "2026-03-01T13:00", "--to", "2026-03-01T13:00:05", "--format", "json")
    assert len(run.json(*query(*words, "--zone", "Europe/Berlin"))["rows"]) == 1
    assert len(run.json(*query(*words, "--zone", "Asia/Tokyo"))["rows"]) == 0
    assert len(run.json(*query("revenue_windows", "--from", "2026-03-01T13:00+01:00", "--format", "json"))["rows"]) == 3


def test_a_question_is_asked_at_a_snapshot_or_as_of_a_time(lake: Lake, run: Command) -> None:
    at_first = run.json(*query("revenue_totals", "--at", str(lake.snapshots[0]), "--format", "json"))
    assert (at_first["snapshot"], at_first["to"]) == (str(lake.snapshots[0]), "2026-03-01T12:00:05Z")
    assert at_first["rows"][0]["windows"] == 1
    early = run.json(*query("revenue_totals", "--at", "2026-03-01T12:00:11", "--format", "json"))
    assert (early["rows"][0]["windows"], early["to"]) == (2, "2026-03-01T12:00:10Z")
    assert "these are the windows that had ended by then" in run.told.getvalue()
    now = run.json(*query("revenue_totals", "--at", "0s", "--format", "json"))
    assert now["rows"][0]["windows"] == 3
    assert "these are" not in run.told.getvalue()


def test_the_questions_are_listed_with_what_they_ask(run: Command) -> None:
    out = run.out("query", "--list")
    assert max(map(len, out.splitlines())) <= 80
    words = " ".join(out.split())
    assert all(name in words for name in question_names())
    assert "how much revenue fell on each day" in words.replace("revenue_by_day ", "")


def test_a_table_that_does_not_exist_has_no_rows(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served_catalog(tmp_path) as uri:
        monkeypatch.setenv("SALES_LOCAL__REGISTRY_PORT", uri.rpartition(":")[2].partition("/")[0])
        assert run.json(*query("revenue_windows", "--format", "json"))["rows"] == []
        assert "There is no revenue table yet" in run.told.getvalue()
        assert run.out("tables") == ""
        assert "There is no table yet" in run.told.getvalue()


# faults


@pytest.fixture
def faulty(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    with served_catalog(tmp_path) as uri:
        monkeypatch.setenv("SALES_LOCAL__REGISTRY_PORT", uri.rpartition(":")[2].partition("/")[0])
        table = revenue_table(open_catalog(CatalogAccess(uri, "")))
        append(table, [(NOON, "1.00"), (NOON + timedelta(seconds=5), None)])
        append(table, [(NOON, "1.00")])
        yield run


def test_faults_are_no_silent_sum(faulty: Command) -> None:
    for words in (("revenue_totals",), ("revenue_by_day",), ("revenue_by_bucket", "--bucket", "1h")):
        result = faulty(*query(*words, "--format", "csv"))
        assert isinstance(result.exception, ReadError)
        assert result.exception.exit_code == ExitCode.FAILED
        assert result.exception.message == (
            "2 windows are doubled or have no amount, so no sum is right; the first, 2026-03-01T12:00:00Z, is at "
            "fault: doubled."
        )
        assert "sales-trends query revenue_faults --from" in result.exception.hint
        assert result.stdout == ""


@pytest.mark.parametrize(("question", "rows"), [("revenue_windows", 3), ("revenue_faults", 2)])
def test_single_windows_are_printed_with_what_is_wrong_and_it_ends_with_one(
    faulty: Command, question: str, rows: int
) -> None:
    result = faulty(*query(question, "--format", "csv"))
    assert isinstance(result.exception, ReadError)
    assert len(result.stdout.splitlines()) == 1 + rows


# refusals


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Name a question"),
        (("revenue_by_bucket",), "Give --bucket, such as 1h"),
        (("revenue_totals", "--bucket", "1h"), "has no buckets"),
        (("revenue_by_bucket", "--bucket", "0s"), "no length of a bucket"),
        (("revenue_by_bucket", "--bucket", "-1h"), "no length of a bucket"),
        (("no_such",), "There is no question 'no_such'"),
        (("../pipeline_sql/checks/duplicates",), "There is no question"),
        (("revenue_totals", "--zone", "Mars/Base"), "no time zone"),
        (("revenue_totals", "--zone", "../etc/passwd"), "no time zone"),
        (("revenue_totals", "--from", "yesterday"), "--from 'yesterday' is neither a time"),
        (("revenue_totals", "--from", "2026-03-02", "--to", "2026-03-01"), "is not before --to"),
        (("revenue_totals", "--from", "999999999d"), "--from 999,999,999 days before 2026-03-01T13:00:05Z is out of"),
        (("revenue_totals", "--to", "999999999d"), "is out of bounds; wanted a time from 1970 to 9000."),
        (("revenue_totals", "--at", "999999999d"), "is out of bounds; wanted a time from 1970 to 9000."),
        (("revenue_by_day", "--to", "9999-12-31T23:59", "--zone", "Asia/Tokyo"), "--to 9999-12-31T23:59 is out of"),
        (("revenue_by_day", "--from", "0001-01-01", "--zone", "America/New_York"), "--from 0001-01-01 is out of"),
        (("revenue_by_day", "--from", "0001-01-01", "--zone", "Asia/Tokyo"), "--from 0001-01-01 is out of"),
        (("revenue_compared", "--from", "1970-01-01", "--to", "2026-03-01"), "would begin before 1970"),
        (("revenue_totals", "--from", "0s"), "--from 2026-03-01T13:00:05Z is not before --to"),
        (("revenue_totals", "--from", "-2h"), "--from '-2h' is neither a time"),
        (("revenue_totals", "--to", "-2h"), "--to '-2h' is neither a time"),
        (("revenue_totals", "--at", "-2h"), "--at '-2h' is neither a time"),
        (("revenue_totals", "--at", "1"), "The snapshot 1 of"),
        (("revenue_totals", "--at", "9" * 30), "is no id of a snapshot"),
        (("revenue_totals", "--engine", "mysql"), "There is no engine 'mysql'"),
        (("revenue_totals", "--engine", "athena"), "Athena is not set up for the target local."),
        (("revenue_totals", "--output", "/no/such/folder/x.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_asked_is_told_with_the_next_step(run: Command, words: tuple[str, ...], told: str) -> None:
    error = run.fails(*(query() + words))
    said = str(error) if isinstance(error, SalesTrendsError) else error.format_message()
    assert told in said


def test_a_catalog_that_does_not_answer_ends_with_its_own_code(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_LOCAL__REGISTRY_PORT", "1")
    for words in (query("revenue_totals"), ("tables",)):
        assert isinstance(run.fails(*words), UnreachableError)


def test_ctrl_c_cancels_the_question_and_is_answered_at_once(lake: Lake, environment: dict[str, str]) -> None:
    slow = (
        "import sys, time, dashboard.lake_engines as engines\n"
        "class Slow:\n"
        "    name = 'slow'\n"
        "    def ask(self, *_given, limits, **_named):\n"
        "        print('asked', file=sys.stderr, flush=True)\n"
        "        limits.cancelled.wait(600)\n"
        "        print('cancelled', file=sys.stderr, flush=True)\n"
        "        time.sleep(600)\n"
        "    def close(self): pass\n"
        "engines.engine_of = lambda *_given, **_named: Slow()\n"
        "from dashboard.cli.command import main\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow, "query", "revenue_totals"],
        env=environment | lake.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "asked\n"
            process.send_signal(signal.SIGINT)
            # long before the engine would look up
            out, told = process.communicate(timeout=45)
        finally:
            process.kill()
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, "")
    assert told.split() == ["cancelled", "Interrupted."]


# tables


def test_tables_tells_rows_snapshot_and_columns(lake: Lake, run: Command) -> None:
    [told] = run.json("tables", "--json")
    assert (told["name"], told["rows"], told["snapshot"]) == ("revenue_summary", 3, str(lake.snapshots[-1]))
    assert told == run.json("tables", "revenue_summary", "--json")
    assert told["columns"][0] == {"name": "window_start", "type": "timestamp"}
    listed = run.out("tables")
    assert max(map(len, listed.splitlines())) <= 80
    assert str(lake.snapshots[-1]) in listed
    assert "total_revenue" in run.out("tables", "revenue_summary")
    assert "There is no table payments" in str(run.fails("tables", "payments"))
    assert "Name the table" in run.fails("tables", "--snapshots").format_message()  # type: ignore[union-attr]


def test_snapshots_are_listed_the_newest_first(lake: Lake, run: Command) -> None:
    told = run.json("tables", "revenue_summary", "--snapshots", "--json")
    assert (told["page"], told["pages"], told["total"]) == (1, 1, 3)
    assert [one["id"] for one in told["snapshots"]] == [str(id_) for id_ in reversed(lake.snapshots)]
    assert told["snapshots"][0] | {"id": "", "parent_id": "", "committed_at": ""} == {
        "id": "",
        "parent_id": "",
        "committed_at": "",
        "operation": "append",
        "rows": 3,
        "rows_added": 1,
        "rows_removed": 0,
        "files_added": 1,
        "files_removed": 0,
        "branch": "main",
        "is_current": True,
    }
    out = run.out("tables", "revenue_summary", "--snapshots", "--page", "9")
    assert max(map(len, out.splitlines())) <= 80
    assert "Page 1 of 1, 3 snapshots." in run.told.getvalue()
    assert isinstance(run.fails("tables", "others", "--snapshots"), SettingsError)


# changes


def test_what_a_snapshot_changed_and_how_two_differ(lake: Lake, run: Command) -> None:
    first, second, third = map(str, lake.snapshots)
    told = run.json("changes", "--snapshot", second, "--format", "json")
    [row] = told["rows"]
    assert (row["window_start"], row["kind"], row["before"], row["after"]) == (
        "2026-03-01T12:00:05Z",
        "added",
        None,
        AMOUNTS[1],
    )
    told = run.json("changes", "--from", first, "--to", third, "--format", "json")
    assert [row["after"] for row in told["rows"]] == list(AMOUNTS[1:])
    assert (told["from_snapshot"], told["to_snapshot"]) == (first, third)
    run.out("changes", "--snapshot", second)
    assert "1 windows changed" in run.told.getvalue()


def test_windows_that_were_revised_are_listed_with_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Command()
    with filled(tmp_path) as lake:
        for name, value in lake.variables.items():
            monkeypatch.setenv(name, value)
        told = run.json("changes", "--format", "json")
        assert told["rows"] == []
        assert told["known_since"]

        again = revenue_rows(lake.table, [(NOON + timedelta(seconds=5), "7.00")])
        lake.table.refresh().overwrite(again, "window_start = '2026-03-01T12:00:05'")

        [row] = run.json("changes", "--format", "json")["rows"]
        assert (row["kind"], row["before"], row["after"]) == ("revised", AMOUNTS[1], "7.00")
        assert max(map(len, run.out("changes").splitlines())) <= 80
        assert "1 windows were revised" in run.told.getvalue()


def test_changes_are_asked_for_in_one_way_at_a_time(run: Command) -> None:
    for words in (("--from", "5"), ("--snapshot", "5", "--from", "5", "--to", "6")):
        assert "alone" in run.fails("changes", *words).format_message()  # type: ignore[union-attr]
    assert "is not known any more" in str(run.fails("changes", "--snapshot", "5"))


# writing


def answered(**columns: pa.Array) -> Told:
    return Told({"question": "revenue_windows"}, pa.table(columns))


def test_a_cell_that_a_spreadsheet_would_reckon_with_is_text_in_csv(tmp_path: Path) -> None:
    file = tmp_path / "answer.csv"
    told = answered(text=pa.array(["=1+1", "@x", "plain"]), amount=pa.array([Decimal("-1.10"), None, Decimal("2.00")]))
    write(told, "csv", file)
    assert list(csv.reader(StringIO(file.read_text()))) == [
        ["text", "amount"],
        ["'=1+1", "-1.10"],
        ["'@x", ""],
        ["plain", "2.00"],
    ]


def test_what_steers_a_terminal_is_escaped_and_a_long_text_is_folded() -> None:
    lines = lines_of(["a", "b"], [["\x1b[31mred[/]", "word " * 40]])
    assert "\x1b" not in "".join(lines)
    assert "[/]" in "".join(lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("form", "file", "chosen"),
    [
        (None, None, "table"),
        (None, "x.csv", "csv"),
        (None, "x.JSON", "json"),
        (None, "x.txt", "table"),
        ("csv", "x.json", "csv"),
    ],
)
def test_the_format_is_as_the_file_ends_unless_somebody_says(form: str | None, file: str | None, chosen: str) -> None:
    assert format_of(form, Path(file) if file else None) == chosen


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "answer.json"
    file.write_text("before")

    def full(*_given: str | Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        write(answered(a=pa.array([1])), "json", file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_keeps_its_mode_and_a_link_to_it_stays_one(tmp_path: Path) -> None:
    file, link, new = tmp_path / "answer.csv", tmp_path / "link.csv", tmp_path / "new.csv"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    for output in (link, new):
        write(answered(a=pa.array([1])), "csv", output)
    assert link.is_symlink()
    assert (file.read_text(), new.read_text()) == ("a\n1\n", "a\n1\n")
    other = tmp_path / "other"
    other.touch()
    assert [stat.S_IMODE(one.stat().st_mode) for one in (file, new)] == [0o640, stat.S_IMODE(other.stat().st_mode)]


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path, name: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    # without somebody who reads, opening it to write would wait
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_output(tmp_path / name)
        write(answered(a=pa.array([1])), "csv", tmp_path / name)
        assert os.read(reader, 100) == b"a\n1\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "file").touch()
    # whoever asked would be told that no catalog answers
    monkeypatch.setenv("SALES_LOCAL__REGISTRY_PORT", "1")
    error = run.fails(*query("revenue_totals", "--output", str(tmp_path / folder / "x.csv")))
    assert isinstance(error, SettingsError)
    assert f"{folder} is no folder" in error.message
