"""The time a fake lives by: the machine's, or one that a test moves by hand."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


class Clock:
    """Seconds that only go up, and the moment they stand for."""

    def __init__(self) -> None:
        self._start = self.now()
        self._started_at = datetime.now(UTC)

    def now(self) -> float:
        return time.monotonic()

    def moment(self) -> datetime:
        """In UTC."""
        return self._started_at + timedelta(seconds=self.now() - self._start)

    def stamp(self) -> str:
        """This moment in UTC, RFC 3339 with microseconds."""
        return self.moment().isoformat(timespec="microseconds").replace("+00:00", "Z")


class ManualClock(Clock):
    """Stands still until a test advances it."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__()

    def now(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._seconds += seconds


@dataclass
class Delays:
    """How long what is asynchronous takes, in seconds; a test may change each at any time."""

    pending: float = 0.05
    """From PENDING to the phase that follows."""
    stopping: float = 0.05
    """From an accepted stop to STOPPED."""
    deleting: float = 0.1
    """From an accepted delete until a statement is gone."""
    listed_after_delete: float = 0.1
    """How much longer lists go on showing it."""
    tableflow: float = 0.1
    """From PENDING to RUNNING of a topic, and to CONNECTED of a catalog integration."""
    metrics: float = 90
    """From the end of a minute until its metrics can be asked for."""
