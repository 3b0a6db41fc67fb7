"""The snapshots of real tables, as they were committed, taken back, compacted and expired."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.snapshots import Snapshot

from dashboard.errors import ReadError
from dashboard.readers.history import History
from dashboard.readers.lake_table import LakeTable
from tests.iceberg_tables import append, call_it_compaction, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def table(catalog: Catalog) -> Table:
    return revenue_table(catalog)


def history(table: Table) -> History:
    table.refresh()
    return History(LakeTable(table, "http://unused"))


def commit(table: Table, *seconds: int, total: str = "1.00") -> int:
    append(table, [(NOON + timedelta(seconds=one), total) for one in seconds])
    current = table.current_snapshot()
    assert current is not None
    return current.snapshot_id


def metadata_file(table: Table) -> Path:
    return Path(table.metadata_location.removeprefix("file://"))


def dated(table: Table, *moments: datetime) -> None:
    """Gives the snapshots, in their order, these times of commit."""
    content = json.loads(metadata_file(table).read_text())
    for snapshot, at in zip(content["snapshots"], moments, strict=True):
        snapshot["timestamp-ms"] = int(at.timestamp() * 1000)
    metadata_file(table).write_text(json.dumps(content))


def many(table: Table, count: int) -> None:
    """So many snapshots, one after the other a second apart, all of them of the one that there is."""
    content = json.loads(metadata_file(table).read_text())
    [first] = content["snapshots"]
    content["snapshots"] = [
        {
            **first,
            "snapshot-id": number,
            **({"parent-snapshot-id": number - 1} if number > 1 else {}),
            "sequence-number": number,
            "timestamp-ms": int((NOON + number * SECOND).timestamp() * 1000),
        }
        for number in range(1, count + 1)
    ]
    content |= {"current-snapshot-id": count, "last-sequence-number": count, "snapshot-log": []}
    content["refs"]["main"]["snapshot-id"] = count
    metadata_file(table).write_text(json.dumps(content))


# snapshots


def test_a_table_without_a_commit_has_no_history(table: Table) -> None:
    told = history(table)
    assert told.commits == []
    assert (told.page().commits, told.page().pages, told.page(7).number) == ([], 1, 1)
    assert told.as_of(NOON) is None


def test_each_snapshot_says_what_it_did_the_newest_first(table: Table) -> None:
    first = commit(table, 0, 5)
    second = commit(table, 10)
    table.refresh()
    table.delete("total_revenue = 1.00 and window_start < '2026-03-01T12:00:05'")
    newest, middle, oldest = history(table).commits
    assert [oldest.snapshot.id, middle.snapshot.id] == [first, second]
    assert [oldest.parent_id, middle.parent_id, newest.parent_id] == [None, first, second]
    assert [one.operation for one in (oldest, middle, newest)] == ["append", "append", "overwrite"]
    assert (oldest.rows_added, oldest.rows_removed, oldest.files_added, oldest.files_removed) == (2, 0, 1, 0)
    # one row of two was deleted: the file was written anew without it
    assert (newest.rows_added, newest.rows_removed, newest.files_added, newest.files_removed) == (1, 2, 1, 1)
    assert [one.snapshot.rows for one in (oldest, middle, newest)] == [2, 3, 2]
    assert all(one.is_current and one.snapshot.committed_at.tzinfo is UTC for one in (oldest, middle, newest))


def test_what_was_rolled_back_is_told_and_is_not_of_the_line(table: Table) -> None:
    first = commit(table, 0)
    taken_back = commit(table, 5)
    table.manage_snapshots().rollback_to_snapshot(first).commit()
    third = commit(table, 10)
    told = history(table)
    assert [(one.snapshot.id, one.branch) for one in told.commits] == [
        (third, "main"),
        (taken_back, None),
        (first, "main"),
    ]
    assert [one.snapshot.id for one in told.line()] == [third, first]


def test_a_snapshot_of_another_branch_names_it(table: Table) -> None:
    first = commit(table, 0)
    table.manage_snapshots().create_branch(first, "trial").commit()
    rows = table.scan().to_arrow()
    table.append(rows, branch="trial")
    told = history(table)
    assert [one.branch for one in told.commits] == ["trial", "main"]
    assert [one.snapshot.id for one in told.line()] == [first]


def test_compaction_is_told_as_what_it_is(table: Table) -> None:
    commit(table, 0)
    commit(table, 5)
    table.refresh()
    table.overwrite(table.scan().to_arrow())
    call_it_compaction(metadata_file(table))
    table.refresh()
    assert [one.operation for one in history(table).commits][:2] == ["replace", "replace"]


def test_what_expired_is_gone_and_the_line_ends_there(table: Table) -> None:
    first = commit(table, 0)
    second = commit(table, 5)
    table.maintenance.expire_snapshots().by_id(first).commit()
    told = history(table)
    assert [one.snapshot.id for one in told.line()] == [second]
    assert told.find(first) is None
    # some catalogs forget the parent with it; what was added is then not all that there is
    assert not told.commits[0].is_first


def test_equality_deletes_remove_nobody_knows_how_many_rows(table: Table) -> None:
    commit(table, 0)
    content = json.loads(metadata_file(table).read_text())
    content["snapshots"][0]["summary"] |= {"added-equality-deletes": "1", "added-position-deletes": "2"}
    metadata_file(table).write_text(json.dumps(content))
    assert history(table).commits[0].rows_removed is None
    content["snapshots"][0]["summary"] |= {"added-equality-deletes": "0"}
    metadata_file(table).write_text(json.dumps(content))
    assert history(table).commits[0].rows_removed == 2


def test_ten_thousand_snapshots_are_looked_up_and_not_searched(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(table, 0)
    many(table, 10_000)
    table.refresh()
    # PyIceberg's own way is a search for each, which for the whole line takes half a minute
    searches: list[int] = []
    search = TableMetadataV2.snapshot_by_id

    def noted(metadata: TableMetadataV2, snapshot_id: int) -> Snapshot | None:
        searches.append(snapshot_id)
        return search(metadata, snapshot_id)

    monkeypatch.setattr(TableMetadataV2, "snapshot_by_id", noted)
    told = History(LakeTable(table, "http://unused"))
    page = told.page(2, size=50)
    then = told.as_of(NOON + 5 * SECOND)
    assert len(searches) < 5
    assert (page.number, page.pages, page.total) == (2, 200, 10_000)
    assert [one.snapshot.id for one in page.commits] == list(range(9_950, 9_900, -1))
    assert told.page(10**9).commits[-1].snapshot.id == 1
    assert then is not None
    assert then.snapshot.id == 5


# as of


def test_as_of_a_time_is_the_newest_snapshot_committed_by_then(table: Table) -> None:
    first, second = commit(table, 0), commit(table, 5)
    dated(table, NOON, NOON + 60 * SECOND)
    told = history(table)
    for when, wanted in ((0, first), (59, first), (60, second), (10**6, second)):
        found = told.as_of(NOON + when * SECOND)
        assert found is not None
        assert (found.snapshot.id, found.is_snapshot, found.last_start(5 * SECOND)) == (wanted, True, None)
    assert f"snapshot {first}, committed 2026-03-01T12:00:00Z" in told.as_of(NOON).told  # type: ignore[union-attr]


def test_as_of_does_not_fall_on_what_was_rolled_back(table: Table) -> None:
    first = commit(table, 0)
    commit(table, 5)
    table.manage_snapshots().rollback_to_snapshot(first).commit()
    table.refresh()
    dated(table, NOON, NOON + 60 * SECOND)
    found = history(table).as_of(NOON + 61 * SECOND)
    assert found is not None
    assert (found.snapshot.id, found.is_snapshot) == (first, True)


def test_beyond_the_snapshots_it_is_the_windows_that_had_ended_by_then_and_says_so(table: Table) -> None:
    first, second = commit(table, 0), commit(table, 5)
    table.maintenance.expire_snapshots().by_id(first).commit()
    table.refresh()
    dated(table, NOON + 60 * SECOND)
    found = history(table).as_of(NOON + 12 * SECOND)
    assert found is not None
    assert (found.snapshot.id, found.is_snapshot) == (second, False)
    # of windows of 5 s the last to have ended by 12:00:12 is the one that starts at 12:00:05
    assert found.last_start(5 * SECOND) == NOON + 10 * SECOND
    assert "no snapshot of then exists; these are the windows that had ended by then" in found.told


def test_a_time_in_another_zone_is_the_same_moment(table: Table) -> None:
    first = commit(table, 0)
    dated(table, NOON)
    berlin = datetime.fromisoformat("2026-03-01T13:00:00+01:00")
    found = history(table).as_of(berlin)
    assert found is not None
    assert (found.snapshot.id, found.is_snapshot, found.when) == (first, True, NOON)


def test_a_time_without_a_zone_is_refused(table: Table) -> None:
    commit(table, 0)
    with pytest.raises(ReadError, match="2026-03-01 12:00:00 has no zone"):
        history(table).as_of(NOON.replace(tzinfo=None))
