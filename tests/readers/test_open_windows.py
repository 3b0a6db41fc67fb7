from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard.readers.open_windows import OpenWindow, OpenWindows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = timedelta(seconds=7)


def test_windows_are_aligned_to_the_epoch_and_sums_are_exact_where_doubles_are_not() -> None:
    start = NOON - (NOON - datetime(1970, 1, 1, tzinfo=UTC)) % WINDOW
    windows = OpenWindows(WINDOW)
    windows.take([(NOON, 0.1)] * 1_000, None)
    windows.take([(start, 9e12), (start + WINDOW - timedelta(milliseconds=1), 0.005)], None)
    assert windows.after(None) == (OpenWindow(start, start + WINDOW, 1_002, Decimal("9000000000100.01")),)


def test_orders_of_windows_that_have_closed_are_not_held() -> None:
    windows = OpenWindows(timedelta(minutes=1))
    windows.take([(NOON - timedelta(hours=hours), 1.0) for hours in range(1_000)], NOON)
    assert [(one.start, one.orders) for one in windows.after(None)] == [(NOON, 1)]
    windows.close(NOON + timedelta(minutes=1))
    assert len(windows) == 0


def test_what_is_no_amount_counts_as_an_order_and_is_told() -> None:
    windows = OpenWindows(timedelta(minutes=1))
    windows.take([(NOON, 1.0), (NOON, None), (NOON, float("nan")), (NOON, 1e300), (NOON, "1")], None)
    (found,) = windows.after(None)
    assert (found.orders, found.revenue, found.without_amount) == (5, Decimal("1.00"), 4)
