"""What has reached the Iceberg tables of the pipeline: their newest commits, and how far revenue has come."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.freshness.readings import TableReading
from dashboard.freshness.seen import Seen
from dashboard.freshness.side_by_side import side_by_side
from dashboard.readers.lake import REVENUE_TABLE, Lake
from dashboard.readers.lake_table import LakeTable

_WINDOW_END = "window_end"


class TableReadings:
    """Looks at tables again and again; one look at a time. The catalog is asked once a table and interval."""

    def __init__(
        self,
        lake: Lake,
        tables: Sequence[str],
        interval: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake = lake
        self._tables = tables
        self._interval = interval.total_seconds()
        self._clock = clock
        self._looked: dict[str, float] = {}
        """When the catalog was last asked for a table, and answered."""
        self._readings: dict[str, TableReading] = {}
        self._identities: dict[str, str] = {}
        self._bounds: dict[str, datetime | None] = {}
        """Of ends of windows, by the metadata file that tells them."""

    def look(self) -> Seen:
        """The tables that exist. Raises what `Lake.table` raises; what was read before that is kept."""
        due = [name for name in self._tables if self._is_due(name)]
        side_by_side("looks at tables", self._look_at, due)
        return Seen(tables={name: self._readings[name] for name in self._tables if name in self._readings})

    def _is_due(self, name: str) -> bool:
        looked = self._looked.get(name)
        return looked is None or self._clock() - looked >= self._interval

    def _look_at(self, name: str) -> None:
        began = self._clock()
        table = self._lake.table(name)
        if table is None:
            self._readings.pop(name, None)
            self._identities.pop(name, None)
        else:
            self._readings[name] = self._reading(name, table)
            self._identities[name] = table.identity
        self._looked[name] = began

    def _reading(self, name: str, table: LakeTable) -> TableReading:
        newest = table.newest
        if newest is None:
            return TableReading(name, None, None)
        known = self._readings.get(name) if self._identities.get(name) == table.identity else None
        if known is not None and known.snapshot_id == newest.id:
            return known
        reading = TableReading(name, newest.id, newest.committed_at, newest.rows)
        if name != REVENUE_TABLE:
            return reading
        self._bounds = table.upper_bounds(_WINDOW_END, self._bounds)
        ends = [end for end in (*self._bounds.values(), known and known.frontier) if end]
        return replace(reading, frontier=max(ends, default=None))
