"""What one state of `revenue_summary` holds, as far as whoever reads the topic behind it must know."""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.readers.engine import Engine
from dashboard.readers.lake_table import LakeTable, Snapshot

WINDOW_COLUMNS = ["window_start", "window_end"]
OFFSET_COLUMNS = ["$$partition", "$$offset"]
"""Where a row stood in the topic, as Tableflow writes it; a table may be without."""
_LONGEST = timedelta(days=1)
"""Windows divide a day."""


def _no_windows(_after: datetime) -> pa.Table:
    zoned = pa.timestamp("us", tz="UTC")
    return pa.schema([(name, zoned) for name in WINDOW_COLUMNS]).empty_table()


@dataclass(frozen=True)
class Committed:
    """One state of the table; without a table, or before its first commit, nothing."""

    state: Hashable = None
    """Which state that is: another one for another snapshot, and for a table that was made anew."""
    newest_end: datetime | None = None
    """When its newest window ends, UTC; None without a window."""
    offsets: Mapping[int, int] = field(default_factory=dict)
    """By partition of the topic the highest offset that is in it; empty where the table does not say."""
    windows: Callable[[datetime], pa.Table] = _no_windows
    """Its windows that end after a time, with window_start and window_end, timestamp[us] in UTC, in any order."""


NOTHING = Committed()


def committed_in(rows: pa.Table, state: Hashable) -> Committed:
    """What these rows say, which are all of one state; times are in UTC."""
    if not rows.num_rows:
        return Committed(state)
    offsets = {}
    if set(OFFSET_COLUMNS) <= set(rows.column_names):
        highest = rows.group_by("$$partition").aggregate([("$$offset", "max")]).to_pylist()
        offsets = {one["$$partition"]: one["$$offset_max"] for one in highest if one["$$offset_max"] is not None}
    windows = rows.select(WINDOW_COLUMNS)
    return Committed(
        state,
        pc.max(rows["window_end"]).as_py(),
        offsets,
        lambda after: windows.filter(pc.greater(windows["window_end"], pa.scalar(after))),
    )


def committed_of(table: LakeTable | None) -> Committed:
    """What is in the table as it was looked up: reads four columns of all of it. Raises what `LakeTable.read` does."""
    if table is None or table.newest is None:
        return NOTHING
    columns = WINDOW_COLUMNS + [name for name in OFFSET_COLUMNS if name in table.columns]
    return committed_in(table.read(columns, snapshot_id=table.newest.id), (table.identity, table.newest.id))


def committed_by(engine: Engine, snapshot: Snapshot, newest_end: datetime) -> Committed:
    """What a state holds that an engine answers from, of which the newest window ends then; without offsets.

    Nothing is asked before somebody wants windows, and once for all who want no earlier ones. `windows` raises what
    `Engine.ask` raises.
    """
    # no two states of tables share a snapshot's id, which is random
    return Committed(snapshot.id, newest_end, windows=_Recent(engine, snapshot, newest_end))


class _Recent:
    """The newest windows of one state, asked of an engine; any thread may call."""

    def __init__(self, engine: Engine, snapshot: Snapshot, newest_end: datetime) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._end = newest_end
        self._lock = threading.Lock()
        self._held: tuple[datetime, pa.Table] | None = None

    def __call__(self, after: datetime) -> pa.Table:
        with self._lock:
            if self._held is None or after < self._held[0]:
                self._held = after, self._asked(after)
            windows = self._held[1]
        return windows.filter(pc.greater(windows["window_end"], pa.scalar(after)))

    def _asked(self, after: datetime) -> pa.Table:
        if after >= self._end:
            return _no_windows(after)
        stretch = {"start": after - _LONGEST, "end": self._end}
        answer = self._engine.ask("revenue_windows", stretch, snapshot_id=self._snapshot.id)
        return answer.rows.select(WINDOW_COLUMNS)
