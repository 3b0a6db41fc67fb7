"""Rows as a reader sees them on the screen and in the file that can be downloaded: local times, plain names, CSV."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from dashboard.wording import no_formula


def bars_as_rows(buckets: pa.Table, *, end: datetime, zone: ZoneInfo, is_ahead: bool = False) -> pa.Table:
    """The bars of a chart, newest first: start, revenue, windows, end; a phone shows the first two.

    Revenue and windows are of all that closed; where `is_ahead`, two more columns tell how much of it is streamed and
    not saved yet, and how much more is open so far. A bar that is still filling ends at `end`, one that is open alone
    where its time does. Times are text in the time of `zone` with its offset, such as 2026-03-01 13:00:00+01:00, so
    that the hour which an autumn night has twice can be told apart.
    """
    newest_first = buckets[::-1]
    columns = {
        "start": _local(newest_first["bucket_start"], zone),
        "revenue": _added(newest_first["revenue"], newest_first["streamed"]),
        "windows": pc.add(newest_first["windows"], newest_first["streamed_windows"]),
        "end": _ends(newest_first, zone, end),
    }
    if is_ahead:
        columns |= {"streamed": newest_first["streamed"], "open": newest_first["open"]}
    return pa.table(columns)


def faults_as_rows(faults: pa.Table, *, zone: ZoneInfo) -> pa.Table:
    """The windows at fault, oldest first: start, fault, revenue, end."""
    return pa.table(
        {
            "start": _local(faults["window_start"], zone),
            "fault": faults["fault"],
            "revenue": faults["total_revenue"],
            "end": _local(faults["window_end"], zone),
        }
    )


def as_csv(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink)
    return bytes(sink.getvalue())


def answer_as_csv(rows: pa.Table) -> bytes:
    """What SQL of somebody's came to: times in UTC, nested values as JSON, and no cell that a spreadsheet would run."""
    columns = [_cells(rows[place]) for place in range(rows.num_columns)]
    return as_csv(pa.table(columns, names=rows.schema.names))


def answer_as_parquet(rows: pa.Table) -> bytes:
    """The same with its types."""
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(rows, sink)
    return bytes(sink.getvalue())


def _cells(values: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = values.type
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return values
    told = (one if isinstance(one, str) or one is None else json.dumps(one, default=str) for one in values.to_pylist())
    return pa.array([one if one is None else no_formula(one) for one in told], pa.string())


def _added(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.Array:
    # Arrow has no room for a digit more, though none is needed
    return pa.array([a + b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)], one.type)


def _ends(buckets: pa.Table, zone: ZoneInfo, known_until: datetime) -> pa.Array:
    known = pa.scalar(known_until, buckets["bucket_end"].type)
    is_filling = pc.and_(pc.less(buckets["bucket_start"], known), pc.greater(buckets["bucket_end"], known))
    return _local(pc.if_else(is_filling, known, buckets["bucket_end"]), zone)


def _local(moments: pa.ChunkedArray, zone: ZoneInfo) -> pa.Array:
    return pa.array([at.astimezone(zone).isoformat(" ") for at in moments.to_pylist()], pa.string())
