"""How many statements run at once, and that nobody has more than one of them."""

import threading
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import TracebackType

from dashboard.errors import ReadError

NO_PLACE: AbstractContextManager[None] = nullcontext()
"""For work that is not counted."""


class Place:
    """Taken until all have left that entered; whoever waits for work may give it up while the work goes on."""

    def __init__(self, places: "Places", by: str) -> None:
        self._places = places
        self._by = by
        self._inside = 0

    def __enter__(self) -> None:
        with self._places.changed:
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._places.changed:
            self._inside -= 1
            if not self._inside:
                self._places.taken.discard(self._by)
                self._places.changed.notify_all()


class Places:
    """Any thread may call."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken: set[str] = set()
        """The names of those who have one."""
        self.changed = threading.Condition()

    def take(self, by: str, wait: timedelta = timedelta(0)) -> Place:
        """Raises ReadError where there is none within that time; the taker has to enter it."""
        with self.changed:
            if self.changed.wait_for(lambda: self._has_one_for(by), wait.total_seconds()):
                self.taken.add(by)
                return Place(self, by)
            if by in self.taken:
                raise ReadError("A statement of yours runs already.", "Cancel it, or wait until it has ended.")
            raise ReadError(f"{self.most} statements run already.", "Try again when one of them is done.")

    def _has_one_for(self, by: str) -> bool:
        return by not in self.taken and len(self.taken) < self.most
