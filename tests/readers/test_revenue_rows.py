from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo
from pyiceberg.table import Table

from dashboard.errors import UnreachableError
from dashboard.readers.lake import Lake
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.revenue_rows import READ_AT_LEAST, RevenueRows
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)


class CountingLake(Lake):
    """A real lake that notes how often the whole table was read."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__("http://unused", NAMESPACE, catalog)
        self.reads: list[datetime | None] = []
        self.fault: Exception | None = None

    def revenue(
        self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
    ) -> pa.Table:
        if self.fault:
            raise self.fault
        self.reads.append(start)
        return super().revenue(start, end, snapshot_id)

    def newest(self) -> Snapshot:
        snapshot = self.snapshot()
        assert snapshot is not None
        return snapshot


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def lake(catalog: Catalog) -> CountingLake:
    return CountingLake(catalog)


@pytest.fixture
def table(catalog: Catalog) -> Table:
    return revenue_table(catalog)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def test_a_snapshot_is_read_once_whoever_asks(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(minutes=1), "1.00")])
    rows = RevenueRows(lake)

    first = rows.at(lake.newest(), HOUR)

    assert rows.at(lake.newest(), HOUR) is first
    assert rows.at(lake.newest(), None) is first
    assert len(lake.reads) == 1


def test_a_commit_is_added_without_reading_the_table_again(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(seconds=20), "1.00"), (ago(seconds=10), "3.00")])
    rows = RevenueRows(lake)
    rows.at(lake.newest(), HOUR)
    append(table, [(ago(seconds=5), "4.00")])
    append(table, [(ago(seconds=15), "2.00")])

    after = rows.at(lake.newest(), HOUR)

    assert [str(total) for total in after["total_revenue"].to_pylist()] == ["1.00", "2.00", "3.00", "4.00"]
    assert after.equals(lake.revenue())
    assert len(lake.reads) == 2  # the first one, and the one of this test


def test_a_correction_makes_it_read_the_table_again(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(seconds=20), "1.00"), (ago(seconds=10), "3.00")])
    rows = RevenueRows(lake)
    rows.at(lake.newest(), HOUR)
    table.refresh()
    table.delete(EqualTo("total_revenue", Decimal("1.00")))  # type: ignore[misc,call-arg,arg-type,unused-ignore]

    assert rows.at(lake.newest(), HOUR)["total_revenue"].to_pylist() == [Decimal("3.00")]


def test_only_the_time_asked_for_is_read_and_more_when_more_is_asked_for(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(days=100), "1.00"), (ago(days=40), "2.00"), (ago(minutes=1), "3.00")])
    rows = RevenueRows(lake)

    assert len(rows.at(lake.newest(), HOUR)) == 1
    assert len(rows.at(lake.newest(), READ_AT_LEAST)) == 2
    assert len(rows.at(lake.newest(), None)) == 3


def test_the_span_is_counted_from_the_newest_window_however_old_it_is(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(days=900), "1.00"), (ago(days=900, minutes=30), "2.00")])

    assert len(RevenueRows(lake).at(lake.newest(), HOUR)) == 2


def test_a_table_without_rows_is_no_fault(lake: CountingLake, table: Table) -> None:
    append(table, [])

    assert len(RevenueRows(lake).at(lake.newest(), HOUR)) == 0


def test_a_read_that_fails_leaves_what_was_kept(lake: CountingLake, table: Table) -> None:
    append(table, [(ago(minutes=1), "1.00")])
    rows = RevenueRows(lake)
    known = lake.newest()
    kept = rows.at(known, HOUR)
    table.refresh()
    table.delete(EqualTo("total_revenue", Decimal("1.00")))  # type: ignore[misc,call-arg,arg-type,unused-ignore]
    newer = lake.newest()
    lake.fault = UnreachableError("gone")

    with pytest.raises(UnreachableError):
        rows.at(newer, HOUR)
    assert rows.at(known, HOUR) is kept
