import threading
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cachetools import LRUCache

from dashboard.errors import ReadError
from dashboard.readers.engine import WITHOUT_HASTE, Limits
from dashboard.readers.shared_work import SharedWork, StoppedError
from tests.conftest import eventually


class Work:
    """Ends when it is let, or told to; counts how often it was begun."""

    def __init__(self, result: str = "done") -> None:
        self.begun = 0
        self.told_to_end = threading.Event()
        self.may_end = threading.Event()
        self._result = result

    def __call__(self, stop: threading.Event) -> str:
        self.begun += 1
        while not self.may_end.wait(0.01):
            if stop.is_set():
                self.told_to_end.set()
                raise StoppedError("stopped")
        return self._result


@pytest.fixture
def kept() -> LRUCache[Hashable, str]:
    return LRUCache(4, getsizeof=len)


@pytest.fixture
def shared(kept: LRUCache[Hashable, str]) -> Iterator[SharedWork[str]]:
    made = SharedWork(kept)
    yield made
    made.close()


def test_a_result_is_made_once_and_kept(shared: SharedWork[str]) -> None:
    work = Work("a")
    work.may_end.set()

    assert shared.get("key", work, WITHOUT_HASTE, "The work") == ("a", True)
    assert shared.get("key", work, WITHOUT_HASTE, "The work") == ("a", False)
    assert work.begun == 1
    shared.forget("key")
    assert shared.get("key", work, WITHOUT_HASTE, "The work") == ("a", True)


def test_what_is_larger_than_all_room_is_handed_out_and_not_kept(
    shared: SharedWork[str], kept: LRUCache[Hashable, str]
) -> None:
    work = Work("too large")
    work.may_end.set()

    assert shared.get("key", work, WITHOUT_HASTE, "The work") == ("too large", True)
    assert not kept


def test_the_room_is_bounded_and_the_oldest_goes_first(shared: SharedWork[str], kept: LRUCache[Hashable, str]) -> None:
    for key in ("first", "second", "third"):
        work = Work("12")
        work.may_end.set()
        shared.get(key, work, WITHOUT_HASTE, "The work")

    assert set(kept) == {"second", "third"}


def test_all_who_wait_are_told_of_a_failure_and_the_next_begins_anew(shared: SharedWork[str]) -> None:
    failing, begun = threading.Event(), []

    def fail(_: threading.Event) -> str:
        begun.append(1)
        failing.wait(5)
        raise ReadError("no luck")

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(shared.get, "key", fail, WITHOUT_HASTE, "The work") for _ in range(3)]
        eventually(lambda: begun, within_seconds=5, every_seconds=0.01)
        failing.set()
        for one in asked:
            with pytest.raises(ReadError, match="no luck"):
                one.result(5)

    with pytest.raises(ReadError, match="no luck"):
        shared.get("key", fail, WITHOUT_HASTE, "The work")
    assert len(begun) >= 2


def test_work_ends_when_the_last_who_wait_leave(shared: SharedWork[str]) -> None:
    work, cancelled = Work(), threading.Event()

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(shared.get, "key", work, Limits(cancelled=cancelled), "The work") for _ in range(2)]
        eventually(lambda: work.begun, within_seconds=5, every_seconds=0.01)
        with pytest.raises(ReadError, match=r"The work took longer than 0\.05 seconds; others still wait for it"):
            shared.get("key", work, Limits(timedelta(seconds=0.05)), "The work")
        assert not work.told_to_end.is_set()
        cancelled.set()
        told = [str(one.exception(5)) for one in asked]

    assert work.told_to_end.is_set()
    assert work.begun == 1
    assert sum("is not wanted any more, and was stopped" in one for one in told) == 1


def test_who_comes_after_the_last_has_left_gets_work_of_their_own(shared: SharedWork[str]) -> None:
    left, wanted = Work(), Work("wanted")
    wanted.may_end.set()

    with pytest.raises(ReadError, match="was stopped"):
        shared.get("key", left, Limits(timedelta(seconds=0.05)), "The work")

    assert shared.get("key", wanted, WITHOUT_HASTE, "The work") == ("wanted", True)


def test_an_interrupt_ends_the_work_too(shared: SharedWork[str], monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()

    def interrupted(*_: object) -> None:
        eventually(lambda: work.begun, within_seconds=5, every_seconds=0.01)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("dashboard.readers.shared_work.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shared.get("key", work, WITHOUT_HASTE, "The work")

    assert work.told_to_end.is_set()


def test_a_system_that_refuses_a_thread_once_keeps_nobody_from_asking_again(
    shared: SharedWork[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    work.may_end.set()
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", cannot_start)
        with pytest.raises(RuntimeError, match="thread"):
            shared.get("a", work, WITHOUT_HASTE, "A table")

    assert shared.get("a", work, Limits(timedelta(seconds=10)), "A table") == ("done", True)


def cannot_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
