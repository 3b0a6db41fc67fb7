import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from dashboard.errors import ReadError, StackError
from dashboard.local.identity import identity
from dashboard.local.shop.journal import End, Journal, ends_of, facts_of, reading, running_pid

TABLE = "CREATE TABLE IF NOT EXISTS things (row INTEGER PRIMARY KEY) STRICT;"


def journal(folder: Path) -> Journal:
    return Journal(folder / "shop" / "it.sqlite", TABLE)


def test_facts_and_ends_outlive_the_process(tmp_path: Path) -> None:
    with journal(tmp_path) as it, it.transaction():
        it.set_facts(clock=7, rate=2.5)
        it.set_ends({0: End(3, 100), 1: End(0, None)})
    with journal(tmp_path) as it:
        assert (it.fact("clock"), it.fact("nothing")) == (7, None)
        assert it.ends() == {0: End(3, 100), 1: End(0, None)}


def test_a_failed_transaction_leaves_no_trace(tmp_path: Path) -> None:
    with journal(tmp_path) as it:
        with suppress(sqlite3.IntegrityError), it.transaction():
            it.set_facts(clock=7)
            it.leave_out([1, 1], "void")
        assert it.fact("clock") is None


def test_ends_move_on_and_their_newest_time_never_back(tmp_path: Path) -> None:
    with journal(tmp_path) as it, it.transaction():
        it.set_ends({0: End(3, 100), 1: End(0, None)})
        it.merge_ends({0: End(5, 90), 1: End(1, 50)})
        assert it.ends() == {0: End(5, 100), 1: End(1, 50)}


def test_a_reader_sees_one_unchanging_state_while_the_writer_goes_on(tmp_path: Path) -> None:
    with journal(tmp_path) as it:
        with it.transaction():
            it.set_facts(clock=1)
        with reading(it.path) as view:
            assert view is not None
            assert facts_of(view)["clock"] == 1
            with it.transaction():
                it.set_facts(clock=2)
                it.set_ends({0: End(1, 1)})
            assert facts_of(view)["clock"] == 1
            assert ends_of(view) == {}


def test_a_reader_reads_a_journal_that_was_closed_and_writes_nothing(tmp_path: Path) -> None:
    with journal(tmp_path) as it, it.transaction():
        it.set_facts(clock=1)
    with reading(it.path) as view:
        assert view is not None
        assert facts_of(view)["clock"] == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            view.execute("DELETE FROM facts")


def test_a_journal_that_is_not_there_or_has_only_just_been_made_reads_as_none(tmp_path: Path) -> None:
    with reading(tmp_path / "none.sqlite") as view:
        assert view is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.sqlite").touch()
    with reading(tmp_path / "empty.sqlite") as view:
        assert view is None


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(ReadError, match=r"damaged\.sqlite"), reading(path):
        pass


def test_a_journal_belongs_to_one_living_process(tmp_path: Path) -> None:
    with journal(tmp_path) as it, reading(it.path) as view:
        assert view is not None
        assert running_pid(view) == os.getpid()
    with reading(it.path) as view:
        assert view is not None
        assert running_pid(view) is None


def test_a_journal_of_another_living_process_is_refused(tmp_path: Path) -> None:
    parent = os.getppid()
    with journal(tmp_path):
        pass
    _pretend_owner(tmp_path, parent, identity(parent))
    with pytest.raises(StackError, match=f"running process {parent}"), journal(tmp_path):
        pass


def test_a_journal_of_a_dead_process_is_taken_over_even_if_its_pid_lives_again(tmp_path: Path) -> None:
    with journal(tmp_path):
        pass
    _pretend_owner(tmp_path, os.getppid(), identity(os.getpid()))
    with journal(tmp_path) as it:
        assert it.fact("pid") == os.getpid()


def _pretend_owner(folder: Path, pid: int, noted: int) -> None:
    connection = sqlite3.connect(folder / "shop" / "it.sqlite")
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", [("pid", pid), ("process_identity", noted)])
    connection.commit()
    connection.close()
