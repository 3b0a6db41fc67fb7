from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.errors import SettingsError
from dashboard.trends.calendars import Calendar, Shift
from dashboard.trends.changes import Kind
from dashboard.trends.comparisons import Compared
from dashboard.trends.ranges import RANGES, Between, Of, Range
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, trend
from tests.queries.rows import orders
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, Rows, TableOf, every, found, table

TODAY = datetime(2026, 3, 18, 13, 5, tzinfo=UTC)
"""Where the newest window ends: Wednesday, 14:05 in Berlin."""
LONG_AGO = {TODAY - 500 * DAY: "0.01"}


def one(rows: Rows, asked: Range, name: str = "previous", zone: ZoneInfo = BERLIN, **more: Any) -> Compared:
    [compared] = found(rows, asked, zone, comparisons=(name,), **more).compared
    return compared


def ends_at(until: datetime, text: str) -> dict[datetime, str | None]:
    """The newest window."""
    return {until - SECONDS_5: text}


def test_today_is_compared_with_yesterday_until_the_same_time_and_not_with_all_of_it() -> None:
    rows = LONG_AGO | every(HOUR, TODAY - 3 * DAY - SECONDS_5, TODAY) | ends_at(TODAY, "1.00")

    compared = one(rows, RANGES["Today"])

    assert compared.until == TODAY - DAY
    assert compared.total is not None
    assert compared.total.windows == 15
    assert compared.revenue.text == "no change on yesterday until 14:05"


@pytest.mark.parametrize(
    ("asked", "comparison", "before", "words"),
    [
        ("Today", "week", TODAY - 7 * DAY - HOUR, "up 12.4% on last Wednesday until 14:05"),
        ("Today", "year", TODAY - 364 * DAY - HOUR, "up 12.4% on Wednesday 19 Mar 2025, 364 days before until 14:05"),
        ("Yesterday", "previous", TODAY - 2 * DAY, "down 100.0% on the day before"),
        ("Yesterday", "week", TODAY - 8 * DAY, "down 100.0% on the Tuesday before"),
        ("This week", "previous", TODAY - 7 * DAY - HOUR, "up 12.4% on last week until 11 Mar 14:05"),
        ("This month", "previous", TODAY - 28 * DAY - HOUR, "up 12.4% on last month until 18 Feb 14:05"),
        ("This year", "previous", TODAY - 365 * DAY - HOUR, "up 12.4% on last year until 18 Mar 2025 14:05"),
        ("Last month", "previous", TODAY - 60 * DAY, "down 100.0% on the month before"),
        ("1 h", "previous", TODAY - HOUR - SECONDS_5, "up 12.4% on the 1 h before until 13:05"),
        ("24 h", "previous", TODAY - DAY - HOUR, "up 12.4% on the day before until 17 Mar 14:05"),
        ("7 d", "previous", TODAY - 7 * DAY - HOUR, "up 12.4% on the 7 days before until 11 Mar 14:05"),
        ("7 d", "year", TODAY - 364 * DAY - HOUR, "up 12.4% on the same time 364 days before until 19 Mar 2025 14:05"),
    ],
)
def test_a_change_says_how_much_on_what_and_until_when(
    asked: str, comparison: str, before: datetime, words: str
) -> None:
    rows = LONG_AGO | {before: "100.00"} | ends_at(TODAY, "112.40")

    assert one(rows, RANGES[asked], comparison).revenue.text == words


@pytest.mark.parametrize(
    ("now", "before", "kind", "words"),
    [
        ("3.00", "3.00", Kind.SAME, "no change on yesterday until 14:05"),
        ("3.00", "0.00", Kind.FROM_NOTHING, "nothing was sold yesterday until 14:05"),
        ("0.00", "0.00", Kind.SAME, "nothing was sold, as yesterday until 14:05"),
        ("2.99", "3.00", Kind.DOWN, "down 0.3% on yesterday until 14:05"),
        ("9999.99", "10000.00", Kind.DOWN, "down less than 0.1% on yesterday until 14:05"),
        ("123.46", "10.00", Kind.UP, "12.3 times as much as yesterday until 14:05"),
    ],
)
def test_no_change_a_change_from_nothing_and_a_small_or_huge_one_have_words_of_their_own(
    now: str, before: str, kind: Kind, words: str
) -> None:
    rows = LONG_AGO | {TODAY - DAY - HOUR: before} | ends_at(TODAY, now)

    change = one(rows, RANGES["Today"]).revenue

    assert (change.kind, change.text) == (kind, words)


