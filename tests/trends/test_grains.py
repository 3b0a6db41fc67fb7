from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from dashboard.errors import SettingsError
from dashboard.trends.calendars import Calendar
from dashboard.trends.grains import GRAINS, MOST_BARS, Grain, Grid, choose, grains_of, most_bars
from tests.trends.world import BERLIN, DAY, HOUR, SECONDS_5, UTC_ZONE


def grid(grain: str, zone: ZoneInfo = UTC_ZONE, **calendar: int) -> Grid:
    return Grid(GRAINS[grain], Calendar(zone, **calendar), SECONDS_5)


def lengths(grain: str, zone: str, start: datetime, end: datetime) -> list[timedelta]:
    starts = list(grid(grain, ZoneInfo(zone)).starts(start, end))
    return [later - earlier for earlier, later in pairwise(starts)]


def local(grid: Grid, start: datetime, end: datetime) -> list[str]:
    return [f"{at.astimezone(grid.calendar.zone):%H:%M %z}" for at in grid.starts(start, end)]


@pytest.mark.parametrize(
    ("extent", "finest"),
    [
        (timedelta(minutes=15), "window"),
        (HOUR, "window"),
        (6 * HOUR, "1 min"),
        (DAY, "5 min"),
        (7 * DAY, "15 min"),
        (31 * DAY, "hour"),
        (366 * DAY, "day"),
        (10 * 366 * DAY, "week"),
        (40 * 366 * DAY, "month"),
        (9000 * 366 * DAY, "fiscal year"),
    ],
)
def test_the_finest_grain_is_chosen_that_fits(extent: timedelta, finest: str) -> None:
    assert choose(SECONDS_5, extent, MOST_BARS).grain.name == finest


def test_on_a_narrow_screen_bars_are_wider() -> None:
    assert choose(SECONDS_5, DAY, 120).grain.name == "15 min"


def test_a_grain_chosen_by_hand_is_kept_where_it_fits_and_else_widened_which_is_said() -> None:
    kept = choose(SECONDS_5, DAY, 750, "hour")
    assert (kept.grain.name, kept.widened) == ("hour", "")

    widened = choose(SECONDS_5, DAY, 750, "15 s")

    assert widened.grain.name == "5 min"
    assert widened.widened == "By 15 s it would be 5,761 bars, and 750 fit: shown by 5 min."


def test_only_grains_that_windows_divide_are_there() -> None:
    names = [grain.name for grain in grains_of(timedelta(seconds=90))]

    assert names == ["window", "15 min", "hour", "day", "week", "month", "quarter", "fiscal year"]
    with pytest.raises(SettingsError, match="cannot be shown by 1 min: windows are 90 s long") as refused:
        choose(timedelta(seconds=90), DAY, 750, "1 min")
    assert "15 min" in refused.value.hint
    with pytest.raises(SettingsError, match="no such grain"):
        choose(SECONDS_5, DAY, 750, "fortnight")


@pytest.mark.parametrize("name", ["15 s", "1 min", "5 min", "15 min", "hour"])
def test_a_grain_as_long_as_a_window_is_there_by_its_name_and_the_window_is_what_is_chosen_by_nobody(name: str) -> None:
    window = GRAINS[name].span

    assert [grain.name for grain in grains_of(window)][:2] == ["window", name]
    assert choose(window, 100 * window, 750, name).grain.name == name
    assert choose(window, 100 * window, 750).grain.name == "window"


def test_the_whole_page_stays_within_its_marks() -> None:
    assert most_bars(750) == 750
    assert most_bars(300, comparisons=1) == 300
    assert most_bars(750, comparisons=3, band=True) * 6 + 168 + 120 <= 2000


def test_days_have_23_and_25_hours_when_clocks_change() -> None:
    spring, autumn = datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 10, 23, 22, tzinfo=UTC)

    assert lengths("day", "Europe/Berlin", spring, spring + 4 * DAY)[:3] == [DAY, 23 * HOUR, DAY]
    assert lengths("day", "Europe/Berlin", autumn, autumn + 4 * DAY)[:3] == [DAY, 25 * HOUR, DAY]


def test_the_hour_that_clocks_show_twice_is_two_buckets_and_the_one_they_leave_out_is_none() -> None:
    autumn, spring = datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 3, 29, 0, tzinfo=UTC)

    assert local(grid("hour", BERLIN), autumn, autumn + 4 * HOUR) == [
        "01:00 +0200",
        "02:00 +0200",
        "02:00 +0100",
        "03:00 +0100",
    ]
    assert local(grid("hour", BERLIN), spring, spring + 2 * HOUR) == ["01:00 +0100", "03:00 +0200"]


