import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from dashboard.errors import ReadError
from dashboard.freshness import history_file
from dashboard.freshness.history import History
from dashboard.freshness.verdict import Hop, Stage, State, Verdict
from dashboard.sql_files import read_sql

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
JOIN = Hop(Stage.WATERMARK, "watermark:join", "watermark of join", 6 * SECOND, 8 * SECOND, State.FRESH)
COMMIT = Hop(
    Stage.COMMIT, "commit:revenue", "Iceberg commit of revenue", 9 * SECOND, 17 * SECOND, State.FRESH, records=3
)


def verdict(
    at: datetime, state: State = State.FRESH, late: timedelta = timedelta(0), as_of: timedelta = 20 * SECOND
) -> Verdict:
    """Held at the commit unless it is fresh."""
    commit = COMMIT
    if state is not State.FRESH:
        commit = replace(commit, state=state, delay=COMMIT.normal + late, reason="No commit.", hint="See why.")
    held = commit if state is not State.FRESH else None
    return Verdict(at, state, at - as_of, as_of, (JOIN, commit), held, ("3 late records were left out.",))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "kept" / "freshness.sqlite")


def test_was_it_late_at_nine(history: History) -> None:
    late = verdict(NINE, State.LATE, 42 * SECOND)
    for one in (verdict(NINE - 30 * SECOND), late, verdict(NINE + 20 * SECOND)):
        history.add(one)

    assert history.at(NINE - 10 * SECOND) == verdict(NINE - 30 * SECOND)
    assert history.at(NINE + 19 * SECOND) == late
    assert history.at(NINE + 21 * SECOND) == verdict(NINE + 20 * SECOND)


def test_nothing_is_told_of_a_time_when_nobody_looked(history: History) -> None:
    history.add(verdict(NINE))

    assert history.at(NINE - SECOND) is None
    assert history.at(NINE + 10 * MINUTE) is None


def test_the_worst_of_a_minute_stands_for_it(history: History) -> None:
    for second, late in enumerate([1, 9, 5]):
        history.add(verdict(NINE + second * SECOND, State.LATE, late * SECOND))

    assert history.at(NINE + 59 * SECOND) == verdict(NINE + SECOND, State.LATE, 9 * SECOND)


def test_steps_tell_their_worst_state_the_hop_that_held_it_and_how_far_behind_it_was(history: History) -> None:
    history.add(verdict(NINE))
    history.add(verdict(NINE + MINUTE, State.STALE, 90 * SECOND, as_of=2 * MINUTE))
    history.add(verdict(NINE + 4 * MINUTE, as_of=30 * SECOND))
    history.add(verdict(NINE + 20 * MINUTE))

    stretches = history.between(NINE, NINE + 20 * MINUTE, 3 * MINUTE)
    assert [(one.start, one.state, one.held_at, one.behind) for one in stretches] == [
        (NINE, State.STALE, "commit:revenue", 2 * MINUTE),
        (NINE + 3 * MINUTE, State.FRESH, "", 30 * SECOND),
    ]


def test_windows_are_told_as_a_distribution_over_time(history: History) -> None:
    for minute in range(4):
        at = NINE + minute * MINUTE
        late = [8, 9, 10, 12] if minute < 2 else [200]
        history.add(verdict(at), windows=[at - seconds * SECOND for seconds in late])

    first, second = history.latencies(NINE, NINE + 4 * MINUTE, 2 * MINUTE)
    assert (first.start, first.windows) == (NINE, 8)
    assert 9 * SECOND <= first.p50 <= 9.9 * SECOND
    assert 12 * SECOND <= first.p95 <= first.longest <= 13.2 * SECOND
    assert second.windows == 2
    assert 200 * SECOND <= second.p50 <= 220 * SECOND


def test_a_state_that_was_not_there_a_moment_ago_is_kept_though_its_minute_has_a_worse_one(history: History) -> None:
    for second, state in enumerate([State.FRESH, State.STALE, State.WAITING, State.FRESH]):
        history.add(verdict(NINE + second * SECOND, state))

    told = [history.at(NINE + second * SECOND) for second in range(4)]
    assert [one.state for one in told if one] == [State.FRESH, State.STALE, State.WAITING, State.FRESH]


