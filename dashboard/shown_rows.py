"""Rows as a reader sees them on the screen and in the file that can be downloaded: local times, plain names, CSV."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv


def bars_as_rows(buckets: pa.Table, *, end: datetime, zone: ZoneInfo) -> pa.Table:
    """The bars of a chart, newest first: start, revenue, windows, end; a phone shows the first two.

    A bar that is still filling ends at `end`. Times are text in the time of `zone` with its offset, such as
    2026-03-01 13:00:00+01:00, so that the hour which an autumn night has twice can be told apart.
    """
    newest_first = buckets[::-1]
    return pa.table(
        {
            "start": _local(newest_first["bucket_start"], zone),
            "revenue": newest_first["revenue"],
            "windows": newest_first["windows"],
            "end": _local(newest_first["bucket_end"], zone, latest=end),
        }
    )


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


def _local(moments: pa.ChunkedArray, zone: ZoneInfo, latest: datetime | None = None) -> pa.Array:
    texts = [(min(at, latest) if latest else at).astimezone(zone).isoformat(" ") for at in moments.to_pylist()]
    return pa.array(texts, pa.string())
