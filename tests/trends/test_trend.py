"""The numbers, against a plain sum over the rows: every grain, every range, clocks of every kind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard.errors import ReadError, SettingsError
from dashboard.readers.engine import Answer
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.zones import local_midnight
from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.grains import grains_of
from dashboard.trends.ranges import RANGES, Between, Range
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, UTC_ZONE, TableOf, every, found, summed, table

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Atlantic/Azores",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Beirut",
]
NEWEST = [
    datetime(2025, 3, 30, 3, 20, tzinfo=UTC),
    datetime(2025, 4, 25, 3, 20, tzinfo=UTC),
    datetime(2025, 9, 7, 9, 0, tzinfo=UTC),
    datetime(2025, 10, 26, 1, 40, tzinfo=UTC),
    datetime(2025, 11, 2, 6, 10, tzinfo=UTC),
    datetime(2025, 4, 5, 15, 45, tzinfo=UTC),
    datetime(2025, 10, 4, 16, 0, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 5, tzinfo=UTC),
    datetime(2025, 3, 31, 12, 0, tzinfo=UTC),
    datetime(2024, 2, 29, 18, 30, tzinfo=UTC),
]
"""Near changes of clocks, a new year, a 31st, a leap day."""
WINDOWS = [timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=15)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[datetime, str | None], timedelta, Asked]:
    window = draw(st.sampled_from(WINDOWS))
    newest = draw(st.sampled_from(NEWEST)) + draw(st.integers(-2000, 2000)) * window
    reach = draw(st.sampled_from([HOUR, 2 * DAY, 40 * DAY, 800 * DAY])) // window
    steps = {0, *draw(st.lists(st.integers(0, reach), min_size=20, max_size=120))}
    start = newest - newest.replace(tzinfo=UTC).timestamp() % window.total_seconds() * timedelta(seconds=1)
    rows: dict[datetime, str | None] = {
        start - step * window: f"{step * 7919 % 90_000 / 100 + 0.01:.2f}" for step in steps
    }
    calendar = Calendar(
        ZoneInfo(draw(st.sampled_from(ZONES))), draw(st.sampled_from([0, 5, 6])), draw(st.integers(1, 12))
    )
    ranges: list[Range] = [
        *RANGES.values(),
        Between(start - draw(st.integers(1, reach + 10)) * window, start + draw(st.integers(0, 9)) * window),
    ]
    grain = draw(st.sampled_from([None, *(one.name for one in grains_of(window))]))
    wide = draw(st.sampled_from([12, 120, 750]))
    asked = Asked(draw(st.sampled_from(ranges)), calendar, grain, tuple(COMPARISONS), wide)
    return rows, window, asked


def by_day_after(changed: datetime, zone: str) -> tuple[dict[datetime, str | None], timedelta, Asked]:
    """Two weeks by day around the moment that clocks were put forward at midnight: chance alone seldom finds one."""
    rows = every(HOUR, changed - 20 * DAY, changed + 5 * DAY)
    return rows, WINDOWS[2], Asked(RANGES["14 d"], Calendar(ZoneInfo(zone)), "day", tuple(COMPARISONS))


@given(worlds())
@example(by_day_after(datetime(2025, 3, 30, 1, tzinfo=UTC), "Atlantic/Azores"))
@example(by_day_after(datetime(2025, 4, 24, 22, tzinfo=UTC), "Africa/Cairo"))
@example(by_day_after(datetime(2025, 9, 7, 4, tzinfo=UTC), "America/Santiago"))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_grain_range_and_zone_sums_up_exactly_and_compares_like_with_like(
    world: tuple[dict[datetime, str | None], timedelta, Asked],
) -> None:
    rows, window, asked = world

    answer = trend(TableOf(table(rows, window), window=window), asked)

    assert answer is not None
    tile_the_range(answer)
    begin_where_clock_and_calendar_have_them(answer)
    sum_up_to_the_rows(answer, rows)
    correspond(answer, rows)


def tile_the_range(answer: Trend) -> None:
    stretch, buckets = answer.stretch, answer.buckets.to_pylist()
    assert buckets[0]["bucket_start"] == stretch.start
    assert buckets[-1]["bucket_end"] >= stretch.until
    assert all(one["bucket_end"] == following["bucket_start"] for one, following in pairwise(buckets))
    assert all(one["bucket_start"] < one["bucket_end"] for one in buckets)
    assert len(buckets) <= answer.asked.wide + 1 or answer.choice.grain.name == "fiscal year"


def begin_where_clock_and_calendar_have_them(answer: Trend) -> None:
    calendar, grain = answer.asked.calendar, answer.choice.grain
    for start in answer.buckets["bucket_start"].to_pylist()[1:]:
        local = start.astimezone(calendar.zone)
        before = (start - timedelta(microseconds=1)).astimezone(calendar.zone)
        assert answer.periods.start_of(start) == start
        if grain.is_days:
            assert before.date() < local.date()
        elif grain.name != "window":
            seconds = local.hour * 3600 + local.minute * 60 + local.second
            assert before.utcoffset() != local.utcoffset() or seconds % grain.span.total_seconds() == 0
        if grain.name == "week":
            assert local.weekday() == calendar.week_start
        if grain.name in ("month", "quarter", "fiscal year"):
            assert local.day == 1
        if grain.name in ("quarter", "fiscal year"):
            assert (local.month - calendar.fiscal_start) % (3 if grain.name == "quarter" else 12) == 0


def sum_up_to_the_rows(answer: Trend, rows: dict[datetime, str | None]) -> None:
    for row in answer.buckets.to_pylist():
        assert (row["total"] or 0) == summed(rows, row["bucket_start"], row["bucket_end"])
        assert (row["total"] is None) == (not row["windows"])
    assert answer.total.revenue == summed(rows, answer.stretch.start, answer.stretch.until)
    running = [value for value in answer.buckets["running"].to_pylist() if value is not None]
    assert answer.stretch.until <= answer.stretch.start or running[-1] == answer.total.revenue


def correspond(answer: Trend, rows: dict[datetime, str | None]) -> None:
    calendar, until = answer.asked.calendar, answer.stretch.until
    zone = calendar.zone
    for one in answer.compared:
        assert one.until <= until
        if one.total is None or one.rows is None:
            continue
        assert one.total.revenue == summed(rows, one.start, one.until)
        running = [value for value in one.rows["running"].to_pylist() if value is not None]
        assert running == sorted(running)
        assert running[-1] == one.total.revenue
        beside = [value or 0 for value in one.rows["total"].to_pylist()]
        assert sum(beside) <= one.total.revenue
        if zone.key in ("UTC", "Asia/Kolkata", "Asia/Kathmandu") and one.comparison == "week":
            assert beside == [
                summed(rows, row["bucket_start"] - 7 * DAY, min(row["bucket_end"], until) - 7 * DAY)
                for row in answer.buckets.to_pylist()
            ]
        if answer.choice.grain.name == "day" and one.comparison == "week":
            days = [calendar.day(start) - 7 * DAY for start in answer.buckets["bucket_start"].to_pylist()]
            assert beside == [
                summed(rows, max(one.start, local_midnight(day, zone)), min(one.until, local_midnight(day + DAY, zone)))
                for day in days
            ]


def test_the_total_of_a_range_is_the_same_by_whatever_grain() -> None:
    rows = every(timedelta(minutes=10, seconds=5), NOON - 9 * DAY, NOON + timedelta(seconds=5))

    totals = {found(rows, RANGES["7 d"], BERLIN, grain=grain).total for grain in (None, "hour", "day", "week")}

    assert len(totals) == 1


def test_a_table_without_rows_has_no_trend() -> None:
    assert trend(TableOf(REVENUE_SCHEMA.empty_table()), Asked(RANGES["1 h"], Calendar(UTC_ZONE))) is None


def test_a_zone_whose_midnight_cuts_windows_is_refused_with_the_reason_and_shown_by_window() -> None:
    rows = every(HOUR, NOON - 3 * DAY, NOON)
    kolkata = ZoneInfo("Asia/Kolkata")

    with pytest.raises(SettingsError, match=r"its midnight, 5:30:00 off UTC, falls inside a window"):
        found(rows, RANGES["7 d"], kolkata, window=HOUR, grain="day")
    with pytest.raises(SettingsError, match="falls inside a window"):
        found(rows, RANGES["Today"], kolkata, window=HOUR)
    by_window = found(rows, RANGES["24 h"], kolkata, window=HOUR, heat=True)

    assert by_window.choice.grain.name == "window"
    assert by_window.total.revenue == 24
    assert by_window.heat is None
    assert "falls inside a window" in by_window.notes[0]


def test_the_default_page_asks_a_question_for_each_piece_and_series() -> None:
    engine = TableOf(table(every(HOUR, NOON - 80 * DAY, NOON + SECONDS_5)))
    asked = Asked(RANGES["7 d"], Calendar(BERLIN), "hour", ("previous", "year"), heat=True, band=True)

    answer = trend(engine, asked)

    assert answer is not None
    assert engine.asked == ["revenue_extent", *["revenue_by_bucket"] * 4]
    assert answer.questions == 5


def test_a_doubled_window_is_a_fault_of_the_range_and_nothing_is_compared() -> None:
    rows = every(HOUR, NOON - 3 * DAY, NOON)
    doubled = table(dict(list(rows.items())[-2:-1]))
    engine = TableOf(pa.concat_tables([table(rows), doubled]))

    answer = trend(engine, Asked(RANGES["24 h"], Calendar(UTC_ZONE), heat=True, band=True))

    assert answer is not None
    assert answer.faults["fault"].to_pylist() == ["doubled"]
    assert (answer.compared, answer.heat, answer.band) == ((), None, None)
    assert len(found(rows, RANGES["24 h"]).faults) == 0


def test_a_window_without_an_amount_is_a_fault() -> None:
    assert found({NOON: None}, RANGES["1 h"]).faults["fault"].to_pylist() == ["no amount"]


def test_a_window_that_ends_when_it_begins_is_refused() -> None:
    with pytest.raises(ReadError, match="does not end after it begins"):
        found({NOON: "1.00"}, RANGES["All"], window=timedelta(0))


def test_quiet_windows_count_for_the_average_and_the_time_before_the_table_does_not() -> None:
    answer = found({NOON + SECONDS_5 * n: "1.00" for n in (0, 1, 3)}, RANGES["15 min"])

    assert answer.windows_passed == 4
    assert answer.average_per(SECONDS_5) == Decimal("0.75")
    assert answer.average_per(HOUR) == Decimal("540.00")


class Moving(TableOf):
    """Something is committed after each of the first answers."""

    def __init__(self, rows: Any, commits: int) -> None:
        super().__init__(rows)
        self.commits = commits

    def ask(self, question: str, *given: Any, **limits: Any) -> Answer:
        answer = super().ask(question, *given, **limits)
        if self.commits:
            self.commits -= 1
            self.snapshot = Snapshot(self.snapshot.id + 1, NOON)
        return answer


def test_a_commit_between_two_questions_has_all_asked_again() -> None:
    answer = trend(Moving(table({NOON: "1.00"}), commits=3), Asked(RANGES["1 h"], Calendar(UTC_ZONE)))

    assert answer is not None
    assert answer.snapshot == Snapshot(4, NOON)


def test_a_table_that_never_stands_still_is_a_fault() -> None:
    with pytest.raises(ReadError, match="again and again"):
        trend(Moving(table({NOON: "1.00"}), commits=99), Asked(RANGES["1 h"], Calendar(UTC_ZONE)))


def test_what_is_asked_is_a_key() -> None:
    asked = Asked(RANGES["Today"], Calendar(BERLIN, 6, 4), "hour", ("previous", "week"))

    assert {asked: 1}[Asked(RANGES["Today"], Calendar(ZoneInfo("Europe/Berlin"), 6, 4), "hour", ("previous", "week"))]
