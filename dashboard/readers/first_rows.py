"""How much of some rows is no more than may be had."""

from bisect import bisect_right

import pyarrow as pa


def first_rows(rows: pa.RecordBatch, most_bytes: int) -> pa.RecordBatch:
    """As many of the first ones as have no more bytes together."""
    count = bisect_right(range(1, len(rows) + 1), most_bytes, key=lambda count: rows.slice(0, count).nbytes)
    return rows.slice(0, count)
