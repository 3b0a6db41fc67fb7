"""Arrow tables, asked in a DuckDB that holds nothing else."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from functools import cache

import duckdb
import pyarrow as pa

from dashboard.readers.deadline import Stop
from dashboard.readers.duckdb_errors import duckdb_translated
from dashboard.readers.lake_table import normalised

BOUNDED: dict[str, str | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "memory_limit": "2GB",
    "temp_directory": "",
}
"""How every DuckDB here is opened: nothing is downloaded, and nothing spills into the folder one happens to be in."""
_NAIVE = pa.timestamp("us")


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One empty database per process: opening one takes 15 ms, a cursor on it nothing."""
    return duckdb.connect(config={**BOUNDED, "threads": 1})


def ask_tables(
    tables: Mapping[str, pa.Table], text: str, parameters: Mapping[str, datetime | int], stop: Stop | None = None
) -> pa.Table:
    """The answer, from tables by the names that the text has for them; datetimes without a zone are UTC.

    Raises ReadError where the text and the tables do not fit.
    """
    with closing(_database().cursor()) as cursor:
        for name, rows in tables.items():
            cursor.register(name, _without_zones(rows))
        with duckdb_translated():
            return execute(cursor, text, parameters, stop or Stop())


def execute(
    cursor: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, datetime | int], stop: Stop
) -> pa.Table:
    """The answer of one statement, times in UTC, which DuckDB leaves unsaid. Raises what DuckDB raises."""
    with stop.interrupting(cursor.interrupt):
        return normalised(cursor.execute(text, dict(parameters)).to_arrow_table())


def _without_zones(rows: pa.Table) -> pa.Table:
    """DuckDB computes ten times faster with times that have no zone."""
    fields = [field.with_type(_NAIVE) if pa.types.is_timestamp(field.type) else field for field in rows.schema]
    return rows.cast(pa.schema(fields))
