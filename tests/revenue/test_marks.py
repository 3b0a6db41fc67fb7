"""What happened stands where it happened, once for each bar, and is no markup."""

from datetime import timedelta

import plotly.graph_objects as go

from dashboard.annotations import Annotation, Kind
from dashboard.revenue.charts import revenue_bars
from dashboard.revenue.marks import MOST, add_caption, add_happened, happened_in
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Trend
from tests.trends.world import BERLIN, DAY, NOON, every, found

MINUTE = timedelta(minutes=1)
TEN = Between(NOON, NOON + 10 * MINUTE)


def trend_of(range_: Between = TEN) -> Trend:
    return found(every(MINUTE, range_.start, range_.end), range_, BERLIN, grain="1 min")


def note(minutes: float, text: str = "a sale", kind: Kind = Kind.NOTE, lasts: float = 0) -> Annotation:
    start = NOON + minutes * MINUTE
    return Annotation(kind, start, start + lasts * MINUTE, text, "otto", start)


def drawn(trend: Trend, *happened: Annotation) -> go.Figure:
    figure = revenue_bars(trend)
    add_happened(figure, trend, happened_in(trend, happened))
    return figure


def test_each_stands_above_the_bar_it_happened_in_by_the_readers_clock() -> None:
    figure = drawn(trend_of(), note(3.5, "Prices raised"), note(7, "Flink 3", Kind.DEPLOY), note(60, "later"))

    marks = figure.data[-1]
    assert [at.partition("T")[2] for at in marks.x] == ["13:03:30", "13:07:30"]
    assert list(marks.marker.symbol) == ["triangle-down", "square"]
    assert list(marks.customdata) == ["13:03:30 · Prices raised", "13:07 · Flink 3"]
    assert [(shape.type, shape.x0) for shape in figure.layout.shapes] == [("line", at) for at in marks.x]


def test_those_of_one_bar_share_a_sign() -> None:
    figure = drawn(trend_of(), *(note(3 + n / 10, f"number {n}") for n in range(6)))

    (words,) = figure.data[-1].customdata
    assert words.count("<br>") == 4
    assert words.endswith("and 2 more")


def test_what_lasted_longer_than_a_bar_is_shaded_and_cut_at_the_range() -> None:
    figure = drawn(trend_of(), note(-5, "sent again", Kind.REDRIVE, lasts=8))

    (shade,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [at.partition("T")[2] for at in (shade.x0, shade.x1)] == ["13:00:00", "13:03:00"]


def test_what_somebody_wrote_is_text_and_not_markup() -> None:
    figure = drawn(trend_of(), note(1, '<a href="https://example.org">free</a> & <b>bold</b>'))

    (words,) = figure.data[-1].customdata
    assert '&lt;a href="https://example.org"&gt;free&lt;/a&gt; &amp; &lt;b&gt;bold&lt;/b&gt;' in words.replace(
        "<br>", " "
    )


def test_the_newest_are_drawn_when_there_are_too_many() -> None:
    trend = trend_of(Between(NOON, NOON + 100 * MINUTE))
    figure = drawn(trend, *(note(n, f"number {n}") for n in range(100)))

    assert len(figure.data[-1].x) == MOST
    assert figure.data[-1].customdata[-1].endswith("number 99")


def test_a_chart_of_a_time_in_which_nothing_happened_is_as_it_was() -> None:
    trend = trend_of()

    assert drawn(trend, note(-DAY / MINUTE)) == revenue_bars(trend)


def test_a_picture_says_what_it_is_of_when_on_whose_clock_and_of_which_snapshot() -> None:
    trend = trend_of()
    figure = revenue_bars(trend)
    add_caption(figure, trend, "revenue in EUR · local · <mirror>", has_bars=True, is_ahead=False)

    (caption,) = figure.layout.annotations
    assert caption.text == (
        "revenue in EUR · local · &lt;mirror&gt; · 10 × 1 min, 13:00 to 13:09:05<br>"
        "1 Mar 2026 · Europe/Berlin · snapshot 1"
    )
