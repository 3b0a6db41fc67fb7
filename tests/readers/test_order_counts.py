import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.readers.order_counts import OrderCounts, Sums, cents_of

NOON = 1_795_435_200
AT_NOON = datetime.fromtimestamp(NOON, UTC)
MONEY = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
HALF_CENTS = st.integers(-(10**12), 10**12).map(lambda thousandths: thousandths / 1000)


def exact_cents(amount: float) -> int:
    return int(Decimal(repr(float(amount))).quantize(Decimal("0.01"), ROUND_HALF_UP).scaleb(2))


@given(st.lists(MONEY | HALF_CENTS))
def test_cents_are_rounded_half_up_by_the_decimal_text_of_each_double(amounts: list[float]) -> None:
    assert cents_of(amounts) == [exact_cents(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("amount", "cents"), [(0.005, 1), (-0.005, -1), (1.005, 101), (2.675, 268), (1.115, 112), (0.1 + 0.2, 30), (7, 700)]
)
def test_half_a_cent_is_a_cent_though_the_double_lies_below_it(amount: float, cents: int) -> None:
    assert cents_of([amount]) == [cents]


def test_sums_are_exact_where_doubles_are_not() -> None:
    counts = OrderCounts()
    for _ in range(1000):
        counts.count([NOON] * 10, now=NOON)
        counts.sum([NOON] * 10, [0.1] * 10)
    assert counts.sums.amount == Decimal("1000.00")
    assert counts.sums.count == 10_000


def test_what_is_no_amount_is_counted_and_not_summed() -> None:
    counts = OrderCounts()
    amounts: list[object] = [1.0, None, "2.00", True, math.nan, math.inf, 1e300, 10**400, 2]
    counts.count([NOON] * 9, now=NOON)
    counts.sum([NOON] * 9, amounts)
    assert counts.sums == Sums(count=9, cents=300, without_amount=7)


def test_each_second_stands_in_one_bucket_start_inclusive_end_not() -> None:
    counts = OrderCounts()
    for second, amount in ((-5, 1.0), (-4, 2.0), (-1, 4.0), (0, 8.0)):
        counts.count([NOON + second], now=NOON)
        counts.sum([NOON + second], [amount])
    found = counts.last(timedelta(seconds=4), timedelta(seconds=2), AT_NOON, with_amounts=True)
    assert [(one.start, one.count, one.amount) for one in found] == [
        (AT_NOON - timedelta(seconds=4), 1, Decimal("2.00")),
        (AT_NOON - timedelta(seconds=2), 1, Decimal("4.00")),
    ]
    assert counts.newest() == AT_NOON + timedelta(seconds=1)


def test_quiet_seconds_are_there_with_nothing_and_records_without_money_have_no_sum() -> None:
    counts = OrderCounts()
    counts.count([NOON], now=NOON)
    until = AT_NOON + timedelta(seconds=3)
    found = counts.last(timedelta(seconds=3), timedelta(seconds=1), until, with_amounts=False)
    assert [(one.count, one.amount) for one in found] == [(1, None), (0, None), (0, None)]


def test_a_record_of_the_future_counts_and_does_not_move_the_clock() -> None:
    counts = OrderCounts()
    counts.count([NOON, NOON + 86_400], now=NOON)
    assert counts.newest() == AT_NOON + timedelta(seconds=1)
    assert counts.sums.count == 2
    assert OrderCounts().newest() is None


def test_memory_is_bounded_and_the_newest_seconds_stay() -> None:
    counts = OrderCounts()
    for second in range(20_000):
        counts.count([NOON + second, NOON + second * 100 + 10**7], now=NOON + second)
    assert len(counts._seconds) <= 1_201
    until = AT_NOON + timedelta(seconds=20_000)
    found = counts.last(timedelta(seconds=120), timedelta(seconds=1), until, with_amounts=False)
    assert [one.count for one in found] == [1] * 120
    assert counts.sums.count == 40_000


def test_what_came_after_a_moment_is_the_difference() -> None:
    assert Sums(10, 1000, 2).since(Sums(4, 300, 2)) == Sums(6, 700, 0)


@given(st.lists(st.tuples(st.integers(0, 3), HALF_CENTS | st.floats(-1e14, 1e14)), min_size=1))
def test_each_second_has_its_own_exact_sum(paid: list[tuple[int, float]]) -> None:
    counts = OrderCounts()
    seconds = [NOON + after for after, _ in paid]
    counts.count(seconds, now=NOON)
    counts.sum(seconds, [one for _, one in paid])
    until = AT_NOON + timedelta(seconds=4)
    by_second = counts.last(timedelta(seconds=4), timedelta(seconds=1), until, with_amounts=True)
    for place, found in enumerate(by_second):
        its = [exact_cents(one) for after, one in paid if after == place]
        assert (found.count, found.amount) == (len(its), Decimal(sum(its)).scaleb(-2))
    assert counts.sums.cents == sum(exact_cents(one) for _, one in paid)
