"""What commands that ask the Iceberg tables have in common: who asks, until when, what is told, Ctrl-C answered."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from dashboard.access import Caller, Role
from dashboard.narration import Narrator
from dashboard.settings import Settings

if TYPE_CHECKING:
    from dashboard.desks.lake import LakeDesk
    from dashboard.readers.engine import Limits

T = TypeVar("T")

CALLER = Caller("the command", Role.OPS)
"""Whoever has a shell on this machine sees what ops see: every table, and no column that is secret."""
_TIMEOUT = timedelta(minutes=10)
"""Longer than a year of five-second windows takes to be read whole, which a mirror does once."""
_GIVE_UP_SECONDS = 1.0
_TELL_SECONDS = 1.0


def desk_of(settings: Settings) -> "LakeDesk":
    """Whoever asks once wants what there is now, however long it takes to catch up with it."""
    from dashboard.desks.lake import LakeDesk
    from dashboard.lake_engines import engine_of

    return LakeDesk(settings, engines=partial(engine_of, patience=_TIMEOUT))


def tell_progress(narrator: Narrator, desk: "LakeDesk") -> None:
    if progress := desk.progress(CALLER):
        narrator.say(progress.told)


def interruptible(work: "Callable[[Limits], T]", meanwhile: Callable[[], None] = lambda: None) -> T:
    """What it came to; Ctrl-C cancels it and is answered at once, however deep in a library it is.

    `meanwhile` is called every second.
    """
    cancelled, future = Event(), Future[T]()

    def carry_out() -> None:
        try:
            from dashboard.readers.engine import Limits

            future.set_result(work(Limits(_TIMEOUT, cancelled)))
        except BaseException as error:  # whoever waits raises it
            future.set_exception(error)

    Thread(target=carry_out, name="query", daemon=True).start()
    try:
        while not wait([future], _TELL_SECONDS).done:
            meanwhile()
    except KeyboardInterrupt:
        cancelled.set()
        wait([future], _GIVE_UP_SECONDS)
        raise
    return future.result()
