import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest

from dashboard.local.shop.evidence import Evidence
from dashboard.local.shop.redriven import Payment
from dashboard.local.shop.truth import Truth, cents, reckon

HOUR = 3_600_000
NOON = 1_795_348_800_000
"""A multiple of every window size used here."""


def evidence(payments: list[Payment], orders: dict[int, int], newest: dict[int, int | None] | None = None) -> Evidence:
    stamps = [sent_as for _, _, sent_as, _ in payments]
    return Evidence(orders, payments, newest or {0: max(stamps, default=None)}, max(stamps, default=None))


def one(amount: float, *, ts: int = NOON, orderdate: int | None = NOON - HOUR) -> Truth:
    """The truth about one payment and perhaps its order."""
    return reckon(evidence([(3000, ts, ts, amount)], {} if orderdate is None else {3000: orderdate}), 5_000)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0.005, 1),
        (1.005, 101),
        (2.675, 268),
        (0.0, 0),
        (0.004999999, 0),
        (999.995, 100_000),
        (1.115, 112),
        (8.325, 833),
    ],
)
def test_amounts_are_rounded_half_up_by_their_decimal_text(amount: float, expected: int) -> None:
    assert cents(amount) == expected


def test_rounding_is_that_of_decimal_arithmetic_everywhere() -> None:
    chance = random.Random(3000)
    amounts = [chance.random() * 1000 for _ in range(50_000)]
    amounts += [round(chance.random() * 1000, 3) for _ in range(50_000)]
    amounts += [chance.randrange(10**6) / 1000 + 0.0005 for _ in range(10_000)] + [123456789.125, 1e-7, 2_000_000.005]
    for amount in amounts:
        assert cents(amount) == Decimal(repr(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP) * 100


def test_each_amount_is_rounded_before_the_sum() -> None:
    orders = {3000: NOON - HOUR, 3001: NOON - HOUR}
    truth = reckon(evidence([(3000, NOON, NOON, 0.005), (3001, NOON, NOON, 0.005)], orders), 5_000)
    assert truth.revenue == {NOON: Decimal("0.02")}
    assert str(truth.revenue[NOON]) == "0.02"


@pytest.mark.parametrize("before_ms", [0, 1, 96 * HOUR - 1, 96 * HOUR])
def test_an_order_is_completed_up_to_and_including_ninety_six_hours_later(before_ms: int) -> None:
    assert one(5.0, orderdate=NOON - before_ms).revenue == {NOON: Decimal("5.00")}


@pytest.mark.parametrize("before_ms", [-1, 96 * HOUR + 1, 120 * HOUR])
def test_an_order_placed_later_or_more_than_ninety_six_hours_before_is_not_completed(before_ms: int) -> None:
    assert one(5.0, orderdate=NOON - before_ms).revenue == {}


def test_a_payment_without_an_order_counts_nowhere() -> None:
    truth = one(5.0, orderdate=None)
    assert (truth.revenue, truth.late_payments, truth.ambiguous) == ({}, 0, [])


def test_a_window_holds_its_start_and_not_its_end() -> None:
    payments = [
        (3000, NOON, NOON, 1.0),
        (3001, NOON + 4_999, NOON + 4_999, 2.0),
        (3002, NOON + 5_000, NOON + 5_000, 4.0),
    ]
    truth = reckon(evidence(payments, dict.fromkeys((3000, 3001, 3002), NOON - HOUR)), 5_000)
    assert truth.revenue == {NOON: Decimal("3.00"), NOON + 5_000: Decimal("4.00")}
    assert truth.orders == {NOON: 2, NOON + 5_000: 1}


def test_windows_are_aligned_to_the_epoch_in_utc() -> None:
    ts = int(datetime(2026, 11, 22, 13, 37, tzinfo=UTC).timestamp() * 1000)
    truth = reckon(evidence([(3000, ts, ts, 1.0)], {3000: ts}), HOUR)
    assert list(truth.revenue) == [int(datetime(2026, 11, 22, 13, tzinfo=UTC).timestamp() * 1000)]


def test_only_the_first_payment_of_an_order_counts() -> None:
    payments = [(3000, NOON, NOON, 1.0), (3000, NOON, NOON + 1_500, 1.0), (3000, NOON, NOON + 9_000, 1.0)]
    assert reckon(evidence(payments, {3000: NOON}), 5_000).revenue == {NOON: Decimal("1.00")}


def test_the_first_is_the_one_with_the_older_record_not_the_one_sent_before() -> None:
    payments = [(3000, NOON + 2_000, NOON + 2_000, 1.0), (3000, NOON, NOON, 7.0)]
    assert reckon(evidence(payments, {3000: NOON}), 5_000).revenue == {NOON: Decimal("7.00")}


@pytest.mark.parametrize(
    ("behind_ms", "window_ms", "kind"),
    [
        (0, 5_000, "on time"),
        (5_000, 5_000, "on time"),
        (5_001, 5_000, "ambiguous"),
        (65_000, 5_000, "ambiguous"),
        (65_001, 5_000, "late"),
        (65_001, HOUR, "ambiguous"),
        (25 * HOUR, 24 * HOUR, "late"),
    ],
)
def test_a_payment_is_late_by_how_far_it_is_behind_and_not_by_a_flag(behind_ms: int, window_ms: int, kind: str) -> None:
    payments = [(3000, NOON, NOON, 1.0), (3001, NOON - behind_ms, NOON - behind_ms, 2.5)]
    truth = reckon(evidence(payments, {3000: NOON, 3001: NOON - 26 * HOUR}), window_ms)
    assert (sum(truth.orders.values()) == 2) == (kind == "on time")
    assert truth.late_payments == (kind == "late")
    assert truth.late_revenue == (Decimal("2.50") if kind == "late" else 0)
    assert truth.ambiguous == ([(3001, behind_ms)] if kind == "ambiguous" else [])


def test_a_late_payment_that_completes_no_order_is_late_without_money() -> None:
    payments = [(3000, NOON, NOON, 1.0), (3001, NOON - 25 * HOUR, NOON - 25 * HOUR, 2.5)]
    truth = reckon(evidence(payments, {3000: NOON}), 5_000)
    assert (truth.late_payments, truth.late_revenue) == (1, Decimal(0))


def test_the_slowest_partition_holds_the_horizon_back() -> None:
    orders = dict.fromkeys(range(3000, 3100), NOON)
    payments = [(3000 + index, NOON + index * 1_000, NOON + index * 1_000, 1.0) for index in range(100)]
    truth = reckon(evidence(payments, orders, newest={0: NOON + 99_000, 1: NOON + 60_500}), 5_000)
    # watermark NOON+55.5 s; the newest payment it lets pass is that of NOON+55 s; its own delay is 5 s and 1 ms
    assert truth.closed_until_ms == NOON + 55_000 - 5_001
    assert truth.closed() == [NOON + start for start in range(0, 40_001, 5_000)]
    assert truth.may_close_until_ms == NOON + 94_000 - 4_999


def test_nothing_is_closed_while_a_partition_is_empty_or_nothing_was_sent() -> None:
    truth = reckon(evidence([(3000, NOON, NOON, 1.0)], {3000: NOON}, newest={0: NOON, 1: None}), 5_000)
    assert (truth.closed_until_ms, truth.closed()) == (None, [])
    assert reckon(Evidence({}, [], {}, None), 5_000).closed() == []


def test_unpaid_orders_and_strays_do_not_move_the_horizon() -> None:
    payments = [(3000, NOON, NOON, 1.0), (10**9, NOON + 60_000, NOON + 60_000, 1.0)]
    truth = reckon(evidence(payments, {3000: NOON, 3001: NOON}), 5_000)
    assert truth.closed_until_ms == NOON - 5_001


def naive(evidence: Evidence, window: timedelta) -> tuple[dict[datetime, Decimal], int, Decimal]:
    """The rule once more, as slowly and plainly as it can be said: revenue by window, late payments, late revenue."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = timedelta(milliseconds=1)
    revenue: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    late, late_revenue = 0, Decimal(0)
    for order_id in {payment[0] for payment in evidence.payments}:
        of_order = [(sent_as, at) for at, (its, _, sent_as, _) in enumerate(evidence.payments) if its == order_id]
        position = min(of_order)[1]
        _, ts_ms, _, amount = evidence.payments[position]
        ts = epoch + ts_ms * milliseconds
        before = [sent_as for _, _, sent_as, _ in evidence.payments[:position]]
        behind = (max(before) - ts_ms) * milliseconds if before else timedelta(0)
        ordered = evidence.orders.get(order_id)
        complete = ordered is not None and timedelta(0) <= ts - (epoch + ordered * milliseconds) <= timedelta(hours=96)
        rounded = Decimal(repr(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if behind > window + timedelta(seconds=60):
            late += 1
            late_revenue += rounded if complete else 0
        elif complete:
            revenue[ts - (ts - epoch) % window] += rounded
    return dict(revenue), late, late_revenue


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("window", [timedelta(seconds=5), timedelta(minutes=1)])
def test_a_plain_second_reckoning_gives_the_same(seed: int, window: timedelta) -> None:
    chance = random.Random(seed)
    orders = {order_id: NOON + chance.randrange(-97 * HOUR, 0) for order_id in range(3000, 3300)}
    payments: list[Payment] = []
    clock = NOON
    for _ in range(400):
        clock += chance.randrange(2_000)
        if payments and chance.random() < 0.1:
            order_id, ts, _, amount = chance.choice(payments)
            payments.append((order_id, ts, clock, amount))
            continue
        order_id = chance.choice([*range(3000, 3300), 10**9 + chance.randrange(50)])
        if any(payment[0] == order_id for payment in payments):
            continue
        behind = chance.choice([0, 0, 0, chance.randrange(2_000), 30 * HOUR if len(payments) > 50 else 0])
        amount = chance.choice([chance.random() * 1000, chance.randrange(10**6) / 1000])
        payments.append((order_id, clock - behind, clock - behind, amount))
    proof = evidence(payments, orders)
    truth = reckon(proof, int(window.total_seconds() * 1000))
    assert truth.ambiguous == []
    revenue = {datetime.fromtimestamp(start / 1000, UTC): total for start, total in truth.revenue.items()}
    assert (revenue, truth.late_payments, truth.late_revenue) == naive(proof, window)
    assert truth.late_payments > 0


def test_half_a_million_payments_are_reckoned_in_seconds() -> None:
    chance = random.Random(3000)
    orders = {order_id: NOON + order_id * 10 - 60_000 for order_id in range(500_000)}
    payments = [(order_id, date + 60_000, date + 60_000, chance.random() * 1000) for order_id, date in orders.items()]
    started = time.process_time()
    truth = reckon(evidence(payments, orders), 5_000)
    assert sum(truth.orders.values()) == 500_000
    assert time.process_time() - started < 10