def test_a_change_by_half_an_hour_cuts_an_hour_in_two() -> None:
    lord_howe = grid("hour", ZoneInfo("Australia/Lord_Howe"))
    autumn, spring = datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 10, 3, 14, 30, tzinfo=UTC)

    assert local(lord_howe, autumn, autumn + 3 * HOUR) == ["01:00 +1100", "01:30 +1030", "02:00 +1030", "03:00 +1030"]
    assert local(lord_howe, spring, spring + 2 * HOUR) == ["01:00 +1030", "02:30 +1100", "03:00 +1100"]
    assert lord_howe.start_of(autumn + timedelta(minutes=61)) == autumn + HOUR


@pytest.mark.parametrize(
    ("week_start", "begins"),
    [(0, datetime(2025, 12, 29)), (6, datetime(2025, 12, 28)), (5, datetime(2025, 12, 27))],  # noqa: DTZ001
)
def test_a_week_over_new_year_is_one_and_begins_with_the_readers_day(week_start: int, begins: datetime) -> None:
    weeks = grid("week", BERLIN, week_start=week_start)
    new_year = datetime(2026, 1, 1, 12, tzinfo=UTC)

    start = weeks.start_of(new_year)

    assert start == begins.replace(tzinfo=BERLIN)
    assert weeks.end_of(start) - start == 7 * DAY
    assert weeks.start_of(weeks.end_of(start)) == weeks.end_of(start)


@pytest.mark.parametrize(
    ("fiscal_start", "quarter", "year"),
    [(1, "2026-01", "2026-01"), (4, "2026-01", "2025-04"), (2, "2025-11", "2025-02"), (12, "2025-12", "2025-12")],
)
def test_quarters_and_fiscal_years_begin_with_the_month_they_are_told(
    fiscal_start: int, quarter: str, year: str
) -> None:
    at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)

    assert f"{grid('quarter', fiscal_start=fiscal_start).start_of(at):%Y-%m}" == quarter
    assert f"{grid('fiscal year', fiscal_start=fiscal_start).start_of(at):%Y-%m}" == year


@pytest.mark.parametrize(
    ("grain", "label"),
    [
        ("window", "13:07:05 to 13:07:10"),
        ("15 min", "13:00 to 13:15"),
        ("day", "Thu 31 Dec"),
        ("week", "28 Dec to 3 Jan 2026"),
        ("month", "December 2025"),
        ("quarter", "1 Oct to 31 Dec"),
    ],
)
def test_a_bucket_is_called_by_the_readers_clock(grain: str, label: str) -> None:
    at = datetime(2026, 12, 31, 12, 7, 5, tzinfo=UTC) if grain != "month" else datetime(2025, 12, 31, tzinfo=UTC)
    buckets = grid(grain, BERLIN)
    start = buckets.start_of(at)

    assert buckets.label(start, buckets.end_of(start), at) == label.replace("2026", "2027")


@pytest.mark.parametrize(
    ("zone", "moment", "bucket", "start", "end"),
    [
        ("Asia/Kolkata", "12:15", timedelta(hours=1), "11:30", "12:30"),
        ("Europe/Berlin", "12:15", timedelta(minutes=15), "12:15", "12:30"),
        # seconds that do not divide an hour are counted from midnight of 1970, as the questions count them
        ("UTC", "00:05", timedelta(seconds=81), "00:04:03", "00:05:24"),
    ],
)
def test_a_bucket_is_the_stretch_of_the_readers_clock_that_holds_a_moment(
    zone: str, moment: str, bucket: timedelta, start: str, end: str
) -> None:
    def at(text: str) -> datetime:
        return datetime.combine(date(1970, 1, 1) + 27 * timedelta(days=27), time.fromisoformat(text), UTC)

    buckets = Grid(Grain("some", bucket), Calendar(ZoneInfo(zone)), SECONDS_5)
    found = buckets.start_of(at(moment))

    assert (found, buckets.end_of(found)) == (at(start), at(end))


def test_a_week_begins_on_monday_and_is_an_hour_shorter_when_clocks_are_put_forward() -> None:
    week = grid("week", BERLIN)

    start = week.start_of(datetime(2026, 3, 29, 12, tzinfo=UTC))

    assert start == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert week.end_of(start) - start == timedelta(days=7, hours=-1)