def test_time_in_which_nothing_was_sold_is_zero_and_time_before_the_table_is_no_data() -> None:
    quiet = one(LONG_AGO | ends_at(TODAY, "3.00"), RANGES["Today"])
    unknown = one(ends_at(TODAY, "3.00"), RANGES["Today"])

    assert quiet.revenue.text == "nothing was sold yesterday until 14:05"
    assert unknown.revenue.text == "no data of yesterday until 14:05: the first window is of 14:04:55"
    assert (unknown.total, unknown.rows) == (None, None)


def test_a_period_that_the_table_holds_a_part_of_is_not_compared_but_drawn() -> None:
    rows = {TODAY - DAY - HOUR: "3.00"} | ends_at(TODAY, "3.00")

    compared = one(rows, RANGES["Today"])

    assert compared.revenue.kind == Kind.PARTLY
    assert compared.revenue.ratio is None
    assert compared.revenue.text == (
        "not comparable: of yesterday until 14:05 there is only what came since 17 Mar 13:05"
    )
    assert compared.total is not None
    assert compared.total.revenue == 3


def test_several_comparisons_stand_beside_each_other_each_once_and_all_time_beside_none() -> None:
    rows = LONG_AGO | ends_at(TODAY, "1.00")
    asked: Iterable[str] = ("previous", "week", "year")

    assert [one.comparison for one in found(rows, RANGES["Today"], BERLIN, comparisons=asked).compared] == [*asked]
    week = found(rows, RANGES["This week"], BERLIN, comparisons=asked).compared
    assert [one.comparison for one in week] == ["previous", "year"]
    assert found(rows, RANGES["All"], comparisons=asked).compared == ()
    assert found(rows, RANGES["Today"], comparisons=()).compared == ()
    with pytest.raises(SettingsError, match="There is no comparison century"):
        found(rows, RANGES["Today"], comparisons=("century",))


def test_the_same_clock_time_is_meant_where_clocks_changed_between() -> None:
    until = datetime(2026, 3, 29, 12, 5, tzinfo=UTC)
    rows = LONG_AGO | ends_at(until, "1.00")

    compared = one(rows, RANGES["Today"])

    assert compared.until == datetime(2026, 3, 28, 13, 5, tzinfo=UTC)
    assert compared.name == "yesterday until 14:05"


def test_the_hours_of_a_day_of_25_stand_beside_those_of_24_and_the_second_2_o_clock_beside_none() -> None:
    end = datetime(2026, 10, 25, 23, tzinfo=UTC)
    rows = LONG_AGO | every(HOUR, end - 49 * HOUR, end) | ends_at(end, "1.00")

    answer = found(rows, RANGES["Today"], BERLIN, grain="hour", comparisons=("previous",))

    [compared] = answer.compared
    assert compared.rows is not None
    beside = compared.rows["total"].to_pylist()
    assert (len(beside), beside.count(None), beside.index(None)) == (25, 1, 3)
    assert sum(filter(None, beside)) == 24


def test_the_hour_that_clocks_left_out_is_missing_beside_the_others_and_in_the_total() -> None:
    end = datetime(2026, 3, 29, 22, tzinfo=UTC)
    rows = LONG_AGO | every(HOUR, end - 47 * HOUR, end) | ends_at(end, "1.00")

    answer = found(rows, RANGES["Today"], BERLIN, grain="hour", comparisons=("previous",))

    [compared] = answer.compared
    assert compared.rows is not None
    assert compared.total is not None
    assert sum(compared.rows["total"].to_pylist()) == 23
    assert compared.rows["running"].to_pylist()[-1] == compared.total.revenue == 24


