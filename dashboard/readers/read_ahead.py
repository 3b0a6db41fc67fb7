"""Reads on in another thread while what came before is worked on."""

from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.1


def read_ahead(items: Iterable[T], most: int) -> Iterator[T]:
    """The items in order, at most so many ahead. Raises what they raise; closed, it reads no more."""
    came: Queue[tuple[T] | BaseException | None] = Queue(most)
    unwanted = Event()
    thread = Thread(target=_read, args=(items, came, unwanted), name="read ahead", daemon=True)
    thread.start()
    try:
        while (one := came.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one[0]
    finally:
        unwanted.set()
        thread.join()


def _read(items: Iterable[T], came: "Queue[tuple[T] | BaseException | None]", unwanted: Event) -> None:
    end: BaseException | None = None
    try:
        for item in items:
            if not _put(came, (item,), unwanted):
                return
    except BaseException as error:  # whoever takes the items raises it
        end = error
    _put(came, end, unwanted)


def _put(came: "Queue[tuple[T] | BaseException | None]", one: tuple[T] | BaseException | None, unwanted: Event) -> bool:
    """Whether it is still wanted."""
    while not unwanted.is_set():
        try:
            came.put(one, timeout=_LOOK_SECONDS)
        except Full:
            continue
        return True
    return False
