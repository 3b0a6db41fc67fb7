import random
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from dashboard.trends.expected import METHOD, Band
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.trend import Trend
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, Rows, every, found, summed

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
CHANCE = random.Random(11)


def seasonal(weeks: int, end: datetime = NOON) -> dict[datetime, str | None]:
    """Ten times as much by day as by night, and twice on Saturdays, give or take a tenth."""
    rows: dict[datetime, str | None] = {}
    for hours in range(weeks * 168):
        at = end - (hours + 1) * HOUR
        usual = (100 if 8 <= at.hour < 20 else 10) * (2 if at.weekday() == 5 else 1)
        rows[at] = f"{usual * CHANCE.uniform(0.9, 1.1):.2f}"
    return rows | {end - SECONDS_5: "0.00"}


def of(rows: Rows, name: str = "7 d", grain: str | None = "hour") -> tuple[Trend, Band]:
    answer = found(rows, RANGES[name], BERLIN, grain=grain, band=True)
    assert answer.band is not None
    return answer, answer.band


def anomalies(answer: Trend) -> list[datetime]:
    assert answer.band is not None
    assert answer.band.rows is not None
    flags = answer.band.rows["is_anomaly"].to_pylist()
    return [at for at, flag in zip(answer.buckets["bucket_start"].to_pylist(), flags, strict=True) if flag]


def test_what_is_usual_for_its_weekday_and_hour_is_none_and_what_is_not_is_an_anomaly() -> None:
    rows = seasonal(10)
    night, noon = NOON - 3 * DAY - 10 * HOUR, NOON - 2 * DAY
    odd = {**rows, night: "90.00", noon: "9.00"}

    assert anomalies(of(rows)[0]) == []
    assert anomalies(of(odd)[0]) == [night, noon]
    assert of(odd)[1].note == METHOD


def test_totals_stay_as_they_are() -> None:
    rows = {**seasonal(10), NOON - DAY: "99999.99"}

    assert of(rows)[0].total.revenue == summed(rows, NOON - 7 * DAY, NOON)


def test_one_odd_week_before_changes_what_is_expected_by_little() -> None:
    rows = seasonal(10)
    moment = NOON - DAY
    odd = {**rows, moment - 14 * DAY: "100000.00"}

    (_, usual), (_, after) = of(rows), of(odd)

    assert usual.rows is not None
    assert after.rows is not None
    place = -24
    assert abs(usual.rows["expected"][place].as_py() - after.rows["expected"][place].as_py()) < 10


def test_weeks_that_are_the_same_to_the_cent_make_no_anomaly_of_a_cent() -> None:
    rows = {NOON - n * HOUR: "100.00" for n in range(1, 10 * 168)} | {NOON - SECONDS_5: "0.00"}

    assert anomalies(of({**rows, NOON - HOUR: "100.01"})[0]) == []
    assert anomalies(of({**rows, NOON - HOUR: "111.00"})[0]) == [NOON - HOUR]
    _, band = of(rows)
    assert band.rows is not None
    assert band.rows.to_pylist()[0] == {
        "expected": Decimal("100.00"),
        "low": Decimal("90.00"),
        "high": Decimal("110.00"),
        "is_anomaly": False,
    }


def test_days_are_judged_by_weekday_too() -> None:
    rows = seasonal(12)
    saturday = datetime(2026, 2, 20, 23, tzinfo=UTC)
    shut = {at: "0.00" if saturday <= at < saturday + DAY else text for at, text in rows.items()}

    assert anomalies(of(rows, "14 d", "day")[0]) == []
    assert anomalies(of(shut, "14 d", "day")[0]) == [saturday]


def test_a_bucket_that_is_not_complete_is_expected_and_not_judged() -> None:
    answer, band = of({**seasonal(10), NOON + HOUR / 2: "0.01"})

    assert band.rows is not None
    assert answer.buckets["is_complete"].to_pylist()[-1] is False
    assert band.rows["expected"][-1].as_py() > 50
    assert band.rows["is_anomaly"][-1].as_py() is None


def test_too_little_history_gives_none_and_says_how_much_is_wanted() -> None:
    _, band = of(seasonal(4), "24 h")

    assert band.rows is None
    assert band.note == (
        "What to expect takes 5 weeks before the range; the table holds 28 days, so it is known from 15 Mar on at the "
        "latest."
    )


def test_by_another_grain_there_is_none_and_it_says_by_which() -> None:
    assert of(seasonal(10), "24 h", "15 min")[1].note == (
        "What to expect is known by hour and by day: choose one of them as grain."
    )


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)])
def test_the_hours_of_the_readers_clock_are_compared_across_a_change_of_clocks(change: datetime) -> None:
    end = change + 3 * DAY
    rows = {}
    for hours in range(10 * 168):
        at = end - (hours + 1) * HOUR
        rows[at] = "100.00" if 8 <= at.astimezone(BERLIN).hour < 20 else "10.00"

    answer = found(rows, Between(change - DAY, end), BERLIN, grain="hour", band=True)

    assert answer.band is not None
    assert answer.band.rows is not None
    expected = dict(zip(answer.buckets["bucket_start"].to_pylist(), answer.band.rows.to_pylist(), strict=True))
    assert {at.astimezone(BERLIN).hour for at, row in expected.items() if row["expected"] == 100} == {*range(8, 20)}
    assert anomalies(answer) == []


@pytest.mark.parametrize("grain", [None, "window", "hour"])
def test_of_windows_of_an_hour_it_is_known_however_the_grain_is_called(grain: str | None) -> None:
    night = NOON - 3 * DAY - 10 * HOUR
    rows = {at: text for at, text in seasonal(10).items() if at + SECONDS_5 < NOON} | {night: "90.00"}

    answer = found(rows, RANGES["7 d"], BERLIN, window=HOUR, grain=grain, band=True)

    assert answer.band is not None
    assert answer.band.note == METHOD
    assert anomalies(answer) == [night]


def test_of_windows_of_an_hour_by_a_clock_that_cuts_them_there_is_none_and_it_says_why() -> None:
    rows = every(HOUR, NOON - 70 * DAY, NOON)

    answer = found(rows, RANGES["7 d"], ZoneInfo("Asia/Kolkata"), window=HOUR, band=True)

    assert answer.band is None
    assert "cannot be summed by days of Asia/Kolkata" in answer.notes[0]
