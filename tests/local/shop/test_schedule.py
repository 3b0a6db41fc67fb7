from dashboard.local.shop.schedule import MOST_GAP_ORDERS, Schedule

NOW = 1_795_366_800_000


def test_the_past_comes_first_and_live_orders_follow_it_without_a_gap() -> None:
    schedule = Schedule([NOW - 300, NOW - 200, NOW - 100], end_ms=NOW, period_ms=500)
    assert schedule.due(NOW + 1_100, limit=10) == [NOW - 300, NOW - 200, NOW - 100, NOW + 500, NOW + 1_000]
    assert schedule.due(NOW + 1_100, limit=10) == []
    assert schedule.next_ms == NOW + 1_500


def test_orders_of_the_past_that_are_still_to_come_wait_for_their_time() -> None:
    schedule = Schedule([NOW - 300, NOW - 200, NOW + 100], end_ms=NOW + 200, period_ms=500)
    assert schedule.due(NOW, limit=10) == [NOW - 300, NOW - 200]
    assert schedule.next_ms == NOW + 100
    assert schedule.due(NOW + 100, limit=10) == [NOW + 100]
    assert schedule.next_ms == NOW + 700


def test_no_more_than_the_limit_is_given_and_nothing_is_lost() -> None:
    schedule = Schedule(range(NOW - 10, NOW), end_ms=NOW, period_ms=1)
    places: list[int] = []
    while batch := schedule.due(NOW + 7, limit=4):
        assert len(batch) <= 4
        places += batch
    assert places == [*range(NOW - 10, NOW), *range(NOW + 1, NOW + 8)]


def test_high_rates_are_kept_to_the_order() -> None:
    schedule = Schedule([], end_ms=NOW, period_ms=1000 / 5_350)
    places = [place for step in range(0, 10_001, 100) for place in schedule.due(NOW + step, limit=5_000)]
    assert len(places) == 53_500


def test_a_live_feed_goes_on_from_now_after_a_pause_without_a_burst() -> None:
    schedule = Schedule([], end_ms=NOW, period_ms=500)
    assert schedule.skip_pause(NOW + 2_000, live=True) == 0
    assert schedule.skip_pause(NOW + 60_000, live=True) > 59_000
    assert schedule.due(NOW + 60_000, limit=10) == [NOW + 60_000]


def test_the_past_is_never_skipped() -> None:
    schedule = Schedule([NOW - 500, NOW - 400], end_ms=NOW, period_ms=500)
    assert schedule.skip_pause(NOW + 3_600_000, live=True) == 0
    assert schedule.due(NOW + 3_600_000, limit=2) == [NOW - 500, NOW - 400]
    assert schedule.skip_pause(NOW + 3_600_000, live=False) > 0


def test_the_gap_before_going_live_is_filled_if_it_is_small() -> None:
    slow = Schedule([], end_ms=NOW, period_ms=500)
    assert slow.skip_pause(NOW + 119_000, live=False) == 0
    assert slow.skip_pause(NOW + 121_000, live=False) > 0
    fast = Schedule([], end_ms=NOW, period_ms=0.2)
    assert fast.skip_pause(NOW + MOST_GAP_ORDERS // 5, live=False) == 0
    assert fast.skip_pause(NOW + MOST_GAP_ORDERS // 5 + 1_000, live=False) > 0
