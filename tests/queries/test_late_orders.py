from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from tests.queries.conftest import Ask
from tests.queries.rows import orders, windows

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = START + timedelta(hours=1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def late(
    ask: Ask, rows: pa.Table, placed: pa.Table | None, start: datetime = START, end: datetime = END
) -> list[tuple[float, int, Decimal]]:
    """Seconds after noon, orders and worth, of each window with late orders."""
    found = ask("late_orders", rows, placed, start=start, end=end)
    return [
        ((row["window_start"].replace(tzinfo=UTC) - START).total_seconds(), row["late_orders"], row["late_revenue"])
        for row in found
    ]


def test_what_comes_behind_the_orders_that_the_revenue_holds_is_late(ask: Ask) -> None:
    rows = windows((at(0), "3.00"), (at(5), "1.00"), (at(10), "9.00"))
    placed = orders((at(6), 1.0), (at(1), 3.0), (at(2), 0.5), (at(7), 1.005), (at(3), 0.25), (at(11), 8.0))

    assert late(ask, rows, placed) == [(0, 2, Decimal("0.75")), (5, 1, Decimal("1.01"))]


def test_of_a_window_without_a_row_all_are_late_once_a_later_window_is_there_be_it_behind_the_range(ask: Ask) -> None:
    placed = orders((at(1), 3.0), (at(2), 4.0))

    assert late(ask, windows(), placed) == []
    assert late(ask, windows((at(-5), "1.00")), placed) == []
    assert late(ask, windows((at(7200), "1.00")), placed) == [(0, 2, Decimal("7.00"))]


def test_orders_outside_the_range_are_not_asked_about(ask: Ask) -> None:
    rows = windows((at(20), "1.00"))
    placed = orders((at(1), 3.0), (at(5), 4.0), (at(11), 5.0))

    assert late(ask, rows, placed, start=at(5), end=at(10)) == [(5, 1, Decimal("4.00"))]


def test_nothing_is_late_that_may_be_in_time(ask: Ask) -> None:
    rows = windows((at(0), "3.00"), (at(5), "2.50"), (at(10), None), (at(15), "1.00"))
    missing, at_odds = orders((at(1), 1.0)), orders((at(6), 2.0), (at(7), 1.0))

    assert late(ask, rows, pa.concat_tables([missing, at_odds, orders((at(11), 1.0), offset=9)])) == []


def test_of_a_window_that_stands_there_twice_nothing_is_known(ask: Ask) -> None:
    rows = windows((at(0), "1.00"), (at(0), "1.00"), (at(5), "1.00"))

    assert late(ask, rows, orders((at(1), 1.0), (at(2), 1.0))) == []


def test_an_order_without_an_amount_is_late_and_worth_nothing(ask: Ask) -> None:
    rows = windows((at(0), "1.00"), (at(10), "1.00"))

    assert late(ask, rows, orders((at(1), 1.0), (at(2), None), (at(6), None))) == [
        (0, 1, Decimal("0.00")),
        (5, 1, Decimal("0.00")),
    ]


def test_without_a_table_of_orders_none_is_late(ask: Ask) -> None:
    assert late(ask, windows((at(0), "1.00")), None) == []
