"""What is streamed is committed later, and nothing that a reader sees may move when it is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.ranges import RANGES
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, trend
from tests.trends.world import BERLIN, NOON, SECONDS_5, UTC_ZONE, TableOf, bars, table

LORD_HOWE, KOLKATA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")
MINUTE = timedelta(minutes=1)
CHANGES = [
    NOON,
    datetime(2026, 3, 29, 1, 0, 20, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 0, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 15, 0, 20, tzinfo=UTC),
]
"""A day like others, and when clocks have just changed, in spring and autumn in Berlin and in autumn on Lord Howe."""


@pytest.mark.parametrize("zone", [UTC_ZONE, BERLIN, KOLKATA, LORD_HOWE])
@pytest.mark.parametrize("end", CHANGES)
def test_no_bar_no_total_and_no_change_moves_when_what_is_streamed_is_committed(zone: ZoneInfo, end: datetime) -> None:
    past = {end - 7 * MINUTE * n: f"{n % 91}.{n % 100:02}" for n in range(3000, 12, -1)}
    lately = {end - 2 * SECONDS_5 * n: f"{n % 97}.{n % 99:02}" for n in range(460, 0, -1)}
    rows = table(past | lately)
    there, streamed = TableOf(rows.slice(0, len(rows) - 300)), Ahead(rows.slice(len(rows) - 300))

    for name, range_ in RANGES.items():
        asked = Asked(range_, Calendar(zone), comparisons=tuple(COMPARISONS), wide=370)
        before, after = trend(there, asked, ahead=streamed), trend(TableOf(rows), asked)

        assert before is not None
        assert after is not None
        columns = ["bucket_start", "bucket_end", "total", "running", "is_complete"]
        assert bars(before, columns) == bars(after, columns), name
        assert before.stretch == after.stretch
        assert before.total.revenue == after.total.revenue
        assert [one.revenue for one in before.compared] == [one.revenue for one in after.compared]
        assert before.best_bucket == after.best_bucket
        assert before.average_per(MINUTE) == after.average_per(MINUTE)
        assert (before.total.streamed > 0) == (name not in BEFORE_TODAY)
        assert after.total.streamed == 0


BEFORE_TODAY = ("Yesterday", "Last week", "Last month", "Last quarter")
"""What is streamed is of today."""
