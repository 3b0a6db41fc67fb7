"""What is certain looks certain, and a full chart stays light."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.readers.open_windows import OpenWindow
from dashboard.revenue.alt import describe
from dashboard.revenue.charts import heat_map, revenue_bars, running_lines
from dashboard.trends.calendars import Calendar
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.grains import MOST_BARS, MOST_MARKS
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, TableOf, every, found, table

MINUTE = timedelta(minutes=1)
FOUR = Between(NOON, NOON + 4 * MINUTE)
THREE = {NOON: "1234.56", NOON + MINUTE: "0.00", NOON + 4 * MINUTE - SECONDS_5: "100.00"}


def clock(text: str) -> str:
    return text.partition("T")[2]


def ahead() -> Trend:
    """Of one minute all is saved, of the next a part, of the third nothing has closed."""
    streamed = table({NOON + MINUTE + SECONDS_5: "10.00", NOON + 2 * MINUTE - SECONDS_5: "1.00"})
    opened = tuple(OpenWindow(at, at + SECONDS_5, 1, Decimal("0.25")) for at in (NOON + 2 * MINUTE, NOON + 3 * MINUTE))
    there = TableOf(table({NOON: "60.00", NOON + MINUTE: "30.00"}))
    answer = trend(there, Asked(RANGES["15 min"], Calendar(BERLIN), "1 min", ()), ahead=Ahead(streamed, opened))
    assert answer is not None
    return answer


def test_every_bucket_with_sales_is_one_bar_at_the_readers_clock_time_and_others_stay_gaps() -> None:
    figure = revenue_bars(found(THREE, FOUR, BERLIN, grain="1 min"))

    (bars,) = figure.data
    assert list(bars.y) == [1234.56, 0.0, 100.0]
    assert [clock(at) for at in bars.x] == ["13:00", "13:01", "13:03"]
    assert bars.width < 60_000
    assert [clock(at) for at in figure.layout.xaxis.range] == ["13:00", "13:04"]
    assert figure.layout.yaxis.rangemode == "tozero"
    assert figure.layout.showlegend is False


def test_the_hover_tells_the_exact_amount_the_time_the_zone_the_share_and_the_windows() -> None:
    (bars,) = revenue_bars(found(THREE, FOUR, BERLIN, grain="1 min")).data

    assert list(bars.customdata[0]) == ["1,234.56", "13:00 to 13:01", "92.5%", "", "1"]
    assert "windows: %{customdata[4]}%{customdata[3]}" in bars.hovertemplate
    assert "Europe/Berlin" in bars.hovertemplate


def test_a_bar_that_is_still_filling_is_hatched_and_says_so() -> None:
    (bars,) = revenue_bars(found({NOON: "1.00", NOON + MINUTE: "0.00"}, FOUR, BERLIN, grain="1 min")).data

    assert list(bars.marker.pattern.shape) == ["", "/"]
    assert bars.customdata[1][3].endswith("<br>still filling, known until 13:01:05")


def test_what_is_streamed_stands_faint_and_what_is_open_hatched_on_what_is_committed() -> None:
    figure = revenue_bars(ahead(), is_ahead=True)

    (bars,) = figure.data
    assert figure.layout.barmode == "relative"
    assert [(clock(at), height) for at, height in zip(bars.x, bars.y, strict=True)] == [
        ("13:00", 60.0),
        ("13:01", 30.0),
        ("13:01", 11.0),
        ("13:02", 0.25),
        ("13:03", 0.25),
    ]
    assert list(bars.marker.pattern.shape) == ["", "", "", "/", "/"]
    committed, _, streamed, *open_ = bars.marker.opacity
    assert streamed < committed == 1.0
    assert open_ == [1.0, 1.0]
    # whatever colours the theme has
    assert bars.marker.color is None
    assert [facts[3] for facts in bars.customdata][1:4] == [
        "<br>saved in Iceberg",
        "<br>streamed: final, not saved yet",
        "<br>open: so far, not final",
    ]
    assert bars.customdata[3][2] == "no part"
    assert bars.customdata[2][4] == "2"


def test_days_of_unequal_length_are_bars_of_unequal_width() -> None:
    spring = NOON.replace(day=28, hour=23)
    rows = {spring: "1.00", spring + 23 * HOUR: "2.00"}

    (bars,) = revenue_bars(found(rows, Between(spring, spring + 47 * HOUR), BERLIN, grain="day")).data

    assert bars.width[1] / bars.width[0] == pytest.approx(24 / 23)
    assert bars.customdata[0][1] == "Sun 29 Mar"


def test_each_comparison_is_a_thin_grey_line_of_its_own_kind_with_gaps_where_nothing_was_sold() -> None:
    then = {at - 7 * DAY: "5.00" for at in (NOON, NOON + 3 * MINUTE)}
    names = ("previous", "week")
    rows = {NOON - DAY * 20: "1.00", **then, NOON - 4 * MINUTE: "2.00", **THREE}
    figure = revenue_bars(found(rows, FOUR, BERLIN, grain="1 min", comparisons=names))

    previous, week = (one for one in figure.data if one.type == "scatter")
    assert (previous.line.dash, week.line.dash) == ("solid", "dash")
    assert [None if y != y else y for y in week.y] == [5.0, None, None, 5.0]  # NaN
    assert week.connectgaps is False
    assert "the same time 7 days before" in week.hovertemplate


def test_what_lies_outside_of_what_was_expected_gets_a_ring_and_the_band_is_an_area() -> None:
    rows = every(HOUR, NOON - 70 * DAY, NOON, "10.00") | {NOON - 5 * HOUR: "90.00", NOON - SECONDS_5: "0.00"}
    answer = found(rows, RANGES["7 d"], BERLIN, grain="hour", band=True)
    figure = revenue_bars(answer)

    high, low, ring, bars = figure.data
    assert low.fill == "tonexty"
    assert min(high.y) > 10 > max(low.y)
    assert (ring.marker.symbol, list(ring.y)) == ("circle-open", [90.0])
    assert bars.type == "bar"
    assert "1 bars are outside of what was expected" in describe(answer, "total")


def test_a_revised_window_carries_a_mark() -> None:
    answer = trend(
        TableOf(table(THREE)), Asked(FOUR, Calendar(BERLIN), "1 min", ()), revised=frozenset({NOON + MINUTE})
    )
    assert answer is not None

    bars, mark = revenue_bars(answer).data

    assert mark.marker.symbol == "diamond"
    assert list(mark.y) == [0.0]
    assert "revised" in bars.customdata[1][3]


def test_the_running_total_is_dotted_where_it_is_not_saved_and_ends_where_all_is_known() -> None:
    saved, dotted = running_lines(ahead(), is_ahead=True).data

    assert (saved.line.dash, dotted.line.dash) == ("solid", "dot")
    assert saved.y[-1] == 60.0
    assert list(dotted.y) == [60.0, 101.0]


def test_the_heat_map_begins_with_the_first_day_of_the_readers_week() -> None:
    rows = every(HOUR, NOON - 14 * DAY, NOON, "10.00")
    figure = heat_map(found(rows, RANGES["7 d"], calendar=Calendar(BERLIN, week_start=6), heat=True))

    [cells] = figure.data
    assert cells.y[0] == "Sunday"
    assert cells.z.shape == (7, 24)
    assert "<b>10.00</b> an hour" in cells.customdata[1][0]


def test_a_chart_can_be_drawn_on_from_left_to_right_but_not_with_a_finger() -> None:
    answer = found(THREE, FOUR, BERLIN)

    assert revenue_bars(answer).layout.dragmode == "select"
    assert revenue_bars(answer).layout.selectdirection == "h"
    assert revenue_bars(answer, is_selectable=False).layout.dragmode is False


@pytest.mark.parametrize("asked", [{"wide": 370}, {"grain": "window"}, {"grain": "hour", "band": True}])
@pytest.mark.parametrize("name", ["1 h", "24 h", "7 d", "14 d"])
def test_the_fullest_charts_have_at_most_2000_marks_and_weigh_less_than_80_kilobytes(
    asked: dict[str, Any], name: str
) -> None:
    rows = every(MINUTE, NOON - 30 * DAY, NOON, "123456.78") | every(SECONDS_5, NOON - HOUR, NOON, "123456.78")
    for comparisons in ((), ("previous",), tuple(COMPARISONS)):
        figure = revenue_bars(found(rows, RANGES[name], BERLIN, comparisons=comparisons, **asked), is_ahead=True)

        assert sum(len(trace.y) for trace in figure.data) <= MOST_MARKS
        [bars] = (trace for trace in figure.data if trace.type == "bar")
        assert len(bars.x) <= MOST_BARS
        assert len(figure.to_json()) < 80_000


def test_the_finding_comes_first_for_those_who_cannot_see_it() -> None:
    assert describe(found(THREE, FOUR, BERLIN, grain="1 min"), "total") == (
        "1,334.56 in all; the highest is 1,234.56 at 13:00. Bar chart of revenue from 13:00 to 13:04:00."
    )
    told = describe(ahead(), "total")
    assert "11.00 of all is streamed and not saved yet; 0.50 more is in open windows so far" in told
    assert describe(found({NOON: "0.00"}, FOUR, BERLIN), "total").startswith("Nothing was sold.")
    assert describe(found(THREE, FOUR, BERLIN, heat=True), "heat").startswith("There is no whole hour yet.")
