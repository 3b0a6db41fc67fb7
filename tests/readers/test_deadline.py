import threading
import time
from contextlib import closing
from datetime import timedelta

import duckdb
import pytest

from dashboard.errors import ReadError
from dashboard.readers.deadline import Stop, within
from dashboard.readers.engine import WITHOUT_HASTE, Limits
from dashboard.readers.in_memory import execute
from tests.conftest import eventually

ENDLESS = "SELECT COUNT(*) FROM range(1000000000000) AS t (n) WHERE n % 7 = 1"


def soon(seconds: float = 0.2) -> Limits:
    return Limits(timeout=timedelta(seconds=seconds))


def endless(stop: Stop) -> None:
    with duckdb.connect() as connection, closing(connection.cursor()) as cursor:
        execute(cursor, ENDLESS, {}, stop)


def nothing_goes_on() -> bool:
    return not any(thread.name == "answer" for thread in threading.enumerate())


def test_what_is_done_in_time_is_what_the_work_came_to() -> None:
    assert within(WITHOUT_HASTE, lambda stop: 7) == 7


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        within(WITHOUT_HASTE, lambda stop: 1 // 0)


def test_a_query_that_takes_too_long_is_stopped_and_the_limit_is_named() -> None:
    with pytest.raises(ReadError, match=r"no answer within 0\.2 s"):
        within(soon(), endless)

    eventually(nothing_goes_on, 10, 0.05)


def test_a_query_that_nobody_wants_any_more_is_stopped() -> None:
    cancelled = threading.Event()
    timer = threading.Timer(0.2, cancelled.set)
    timer.start()

    with pytest.raises(ReadError, match="cancelled"):
        within(Limits(cancelled=cancelled), endless)

    eventually(nothing_goes_on, 10, 0.05)


def test_whoever_waits_is_let_go_though_the_work_cannot_be_stopped() -> None:
    release = threading.Event()
    begun = time.monotonic()

    with pytest.raises(ReadError, match="no answer within"):
        within(soon(), lambda stop: release.wait(30))

    assert time.monotonic() - begun < 10
    release.set()
    eventually(nothing_goes_on, 10, 0.05)


def test_work_that_looks_ends_at_its_next_look() -> None:
    looked = []

    def look(stop: Stop) -> None:
        while True:
            looked.append(time.monotonic())
            stop.check()
            time.sleep(0.01)

    with pytest.raises(ReadError, match="no answer within"):
        within(soon(), look)
    eventually(nothing_goes_on, 10, 0.05)


def test_a_call_that_begins_after_the_limit_is_not_begun() -> None:
    stop = Stop()
    stop.ask()

    with pytest.raises(ReadError), stop.interrupting(lambda: None):
        pytest.fail("the call was begun")
