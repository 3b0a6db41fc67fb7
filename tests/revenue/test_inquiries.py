"""Whoever asks again what a figure was asked with gets the figure, to the cent."""

from collections import defaultdict
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from dashboard.readers.inquiry import ask_whole
from dashboard.revenue.inquiries import chart_inquiry, inquiries
from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, TableOf, every, table

ROWS = {at: f"{n % 97}.{n % 89:02}" for n, at in enumerate(every(HOUR, NOON - 40 * DAY, NOON))}
ENGINE = TableOf(table({**ROWS, NOON - SECONDS_5: "0.01"}))


def of(name: str, grain: str | None, *, heat: bool = False, zone: ZoneInfo = BERLIN) -> Trend:
    answer = trend(ENGINE, Asked(RANGES[name], Calendar(zone), grain, tuple(COMPARISONS), heat=heat))
    assert answer is not None
    return answer


def sold(rows: list[dict[str, Decimal | None]]) -> Decimal:
    return sum((row["revenue"] or Decimal(0) for row in rows), Decimal("0.00"))


@pytest.mark.parametrize(
    ("name", "grain"), [("1 h", "window"), ("6 h", None), ("7 d", "hour"), ("14 d", "day"), ("This month", "week")]
)
def test_the_chart_the_totals_and_each_comparison_have_a_question_of_their_own(name: str, grain: str | None) -> None:
    answer = of(name, grain)

    (chart, bars), (totals, summed), *compared = inquiries(answer)

    assert (chart, totals, summed.question) == ("Chart", "Revenue, orders and average order", "revenue_totals")
    for inquiry in (bars, summed):
        assert sold(ask_whole(ENGINE, inquiry).rows.to_pylist()) == answer.total.revenue
    known = [one for one in answer.compared if one.total is not None]
    assert [told for told, _ in compared] == [f"Compared: {one.name}" for one in known] != []
    for one, (_, inquiry) in zip(known, compared, strict=True):
        assert one.total is not None
        assert sold(ask_whole(ENGINE, inquiry).rows.to_pylist()) == one.total.revenue


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
def test_the_heat_map_is_asked_by_hour_whatever_the_bars_would_be(zone: str) -> None:
    answer = of("14 d", "day", heat=True, zone=ZoneInfo(zone))
    assert answer.heat is not None

    (name, inquiry), *_ = inquiries(answer)
    hours: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for row in ask_whole(ENGINE, inquiry).rows.to_pylist():
        local = row["bucket_start"].astimezone(ZoneInfo(zone))
        hours[local.weekday(), local.hour] += row["revenue"]

    assert (name, inquiry.bucket) == ("Weekday × hour", HOUR)
    assert {(row["weekday"], row["hour"]): row["revenue"] for row in answer.heat.to_pylist() if row["revenue"]} == {
        place: revenue for place, revenue in hours.items() if revenue
    }


def test_a_heat_map_of_a_time_before_the_first_window_is_asked_about_no_time() -> None:
    asked = Asked(Between(NOON - 90 * DAY, NOON - 80 * DAY), Calendar(BERLIN), heat=True)
    answer = trend(ENGINE, asked)
    assert answer is not None

    inquiry = chart_inquiry(answer)

    assert inquiry.start == inquiry.end
    assert ask_whole(ENGINE, inquiry).rows.num_rows == 0
