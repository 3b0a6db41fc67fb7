"""What changed in `revenue_summary` from one snapshot to another, window by window, and which windows were revised.

Of the files, only those are read that one of both snapshots has alone, and then what both have of the windows in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.history import KEEPS_ROWS, Commit, History
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import TIMESTAMP, LakeTable, Range

MOST_STEPS = 50
"""Snapshots that took rows back, the newest ones, that revisions are looked for in: each takes as long as a read."""
_AMOUNT = pa.decimal128(38, 2)
_WINDOW = ["window_start", "window_end"]
_COLUMNS = REVENUE_SCHEMA.names
_NOTHING = Decimal("0.00")
DIFFERENCE = pa.schema(
    [
        ("window_start", TIMESTAMP),
        ("window_end", TIMESTAMP),
        ("before", _AMOUNT),
        ("after", _AMOUNT),
        ("change", _AMOUNT),
        ("kind", pa.string()),
        ("rows_before", pa.int64()),
        ("rows_after", pa.int64()),
    ]
)
"""One row per window that is not the same, oldest first.

kind: added, removed, revised, or doubled, which is a fault: several rows hold this window now, and none of them counts.
before and after are NULL where there is not one row, or no amount in it; change is NULL where it cannot be reckoned.
"""
REVISED = DIFFERENCE.append(pa.field("revised_at", TIMESTAMP))


@dataclass(frozen=True)
class Revisions:
    """The windows whose row a later snapshot took back."""

    rows: pa.Table
    """As REVISED: `before` is what the window was at first, `after` what it is now; without a row now it is removed."""
    since: datetime | None
    """What was revised before is not known: snapshots expire. UTC; None when nothing was committed."""


def difference(table: LakeTable, before: int | None, after: int) -> pa.Table:
    """What is otherwise in the snapshot `after`, by window, as DIFFERENCE; `before` None is the empty table.

    Raises what `LakeTable.read` raises.
    """
    added = None if before is None else table.added(_COLUMNS, before, after)
    old, new = table.changed(_COLUMNS, before, after) if added is None else (added.slice(0, 0), added)
    touched = _touched(old, new)
    if not len(touched):
        return DIFFERENCE.empty_table()
    ends = pc.min_max(touched["window_start"])
    if touched["window_start"].null_count or touched["window_end"].null_count:
        raise ReadError(f"{REVENUE_TABLE} has rows without a window.", "`sales-trends verify` lists what is wrong.")
    range_ = Range("window_start", ends["min"].as_py(), ends["max"].as_py() + timedelta(microseconds=1))
    was = old.slice(0, 0) if before is None else table.read(_COLUMNS, range_, before)
    return _judged(touched, was, table.read(_COLUMNS, range_, after))


def added_by(table: LakeTable, snapshot_id: int) -> pa.Table:
    """What a snapshot made otherwise than its parent was, as DIFFERENCE. Raises ReadError when either is gone."""
    commit = History(table).find(snapshot_id)
    if commit is None:
        raise ReadError(
            f"The snapshot {snapshot_id} of {REVENUE_TABLE} is not known any more.",
            "Snapshots expire; ask for a newer one, which `sales-trends tables` lists.",
        )
    if not commit.is_first and (commit.parent_id is None or table.snapshot(commit.parent_id) is None):
        raise ReadError(
            f"What the snapshot {snapshot_id} of {REVENUE_TABLE} added is not known any more: the one before it has "
            "expired.",
            "Ask for a newer one, which `sales-trends tables` lists.",
        )
    return difference(table, commit.parent_id, snapshot_id)


def steps_back(table: LakeTable) -> list[Commit]:
    """The snapshots that took rows back and whose difference can be told, the newest first; no file is read."""
    return _taking_back(list(History(table).line()))


def revisions(table: LakeTable, most: int = MOST_STEPS) -> Revisions:
    """The windows whose row a later overwrite or delete took back, as far as snapshots exist; see Revisions.

    Windows that came back as they were, as in a file that was written anew, are none. Raises what `read` raises.
    """
    line = list(History(table).line())
    taking_back = _taking_back(line)
    steps = list(islice(taking_back, most))
    since = _since(line, steps, is_whole=len(steps) == len(taking_back))
    ever: dict[tuple[datetime, datetime], _Past] = {}
    for step in reversed(steps):
        for row in difference(table, step.parent_id, step.snapshot.id).to_pylist():
            if row["rows_before"]:
                past = ever.setdefault((row["window_start"], row["window_end"]), _Past([], step.snapshot.committed_at))
                past.rows.append(row)
                past.at = step.snapshot.committed_at
    if not ever:
        return Revisions(REVISED.empty_table(), since)
    return Revisions(_revised(table, ever), since)


@dataclass
class _Past:
    rows: list[dict[str, Any]]
    """Of each difference that took the window's row back, the oldest first."""
    at: datetime
    """Of the last one."""

    @property
    def amounts(self) -> set[Any]:
        return {row["before"] for row in self.rows}


