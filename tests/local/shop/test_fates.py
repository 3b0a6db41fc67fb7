import pytest

from dashboard.local.shop.fates import (
    DUPLICATE_LIMIT_MS,
    FIRST_STRAY_ID,
    OUT_OF_ORDER_LIMIT_MS,
    PAYMENTS_PER_ORDER,
    Fate,
    draws,
    duplicate_after_ms,
    fate_of,
)

HOUR_MS = 3_600_000
IDS = range(3000, 43_000)


@pytest.fixture(scope="module")
def fates() -> list[Fate]:
    return [fate_of(order_id, seed=3000, shortest_delay_ms=60_000) for order_id in IDS]


def test_draws_are_even_and_below_one() -> None:
    numbers = [number for order_id in range(5_000) for number in draws(1, b"test", order_id)]
    assert 0 <= min(numbers) < 0.001
    assert 0.999 < max(numbers) < 1
    assert sum(numbers) / len(numbers) == pytest.approx(0.5, abs=0.01)


def test_the_same_order_has_the_same_fate_and_another_seed_another() -> None:
    assert fate_of(3000, seed=1, shortest_delay_ms=60_000) == fate_of(3000, seed=1, shortest_delay_ms=60_000)
    assert fate_of(3000, seed=1, shortest_delay_ms=60_000) != fate_of(3000, seed=2, shortest_delay_ms=60_000)


def test_most_orders_are_paid_and_a_few_never_or_after_ninety_six_hours(fates: list[Fate]) -> None:
    delays = [fate.paid_after_ms for fate in fates if fate.paid_after_ms is not None]
    too_late = [delay for delay in delays if delay > 96 * HOUR_MS]
    assert 1 - len(delays) / len(fates) == pytest.approx(0.07, abs=0.005)
    assert len(too_late) / len(fates) == pytest.approx(0.005, abs=0.001)
    assert all(97 * HOUR_MS <= delay <= 120 * HOUR_MS for delay in too_late)


def test_no_payment_comes_before_the_shortest_delay_and_most_within_twice_of_it(fates: list[Fate]) -> None:
    in_time = [fate.paid_after_ms for fate in fates if fate.paid_after_ms and fate.paid_after_ms < 96 * HOUR_MS]
    assert min(in_time) >= 60_000
    assert max(in_time) <= 6 * HOUR_MS
    assert sum(delay <= 120_000 for delay in in_time) / len(in_time) == pytest.approx(0.95, abs=0.005)
    assert max(in_time) > 4 * HOUR_MS


def test_an_order_leads_to_so_many_payments_on_average(fates: list[Fate]) -> None:
    payments = sum((fate.paid_after_ms is not None) + (fate.stray_after_ms is not None) for fate in fates)
    assert payments / len(fates) == pytest.approx(PAYMENTS_PER_ORDER, abs=0.005)


def test_one_record_in_twenty_is_held_back_for_up_to_two_seconds(fates: list[Fate]) -> None:
    held = [fate.held_ms for fate in fates if fate.held_ms]
    assert len(held) / len(fates) == pytest.approx(0.05, abs=0.005)
    assert max(held) <= OUT_OF_ORDER_LIMIT_MS


def test_one_payment_in_ten_is_sent_again_mostly_within_seconds_and_never_after_half_an_hour() -> None:
    delays = [delay for payment_id in IDS if (delay := duplicate_after_ms(payment_id, seed=3000)) is not None]
    assert len(delays) / len(IDS) == pytest.approx(0.10, abs=0.005)
    assert min(delays) >= 1
    assert max(delays) <= DUPLICATE_LIMIT_MS < 30 * 60_000
    assert sum(delay < 30_000 for delay in delays) / len(delays) == pytest.approx(0.9, abs=0.01)


def test_a_shop_without_a_shortest_delay_still_has_fates() -> None:
    delays = [fate_of(order_id, seed=3000, shortest_delay_ms=0).paid_after_ms for order_id in range(1_000)]
    assert all(delay is None or 0 <= delay <= 120 * HOUR_MS for delay in delays)


def test_strays_fit_an_avro_int() -> None:
    assert FIRST_STRAY_ID * 2 <= 2**31 - 1
