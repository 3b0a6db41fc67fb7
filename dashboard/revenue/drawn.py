"""One view of revenue as it was drawn last, and drawn anew no more often than what it shows has changed."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.annotations import Annotation
from dashboard.charts import SharedFigure
from dashboard.readers.engine import Engine
from dashboard.readers.lake_table import Snapshot
from dashboard.revenue.charts import heat_map, revenue_bars, running_lines
from dashboard.revenue.marks import add_caption, add_happened, happened_in
from dashboard.revenue.view import HEAT, RUNNING
from dashboard.trends.sales import NOTHING_AHEAD, Ahead, NewState
from dashboard.trends.trend import Asked, Trend, trend

if TYPE_CHECKING:
    # the clients of Kafka, which whoever looks at the table alone does not need
    from dashboard.readers import streamed

OPEN_SECONDS = 2.0
"""For so long the bars stay while nothing but open windows changes: a chart that is drawn anew closes its hover."""


@dataclass(frozen=True)
class Marks:
    """What is marked on a chart besides what was sold."""

    revised: frozenset[datetime] = frozenset()
    """The starts of windows that are not what they were at first."""
    happened: tuple[Annotation, ...] = ()
    """At any time, as everybody may see it."""


NO_MARKS = Marks()


@dataclass(frozen=True)
class Drawn:
    """A trend and its figure, the same objects as long as nothing has changed. Shared: never change them."""

    trend: Trend | None
    """None while no window has closed."""
    figure: SharedFigure | None
    """None without a trend, and while it has faults: a wrong bar is worse than none."""
    is_ahead: bool
    """Whether what is ahead of the commit is in it; else nothing is streamed and nothing open."""
    happened: tuple[Annotation, ...] = ()
    """In the range, the earliest first; the newest of it is marked on the figure, but for a heat map."""


class DrawnRevenue:
    """One for all who look at the same in the same zone; any thread may ask."""

    def __init__(self, asked: Asked, show: str, source: str = "", *, is_selectable: bool = True) -> None:
        """`show` is a name of `revenue.view.SHOWS`; `source` says on a picture of the chart what it is of."""
        self._asked = asked
        self._source = source
        self._show = show
        self._is_selectable = is_selectable
        self._lock = threading.Lock()
        self._of: tuple[Snapshot | None, streamed.Ahead | None, Marks] | None = None
        self._drawn_at = 0.0
        self.last = Drawn(None, None, is_ahead=False)
        """What was drawn last."""

    def of(
        self, engine: Engine, snapshot: Snapshot | None, ahead: "streamed.Ahead | None", marks: Marks = NO_MARKS
    ) -> Drawn:
        """The trend of that state with what is ahead of it, which must be of the same one.

        Raises NewState where the engine has another one by now, and what
        `trend` raises.
        """
        with self._lock:
            if self._of is None or (snapshot, marks) != self._of[::2] or not self._stands(self._of[1], ahead):
                self.last = self._draw(engine, snapshot, ahead, marks)
                self._of, self._drawn_at = (snapshot, ahead, marks), time.monotonic()
            return self.last

    def _draw(self, engine: Engine, snapshot: Snapshot | None, ahead: "streamed.Ahead | None", marks: Marks) -> Drawn:
        is_ahead = ahead is not None and ahead.is_known
        more = Ahead(ahead.streamed, ahead.open) if ahead is not None and ahead.is_known else NOTHING_AHEAD
        found = trend(engine, self._asked, ahead=more, revised=marks.revised)
        if found is not None and found.snapshot != snapshot:
            raise NewState
        if found is None or len(found.faults):
            return Drawn(found, None, is_ahead)
        happened = happened_in(found, marks.happened)
        figure = self._figure(found, is_ahead=is_ahead)
        if self._show != HEAT:
            add_happened(figure, found, happened)
        add_caption(figure, found, self._source, has_bars=self._show != HEAT, is_ahead=is_ahead)
        return Drawn(found, figure, is_ahead, tuple(happened))

    def _stands(self, before: "streamed.Ahead | None", ahead: "streamed.Ahead | None") -> bool:
        if before is None or ahead is None or before.is_known != ahead.is_known:
            return before is ahead
        if not ahead.is_known:
            return True
        if before.streamed is not ahead.streamed:
            # a window came, or the table is in another state: else it is the same object
            return False
        return before.open == ahead.open or time.monotonic() - self._drawn_at < OPEN_SECONDS

    def _figure(self, found: Trend, *, is_ahead: bool) -> SharedFigure:
        if self._show == HEAT:
            return heat_map(found)
        draw = running_lines if self._show == RUNNING else revenue_bars
        return draw(found, is_ahead=is_ahead, is_selectable=self._is_selectable)
