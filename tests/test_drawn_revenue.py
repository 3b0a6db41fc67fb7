"""When a chart is drawn anew, and when it is not."""

from datetime import timedelta
from decimal import Decimal

import plotly.graph_objects as go
import pytest

from dashboard import drawn_revenue
from dashboard.drawn_revenue import DrawnRevenue
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.readers.revenue import RANGES, Trend, trend
from tests.readers.test_revenue import NOON, SECONDS_5, UTC_ZONE, TableOf, table
from tests.readers.test_revenue_ahead import ahead_of, open_at

STREAMED = table({NOON + SECONDS_5: "2.00"})
OPEN = NOON + 2 * SECONDS_5


@pytest.fixture
def committed() -> Trend:
    found = trend(TableOf(table({NOON: "1.00"})), RANGES["1 h"], UTC_ZONE)
    assert found is not None
    return found


@pytest.fixture
def drawn() -> DrawnRevenue:
    return DrawnRevenue(RANGES["1 h"], UTC_ZONE)


def heights(figure: go.Figure | None) -> list[float]:
    assert figure is not None
    return list(figure.data[0].y)


def test_it_is_the_same_figure_while_nothing_changes(committed: Trend, drawn: DrawnRevenue) -> None:
    first = drawn.of(committed, ahead_of(STREAMED, [open_at(OPEN)]))

    again = drawn.of(committed, ahead_of(STREAMED, [open_at(OPEN)]))

    assert first[0] is again[0]
    assert first[1] is again[1]
    assert heights(again[1]) == [1.0, 2.0, 1.0]


def test_a_window_that_closes_is_drawn_at_once(committed: Trend, drawn: DrawnRevenue) -> None:
    drawn.of(committed, ahead_of(REVENUE_SCHEMA.empty_table()))

    _, figure = drawn.of(committed, ahead_of(STREAMED))

    assert heights(figure) == [1.0, 2.0]


def test_open_windows_are_drawn_anew_when_the_chart_has_stood_for_a_while(
    committed: Trend, drawn: DrawnRevenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = REVENUE_SCHEMA.empty_table()
    drawn.of(committed, ahead_of(empty, [open_at(OPEN, "1.00")]))

    monkeypatch.setattr(drawn_revenue, "OPEN_SECONDS", 3600.0)
    shown, figure = drawn.of(committed, ahead_of(empty, [open_at(OPEN, "2.00")]))
    assert (heights(figure), shown and shown.open) == ([1.0, 1.0], Decimal("1.00"))

    monkeypatch.setattr(drawn_revenue, "OPEN_SECONDS", 0.0)
    shown, figure = drawn.of(committed, ahead_of(empty, [open_at(OPEN, "2.00")]))
    assert (heights(figure), shown and shown.open) == ([1.0, 2.0], Decimal("2.00"))


def test_a_state_of_the_table_or_of_kafka_that_changes_is_drawn_at_once(committed: Trend, drawn: DrawnRevenue) -> None:
    drawn.of(committed, ahead_of(STREAMED))
    later = trend(TableOf(table({NOON: "1.00", NOON + SECONDS_5: "2.00"})), RANGES["1 h"], UTC_ZONE)

    assert heights(drawn.of(later, ahead_of(STREAMED.slice(0, 0)))[1]) == [3.0]
    assert heights(drawn.of(committed, None)[1]) == [1.0]
    assert drawn.of(None, None) == (None, None)


def test_a_fault_takes_the_chart_away_and_its_end_brings_it_back(committed: Trend, drawn: DrawnRevenue) -> None:
    shown, figure = drawn.of(committed, ahead_of(table({NOON + timedelta(minutes=1): None})))
    assert figure is None
    assert shown is not None
    assert shown.faults["fault"].to_pylist() == ["no amount"]

    assert heights(drawn.of(committed, ahead_of(STREAMED))[1]) == [1.0, 2.0]
