import numpy as np
import pytest

from dashboard.local.shop.shape import intensity, outage_day_ms, past_orders, ramp_ms

DAY_MS = 86_400_000
END_MS = 1_795_366_800_000 + 12_345
START_MS = END_MS - 14 * DAY_MS


def past(live_rate: float = 2.14, orders: int = 213_904, start_ms: int = START_MS, seed: int = 3000) -> list[int]:
    times = past_orders(start_ms=start_ms, end_ms=END_MS, orders=orders, live_rate=live_rate, seed=seed)
    return [int(time) for time in times]


def test_the_past_holds_the_wanted_number_of_orders_in_order_and_in_its_span() -> None:
    times = past()
    assert len(times) == 213_904
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < END_MS


def test_the_same_seed_gives_the_same_past_and_another_seed_another() -> None:
    assert past() == past()
    assert past(seed=1) != past(seed=2)


@pytest.mark.parametrize("live_rate", [0.05, 2.14, 50.0, 5_350.0])
def test_the_intensity_ends_at_the_live_rate_without_a_jump(live_rate: float) -> None:
    tau_ms = ramp_ms(orders=213_904, live_rate=live_rate)
    at = END_MS - (np.linspace(5, 0, 500) * tau_ms).astype(np.int64)
    level = intensity(at, start_ms=START_MS, end_ms=END_MS, orders=213_904, live_rate=live_rate)
    assert level[-1] == pytest.approx(live_rate)
    assert np.max(np.abs(np.diff(level))) < 0.03 * np.max(level)


@pytest.mark.parametrize("live_rate", [2.14, 50.0, 5_350.0])
def test_the_last_orders_of_the_past_come_at_the_live_rate(live_rate: float) -> None:
    last = past(live_rate)[-1_000:]
    span_ms = END_MS - last[0]
    expected_ms = 1_000 / live_rate * 1_000
    # the ramp is a little lower a thousand orders before its end
    assert span_ms == pytest.approx(expected_ms, rel=0.05)


def test_a_high_live_rate_does_not_eat_up_the_past() -> None:
    times = past(live_rate=5_350.0)
    in_the_last_hour = sum(time >= END_MS - 3_600_000 for time in times)
    assert in_the_last_hour < 0.3 * len(times)


def test_nights_are_quieter_than_evenings_and_the_past_grows() -> None:
    hours = np.bincount(np.asarray(past(live_rate=0.17)) // 3_600_000 % 24, minlength=24)
    assert hours[3] < 0.2 * hours[20]
    times = np.asarray(past(live_rate=0.17))
    first_week = np.sum(times < START_MS + 7 * DAY_MS)
    # the outage is in the second week, and growth still wins
    assert first_week < len(times) / 2


def test_one_odd_day_has_an_outage_from_ten_to_sixteen() -> None:
    day_ms = outage_day_ms(start_ms=START_MS, end_ms=END_MS)
    assert day_ms is not None

    def orders_from_ten_to_sixteen(midnight_ms: int) -> int:
        return sum(midnight_ms + 10 * 3_600_000 <= time < midnight_ms + 16 * 3_600_000 for time in past())

    assert orders_from_ten_to_sixteen(day_ms) < 0.2 * orders_from_ten_to_sixteen(day_ms - DAY_MS)


def test_a_short_past_has_no_outage_and_no_past_has_no_orders() -> None:
    assert outage_day_ms(start_ms=END_MS - 3 * DAY_MS, end_ms=END_MS) is None
    assert past(start_ms=END_MS, orders=0) == []
    assert len(past(start_ms=END_MS - 1_000, orders=50)) == 50
