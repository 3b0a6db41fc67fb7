"""The file that people's notes and views stand in, used by several processes at once."""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.errors import KeepError
from dashboard.kept_file import KeptFile, microseconds, moment_of
from tests.kept_process import LIMIT, PUT
from tests.lines import said

PROCESSES = 2


def test_processes_that_begin_at_once_lose_nothing_and_none_goes_beyond_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "new" / "kept.sqlite"
    with ExitStack() as started:
        processes = [started.enter_context(filling(file)) for _ in range(PROCESSES)]
        assert [said(process) for process in processes] == ["ready"] * PROCESSES
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("begin\n")
            process.stdin.flush()
        written = sum(int(said(process)) for process in processes)

    with closing(KeptFile(file)) as kept:
        names = [int(name) for (name,) in kept.rows("SELECT name FROM views")]
    assert sorted(names) == list(range(LIMIT))
    assert written == LIMIT


def filling(file: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kept_process", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with closing(KeptFile(tmp_path / "kept.sqlite")) as kept:
        with pytest.raises(KeepError, match="UNIQUE"), kept.changing():
            [kept.rows(PUT, name) for name in ("one", "two", "one")]

        assert kept.rows("SELECT name FROM views") == []


def test_nobody_else_on_the_machine_reads_the_file(tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    KeptFile(file).close()

    assert file.stat().st_mode & 0o077 == 0


def damage(file: Path) -> None:
    file.write_bytes(b"no database" * 100)


def write_by_a_newer_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 99")


def put_a_folder_there(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, "file is not a database"),
        (write_by_a_newer_version, "newer version"),
        (put_a_folder_there, "unable to open"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason_and_the_next_step(
    tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    file = tmp_path / "kept.sqlite"
    spoil(file)

    with pytest.raises(KeepError, match=told) as fault:
        KeptFile(file)

    assert str(file) in fault.value.message
    assert fault.value.hint


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, 23, 59, 59, 999_999, UTC)])
def test_moments_come_back_to_the_microsecond(at: datetime) -> None:
    assert moment_of(microseconds(at)) == at


def test_a_disk_that_takes_no_more_is_told_as_it_is_and_the_file_can_be_used_again(tmp_path: Path) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(KeptFile(tmp_path / "kept.sqlite")) as kept:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
            with pytest.raises(KeepError, match="disk I/O error"):
                fill(kept)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert kept.rows("SELECT name FROM views") == []


def fill(kept: KeptFile) -> None:
    with kept.changing():
        kept.rows("CREATE TABLE much AS SELECT hex(randomblob(4000000))")