def test_a_month_beside_a_shorter_one_ends_where_that_ends() -> None:
    until = datetime(2026, 3, 31, 12, tzinfo=UTC)
    rows = LONG_AGO | every(DAY, until - 80 * DAY - SECONDS_5, until) | ends_at(until, "1.00")

    answer = found(rows, RANGES["This month"], BERLIN, comparisons=("previous",), grain="day")

    [compared] = answer.compared
    assert compared.name == "last month until the end of 28 Feb"
    assert compared.total is not None
    assert compared.total.revenue == 28
    assert compared.rows is not None
    assert compared.rows["total"].to_pylist() == [*[1] * 28, None, None, None]


@pytest.mark.parametrize(
    ("zone", "moment", "days", "earlier"),
    [
        ("Europe/Berlin", "2026-03-30T02:30+02:00", 1, "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "2026-10-26T02:30+01:00", 1, "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30+02:00", 7, "2026-10-18T02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30+01:00", 7, "2026-10-18T03:00+02:00"),
        ("America/Havana", "2026-03-09T00:30-04:00", 1, "2026-03-08T01:00-04:00"),
        ("Australia/Lord_Howe", "2026-10-05T02:10+11:00", 1, "2026-10-04T02:30+11:00"),
    ],
)
def test_a_clock_time_that_another_day_lacks_or_has_twice(zone: str, moment: str, days: int, earlier: str) -> None:
    calendar = Calendar(ZoneInfo(zone))

    assert calendar.earlier(datetime.fromisoformat(moment), Shift(days=days)) == datetime.fromisoformat(earlier)


@pytest.mark.parametrize(
    ("zone", "changed"),
    [
        ("Atlantic/Azores", "2026-03-29"),
        ("Africa/Cairo", "2026-04-24"),
        ("America/Santiago", "2026-09-06"),
        ("America/Havana", "2026-03-08"),
    ],
)
def test_days_stand_beside_days_where_clocks_are_put_forward_at_midnight(zone: str, changed: str) -> None:
    calendar, day = Calendar(ZoneInfo(zone)), date.fromisoformat(changed)
    first, end = calendar.midnight(day - DAY), calendar.midnight(day + 8 * DAY)
    rows = LONG_AGO | every(HOUR, first - 7 * DAY, end)

    compared = one(rows, Between(first, end), "week", zone=calendar.zone, grain="day")
    from_the_change = one(rows, Between(calendar.midnight(day), end), "week", zone=calendar.zone, grain="day")

    assert compared.rows is not None
    assert compared.rows["total"].to_pylist() == [*[24] * 8, 23]
    assert from_the_change.start == calendar.midnight(day - 7 * DAY)
    assert from_the_change.total is not None
    assert from_the_change.total.revenue == 7 * 24 + 23


def test_hours_stand_beside_hours_of_the_same_name_where_clocks_are_put_forward_at_midnight() -> None:
    calendar, day = Calendar(ZoneInfo("Atlantic/Azores")), date(2026, 3, 29)
    start, end = calendar.midnight(day), calendar.midnight(day + DAY)
    before = calendar.midnight(day - DAY)
    rows = LONG_AGO | {before + n * HOUR: f"{n}.00" for n in range(24)} | ends_at(end, "1.00")

    compared = one(rows, Of("day"), zone=calendar.zone, grain="hour")

    assert compared.start == before
    assert compared.rows is not None
    assert compared.rows["total"].to_pylist() == list(range(1, 24))
    assert compared.rows["running"].to_pylist()[-1] == sum(range(24))
    assert end - start == 23 * HOUR


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 4, 24), date(2026, 10, 25), date(2026, 10, 30)])
@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("Africa/Cairo")])
def test_own_dates_of_one_whole_day_are_compared_as_that_day_is_however_many_hours_it_has(
    day: date, zone: ZoneInfo
) -> None:
    # in Cairo clocks are put forward at midnight, on April 24
    calendar = Calendar(zone)
    start, end = calendar.midnight(day), calendar.midnight_after(day)
    rows = every(HOUR, start - 3 * DAY, end + 3 * HOUR)

    own = one(rows, Between(start, end), zone=zone, window=HOUR)
    yesterday = one(rows, Of("day", 1), zone=zone, window=HOUR, today=day + DAY)

    assert (own.start, own.until, own.name) == (yesterday.start, yesterday.until, "the day before")
    assert own.total == yesterday.total


