"""The right to look at a target, keep its history and tell of it: one process has it at a time.

On one machine it is a lock of the operating system, which a killed process lets go of. For a target that people watch
from several machines it is membership besides: the one partition of a topic in a consumer group of the target's Kafka.
Who has not got it reads what the holder keeps.
While that Kafka cannot be asked the lock alone decides: better that several machines tell of it than none.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.kafka_membership import SESSION_SECONDS, Membership

_GROUP = "sales-trends-watch"
_WAIT_SECONDS = SESSION_SECONDS + 5.0
"""Longer than a member that was killed is still taken for one."""


class Lease:
    """Free at first; `take` as often as wanted, such as before each look. Any thread may ask."""

    def __init__(
        self, file: Path, membership: Callable[[], Membership] | None = None, within_seconds: float = _WAIT_SECONDS
    ) -> None:
        """`file` is the same for all processes of a machine that watch the target."""
        self._file = file
        self._make = membership
        self._within_seconds = within_seconds
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._member: Membership | None = None
        self._locked = False
        self.alone: SalesTrendsError | None = None
        """Why the lock alone decided the last time, though others may watch from other machines."""

    def take(self) -> bool:
        """Whether this process has it now; tries at once for the lock, and for the membership as long as was said.

        Raises ReadError when the file cannot be used.
        """
        with self._lock:
            if self._holds() and self.alone is None:
                return True
            self._let_go()
            return self._take()

    @property
    def held(self) -> bool:
        """Whether this process has it; it may have been lost."""
        with self._lock:
            return self._holds()

    def release(self) -> None:
        with self._lock:
            self._let_go()

    def _holds(self) -> bool:
        return self._locked and (self._member is None or self._member.held)

    def _take(self) -> bool:
        with ExitStack() as stack:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(self._file, timeout=0, thread_local=False)
                stack.callback(lock.release)
                lock.acquire()
            except Timeout:
                return False
            except OSError as error:
                raise ReadError(
                    f"The lock {self._file} cannot be used: {error.strerror or error}.", "Make room or grant the right."
                ) from error
            self.alone, member = None, None
            if self._make is not None:
                try:
                    member = stack.enter_context(self._make().sought(self._within_seconds))
                    if not member.held:
                        # it raises where the right did not come because Kafka is away
                        member.holder()
                        return False
                except (SettingsError, UnreachableError) as fault:
                    self.alone, member = fault, None
            self._member, self._locked = member, True
            self._stack = stack.pop_all()
        return True

    def _let_go(self) -> None:
        self._locked, self._member = False, None
        self._stack.close()


def watching_on(kafka: Kafka, topic: str, who: str) -> Callable[[], Membership]:
    """The right over all machines, by a topic of one partition that the pipeline has anyway; nothing of it is read."""
    return lambda: Membership(kafka.access, _GROUP, topic, who)
