"""What takes seconds to look up and is shown on a page that cannot wait: known as it was, until it is known anew."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError

AGAIN_SECONDS = 60.0
"""So long after a look that failed the next one begins."""

V = TypeVar("V")


@dataclass(frozen=True)
class Found(Generic[V]):
    value: V
    """The same object as long as a look finds what the one before did."""
    fault: SalesTrendsError | None
    """Why the last look found nothing; `value` is what the one before did."""


class BackgroundLook(Generic[V]):
    """One look at a time, in a thread of its own; any thread may ask, and none waits."""

    def __init__(self, what: str, look: Callable[[], V], first: V, every: float | None = None) -> None:
        """`first` is what is known before the first look has ended.

        A look begins when somebody asks for another state than the last one was of or, where `every` is given, so many
        seconds after the last one began.
        """
        self._what = what
        self._look = look
        self._every = every
        self._lock = threading.Lock()
        self._is_looking = False
        self._of: Hashable = self  # equal to no state that anybody asks for
        self._began = 0.0
        self._found: Found[V] = Found(first, None)

    def found(self, of: Hashable = None) -> Found[V]:
        """What the last look found; `of` is the state that it should be of."""
        with self._lock:
            if not self._is_looking and self._is_due(of):
                threading.Thread(target=self._run, name=f"look for {self._what}", daemon=True).start()
                self._is_looking, self._of, self._began = True, of, time.monotonic()
            return self._found

    def _is_due(self, of: Hashable) -> bool:
        if of != self._of:
            return True
        every = AGAIN_SECONDS if self._found.fault else self._every
        return every is not None and time.monotonic() - self._began >= every

    def _run(self) -> None:
        before = self._found.value
        found = Found(before, ReadError(f"Looking for {self._what} failed.", "It is tried again in a minute."))
        try:
            value = self._look()
            found = Found(before if value == before else value, None)
        except SalesTrendsError as fault:
            found = Found(before, fault)
        except Exception as error:
            told = f"Looking for {self._what} failed by a fault of Sales Trends itself."
            found = Found(before, ReadError(told, f"See {save_trace(error)}."))
        finally:
            with self._lock:
                self._found, self._is_looking = found, False