def test_a_stretch_of_less_than_a_day_is_compared_with_just_as_much_before_it() -> None:
    start = NOON + timedelta(minutes=7)
    rows = every(timedelta(minutes=5), NOON - 5 * HOUR, NOON + 9 * HOUR)

    compared = one(rows, Between(start, start + timedelta(minutes=50)), grain="15 min")

    assert (compared.start, compared.until) == (start - timedelta(minutes=50), start)
    assert compared.name == "the 50 min before"
    assert compared.rows is not None
    assert compared.rows["total"].to_pylist() == [1, 3, 3, 3]


def test_what_lies_thousands_of_years_before_is_not_compared_and_that_is_said() -> None:
    asked = Between(NOON - DAY, datetime(8999, 1, 1, tzinfo=UTC))

    answer = found(every(HOUR, NOON - 10 * DAY, NOON), asked, BERLIN, comparisons=("previous", "week"))

    assert [compared.comparison for compared in answer.compared] == ["week"]
    assert answer.notes == ("The period before would begin before 1970: nothing is compared with it.",)
    assert answer.total.revenue == 24


@pytest.mark.parametrize(
    ("window", "asked", "previous", "name"),
    [
        (HOUR, "15 min", 2, "the 1 h before until 11:00"),
        (timedelta(minutes=10), "15 min", 3 + 4, "the 20 min before until 11:40"),
        (2 * HOUR, "1 h", 2, "the 2 h before until 10:00"),
    ],
)
def test_a_range_that_ends_within_a_window_is_compared_with_the_windows_before_and_none_twice(
    window: timedelta, asked: str, previous: int, name: str
) -> None:
    rows = {NOON - n * window: f"{n}.00" for n in range(1, 9)}

    compared = one(rows, RANGES[asked], zone=ZoneInfo("UTC"), window=window)

    assert compared.total is not None
    assert compared.total.revenue == previous
    assert compared.name == name


def test_orders_and_the_average_order_have_changes_of_their_own() -> None:
    rows = LONG_AGO | {TODAY - DAY - SECONDS_5: "6.00"} | ends_at(TODAY, "9.00")
    placed = orders((TODAY - 500 * DAY, 0.01), (TODAY - DAY - SECONDS_5, 6.0), (TODAY - SECONDS_5, 4.0))
    placed = pa.concat_tables([placed, orders((TODAY - SECONDS_5, 5.0), offset=9)])

    answer = trend(TableOf(table(rows), placed), Asked(RANGES["Today"], Calendar(BERLIN)))

    assert answer is not None
    assert (answer.total.counted_orders, answer.total.average_order) == (2, Decimal("4.50"))
    [compared] = answer.compared
    assert compared.orders.text == "up 100.0% on yesterday until 14:05"
    assert compared.average_order.text == "down 25.0% on yesterday until 14:05"


def test_orders_that_are_not_counted_are_compared_with_nothing() -> None:
    compared = one(LONG_AGO | {TODAY - DAY - SECONDS_5: "6.00"} | ends_at(TODAY, "9.00"), RANGES["Today"])

    assert compared.revenue.kind == Kind.UP
    assert compared.orders.kind == compared.average_order.kind == Kind.UNKNOWN
    assert compared.orders.text == "not comparable: not known yet"


def test_orders_are_compared_up_to_what_is_committed_and_revenue_up_to_what_has_closed() -> None:
    rows = LONG_AGO | {TODAY - DAY - n * SECONDS_5: "2.00" for n in (1, 2, 3)} | {TODAY - 3 * SECONDS_5: "4.00"}
    placed = orders(*((at, float(text)) for at, text in rows.items()))
    streamed = table({TODAY - 2 * SECONDS_5: "3.00", TODAY - SECONDS_5: "5.00"})

    answer = trend(TableOf(table(rows), placed), Asked(RANGES["Today"], Calendar(BERLIN)), ahead=Ahead(streamed))

    assert answer is not None
    [compared] = answer.compared
    assert compared.revenue.text == "up 100.0% on yesterday until 14:05"
    assert compared.orders.text == "no change on yesterday until 14:04:50"
    assert compared.average_order.text == "up 100.0% on yesterday until 14:04:50"
