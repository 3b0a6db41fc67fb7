from datetime import UTC, datetime, timedelta

import pytest

from dashboard.freshness.backlog import Backlog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def second(number: float) -> datetime:
    return NOON + timedelta(seconds=number)


def watched(*seen: tuple[float, int]) -> Backlog:
    """By second, the end that was seen."""
    backlog = Backlog()
    for at, end in seen:
        backlog.note("payments", end, second(at))
    return backlog


def seconds(backlog: Backlog, pending: int) -> float | None:
    waited = backlog.waited("payments", pending)
    return None if waited is None else waited.total_seconds()


@pytest.mark.parametrize(("pending", "waited"), [(0, 0), (100, 1), (500, 5), (999, 9.99), (1_000, 10)])
def test_under_a_steady_flow_records_wait_as_long_as_they_took_to_come(pending: int, waited: float) -> None:
    backlog = watched(*((number, 100 * number) for number in range(11)))
    assert seconds(backlog, pending) == pytest.approx(waited)


def test_what_waits_grows_older_while_nothing_comes() -> None:
    backlog = watched((0, 0), (10, 100), (20, 100), (70, 100))
    assert seconds(backlog, 50) == pytest.approx(65)


def test_what_comes_after_a_silence_did_not_come_during_it() -> None:
    backlog = watched((0, 0), (10, 100), (3_600, 100), (3_602, 200))
    assert seconds(backlog, 100) == pytest.approx(2)
    assert seconds(backlog, 50) == pytest.approx(1)
    assert seconds(backlog, 101) == pytest.approx(3_592.1)


def test_what_came_before_anybody_looked_has_waited_at_least_since_then() -> None:
    backlog = watched((0, 5_000), (30, 5_010))
    assert seconds(backlog, 4_000) == pytest.approx(30)


def test_nothing_is_known_at_the_first_look_nor_of_another_topic() -> None:
    backlog = watched((0, 5_000))
    assert seconds(backlog, 10) is None
    assert backlog.waited("orders", 10) is None
    assert backlog.waited("orders", 0) == timedelta(0)


def test_a_topic_made_anew_begins_anew() -> None:
    backlog = watched((0, 0), (10, 1_000), (20, 5))
    assert seconds(backlog, 3) is None
    backlog.note("payments", 10, second(24))
    assert seconds(backlog, 5) == pytest.approx(4)


def test_days_of_looks_are_held_in_few_points_and_still_tell_the_time() -> None:
    backlog = watched(*((2 * number, 20 * number) for number in range(50_000)))
    assert sum(map(len, backlog._points.values())) <= 241
    for pending in (100, 1_000, 100_000):
        assert seconds(backlog, pending) == pytest.approx(pending / 10)