def _taking_back(line: Sequence[Commit]) -> list[Commit]:
    known = {one.snapshot.id for one in line}
    return [one for one in line if one.operation not in KEEPS_ROWS and one.parent_id in known]


def _since(line: Sequence[Commit], steps: Sequence[Commit], *, is_whole: bool) -> datetime | None:
    if not line:
        return None
    oldest = line[-1] if is_whole else steps[-1]
    return oldest.snapshot.committed_at


def _revised(table: LakeTable, ever: dict[tuple[datetime, datetime], _Past]) -> pa.Table:
    starts, ends = zip(*ever, strict=True)
    windows = pa.table([pa.array(starts, TIMESTAMP), pa.array(ends, TIMESTAMP)], names=_WINDOW)
    range_ = Range("window_start", min(starts), max(starts) + timedelta(microseconds=1))
    # what it was at first, then as it is now
    first = [past.rows[0] for past in ever.values()]
    was = pa.table([*windows.columns, pa.array([row["before"] for row in first], _AMOUNT)], names=_COLUMNS)
    was = was.take(pa.array([place for place, row in enumerate(first) for _ in range(row["rows_before"])], pa.int64()))
    judged = _judged(windows, was, table.read(_COLUMNS, range_))
    rows = []
    for row in judged.to_pylist():
        past = ever[row["window_start"], row["window_end"]]
        if row["kind"] != "revised" or len(past.amounts | {row["after"]}) > 1 or row["rows_before"] > 1:
            rows.append({**row, "revised_at": past.at})
    return pa.Table.from_pylist(rows, REVISED)


def _touched(old: pa.Table, new: pa.Table) -> pa.Table:
    """The windows of rows that are not as often on one side as on the other."""
    signed = [
        side.append_column("sign", pa.repeat(pa.scalar(sign, pa.int64()), len(side)))
        for side, sign in ((old, -1), (new, 1))
    ]
    counted = (
        pa.concat_tables(signed, promote_options="permissive")
        .group_by(_COLUMNS, use_threads=False)
        .aggregate([("sign", "sum")])
    )
    left = counted.filter(pc.not_equal(counted["sign_sum"], 0))
    return left.group_by(_WINDOW, use_threads=False).aggregate([])


def _judged(windows: pa.Table, was: pa.Table, now: pa.Table) -> pa.Table:
    """Of these windows, what became of each."""
    joined = windows.join(_by_window(was, "before"), _WINDOW).join(_by_window(now, "after"), _WINDOW)
    rows_before, rows_after = (pc.fill_null(joined[name], 0) for name in ("rows_before", "rows_after"))
    kind = pc.case_when(
        pc.make_struct(pc.greater(rows_after, 1), pc.equal(rows_before, 0), pc.equal(rows_after, 0)),
        "doubled",
        "added",
        "removed",
        "revised",
    )
    before, after = (
        pc.if_else(pc.equal(count, 0), pa.scalar(_NOTHING, _AMOUNT), joined[name])
        for name, count in (("before", rows_before), ("after", rows_after))
    )
    change = pc.subtract(after.cast(pa.decimal128(37, 2)), before.cast(pa.decimal128(37, 2))).cast(_AMOUNT)
    columns = [joined[name] for name in (*_WINDOW, "before", "after")]
    told = pa.table([*columns, change, kind, rows_before, rows_after], schema=DIFFERENCE)
    return told.sort_by([(name, "ascending") for name in _WINDOW]).combine_chunks()


def _by_window(rows: pa.Table, name: str) -> pa.Table:
    """By window how many rows there are, and the amount where it is one."""
    grouped = rows.group_by(_WINDOW, use_threads=False).aggregate([("total_revenue", "min"), ([], "count_all")])
    amount = pc.if_else(pc.equal(grouped["count_all"], 1), grouped["total_revenue_min"].cast(_AMOUNT), None)
    columns = [*(grouped[key] for key in _WINDOW), amount, grouped["count_all"]]
    return pa.table(columns, names=[*_WINDOW, name, f"rows_{name}"])
