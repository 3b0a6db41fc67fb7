"""The revenue of one range as it was drawn last, and drawn anew no more often than what it shows has changed."""

import threading
import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from dashboard.charts import revenue_bars
from dashboard.readers.revenue import Range, Trend
from dashboard.readers.revenue_ahead import with_ahead

if TYPE_CHECKING:
    from dashboard.readers.streamed import Ahead

OPEN_SECONDS = 2.0
"""For so long the bars stay while nothing but open windows changes: a chart that is drawn anew closes its hover."""


class DrawnRevenue:
    """One for all who look at a range in a zone; any thread may ask."""

    def __init__(self, asked: Range, zone: ZoneInfo) -> None:
        self._asked = asked
        self._zone = zone
        self._lock = threading.Lock()
        self._of: tuple[Trend | None, Ahead | None] | None = None
        self._shown: tuple[Trend | None, go.Figure | None] = None, None
        self._drawn_at = 0.0

    def of(self, committed: Trend | None, ahead: "Ahead | None") -> tuple[Trend | None, go.Figure | None]:
        """The trend with what is ahead of it, and its figure; without one where a sum would be wrong.

        Both are the same objects as before while nothing has changed, so that they can be told apart by that.
        """
        with self._lock:
            if self._of is None or committed is not self._of[0] or not self._stands(self._of[1], ahead):
                shown = committed if ahead is None else with_ahead(committed, ahead, self._asked, self._zone)
                self._shown = shown, None if shown is None or len(shown.faults) else self._figure(shown)
                self._of, self._drawn_at = (committed, ahead), time.monotonic()
            return self._shown

    def _stands(self, before: "Ahead | None", ahead: "Ahead | None") -> bool:
        if before is None or ahead is None or before.is_known != ahead.is_known:
            return before is ahead
        if not ahead.is_known:
            return True
        if before.streamed is not ahead.streamed:
            # a window came, or the table is in another state: else it is the same object
            return False
        return before.open == ahead.open or time.monotonic() - self._drawn_at < OPEN_SECONDS

    def _figure(self, trend: Trend) -> go.Figure:
        return revenue_bars(
            trend.buckets,
            start=trend.start,
            end=trend.end,
            bucket=trend.bucket,
            zone=self._zone,
            is_ahead=trend.is_ahead,
        )
