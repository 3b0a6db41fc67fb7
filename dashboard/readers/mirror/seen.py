"""What is known of windows from going once through them: cheap, and enough to spare most of them being sorted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVER = datetime(9999, 1, 1, tzinfo=UTC)
NEVER = datetime(1, 1, 1, tzinfo=UTC)
_CENTS_SCALE = 2
_VERIFY = "`sales-trends verify` lists what is wrong."


@dataclass
class Seen:
    """Of all the batches that were looked at."""

    longest: timedelta = timedelta(0)
    starts: datetime = EVER
    """Of the first window; EVER of none."""
    ends: datetime = NEVER
    """Of the last one; NEVER of none."""
    newest: timedelta = timedelta(0)
    """How long the last one is."""
    largest: Decimal = Decimal(0)
    """The largest amount, whatever its sign."""
    _are_in_order: bool = True
    _stretches: list[tuple[int, int]] = field(default_factory=list)
    """Start and end of each batch, in microseconds since the epoch."""

    def look(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Gives it back. Raises ReadError for rows that are no windows, and amounts that are not in cents."""
        if batch["window_start"].null_count or batch["window_end"].null_count:
            raise ReadError("revenue_summary has rows without a window.", _VERIFY)
        amounts = batch.schema.field("total_revenue").type
        if not pa.types.is_decimal(amounts) or amounts.scale > _CENTS_SCALE:
            raise ReadError(
                f"The amounts of revenue_summary are {amounts}, not decimals with two places.",
                "Choose another engine for this table, or make it by pipeline_sql/.",
            )
        if not len(batch):
            return batch
        starts, ends = microseconds(batch["window_start"]), microseconds(batch["window_end"])
        if (ends <= starts).any():
            raise ReadError("revenue_summary has a window that does not end after it begins.", _VERIFY)
        self._are_in_order = self._are_in_order and bool(np.all(starts[1:] >= ends[:-1]))
        self._stretches.append((int(starts.min()), int(ends.max())))
        edges = pc.min_max(batch["total_revenue"]).as_py()
        self.largest = max(self.largest, *(abs(edge) for edge in edges.values() if edge is not None), Decimal(0))
        self.longest = max(self.longest, timedelta(microseconds=int((ends - starts).max())))
        self.starts = min(self.starts, moment(self._stretches[-1][0]))
        if moment(self._stretches[-1][1]) > self.ends:
            last = int(ends.argmax())
            self.ends, self.newest = moment(int(ends[last])), timedelta(microseconds=int(ends[last] - starts[last]))
        return batch

    @property
    def follow_each_other(self) -> bool:
        """Whether no two windows share time, and each batch is in order; batches may come in any order."""
        ordered = sorted(self._stretches)
        return self._are_in_order and all(one[1] <= next_[0] for one, next_ in pairwise(ordered))


def moment(microseconds_: int) -> datetime:
    """So many after the epoch, UTC."""
    return EPOCH + timedelta(microseconds=microseconds_)


def microseconds(column: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Of a column of times, since the epoch."""
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = column.cast(pa.int64()).to_numpy()
    return found
