import threading
from collections.abc import Iterator

import pytest

from dashboard.readers.read_ahead import read_ahead
from tests.conftest import eventually


def test_what_is_read_comes_in_order_and_whole() -> None:
    assert list(read_ahead(range(1_000), 3)) == list(range(1_000))


def test_what_fails_while_reading_fails_where_it_is_taken_after_all_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("torn")

    items = read_ahead(failing(), 3)

    assert next(items) == 1
    with pytest.raises(ValueError, match="torn"):
        next(items)


def test_no_more_is_read_than_it_may_be_ahead_and_nothing_once_nobody_takes_it() -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        for number in range(1_000_000):
            read.append(number)
            yield number

    before = threading.active_count()
    items = read_ahead(endless(), 2)
    assert next(items) == 0
    eventually(lambda: len(read) >= 4, 10)
    assert len(read) <= 4

    items.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before
