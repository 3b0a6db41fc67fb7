"""Which windows are not what they were, on real tables, and that nothing is read again for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.table import Table

from dashboard.readers.lake_table import LakeTable
from dashboard.revenue.revised_windows import RevisedWindows
from tests.iceberg_tables import append, lake_table, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEXT, LAST = NOON + timedelta(seconds=5), NOON + timedelta(seconds=10)


def correct(table: Table, start: datetime, total: str) -> None:
    table.refresh()
    table.delete(f"window_start = '{start.replace(tzinfo=None).isoformat()}'")
    append(table, [(start, total)])


def test_each_window_that_a_correction_changed_is_one_and_appends_cost_no_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        windows = RevisedWindows(lambda: lake_table(table))
        assert windows.starts() == frozenset()

        append(table, [(NOON, "1.00"), (NEXT, "2.00")])
        assert windows.starts() == frozenset()

        correct(table, NEXT, "2.50")
        assert windows.starts() == {NEXT}

        append(table, [(LAST, "3.00")])
        with monkeypatch.context() as patched:
            patched.setattr(LakeTable, "read", None)
            assert windows.starts() == {NEXT}

        correct(table, NOON, "1.00")
        assert windows.starts() == {NEXT}, "it came back as it was"


def test_a_correction_that_was_rolled_back_is_none(tmp_path: Path) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        append(table, [(NOON, "1.00"), (NEXT, "2.00")])
        before = table.refresh().current_snapshot()
        assert before is not None
        correct(table, NEXT, "2.50")
        windows = RevisedWindows(lambda: lake_table(table))
        assert windows.starts() == {NEXT}

        table.manage_snapshots().rollback_to_snapshot(before.snapshot_id).commit()

        assert windows.starts() == frozenset()


def test_a_window_stays_revised_when_the_snapshots_of_its_correction_expire(tmp_path: Path) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        append(table, [(NOON, "1.00"), (NEXT, "2.00")])
        correct(table, NEXT, "2.50")
        windows = RevisedWindows(lambda: lake_table(table))
        assert windows.starts() == {NEXT}

        append(table, [(LAST, "3.00")])
        for one in table.refresh().metadata.snapshots[:-1]:
            table.maintenance.expire_snapshots().by_id(one.snapshot_id).commit()

        assert windows.starts() == {NEXT}
        assert windows.starts() == {NEXT}


def test_without_a_table_there_are_none() -> None:
    assert RevisedWindows(lambda: None).starts() == frozenset()
