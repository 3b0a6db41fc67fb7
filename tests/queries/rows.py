"""Rows of `revenue_summary` for the tests of the queries; times are UTC and have no zone, as in the table."""

from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("window_start", pa.timestamp("us")),
        ("window_end", pa.timestamp("us")),
        ("total_revenue", pa.decimal128(18, 2)),
    ]
)


def windows(*given: tuple[datetime, str | None], seconds: int = 5) -> pa.Table:
    return pa.table(
        {
            "window_start": [start for start, _ in given],
            "window_end": [start + timedelta(seconds=seconds) for start, _ in given],
            "total_revenue": [text and Decimal(text) for _, text in given],
        },
        schema=SCHEMA,
    )
