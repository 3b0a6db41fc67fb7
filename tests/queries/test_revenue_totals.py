from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.readers.in_memory import ask_tables
from dashboard.readers.questions import compose
from tests.queries.conftest import Ask
from tests.queries.rows import orders, windows

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = START + timedelta(hours=1)
NOTHING = {"windows": 0, "revenue": None, "orders": None, "uncounted": None, "faults": None}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def totals(ask: Ask, rows: pa.Table, placed: pa.Table | None = None, **bounds: datetime) -> dict[str, Any]:
    (row,) = ask("revenue_totals", rows, placed, **{"start": START, "end": END, **bounds})
    return row


def test_a_stretch_without_a_window_has_one_row_that_says_so(ask: Ask) -> None:
    assert totals(ask, windows()) == NOTHING
    assert totals(ask, windows(), orders((at(1), 1.0))) == NOTHING


def test_revenue_and_orders_of_all_windows_are_summed(ask: Ask) -> None:
    rows = windows((at(5), "3.00"), (at(0), "1.10"))

    found = totals(ask, rows, orders((at(0), 1.1), (at(5), 1.0), (at(9.999999), 2.0)))

    assert found == {
        "windows": 2,
        "revenue": Decimal("4.10"),
        "orders": 3,
        "uncounted": 0,
        "faults": 0,
    }


# orders that were on time


def test_orders_that_came_after_their_window_had_closed_are_not_counted(ask: Ask) -> None:
    placed = orders((at(1), 2.0), (at(2), 1.0), (at(7), 5.0), (at(3), 4.0), (at(4), 8.0))

    found = totals(ask, windows((at(0), "3.00"), (at(5), "5.00")), placed)

    assert (found["orders"], found["uncounted"]) == (3, 0)


def test_of_windows_whose_orders_are_not_committed_yet_it_is_not_known_how_many(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00"), (at(5), "5.00")), orders((at(1), 3.0), (at(6), 4.0)))

    assert (found["orders"], found["uncounted"], found["revenue"]) == (1, 1, Decimal("8.00"))


def test_without_a_table_of_orders_no_window_is_counted(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00"), (at(5), "5.00")))

    assert (found["orders"], found["uncounted"], found["faults"]) == (None, 2, 0)


def test_orders_of_several_partitions_are_counted_where_all_together_are_right(ask: Ask) -> None:
    placed = pa.concat_tables(
        [
            orders((at(1), 1.0), (at(6), 1.0), (at(7), 9.0)),
            orders((at(2), 2.0), (at(6), 2.0), partition=1),
        ]
    )

    # no offset tells whether the 9.00 of another partition came late
    found = totals(ask, windows((at(0), "3.00"), (at(5), "3.00")), placed)

    assert (found["orders"], found["uncounted"]) == (2, 1)


def test_an_order_of_nothing_counts_with_those_before_it(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00")), orders((at(1), 0.0), (at(2), 3.0), (at(3), 0.004), (at(4), 1.0)))

    assert found["orders"] == 3


def test_an_order_without_an_amount_is_late_for_no_total_has_it(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00")), orders((at(1), 3.0), (at(2), None), (at(3), 1e30), (at(4), 1.0)))

    assert (found["orders"], found["uncounted"]) == (1, 0)


def test_offsets_tell_the_order_not_the_time_of_payment(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00")), orders((at(4), 3.0), (at(1), 2.0)))

    assert found["orders"] == 1


def test_a_window_that_the_range_cuts_has_all_its_orders(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00"), (at(5), "7.00")), orders((at(1), 1.0), (at(4), 2.0)), end=at(2))

    assert (found["windows"], found["orders"], found["uncounted"]) == (1, 1 + 1, 0)


def test_a_window_that_began_before_the_range_is_not_in_it_nor_are_its_orders(ask: Ask) -> None:
    found = totals(ask, windows((at(0), "3.00"), (at(5), "7.00")), orders((at(4), 3.0), (at(5), 7.0)), start=at(3))

    assert (found["windows"], found["orders"], found["revenue"]) == (1, 1, Decimal("7.00"))


@pytest.mark.parametrize("seconds", [5, 7, 3600])
def test_windows_of_any_length_find_their_orders(ask: Ask, seconds: int) -> None:
    epoch = int(START.timestamp()) // seconds * seconds
    first = datetime.fromtimestamp(epoch, UTC)
    rows = windows((first, "3.00"), (first + timedelta(seconds=seconds), "4.00"), seconds=seconds)
    last = first + timedelta(seconds=2 * seconds, microseconds=-1)

    (found,) = ask(
        "revenue_totals",
        rows,
        orders((first, 3.0), (last, 4.0)),
        window_seconds=seconds,
        start=first,
        end=first + timedelta(days=1),
    )

    assert (found["orders"], found["uncounted"]) == (2, 0)


# faults


def test_doubled_windows_and_those_without_an_amount_are_faults(ask: Ask) -> None:
    rows = windows((at(0), "1.00"), (at(0), "1.00"), (at(5), None), (at(10), "2.00"))

    found = totals(ask, rows)

    assert (found["windows"], found["faults"]) == (4, 2)


def test_windows_of_another_length_over_the_same_time_are_faults(ask: Ask) -> None:
    rows = pa.concat_tables([windows((at(0), "3.00"), seconds=3600), windows((at(5), "1.00"), (at(10), "2.00"))])

    assert totals(ask, rows)["faults"] == 2


# exactness

COMPOSED = compose("revenue_totals", "direct")
CENT = Decimal("0.01")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.floats(-1e12, 1e12),
            st.floats(-0.02, 0.02),
            # the halves, which no double holds
            st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000),
            st.sampled_from([1.005, 0.285, 1.115, 2.675, 9e-05, 1e-05, 5e-324, 0.00999999, 0.0049999999999999]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_amounts_are_rounded_half_up_by_their_decimal_text(amounts: list[float]) -> None:
    """A window whose total Python reckons finds its orders, and one that is a cent off does not."""
    total = sum((Decimal(repr(amount)).quantize(CENT, ROUND_HALF_UP) for amount in amounts), Decimal(0))
    placed = orders(*((at(1), amount) for amount in amounts))
    values = COMPOSED.values({"start": START, "end": END}, window_seconds=5)

    def counted(revenue: Decimal) -> int | None:
        tables = {"revenue_summary": windows((at(0), str(revenue))), "completed_orders": placed}
        count: int | None = ask_tables(tables, COMPOSED.text, values)["orders"][0].as_py()
        return count

    assert counted(total) == len(amounts)
    assert counted(total + CENT) != len(amounts)
