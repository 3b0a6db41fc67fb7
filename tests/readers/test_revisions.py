"""What became of windows from snapshot to snapshot, on real tables."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from dashboard.errors import ReadError
from dashboard.readers.revisions import DIFFERENCE, REVISED, added_by, difference, revisions
from tests.iceberg_tables import append, call_it_compaction, lake_table, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture(params=[False, True], ids=["timestamp", "timestamptz"])
def table(catalog: Catalog, request: pytest.FixtureRequest) -> Table:
    return revenue_table(catalog, zoned=request.param)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def commit(table: Table, *rows: tuple[int, str | None]) -> int:
    append(table, [(at(seconds), total) for seconds, total in rows])
    return newest(table)


def take_back(table: Table, seconds: int) -> int:
    """Deletes one window."""
    zone = (
        "+00:00" if table.schema().find_field("window_start").field_type.__class__.__name__ == "TimestamptzType" else ""
    )
    table.refresh()
    table.delete(f"window_start = '{at(seconds).replace(tzinfo=None).isoformat()}{zone}'")
    return newest(table)


def newest(table: Table) -> int:
    current = table.refresh().current_snapshot()
    assert current is not None
    return current.snapshot_id


def told(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Second, before, after, change, kind of each."""
    return [
        (
            round((row["window_start"] - NOON).total_seconds()),
            *(None if row[name] is None else str(row[name]) for name in ("before", "after", "change")),
            row["kind"],
        )
        for row in rows.to_pylist()
    ]


# the difference of two


def test_an_append_adds_windows_with_exact_amounts(table: Table) -> None:
    first = commit(table, (0, "1.10"))
    second = commit(table, (10, "9999999999999999.99"), (5, "2.20"))
    found = difference(lake_table(table), first, second)
    assert found.schema == DIFFERENCE
    assert told(found) == [
        (5, None, "2.20", "2.20", "added"),
        (10, None, "9999999999999999.99", "9999999999999999.99", "added"),
    ]
    assert added_by(lake_table(table), second) == found
    assert told(added_by(lake_table(table), first)) == [(0, None, "1.10", "1.10", "added")]
    assert len(difference(lake_table(table), second, second)) == 0


def test_the_other_way_round_they_are_removed(table: Table) -> None:
    first, second = commit(table, (0, "1.10")), commit(table, (5, "2.20"))
    assert told(difference(lake_table(table), second, first)) == [(5, "2.20", None, "-2.20", "removed")]


def test_a_file_written_anew_without_one_row_removes_that_row_alone(table: Table) -> None:
    first = commit(table, *((seconds, "1.00") for seconds in range(0, 50, 5)))
    second = take_back(table, 20)
    assert told(difference(lake_table(table), first, second)) == [(20, "1.00", None, "-1.00", "removed")]
    assert told(added_by(lake_table(table), second)) == told(difference(lake_table(table), first, second))


def test_a_window_with_another_amount_is_revised(table: Table) -> None:
    first = commit(table, (0, "1.00"), (5, "2.00"))
    take_back(table, 5)
    second = commit(table, (5, "1.50"))
    assert told(difference(lake_table(table), first, second)) == [(5, "2.00", "1.50", "-0.50", "revised")]


def test_compaction_changes_nothing(table: Table) -> None:
    first = commit(table, (0, "1.00"), (5, "2.00"))
    second = commit(table, (10, "3.00"))
    table.refresh()
    table.overwrite(table.scan().to_arrow())
    table.refresh()
    call_it_compaction(Path(table.metadata_location.removeprefix("file://")))
    third = newest(table)
    assert len(difference(lake_table(table), second, third)) == 0
    assert told(difference(lake_table(table), first, third)) == [(10, None, "3.00", "3.00", "added")]
    assert len(revisions(lake_table(table)).rows) == 0


def test_two_rows_of_one_window_in_one_snapshot_are_a_fault_and_no_revision(table: Table) -> None:
    first = commit(table, (0, "1.00"), (5, "2.00"))
    second = commit(table, (5, "2.00"))
    [row] = difference(lake_table(table), first, second).to_pylist()
    assert (row["kind"], row["rows_before"], row["rows_after"]) == ("doubled", 1, 2)
    assert (row["before"], row["after"], row["change"]) == (Decimal("2.00"), None, None)
    assert len(revisions(lake_table(table)).rows) == 0


