from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.errors import SettingsError
from dashboard.trends.calendars import Calendar, Shift
from dashboard.trends.ranges import RANGES, Between, Stretch, resolve
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, UTC_ZONE, found

UNTIL = datetime(2026, 3, 18, 13, 5, 10, tzinfo=UTC)
"""A Wednesday, 14:05:10 in Berlin."""


def at(name: str, until: datetime = UNTIL, zone: ZoneInfo = BERLIN, today: date | None = None, **more: int) -> Stretch:
    calendar = Calendar(zone, **more)
    return resolve(RANGES[name], calendar, window=SECONDS_5, first=until - 900 * DAY, until=until, today=today)


def days(stretch: Stretch) -> tuple[str, str]:
    return tuple(f"{one.astimezone(BERLIN):%Y-%m-%d %H:%M}" for one in (stretch.start, stretch.end))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("Today", "2026-03-18", "2026-03-19"),
        ("Yesterday", "2026-03-17", "2026-03-18"),
        ("This week", "2026-03-16", "2026-03-23"),
        ("Last week", "2026-03-09", "2026-03-16"),
        ("This month", "2026-03-01", "2026-04-01"),
        ("Last month", "2026-02-01", "2026-03-01"),
        ("This quarter", "2026-01-01", "2026-04-01"),
        ("This year", "2026-01-01", "2027-01-01"),
        ("This fiscal year", "2025-04-01", "2026-04-01"),
    ],
)
def test_parts_of_the_calendar_begin_and_end_at_the_readers_midnight(name: str, start: str, end: str) -> None:
    stretch = at(name, fiscal_start=4)

    assert days(stretch) == (f"{start} 00:00", f"{end} 00:00")
    assert stretch.until == min(UNTIL, stretch.end)


def test_a_week_begins_with_the_readers_day() -> None:
    assert days(at("This week", week_start=6))[0] == "2026-03-15 00:00"
    assert days(at("Last week", week_start=5))[0] == "2026-03-07 00:00"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("15 min", UNTIL - timedelta(minutes=15)),
        ("1 h", datetime(2026, 3, 18, 12, 6, tzinfo=UTC)),
        ("24 h", datetime(2026, 3, 17, 13, 15, tzinfo=UTC)),
        ("7 d", datetime(2026, 3, 11, 14, tzinfo=UTC)),
        ("90 d", datetime(2025, 12, 18, 23, tzinfo=UTC)),
    ],
)
def test_so_long_until_the_newest_window_begins_with_a_whole_bucket(name: str, start: datetime) -> None:
    stretch = at(name)

    assert (stretch.start, stretch.until) == (start, UNTIL)


def test_a_day_that_has_no_window_yet_is_empty_and_not_the_day_before() -> None:
    stretch = at("Today", today=date(2026, 3, 19))

    assert days(stretch)[0] == "2026-03-19 00:00"
    assert stretch.until == stretch.start
    answer = found({NOON: "1.00"}, RANGES["Today"], today=date(2026, 3, 2), comparisons=("previous",))
    assert answer.total.revenue == 0
    assert answer.compared[0].revenue.text == "nothing to compare yet: no window of this time has closed"


def test_a_window_that_ends_at_midnight_belongs_to_the_day_that_it_ends() -> None:
    midnight = datetime(2026, 3, 17, 23, tzinfo=UTC)

    assert days(at("Today", midnight)) == ("2026-03-17 00:00", "2026-03-18 00:00")


def test_24_hours_across_a_change_of_clocks_begin_when_the_clock_showed_the_same() -> None:
    stretch = at("24 h", datetime(2026, 3, 29, 10, tzinfo=UTC))

    assert stretch.end - stretch.start == 23 * HOUR


def test_from_here_to_there_is_what_begins_in_it() -> None:
    rows = {NOON + n * HOUR: "1.00" for n in range(9)}

    assert found(rows, Between(NOON + HOUR, NOON + 3 * HOUR), UTC_ZONE).total.windows == 2
    assert found(rows, Between(NOON + HOUR, NOON + 90 * DAY), UTC_ZONE).total.windows == 8
    assert found(rows, Between(NOON - 9 * HOUR, NOON - HOUR), UTC_ZONE).total.windows == 0
    with pytest.raises(SettingsError, match="There is no time between 2026-03-01T12:00:00Z and 2026-03-01T12:00:00Z"):
        found(rows, Between(NOON, NOON))


@pytest.mark.parametrize(("day", "passed"), [(date(2026, 3, 29), 2 * HOUR), (date(2026, 10, 25), 4 * HOUR)])
def test_from_here_to_there_across_a_change_of_clocks_is_as_long_as_the_time_that_passed(
    day: date, passed: timedelta
) -> None:
    one, four = (datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN) for hour in (1, 4))

    stretch = Between(one, four).stretch(Calendar(BERLIN), UNTIL + 900 * DAY)

    assert stretch.previous == Shift(elapsed=passed)
    assert stretch == Between(one.astimezone(UTC), four.astimezone(UTC)).stretch(Calendar(BERLIN), UNTIL + 900 * DAY)
