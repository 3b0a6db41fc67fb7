"""A trend with what is ahead of the commit in its bars: windows that are in Kafka alone, and those still open."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.readers.lake_table import TIMESTAMP
from dashboard.readers.revenue import BUCKETS, FAULTS, Frame, Range, Trend, as_buckets, frame
from dashboard.readers.zones import bucket_end, bucket_start

if TYPE_CHECKING:
    # the clients of Kafka, which whoever looks at the table alone does not need
    from dashboard.readers.streamed import Ahead

_OPEN_BARS = 60
"""So many of open windows at most: an order with a wrong time would stretch the chart over years."""
_SUMS = ("windows", "revenue", "streamed_windows", "streamed", "open_windows", "open")


def with_ahead(trend: Trend | None, ahead: "Ahead", asked: Range, zone: ZoneInfo) -> Trend | None:
    """The trend as it will be when all that is streamed is committed, so that no total jumps when it is.

    `ahead` is of the state that the trend is of, and `trend` None where that holds no window; then all comes from what
    is streamed, and is None while that is nothing. A trend at fault, or of which it is not known yet what is ahead, is
    given as it is.
    """
    if not ahead.is_known or (trend is not None and len(trend.faults)):
        return trend
    base = _of_streamed(ahead.streamed, asked, zone) if trend is None else trend
    if base is None:
        return None
    framed = _frame(base, ahead.streamed, asked, zone)
    streamed = ahead.streamed.filter(pc.greater_equal(ahead.streamed["window_start"], pa.scalar(framed.start)))
    moved = _moved(base, streamed, framed.start)
    drawn = [one for one in ahead.open if one.start < moved.end + _OPEN_BARS * base.bucket]
    kept = base.buckets.filter(pc.greater_equal(base.buckets["bucket_start"], pa.scalar(framed.start)))
    amounts = pa.array([one.revenue for one in drawn], BUCKETS.field("open").type)
    parts = [
        _part(streamed["window_start"].to_pylist(), framed, "streamed", streamed["total_revenue"]),
        _part([one.start for one in drawn], framed, "open", amounts),
    ]
    return replace(
        moved,
        buckets=_together([kept, *parts]),
        faults=_without_amount(streamed),
        is_ahead=True,
        open_later=len(ahead.open) - len(drawn),
    )


def wider(trend: Trend | None, ahead: "Ahead", asked: Range) -> Range | None:
    """The range to ask for instead, where what is streamed makes it too long for buckets as small as the trend's."""
    if trend is None or asked.span is not None or not ahead.is_known or not len(ahead.streamed):
        return None
    end = max(trend.end, _newest(ahead.streamed)["window_end"])
    bucket = frame(asked, trend.grid, first=trend.known_from, end=end, window=trend.window).bucket
    return Range(None, bucket) if bucket > trend.bucket else None


def _of_streamed(streamed: pa.Table, asked: Range, zone: ZoneInfo) -> Trend | None:
    """The range before anything is committed; its bars are still to come."""
    if not len(streamed):
        return None
    first, newest = streamed["window_start"][0].as_py(), _newest(streamed)
    window = newest["window_end"] - newest["window_start"]
    framed = frame(asked, zone, first=first, end=newest["window_end"], window=window)
    return Trend(
        start=framed.start,
        end=newest["window_end"],
        known_from=max(framed.start, first),
        window=window,
        bucket=framed.bucket,
        grid=framed.grid,
        buckets=BUCKETS.empty_table(),
        newest_start=newest["window_start"],
        newest_revenue=newest["total_revenue"],
        faults=FAULTS.empty_table(),
        snapshot=None,
        committed_until=None,
    )


def _frame(trend: Trend, streamed: pa.Table, asked: Range, zone: ZoneInfo) -> Frame:
    """Where the range begins when it ends with the newest window that has closed; in buckets like the trend's."""
    first, end = trend.known_from, trend.end
    if len(streamed):
        first, end = min(first, streamed["window_start"][0].as_py()), max(end, _newest(streamed)["window_end"])
    as_before = Range(asked.span, trend.bucket)
    return frame(as_before, zone, first=first, end=end, window=trend.window, grid=trend.grid)


def _moved(trend: Trend, streamed: pa.Table, start: datetime) -> Trend:
    """The trend up to the newest of what is streamed since `start`, but for its bars."""
    if not len(streamed):
        return replace(trend, start=start, known_from=max(start, trend.known_from))
    first, newest = streamed["window_start"][0].as_py(), _newest(streamed)
    moved = replace(trend, start=start, known_from=max(start, min(trend.known_from, first)))
    if newest["window_end"] <= trend.end:
        return moved
    return replace(
        moved,
        end=newest["window_end"],
        newest_start=newest["window_start"],
        newest_revenue=newest["total_revenue"],
    )


def _newest(streamed: pa.Table) -> dict[str, Any]:
    newest: dict[str, Any] = streamed.slice(len(streamed) - 1).to_pylist()[0]
    return newest


def _part(starts: list[datetime], framed: Frame, kind: str, amounts: pa.Array | pa.ChunkedArray) -> pa.Table:
    """One row for each window, by BUCKETS."""
    buckets = [bucket_start(start, framed.bucket, framed.grid) for start in starts]
    ends = [bucket_end(start, framed.bucket, framed.grid) for start in buckets]
    return as_buckets(
        pa.table(
            {
                "bucket_start": pa.array(buckets, TIMESTAMP),
                "bucket_end": pa.array(ends, TIMESTAMP),
                f"{kind}_windows": pa.array([1] * len(starts), pa.int64()),
                kind: amounts,
            }
        )
    )


def _together(parts: Iterable[pa.Table]) -> pa.Table:
    """One row for each bucket, oldest first."""
    summed = (
        pa.concat_tables(parts)
        .group_by(["bucket_start", "bucket_end"], use_threads=False)
        .aggregate([(name, "sum") for name in _SUMS])
        .rename_columns(["bucket_start", "bucket_end", *_SUMS])
        .sort_by("bucket_start")
    )
    return summed.select(BUCKETS.names).cast(BUCKETS)


def _without_amount(streamed: pa.Table) -> pa.Table:
    """By FAULTS, the windows that came without one."""
    found = streamed.filter(pc.is_null(streamed["total_revenue"]))
    return found.append_column("fault", pa.array(["no amount"] * len(found), pa.string())).cast(FAULTS)
