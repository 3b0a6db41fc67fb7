"""What commands that ask the Iceberg tables have in common: who asks, until when, and that Ctrl-C is answered."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from dashboard.access import Caller, Role

if TYPE_CHECKING:
    from dashboard.readers.engine import Limits

T = TypeVar("T")

CALLER = Caller("the command", Role.OPS)
"""Whoever has a shell on this machine sees what ops see: every table, and no column that is secret."""
_TIMEOUT = timedelta(minutes=10)
"""Longer than a year of five-second windows takes to be read whole, which a mirror does once."""
_GIVE_UP_SECONDS = 1.0


def interruptible(work: "Callable[[Limits], T]") -> T:
    """What it came to; Ctrl-C cancels it and is answered at once, however deep in a library it is."""
    cancelled, future = Event(), Future[T]()

    def carry_out() -> None:
        try:
            from dashboard.readers.engine import Limits

            future.set_result(work(Limits(_TIMEOUT, cancelled)))
        except BaseException as error:  # whoever waits raises it
            future.set_exception(error)

    Thread(target=carry_out, name="query", daemon=True).start()
    try:
        wait([future])
    except KeyboardInterrupt:
        cancelled.set()
        wait([future], _GIVE_UP_SECONDS)
        raise
    return future.result()
