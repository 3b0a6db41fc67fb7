import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from dashboard.errors import ReadError, UnreachableError
from dashboard.readers.engine import Progress
from dashboard.readers.lake import Lake
from dashboard.readers.lake_table import LakeTable
from dashboard.readers.mirror import store as mirror_store
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.readers.zones import pieces
from tests.conftest import eventually
from tests.iceberg_tables import NAMESPACE, WINDOW, append, revenue_rows, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
NOW, PATIENT = timedelta(0), timedelta(seconds=60)
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    with sqlite_catalog(tmp_path_factory.mktemp("lake")) as catalog:
        yield catalog


@pytest.fixture
def table(catalog: SqlCatalog) -> Iterator[Table]:
    yield revenue_table(catalog)
    if catalog.table_exists((NAMESPACE, "revenue_summary")):
        catalog.drop_table((NAMESPACE, "revenue_summary"))


class Counting:
    """The catalog, with its calls counted and faults on demand."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self._catalog = catalog
        self.loaded: list[str] = []
        self.fault: Exception | None = None

    def load_table(self, name: tuple[str, str]) -> Table:
        self.loaded.append(name[1])
        if self.fault:
            raise self.fault
        return self._catalog.load_table(name)


@pytest.fixture
def counting(catalog: SqlCatalog) -> Counting:
    return Counting(catalog)


@pytest.fixture
def lake(counting: Counting) -> Lake:
    return Lake("sqlite", NAMESPACE, counting)  # type: ignore[arg-type]


@pytest.fixture
def mirror(lake: Lake, tmp_path: Path) -> Iterator[MirrorEngine]:
    engine = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)
    yield engine
    engine.close()


def total(engine: MirrorEngine | PyicebergEngine, start: datetime = NOON - DAYS, end: datetime = NOON + DAYS) -> object:
    return engine.ask("revenue_totals", {"start": start, "end": end}).rows.to_pylist()[0]["revenue"]


# what is committed is there, and nothing else


def test_before_there_is_a_table_nothing_is_there_and_then_all(mirror: MirrorEngine, catalog: SqlCatalog) -> None:
    assert total(mirror) is None
    assert mirror.newest() is None

    table = revenue_table(catalog)
    append(table, [(at(0), "1.10"), (at(5), "2.20")])

    assert total(mirror) == Decimal("3.30")
    newest, current = mirror.newest(), table.refresh().current_snapshot()
    assert newest is not None
    assert current is not None
    assert newest.id == current.snapshot_id
    catalog.drop_table((NAMESPACE, "revenue_summary"))


def test_what_is_added_is_there_at_the_next_question(mirror: MirrorEngine, table: Table) -> None:
    for count in range(1, 6):
        append(table, [(at(5 * count), "1.01")])
        assert total(mirror) == count * Decimal("1.01")


def test_windows_that_are_taken_back_are_gone(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00"), (at(5), "2.00")])
    assert total(mirror) == Decimal("3.00")

    table.delete(f"window_start = '{at(5).replace(tzinfo=None).isoformat()}'")

    assert total(mirror) == Decimal("1.00")


def test_a_rollback_is_followed(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    first = table.refresh().current_snapshot()
    append(table, [(at(5), "2.00")])
    assert total(mirror) == Decimal("3.00")

    assert first is not None
    table.manage_snapshots().set_current_snapshot(first.snapshot_id).commit()

    assert total(mirror) == Decimal("1.00")


def test_a_table_made_anew_takes_the_place_of_the_one_before(
    mirror: MirrorEngine, table: Table, catalog: SqlCatalog
) -> None:
    append(table, [(at(0), "1.00")])
    assert total(mirror) == Decimal("1.00")
    catalog.drop_table((NAMESPACE, "revenue_summary"))
    assert total(mirror) is None

    append(revenue_table(catalog, zoned=True), [(at(60), "5.00")])

    assert total(mirror) == Decimal("5.00")


def test_an_older_snapshot_is_answered_from_the_table(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    first = mirror.newest()
    append(table, [(at(5), "2.00")])
    assert total(mirror) == Decimal("3.00")

    assert first is not None
    answer = mirror.ask("revenue_totals", {"start": NOON, "end": at(60)}, snapshot_id=first.id)

    assert answer.rows["revenue"].to_pylist() == [Decimal("1.00")]
    assert (answer.snapshot, answer.engine) == (first, "pyiceberg")


# what is wrong is told


def test_windows_that_stand_there_twice_are_faults_wherever_they_come_from(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00"), (at(5), "2.00")])
    append(table, [(at(0), "1.00")])
    append(table, [(at(10), None)])

    def faults() -> object:
        return mirror.ask("revenue_totals", {"start": NOON, "end": NOON + DAYS}).rows["faults"].to_pylist()

    assert faults() == [2]
    append(table, [(at(5), "2.00")])
    assert faults() == [3]


def test_rows_without_a_window_are_refused(mirror: MirrorEngine, table: Table) -> None:
    row = revenue_rows(table, [(at(0), "1.00")]).to_pylist()[0] | {"window_start": None}
    table.append(pa.Table.from_pylist([row], schema=revenue_rows(table, []).schema))

    with pytest.raises(ReadError, match="rows without a window"):
        total(mirror)


def test_rows_that_are_no_windows_are_refused(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00")], window=timedelta(0))

    with pytest.raises(ReadError, match="does not end after it begins"):
        total(mirror)


def test_a_catalog_that_fails_leaves_the_last_answer_and_is_told(
    mirror: MirrorEngine, table: Table, counting: Counting
) -> None:
    append(table, [(at(0), "1.00")])
    assert total(mirror) == Decimal("1.00")

    counting.fault = UnreachableError("The catalog is gone.", "Start it.")

    assert total(mirror) == Decimal("1.00")
    with pytest.raises(UnreachableError, match="The catalog is gone"):
        mirror.newest()
    counting.fault = None
    append(table, [(at(5), "2.00")])
    assert total(mirror) == Decimal("3.00")
    assert mirror.newest() is not None


def test_a_file_that_was_deleted_is_told_and_what_was_mirrored_stays(mirror: MirrorEngine, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    assert total(mirror) == Decimal("1.00")
    append(table, [(at(5), "2.00")])
    newest = table.refresh().current_snapshot()
    assert newest is not None
    [file] = [task.file.file_path for task in table.scan().plan_files() if task.file.record_count == 1][:1]
    Path(file.removeprefix("file://")).unlink()

    assert total(mirror) in (Decimal("1.00"), Decimal("3.00"))
    if total(mirror) == Decimal("1.00"):
        with pytest.raises(ReadError, match="is gone"):
            mirror.newest()


# what it costs


def test_nothing_new_costs_one_call_an_interval_however_many_ask(
    lake: Lake, counting: Counting, table: Table, tmp_path: Path
) -> None:
    append(table, [(at(0), "1.00")])
    mirror = MirrorEngine(lake, tmp_path / "mirror", timedelta(hours=1))
    total(mirror)
    counting.loaded.clear()

    for _ in range(50):
        mirror.ask("revenue_totals", {"start": NOON, "end": at(60)})
        mirror.newest()

    assert counting.loaded == []
    mirror.close()


def test_who_can_wait_takes_no_turn_from_who_cannot(
    lake: Lake, counting: Counting, table: Table, tmp_path: Path
) -> None:
    append(table, [(at(0), "1.00")])
    mirror = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)
    total(mirror)
    known = mirror.newest()
    append(table, [(at(5), "2.00")])
    counting.loaded.clear()

    assert mirror.newest(timedelta(hours=1)) == known
    assert counting.loaded == []
    assert mirror.newest() != known
    mirror.close()


def test_a_new_process_goes_on_from_the_file_with_what_was_added(
    lake: Lake, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(table, [(at(0), "1.00")])
    before = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)
    total(before)
    before.close()
    append(table, [(at(5), "2.00")])

    after = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)
    monkeypatch.setattr("dashboard.readers.lake_table.LakeTable.batches", None)  # nothing is read whole

    assert total(after) == Decimal("3.00")
    after.close()


def test_two_at_once_have_a_file_each(lake: Lake, table: Table, tmp_path: Path) -> None:
    append(table, [(at(0), "1.00")])
    first, second = (MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT) for _ in range(2))

    assert (total(first), total(second)) == (Decimal("1.00"), Decimal("1.00"))
    append(table, [(at(5), "2.00")])
    assert (total(first), total(second)) == (Decimal("3.00"), Decimal("3.00"))

    first.close()
    second.close()
    assert sorted(path.name for path in (tmp_path / "mirror").glob("*.duckdb")) == ["0.duckdb", "1.duckdb"]


def test_all_who_ask_first_at_once_share_one_file(lake: Lake, table: Table, tmp_path: Path) -> None:
    append(table, [(at(0), "1.00")])
    mirror = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: total(mirror), range(8))) == {Decimal("1.00")}

    mirror.close()
    assert [path.name for path in (tmp_path / "mirror").glob("*.duckdb")] == ["0.duckdb"]


@pytest.mark.parametrize("content", [b"", b"torn", b"\0" * 20_000])
def test_a_file_that_makes_no_sense_is_made_anew(content: bytes, lake: Lake, table: Table, tmp_path: Path) -> None:
    append(table, [(at(0), "1.00")])
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "0.duckdb").write_bytes(content)

    mirror = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)

    assert total(mirror) == Decimal("1.00")
    mirror.close()


def test_how_far_a_table_is_read_is_told_until_there_is_something_to_answer_from(
    mirror: MirrorEngine, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in range(3):
        append(table, [(at(5 * seconds), "1.00")])
    allowed, batches = Event(), LakeTable.batches

    def slowly(self: LakeTable, *asked: Any) -> Iterator[pa.RecordBatch]:
        first, *others = batches(self, *asked)
        yield first
        allowed.wait(60)
        yield from others

    monkeypatch.setattr(LakeTable, "batches", slowly)
    monkeypatch.setattr(mirror_store, "_ROWS_AT_ONCE", 1)

    eventually(lambda: mirror.first_read(NOW) == mirror.progress == Progress(1, 3), 10, 0.01)
    allowed.set()
    assert mirror.first_read(PATIENT) is None
    assert (total(mirror), mirror.progress) == (Decimal("3.00"), None)


# its answers are those of the table itself


@pytest.mark.parametrize("seed", range(3))
def test_every_range_has_the_same_answer_as_from_the_table(
    seed: int, mirror: MirrorEngine, lake: Lake, table: Table
) -> None:
    """Windows with gaps over five days in which the clocks change, in commits of any order."""
    dice = random.Random(seed)
    starts = sorted(dice.sample(range(0, 5 * 17_280), 3_000))
    rows = [(at(5 * start), f"{dice.randrange(1, 99_999) / 100:.2f}") for start in starts]
    cuts = sorted(dice.sample(range(1, len(rows)), 3))
    commits = [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    dice.shuffle(commits)
    direct = PyicebergEngine(lake, WINDOW)
    for commit in commits:
        append(table, commit)
        total(mirror)

    for _ in range(12):
        start = at(dice.choice([900, 5, 1]) * dice.randrange(-500, 20_000))
        end = start + timedelta(seconds=dice.choice([900, 5, 1]) * dice.randrange(1, 400_000))
        zone = dice.choice([UTC_ZONE, BERLIN, ZoneInfo("Asia/Kathmandu")])
        for piece in pieces(start, end, zone):
            middle = piece.start + (piece.end - piece.start) // 2
            asked: dict[str, Mapping[str, datetime | int]] = {
                "revenue_by_day": piece.parameters,
                "revenue_by_bucket": {**piece.parameters, "bucket_seconds": dice.choice([5, 60, 900, 3600])},
                "revenue_totals": {"start": piece.start, "end": piece.end},
                "revenue_compared": {"start": piece.start, "middle": middle, "end": piece.end},
            }
            for question, parameters in asked.items():
                ours, theirs = (one.ask(question, parameters).rows for one in (mirror, direct))
                assert ours.equals(theirs), (question, parameters)


def test_a_catalog_that_takes_its_time_is_not_said_to_be_a_table_that_is_read(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = Event(), Event()

    def slowly(*_: Any) -> None:
        asked.set()
        answers.wait(60)
        raise UnreachableError("The catalog does not answer.", "Start it.")

    monkeypatch.setattr(Lake, "table", slowly)
    mirror = MirrorEngine(lake, tmp_path / "mirror", NOW, PATIENT)
    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(mirror.first_read, NOW)
        assert asked.wait(30)
        answers.set()

        assert told.result(30) is None
    with pytest.raises(UnreachableError, match="does not answer"):
        mirror.newest()
    mirror.close()
