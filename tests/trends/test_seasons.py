from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from dashboard.trends.ranges import RANGES, Between
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, UTC_ZONE, Rows, every, found

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def cells(
    rows: Rows, start: datetime, end: datetime, zone: ZoneInfo = UTC_ZONE
) -> dict[tuple[int, int], tuple[str, int]]:
    answer = found(rows, Between(start, end), zone, heat=True)
    assert answer.heat is not None
    return {(row["weekday"], row["hour"]): (str(row["average"]), row["hours"]) for row in answer.heat.to_pylist()}


def test_an_hour_of_a_weekday_is_averaged_over_all_that_passed_those_without_a_sale_included() -> None:
    rows = {MONDAY - DAY: "0.01", MONDAY + 9 * HOUR: "1.00", MONDAY + 7 * DAY + 9 * HOUR: "0.01"}
    rows |= {MONDAY + 14 * DAY + 9 * HOUR: "1.00", MONDAY + 21 * DAY: "1.00"}

    found = cells(rows, MONDAY, MONDAY + 21 * DAY)

    assert len(found) == 168
    assert found[0, 9] == ("0.67", 3)
    assert found[6, 23] == ("0.00", 3)


def test_hours_that_are_cut_or_not_over_yet_or_before_the_table_are_left_out() -> None:
    rows = {MONDAY + HOUR - SECONDS_5: "5.00", MONDAY + HOUR: "1.00", MONDAY + 3 * HOUR + 30 * SECONDS_5: "7.00"}

    assert cells(rows, MONDAY - DAY, MONDAY + DAY) == {(0, 1): ("1.00", 1), (0, 2): ("0.00", 1)}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"])
def test_the_averages_are_those_of_the_readers_clock_to_the_cent(zone: str) -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 14, tzinfo=UTC)
    rows = {at: f"{place % 89}.{place % 100:02}" for place, at in enumerate(every(timedelta(minutes=15), start, end))}

    answer = found(rows, Between(start, end), ZoneInfo(zone), heat=True)

    sums: dict[tuple[int, int], Decimal] = {}
    hours: dict[tuple[int, int], set[datetime]] = {}
    for at, text in rows.items():
        local = at.astimezone(ZoneInfo(zone))
        cell = (local.weekday(), local.hour)
        sums[cell] = sums.get(cell, Decimal(0)) + Decimal(text)
        hours.setdefault(cell, set()).add(at - timedelta(minutes=local.minute))
    assert answer.heat is not None
    same = 0
    for row in answer.heat.to_pylist():
        cell = (row["weekday"], row["hour"])
        # hours that the range or a change of clocks cuts are in the plain sums alone
        same += (row["revenue"], row["hours"]) == (sums[cell], len(hours[cell]))
    assert same >= 165
    assert len(answer.heat) == 168


def test_an_hour_that_clocks_show_twice_counts_twice() -> None:
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    rows = every(timedelta(minutes=15), start - DAY, start + 30 * HOUR)

    assert cells(rows, start, start + 25 * HOUR, BERLIN)[6, 2] == ("4.00", 2)


def test_it_is_of_the_whole_range_whatever_the_grain() -> None:
    rows = every(timedelta(minutes=30), NOON - 60 * DAY, NOON)

    by_grain = [found(rows, RANGES["30 d"], BERLIN, heat=True, grain=grain).heat for grain in ("hour", "day", "week")]

    assert by_grain[0] is not None
    assert by_grain[0].equals(by_grain[1])
    assert by_grain[0].equals(by_grain[2])
