"""How new the answers are that the dashboard's pages get from their engine."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dashboard.errors import SalesTrendsError
from dashboard.freshness.seen import Seen
from dashboard.readers.engine import Engine
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.zones import EARLIEST, LATEST

_NEWEST = "newest_window"
_RECENT = timedelta(days=1)
_AT_MOST_OLD = timedelta(seconds=1)


class PageReadings:
    """Looks again and again; one look at a time.

    A snapshot is asked once for its newest window: a question to a metered engine is paid for.
    """

    def __init__(self, engine: Callable[[], Engine], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = engine
        self._now = now
        self._seen_at = now()
        self._snapshot: Snapshot | None = None
        self._frontier: datetime | None = None

    def look(self) -> Seen:
        """While the newest state cannot be had, answers stay as they were and grow old."""
        engine, now = self._engine(), self._now()
        with suppress(SalesTrendsError):  # the age tells it, to within a second
            newest = engine.newest(_AT_MOST_OLD)
            if newest != self._snapshot:
                self._frontier = _newest_end(engine, now) if newest else None
                self._snapshot = newest
            self._seen_at = now
        return Seen(page_age=now - self._seen_at, page_frontier=self._frontier)


def _newest_end(engine: Engine, now: datetime) -> datetime | None:
    # a whole hour: the same question again is answered from what the engine keeps
    recent = (now - _RECENT).replace(minute=0, second=0, microsecond=0)
    for start in (recent, EARLIEST):
        rows = engine.ask(_NEWEST, {"start": start, "end": LATEST}).rows
        found: datetime | None = rows["window_end"][0].as_py() if len(rows) else None
        if found is not None:
            return found
    return None
