"""Which orders came in time: by hand, and the same as the SQL that engines are asked says."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.readers.late_orders import Arrived, Lateness, Sum, Verdict, lateness
from dashboard.readers.questions import compose

START = datetime(2026, 3, 1, 12)  # noqa: DTZ001  # UTC without a zone, as engines are given it
WINDOW = timedelta(seconds=5)
WINDOWS = 12

Placed = tuple[int, int, Arrived]
"""The place of its window, the milliseconds in it, and the order."""


def by_offset(*cents: int, partition: int = 0) -> list[Arrived]:
    return [Arrived(partition, offset, one) for offset, one in enumerate(cents)]


def known(on_time: tuple[int, int], late: tuple[int, int]) -> Lateness:
    return Lateness(Verdict.KNOWN, Sum(*on_time), Sum(*late))


def test_orders_behind_those_that_the_revenue_holds_are_late() -> None:
    assert lateness(600, by_offset(100, 200, 300, 50, 7)) == known((3, 600), (2, 57))


def test_their_order_is_that_of_the_topic_and_not_that_in_which_they_are_given() -> None:
    assert lateness(300, reversed(by_offset(100, 200, 300))) == known((2, 300), (1, 300))


def test_orders_for_nothing_count_as_long_as_the_sum_fits() -> None:
    assert lateness(100, by_offset(0, 100, 0, 0, 5)) == known((4, 100), (1, 5))


def test_while_orders_are_missing_nothing_is_known() -> None:
    assert lateness(600, by_offset(100, 200)) == Lateness(Verdict.NOT_YET)
    assert lateness(600, []) == Lateness(Verdict.NOT_YET)
    assert lateness(0, []) == Lateness(Verdict.NOT_YET)


def test_orders_that_no_first_ones_of_fit_the_revenue_are_a_mismatch() -> None:
    assert lateness(250, by_offset(100, 200)) == Lateness(Verdict.MISMATCH)


def test_of_several_partitions_it_is_known_only_where_all_together_fit() -> None:
    both = [*by_offset(100), *by_offset(200, partition=3)]
    assert lateness(300, both) == known((2, 300), (0, 0))
    assert lateness(100, both) == Lateness(Verdict.UNCLEAR)
    assert lateness(301, both) == Lateness(Verdict.NOT_YET)


def test_of_a_window_that_closed_without_a_row_all_are_late_and_of_an_open_one_none_is_known_to_be() -> None:
    assert lateness(None, by_offset(100, 200)) == known((0, 0), (2, 300))
    assert lateness(None, by_offset(100, 200), closed=False) == Lateness(Verdict.NOT_YET)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"autoinstall_known_extensions": False, "threads": 1}) as connection:
        yield connection


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Placed], dict[int, int]]:
    """Orders of a few windows in the order of one or two partitions, and the revenue in cents of the windows."""
    partitions = draw(st.sampled_from([1, 1, 1, 2]))
    amounts = st.integers(0, 4) | st.integers(-3, 10**9)
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, WINDOWS - 1), st.integers(0, 4_999), st.integers(0, partitions - 1), amounts),
            max_size=60,
        )
    )
    orders = [(place, ms, Arrived(part, offset, cents)) for offset, (place, ms, part, cents) in enumerate(drawn)]
    revenue = {}
    for place in range(WINDOWS):
        its = [order.cents for at, _, order in orders if at == place]
        kind = draw(st.sampled_from(["none", "first ones", "first ones", "any"]))
        if kind == "first ones":
            revenue[place] = sum(its[: draw(st.integers(0, len(its)))])
        elif kind == "any":
            revenue[place] = draw(st.integers(0, 8))
    return orders, revenue


@settings(max_examples=40, deadline=None)
@given(histories())
def test_the_sql_for_engines_says_the_same_of_every_window(
    connection: duckdb.DuckDBPyConnection, history: tuple[list[Placed], dict[int, int]]
) -> None:
    orders, revenue = history
    closed_until = max(revenue, default=-1)
    expected = {}
    for place in range(WINDOWS):
        its = [order for at, _, order in orders if at == place]
        found = lateness(revenue.get(place), its, closed=place < closed_until) if its else Lateness(Verdict.NOT_YET)
        if found.verdict is Verdict.KNOWN and found.late and found.late.orders:
            expected[at_window(place)] = (found.late.orders, Decimal(found.late.cents).scaleb(-2))
    assert asked(connection, orders, revenue) == expected


def asked(
    connection: duckdb.DuckDBPyConnection, orders: list[Placed], revenue: dict[int, int]
) -> dict[datetime, tuple[int, Decimal]]:
    connection.register(
        "completed_orders",
        pa.table(
            {
                "amount": pa.array([order.cents / 100 for _, _, order in orders], pa.float64()),
                "ts": pa.array(
                    [at_window(at) + timedelta(milliseconds=ms) for at, ms, _ in orders], pa.timestamp("us")
                ),
                "$$partition": pa.array([order.partition for _, _, order in orders], pa.int32()),
                "$$offset": pa.array([order.offset for _, _, order in orders], pa.int64()),
            }
        ),
    )
    starts = [at_window(place) for place in revenue]
    connection.register(
        "revenue_summary",
        pa.table(
            {
                "window_start": pa.array(starts, pa.timestamp("us")),
                "window_end": pa.array([start + WINDOW for start in starts], pa.timestamp("us")),
                "total_revenue": pa.array(
                    [Decimal(cents).scaleb(-2) for cents in revenue.values()], pa.decimal128(18, 2)
                ),
            }
        ),
    )
    parameters = {"start": START, "end": at_window(WINDOWS), "window_seconds": 5}
    rows = connection.execute(compose("late_orders", "direct").text, parameters).fetchall()
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    return {start: (late, worth) for start, late, worth in rows}


def at_window(place: int) -> datetime:
    return START + place * WINDOW
