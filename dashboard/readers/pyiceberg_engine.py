"""Answers from the Iceberg tables read by PyIceberg: only the rows and columns that the question needs."""

from datetime import UTC, datetime
from typing import cast

import pyarrow as pa

from dashboard.readers.deadline import Stop
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import Range
from dashboard.readers.table_engine import Asked, TableEngine

_COLUMNS = {
    REVENUE_TABLE: ("window_start", tuple(REVENUE_SCHEMA.names)),
    ORDERS_TABLE: ("ts", ("ts", "amount", "$$partition", "$$offset")),
}
"""The time that rows are chosen by, and all that relations read."""


class PyicebergEngine(TableEngine):
    """Keeps the chosen rows in memory while it answers: 32 bytes a window, as much for each order."""

    name = "pyiceberg"

    def _read(self, asked: Asked, stop: Stop) -> pa.Table:
        rows = {}
        for name, pinned in asked.tables.items():
            column, columns = _COLUMNS[name]
            range_ = self._range(name, column, asked)
            rows[name] = pinned.table.read(columns, range_, pinned.snapshot.id, stop.check)
        return ask_tables(rows, asked.text, asked.parameters, stop)

    def _range(self, name: str, column: str, asked: Asked) -> Range:
        start, end = (cast(datetime, asked.parameters[bound]).replace(tzinfo=UTC) for bound in ("start", "end"))
        if name == ORDERS_TABLE:
            return Range(column, start, end + self._window)  # the last window may end after the range
        # that a window has closed, any later one tells
        return Range(column, start, None if "closed_until" in asked.relations else end)
