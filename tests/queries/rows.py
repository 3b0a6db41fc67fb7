"""Rows of the Iceberg tables for the tests of the queries; times are UTC and have no zone, as in the tables."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

TIMESTAMP = pa.timestamp("us")
WINDOWS = pa.schema([("window_start", TIMESTAMP), ("window_end", TIMESTAMP), ("total_revenue", pa.decimal128(18, 2))])
ORDERS = pa.schema([("ts", TIMESTAMP), ("amount", pa.float64()), ("$$partition", pa.int32()), ("$$offset", pa.int64())])


def windows(*given: tuple[datetime, str | None], seconds: int = 5) -> pa.Table:
    starts = [_naive(start) for start, _ in given]
    return pa.table(
        {
            "window_start": starts,
            "window_end": [start + timedelta(seconds=seconds) for start in starts],
            "total_revenue": [text and Decimal(text) for _, text in given],
        },
        schema=WINDOWS,
    )


def orders(*given: tuple[datetime, float | None], partition: int = 0, offset: int = 0) -> pa.Table:
    """When each was paid and its amount, in the order in which they reached the topic."""
    return pa.table(
        {
            "ts": [_naive(paid_at) for paid_at, _ in given],
            "amount": [amount for _, amount in given],
            "$$partition": [partition] * len(given),
            "$$offset": range(offset, offset + len(given)),
        },
        schema=ORDERS,
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