def test_what_is_older_than_is_kept_goes_and_the_file_does_not_grow_on(tmp_path: Path) -> None:
    file = tmp_path / "freshness.sqlite"
    history = History(file, kept=timedelta(hours=3))
    sizes = []
    for hour in range(12):
        for minute in range(60):
            at = NINE + hour * timedelta(hours=1) + minute * MINUTE
            history.add(verdict(at), silences={"payments": SECOND}, windows=[at - 12 * SECOND])
        sizes.append(pages(file))

    assert history.at(NINE + timedelta(hours=5)) is None
    assert history.at(NINE + timedelta(hours=11)) is not None
    assert sizes[-1] <= sizes[5], "as large as after some hours"


def test_a_hop_that_goes_to_and_fro_does_not_fill_the_disk(tmp_path: Path) -> None:
    history = History(tmp_path / "freshness.sqlite", most_changes=50)
    for second in range(500):
        history.add(verdict(NINE + second * 30 * SECOND, State.LATE if second % 2 else State.FRESH))

    with sqlite3.connect(tmp_path / "freshness.sqlite") as connection:
        alone = connection.execute("SELECT count(*) FROM verdicts WHERE minute IS NULL").fetchone()[0]
        orphans = "SELECT count(*) FROM delays WHERE at_ms NOT IN (SELECT at_ms FROM verdicts)"
        assert connection.execute(orphans).fetchone()[0] == 0
    connection.close()
    assert alone <= 50 + 60 * 2, "those kept, and those of the hour since they were last counted"


WRITES = """
import sys
from datetime import timedelta
from pathlib import Path
from dashboard.freshness import history_file
from dashboard.freshness.history import History
sys.path.insert(0, sys.argv[2])
from tests.freshness.test_history import NINE, verdict
history = History(Path(sys.argv[1]))
for second in range(1_000_000):
    history.add(verdict(NINE + timedelta(minutes=second)))
    print(second, flush=True)
"""


def test_a_writer_that_is_killed_leaves_what_it_said_it_kept(tmp_path: Path) -> None:
    file = tmp_path / "freshness.sqlite"
    project = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", WRITES, str(file), project]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        reader = None
        for line in writer.stdout:
            if int(line) == 20:
                reader = History(file)
                assert reader.at(NINE + 20 * MINUTE) is not None, "others read while it writes"
            if int(line) == 60:
                writer.send_signal(signal.SIGKILL)
                break
    assert reader is not None
    reader.add(verdict(NINE + 61 * MINUTE))
    assert all(reader.at(NINE + minute * MINUTE) == verdict(NINE + minute * MINUTE) for minute in range(61))


def test_a_file_that_is_something_else_is_told_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "freshness.sqlite"
    file.write_text("not a database, and long enough to be looked at " * 100)

    history = History(file)
    with pytest.raises(ReadError, match="history of freshness") as caught:
        history.at(NINE)
    assert "moved away" in caught.value.hint
    file.rename(tmp_path / "away")
    history.add(verdict(NINE))
    assert history.at(NINE) == verdict(NINE), "it begins anew"


def test_a_verdict_is_kept_while_somebody_asks_for_weeks(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(verdict(NINE))
    begun, go_on = Event(), Event()

    def slow(folder: str, name: str) -> str:
        if name == "behind_between":
            begun.set()
            assert go_on.wait(20)
        return read_sql(folder, name)

    history_file._sql.cache_clear()
    monkeypatch.setattr(history_file, "read_sql", slow)
    with ThreadPoolExecutor(2) as others:
        asked = others.submit(history.between, NINE, NINE + 5 * MINUTE, MINUTE)
        try:
            assert begun.wait(20)
            others.submit(history.add, verdict(NINE + MINUTE)).result(5)
        finally:
            go_on.set()
        assert [one.start for one in asked.result()] == [NINE], "as it was when it was asked"
    assert len(history.between(NINE, NINE + 5 * MINUTE, MINUTE)) == 2


def pages(file: Path) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])
    finally:
        connection.close()
