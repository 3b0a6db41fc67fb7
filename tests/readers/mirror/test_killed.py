"""The mirror under `kill -9` and under two processes at once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from dashboard.readers.lake import Lake
from dashboard.readers.mirror.engine import MirrorEngine
from tests.iceberg_tables import NAMESPACE, WINDOW, append, revenue_table, sqlite_catalog
from tests.lines import said
from tests.readers.mirror.mirror_process import EVER

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
Begin = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    (tmp_path / "lake").mkdir()
    with sqlite_catalog(tmp_path / "lake") as catalog:
        yield catalog


@pytest.fixture
def table(catalog: SqlCatalog) -> Table:
    return revenue_table(catalog)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    with ExitStack() as started:

        def begin(point: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.readers.mirror.mirror_process",
                    tmp_path / "lake",
                    tmp_path / "mirror",
                    point,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield begin


def ask(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("?\n")
    process.stdin.flush()


def asked(process: "subprocess.Popen[str]") -> str:
    ask(process)
    return said(process)


def commit(table: Table, number: int) -> Decimal:
    """Twelve windows more; how much they come to."""
    first = NOON + 12 * number * WINDOW
    append(table, [(first + step * WINDOW, f"{number + 1}.{step:02}") for step in range(12)])
    return sum((Decimal(f"{number + 1}.{step:02}") for step in range(12)), Decimal(0))


def total_now(catalog: SqlCatalog, folder: Path) -> tuple[object, Path]:
    """As a new process on the same folder finds it, and the file it is from."""
    engine = MirrorEngine(Lake("sqlite", NAMESPACE, catalog), folder, timedelta(0), timedelta(minutes=1))
    total = engine.ask("revenue_totals", EVER).rows["revenue"][0].as_py()
    path = engine._store.path
    engine.close()
    return total, path


@pytest.mark.parametrize("point", ["reading", "adding", "committed"])
def test_killed_in_the_middle_of_a_refresh_it_goes_on_with_nothing_lost_or_doubled(
    point: str, begin: Begin, table: Table, catalog: SqlCatalog, tmp_path: Path
) -> None:
    expected = commit(table, 0) + commit(table, 1)
    if point != "reading":
        # what comes is added to a file that is there
        total_now(catalog, tmp_path / "mirror")
        expected += commit(table, 2)
    process = begin(point)
    assert said(process) == "here"

    process.kill()
    process.wait()

    assert total_now(catalog, tmp_path / "mirror") == (expected, tmp_path / "mirror" / "0.duckdb")
    expected += commit(table, 3)
    assert total_now(catalog, tmp_path / "mirror")[0] == expected


def test_two_processes_at_once_are_right_at_every_snapshot_while_one_is_killed_again_and_again(
    begin: Begin, table: Table, tmp_path: Path
) -> None:
    total = Decimal(0)
    steady, killed = begin("never"), begin("never")
    for number in range(6):
        total += commit(table, number)
        snapshot = table.refresh().current_snapshot()
        assert snapshot is not None
        expected = f"{snapshot.snapshot_id} {total}"
        assert asked(steady) == expected
        if number % 2:
            ask(killed)
            killed.kill()  # while it follows
            killed.wait()
            killed = begin("never")
        assert asked(killed) == expected
    files = sorted(path.name for path in (tmp_path / "mirror").glob("*.duckdb"))
    assert files == ["0.duckdb", "1.duckdb"]
