"""The nights in which clocks change: an hour that is shown twice is two bars side by side, a missing one no gap."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest

from dashboard.annotations import Annotation, Kind
from dashboard.revenue.alt import describe
from dashboard.revenue.axis import axis_zone, ticks
from dashboard.revenue.charts import revenue_bars, running_lines
from dashboard.revenue.marks import add_happened, happened_in
from dashboard.revenue.view import selected
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.trend import Trend
from tests.trends.world import BERLIN, DAY, HOUR, SECONDS_5, Rows, every, found

MINUTE = timedelta(minutes=1)
AUTUMN, SPRING = datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)
"""When Berlin puts its clocks back from 03:00 to 02:00, and forward from 02:00 to 03:00."""
NIGHTS = (AUTUMN, SPRING)


def night(change: datetime, grain: str = "hour", **more: Any) -> Trend:
    """From two hours before the change to three after it, 12.00 an hour."""
    rows = every(HOUR, change - 70 * DAY, change + 3 * HOUR, "12.00")
    return found(rows, Between(change - 2 * HOUR, change + 3 * HOUR), BERLIN, grain=grain, **more)


def places(trace: Any) -> list[datetime]:
    """Where its points are, however they are given."""
    if trace.x is not None:
        return [datetime.fromisoformat(at) for at in trace.x]
    first = datetime.fromisoformat(trace.x0)
    return [first + n * timedelta(milliseconds=trace.dx) for n in range(len(trace.y))]


def bars_of(figure: go.Figure) -> Any:
    [bars] = [one for one in figure.data if one.type == "bar"]
    return bars


@pytest.mark.parametrize("change", NIGHTS)
def test_every_hour_of_such_a_night_is_one_bar_beside_the_one_before(change: datetime) -> None:
    figure = revenue_bars(night(change))

    bars = bars_of(figure)
    assert {later - at for at, later in pairwise(places(bars))} == {HOUR}
    assert list(bars.y) == [12.0] * 5
    first, last = (datetime.fromisoformat(at) for at in figure.layout.xaxis.range)
    assert (first, last - first) == (places(bars)[0], 5 * HOUR)


def test_the_hour_that_is_shown_twice_is_told_apart_by_its_offset_wherever_it_is_named() -> None:
    answer = night(AUTUMN)

    assert [facts[1] for facts in bars_of(revenue_bars(answer)).customdata] == [
        "01:00 to 02:00 +02:00",
        "02:00 +02:00 to 02:00 +01:00",
        "02:00 +01:00 to 03:00",
        "03:00 to 04:00",
        "04:00 to 05:00",
    ]
    assert [facts[1] for facts in bars_of(revenue_bars(night(SPRING))).customdata][:3] == [
        "00:00 to 01:00",
        "01:00 to 03:00",
        "03:00 to 04:00",
    ]
    higher = every(HOUR, AUTUMN - 2 * HOUR, AUTUMN, "12.00") | {AUTUMN: "99.00"}
    told = describe(found(higher, Between(AUTUMN - 2 * HOUR, AUTUMN + HOUR), BERLIN, grain="hour"), "total")
    assert "the highest is 99.00 at 02:00 +01:00" in told


@pytest.mark.parametrize(
    ("name", "until"), [("1 h", AUTUMN + 30 * MINUTE), ("15 min", AUTUMN + 10 * MINUTE), ("6 h", AUTUMN + HOUR)]
)
def test_the_axis_of_a_range_that_ends_in_that_hour_is_as_long_as_the_range(name: str, until: datetime) -> None:
    answer = found(every(SECONDS_5, until - 7 * HOUR, until), RANGES[name], BERLIN)
    figure = revenue_bars(answer)

    first, last = (datetime.fromisoformat(at) for at in figure.layout.xaxis.range)
    assert last - first == answer.periods.bounds[-1] - answer.periods.bounds[0] > timedelta(0)
    assert places(bars_of(figure)) == sorted(set(places(bars_of(figure))))


@pytest.mark.parametrize("grain", ["15 min", "hour", "day"])
@pytest.mark.parametrize("change", NIGHTS)
def test_the_running_total_never_runs_back(change: datetime, grain: str) -> None:
    rows = every(15 * MINUTE, change - 3 * DAY, change + 30 * MINUTE)
    figure = running_lines(found(rows, RANGES["7 d"], BERLIN, grain=grain))

    for line in figure.data:
        assert places(line) == sorted(set(places(line)))
    if change == AUTUMN:
        assert figure.data[-1].customdata[-1] == "02:15:05 +01:00, 25 Oct"


@pytest.mark.parametrize("change", NIGHTS)
def test_a_comparison_the_band_and_what_happened_stand_on_the_bars_they_belong_to(change: datetime) -> None:
    answer = night(change, comparisons=("week",), band=True)
    note = Annotation(Kind.REDRIVE, change - 10 * MINUTE, change + 70 * MINUTE, "again", "otto", change)
    figure = revenue_bars(answer)
    add_happened(figure, answer, happened_in(answer, [note]))

    bars = places(bars_of(figure))
    lines = [one for one in figure.data if one.type == "scatter" and one.name in ("compared", "expected")]
    assert len(lines) == 3
    for line in lines:
        assert all(at < middle < at + HOUR for at, middle in zip(bars, places(line), strict=True))
    [sign] = [at for one in figure.data if one.name == "happened" for at in places(one)]
    assert bars[1] < sign < bars[2]
    [shade] = [one for one in figure.layout.shapes if one.type == "rect"]
    x0, x1 = (datetime.fromisoformat(at) for at in (shade.x0, shade.x1))
    assert (x0 - bars[1], x1 - x0) == (50 * MINUTE, 80 * MINUTE)


def test_what_is_drawn_over_one_of_two_bars_of_the_same_name_is_that_one() -> None:
    answer = night(AUTUMN)
    bars = places(bars_of(revenue_bars(answer)))

    drawn = [bars[2] + 10 * MINUTE, bars[2] + 20 * MINUTE]

    assert selected(drawn, answer.periods.bounds, axis_zone(answer.periods)) == Between(AUTUMN, AUTUMN + HOUR)


def lettered(of: Trend) -> list[tuple[datetime, str]]:
    shown = ticks(of.periods)
    return [
        (datetime.fromisoformat(f"{at}Z"), text) for at, text in zip(shown["tickvals"], shown["ticktext"], strict=True)
    ]


def test_the_ticks_of_such_a_night_show_the_readers_clock() -> None:
    assert lettered(night(AUTUMN)) == [
        (AUTUMN - HOUR, "02:00<br>+02:00"),
        (AUTUMN, "02:00<br>+01:00"),
        (AUTUMN + HOUR, "03:00<br>25 Oct"),
        (AUTUMN + 2 * HOUR, "04:00"),
        (AUTUMN + 3 * HOUR, "05:00"),
    ]
    assert [text for _, text in lettered(night(SPRING))] == [
        "01:00<br>29 Mar",
        "03:00",
        "04:00",
        "05:00",
        "06:00",
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"])
@pytest.mark.parametrize("days", [0.0125, 0.25, 1, 2, 7, 30])
def test_there_are_a_few_ticks_at_round_times_of_the_clock(zone: str, days: float) -> None:
    [change, *_] = [
        at
        for at in (datetime(2018, 1, 1, tzinfo=UTC) + n * HOUR for n in range(366 * 24))
        if at.astimezone(ZoneInfo(zone)).utcoffset() != (at - HOUR).astimezone(ZoneInfo(zone)).utcoffset()
    ]
    start = change - days / 2 * DAY
    end = start + days * DAY
    answer = found({start: "1.00", end - SECONDS_5: "1.00"}, Between(start, end), ZoneInfo(zone))

    shown = lettered(answer)

    assert 2 <= len(shown) <= 9
    assert all(answer.periods.bounds[0] <= at <= answer.periods.bounds[-1] for at, _ in shown)
    if days >= 7:
        # a day that clocks let begin at one o'clock begins nevertheless
        assert all(at.astimezone(ZoneInfo(zone)).hour in (0, 1) for at, _ in shown)
    else:
        assert [at.astimezone(ZoneInfo(zone)).second for at, _ in shown] == [0] * len(shown)


def test_where_no_clock_changes_and_of_whole_days_plotly_letters_the_axis_itself() -> None:
    before = found(every(HOUR, AUTUMN - DAY, AUTUMN - HOUR), Between(AUTUMN - DAY, AUTUMN - HOUR), BERLIN, grain="hour")
    days = found(every(HOUR, AUTUMN - 9 * DAY, AUTUMN + DAY), RANGES["7 d"], BERLIN, grain="day")

    for answer in (before, days):
        assert axis_zone(answer.periods) == BERLIN
        assert "tickvals" not in ticks(answer.periods)
    bars = bars_of(revenue_bars(days))
    ends = [at + timedelta(milliseconds=width) for at, width in zip(places(bars), bars.width, strict=True)]
    assert all(end <= at for end, at in zip(ends, places(bars)[1:], strict=False))


@pytest.mark.parametrize("name", ["1 h", "24 h", "7 d", "30 d"])
def test_a_full_chart_of_such_a_night_weighs_no_more_than_any_other(name: str) -> None:
    until = AUTUMN + 30 * MINUTE
    rows: Rows = every(MINUTE, until - 31 * DAY, until, "123456.78") | every(
        SECONDS_5, until - HOUR, until, "123456.78"
    )
    answer = found(rows, RANGES[name], BERLIN, comparisons=("previous", "week", "year"), wide=370)

    for draw in (revenue_bars, running_lines):
        assert len(draw(answer, is_ahead=True).to_json()) < 80_000
