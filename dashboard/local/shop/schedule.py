"""When the next orders come: first those of the planned past, then one after the other at the live rate."""

import bisect
from collections.abc import Sequence

LONGEST_PAUSE_MS = 2_000
"""A live feed that is this far behind the clock was paused, and goes on from now."""
LONGEST_GAP_MS = 120_000
MOST_GAP_ORDERS = 50_000
"""A gap between the past and going live is filled at the live rate, unless it is longer or holds more than this."""


class Schedule:
    """The places of orders in time, in milliseconds, ascending, each given once."""

    def __init__(self, past: Sequence[int], *, end_ms: float, period_ms: float) -> None:
        """`past` holds the planned places still to come; from `end_ms` on there is one order every `period_ms`."""
        self._past = past
        self._given = 0
        self._period_ms = period_ms
        self._next_ms = end_ms + period_ms

    @property
    def next_ms(self) -> float:
        """The place of the next order."""
        return self._past[self._given] if self._given < len(self._past) else self._next_ms

    def due(self, now: int, limit: int) -> list[int]:
        """The next orders' places up to `now`, at most `limit` of them."""
        until = bisect.bisect_right(self._past, now, lo=self._given, hi=min(self._given + limit, len(self._past)))
        places = [int(place) for place in self._past[self._given : until]]
        self._given = until
        if self._given == len(self._past) and self._next_ms <= now:
            count = min(int((now - self._next_ms) // self._period_ms) + 1, limit - len(places))
            places += [int(self._next_ms + index * self._period_ms) for index in range(count)]
            self._next_ms += count * self._period_ms
        return places

    def skip_pause(self, now: int, *, live: bool) -> float:
        """Leaves out what a pause has made overdue, never any of the past; how many milliseconds that is."""
        behind_ms = now - self._next_ms
        longest_ms = LONGEST_PAUSE_MS if live else min(LONGEST_GAP_MS, MOST_GAP_ORDERS * self._period_ms)
        if self._given < len(self._past) or behind_ms <= longest_ms:
            return 0.0
        self._next_ms = float(now)
        return behind_ms