def test_an_amount_that_is_missing_is_not_taken_for_nothing(table: Table) -> None:
    first = commit(table, (0, None))
    take_back(table, 0)
    second = commit(table, (0, "4.00"))
    [row] = difference(lake_table(table), first, second).to_pylist()
    assert (row["before"], row["after"], row["change"], row["kind"]) == (None, Decimal("4.00"), None, "revised")
    assert told(revisions(lake_table(table)).rows) == [(0, None, "4.00", None, "revised")]


def test_a_rolled_back_snapshot_can_be_compared_with_what_is_now(table: Table) -> None:
    first = commit(table, (0, "1.00"))
    taken_back = commit(table, (5, "2.00"))
    table.manage_snapshots().rollback_to_snapshot(first).commit()
    third = commit(table, (5, "3.00"))
    assert told(difference(lake_table(table), taken_back, third)) == [(5, "2.00", "3.00", "1.00", "revised")]
    # nothing of the line was taken back: the table never went through that snapshot
    assert len(revisions(lake_table(table)).rows) == 0


def test_a_snapshot_that_is_gone_is_told(table: Table) -> None:
    first, second = commit(table, (0, "1.00")), commit(table, (5, "2.00"))
    table.maintenance.expire_snapshots().by_id(first).commit()
    with pytest.raises(ReadError, match=f"The snapshot {first} .* is not known any more"):
        difference(lake_table(table), first, second)
    with pytest.raises(ReadError, match=f"The snapshot {first} .* is not known any more"):
        added_by(lake_table(table), first)
    with pytest.raises(ReadError, match="the one before it has expired"):
        added_by(lake_table(table), second)


def test_a_file_that_was_deleted_under_us_is_an_error_that_says_so(table: Table, tmp_path: Path) -> None:
    first, second = commit(table, (0, "1.00")), commit(table, (5, "2.00"))
    for file in tmp_path.rglob("*.parquet"):
        file.unlink()
    with pytest.raises(ReadError, match=r"A file of .* is gone"):
        difference(lake_table(table), first, second)


# revisions


def test_a_window_is_revised_when_a_later_snapshot_replaced_its_row(table: Table) -> None:
    commit(table, (0, "1.00"), (5, "2.00"), (10, "3.00"))
    take_back(table, 5)
    commit(table, (5, "2.50"))
    take_back(table, 5)
    last = newest(table)
    commit(table, (5, "2.75"))
    take_back(table, 10)
    found = revisions(lake_table(table))
    assert found.rows.schema == REVISED
    assert told(found.rows) == [(5, "2.00", "2.75", "0.75", "revised"), (10, "3.00", None, "-3.00", "removed")]
    committed_at = lake_table(table).snapshot(last).committed_at  # type: ignore[union-attr]
    assert found.rows["revised_at"][0].as_py() == committed_at


def test_a_window_that_went_back_to_what_it_was_was_revised_and_one_written_anew_was_not(table: Table) -> None:
    commit(table, (0, "1.00"), (5, "2.00"))
    for total in ("2.50", "2.00"):
        take_back(table, 5)
        commit(table, (5, total))
    take_back(table, 0)
    commit(table, (0, "1.00"))
    assert told(revisions(lake_table(table)).rows) == [(5, "2.00", "2.00", "0.00", "revised")]


def test_revisions_are_known_as_far_as_snapshots_exist_and_it_says_how_far(table: Table) -> None:
    first = commit(table, (0, "1.00"))
    assert revisions(lake_table(table)).since == lake_table(table).snapshot(first).committed_at  # type: ignore[union-attr]
    taken = take_back(table, 0)
    again = commit(table, (0, "1.50"))
    table.maintenance.expire_snapshots().by_ids([first]).commit()
    found = revisions(lake_table(table))
    assert len(found.rows) == 0
    assert found.since == lake_table(table).snapshot(taken).committed_at  # type: ignore[union-attr]
    assert again == newest(table)


def test_only_so_many_steps_are_looked_at_and_it_says_how_far(table: Table) -> None:
    commit(table, (0, "1.00"))
    steps = []
    for total in ("1.10", "1.20", "1.30"):
        steps.append(take_back(table, 0))
        commit(table, (0, total))
    found = revisions(lake_table(table), most=2)
    assert told(found.rows) == [(0, "1.10", "1.30", "0.20", "revised")]
    assert found.since == lake_table(table).snapshot(steps[1]).committed_at  # type: ignore[union-attr]


def test_a_table_without_a_commit_has_no_revisions(table: Table) -> None:
    found = revisions(lake_table(table))
    assert (len(found.rows), found.since) == (0, None)
