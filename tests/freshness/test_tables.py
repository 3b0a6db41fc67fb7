from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table

from dashboard.errors import ReadError
from dashboard.freshness.readings import TableReading
from dashboard.freshness.tables import TableReadings
from dashboard.readers.lake import Lake
from tests.iceberg_tables import NAMESPACE, WINDOW, append, append_orders, orders_table, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(seconds=1)
REVENUE, ORDERS = "revenue_summary", "completed_orders"


class Asked(Lake):
    """Counts what the catalog is asked for; it can be away."""

    def __init__(self, catalog: SqlCatalog) -> None:
        super().__init__("sqlite", NAMESPACE, catalog)
        self.names: list[str] = []
        self.away: set[str] = set()

    def table(self, name: str):  # type: ignore[no-untyped-def]
        self.names.append(name)
        if name in self.away:
            raise ReadError(f"The table {name} is away.")
        return super().table(name)


class World:
    def __init__(self, catalog: SqlCatalog) -> None:
        self.catalog = catalog
        self.lake = Asked(catalog)
        self.clock = 0.0
        self.tables = TableReadings(self.lake, [REVENUE, ORDERS], INTERVAL, lambda: self.clock)

    def look(self) -> dict[str, TableReading]:
        self.clock += INTERVAL.total_seconds()
        return dict(self.tables.look().tables)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with sqlite_catalog(tmp_path) as catalog:
        yield World(catalog)


def windows(table: Table, *seconds: int) -> None:
    append(table, [(NOON + timedelta(seconds=one), "1.10") for one in seconds])


def end_of(second: int) -> datetime:
    return NOON + timedelta(seconds=second) + WINDOW


def test_tables_that_do_not_exist_or_hold_nothing_have_no_commit(world: World) -> None:
    assert world.look() == {}
    revenue_table(world.catalog)
    assert world.look() == {REVENUE: TableReading(REVENUE, None, None)}


@pytest.mark.parametrize("zoned", [False, True])
def test_the_newest_commit_and_the_newest_windows_end_are_told(world: World, zoned: bool) -> None:
    table, orders = revenue_table(world.catalog, zoned=zoned), orders_table(world.catalog)
    windows(table, 0, 5)
    windows(table, 20, 15)
    append_orders(orders, [(NOON, 1.5)])
    readings = world.look()
    newest = table.refresh().current_snapshot()
    assert newest is not None
    committed_at = datetime.fromtimestamp(newest.timestamp_ms / 1000, UTC)
    assert readings[REVENUE] == TableReading(REVENUE, newest.snapshot_id, committed_at, 4, end_of(20))
    assert readings[ORDERS].rows == 1
    assert readings[ORDERS].frontier is None


def test_an_older_window_that_is_committed_later_moves_nothing_back(world: World) -> None:
    table = revenue_table(world.catalog)
    windows(table, 20)
    assert world.look()[REVENUE].frontier == end_of(20)
    windows(table, 0)
    assert world.look()[REVENUE].frontier == end_of(20)
    windows(table, 25)
    assert world.look()[REVENUE].frontier == end_of(25)


def test_only_metadata_that_is_new_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = revenue_table(world.catalog)
    for second in range(0, 40, 5):
        windows(table, second)
    world.look()
    read: list[str] = []
    real = ManifestFile.fetch_manifest_entry

    def counted(self: ManifestFile, *arguments: object) -> object:
        read.append(self.manifest_path)
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ManifestFile, "fetch_manifest_entry", counted)
    world.look()
    assert read == []
    windows(table, 100)
    read.clear()
    assert world.look()[REVENUE].frontier == end_of(100)
    assert len(read) == 1


def test_the_catalog_is_asked_once_a_table_and_interval(world: World) -> None:
    windows(revenue_table(world.catalog), 0)
    first = world.look()
    assert sorted(world.lake.names) == sorted([REVENUE, ORDERS])
    world.clock += INTERVAL.total_seconds() / 2
    assert dict(world.tables.look().tables) == first
    assert len(world.lake.names) == 2
    world.look()
    assert len(world.lake.names) == 4


def test_a_table_that_cannot_be_read_is_asked_again_at_once_and_takes_nothing_from_the_others(world: World) -> None:
    windows(revenue_table(world.catalog), 0)
    append_orders(orders_table(world.catalog), [(NOON, 1.5)])
    world.lake.away = {REVENUE}
    with pytest.raises(ReadError, match="revenue_summary is away"):
        world.look()
    world.lake.away.clear()
    world.lake.names.clear()
    assert list(world.tables.look().tables) == [REVENUE, ORDERS]
    assert world.lake.names == [REVENUE]


def test_a_table_made_anew_starts_afresh_and_one_that_was_dropped_is_gone(world: World) -> None:
    windows(revenue_table(world.catalog), 50)
    assert world.look()[REVENUE].frontier == end_of(50)
    world.catalog.drop_table((NAMESPACE, REVENUE))
    table = revenue_table(world.catalog)
    windows(table, 0)
    assert world.look()[REVENUE].frontier == end_of(0)
    world.catalog.drop_table((NAMESPACE, REVENUE))
    assert world.look() == {}


def test_windows_of_files_that_were_deleted_do_not_count_at_a_first_look(world: World) -> None:
    table = revenue_table(world.catalog)
    windows(table, 0)
    windows(table, 50)
    table.refresh().delete(f"window_start >= '{(NOON + timedelta(seconds=10)).replace(tzinfo=None).isoformat()}'")
    assert world.look()[REVENUE].frontier == end_of(0)
