"""When a chart is drawn anew, and when it is not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import plotly.graph_objects as go
import pyarrow as pa
import pytest

from dashboard.annotations import Annotation, Kind
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.open_windows import OpenWindow
from dashboard.readers.streamed import Ahead
from dashboard.revenue import drawn as drawing
from dashboard.revenue.drawn import Drawn, DrawnRevenue, Marks
from dashboard.revenue.view import TOTAL
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES
from dashboard.trends.sales import NewState
from dashboard.trends.trend import Asked
from tests.trends.world import NOON, SECONDS_5, UTC_ZONE, TableOf, table

STREAMED = table({NOON + SECONDS_5: "2.00"})
OPEN = NOON + 2 * SECONDS_5
SOON = NOON + timedelta(hours=1)
NONE = REVENUE_SCHEMA.empty_table()


def ahead_of(streamed: pa.Table, open_: Sequence[OpenWindow] = (), *, is_live: bool = True) -> Ahead:
    return Ahead(streamed, tuple(open_), (), 0, is_live, 0, "", None, None)


def open_at(start: datetime, revenue: str = "1.00") -> OpenWindow:
    return OpenWindow(start, start + SECONDS_5, 2, Decimal(revenue))


@pytest.fixture
def engine() -> TableOf:
    return TableOf(table({NOON: "1.00"}))


@pytest.fixture
def drawn() -> DrawnRevenue:
    return DrawnRevenue(Asked(RANGES["15 min"], Calendar(UTC_ZONE), comparisons=()), TOTAL)


def heights(drawn: Drawn) -> list[float]:
    assert isinstance(drawn.figure, go.Figure)
    return list(drawn.figure.data[0].y)


def test_it_is_the_same_figure_and_nothing_is_asked_while_nothing_changes(engine: TableOf, drawn: DrawnRevenue) -> None:
    first = drawn.of(engine, engine.snapshot, ahead_of(STREAMED, [open_at(OPEN)]))
    engine.asked.clear()

    again = drawn.of(engine, engine.snapshot, ahead_of(STREAMED, [open_at(OPEN)]))

    assert first is again
    assert heights(again) == [1.0, 2.0, 1.0]
    assert engine.asked == []


def test_a_window_that_closes_is_drawn_at_once(engine: TableOf, drawn: DrawnRevenue) -> None:
    drawn.of(engine, engine.snapshot, ahead_of(NONE))

    assert heights(drawn.of(engine, engine.snapshot, ahead_of(STREAMED))) == [1.0, 2.0]


def test_open_windows_are_drawn_anew_when_the_chart_has_stood_for_a_while(
    engine: TableOf, drawn: DrawnRevenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn.of(engine, engine.snapshot, ahead_of(NONE, [open_at(OPEN, "1.00")]))

    monkeypatch.setattr(drawing, "OPEN_SECONDS", 3600.0)
    assert heights(drawn.of(engine, engine.snapshot, ahead_of(NONE, [open_at(OPEN, "2.00")]))) == [1.0, 1.0]

    monkeypatch.setattr(drawing, "OPEN_SECONDS", 0.0)
    assert heights(drawn.of(engine, engine.snapshot, ahead_of(NONE, [open_at(OPEN, "2.00")]))) == [1.0, 2.0]


def test_a_state_of_the_table_or_of_kafka_that_changes_is_drawn_at_once(engine: TableOf, drawn: DrawnRevenue) -> None:
    drawn.of(engine, engine.snapshot, ahead_of(STREAMED))
    later = TableOf(table({NOON: "1.00", NOON + SECONDS_5: "2.50"}))
    later.snapshot = Snapshot(2, NOON)

    assert heights(drawn.of(later, later.snapshot, ahead_of(NONE))) == [1.0, 2.5]
    assert heights(drawn.of(engine, engine.snapshot, None)) == [1.0]


def test_what_comes_to_be_known_of_the_past_is_drawn_at_once(engine: TableOf, drawn: DrawnRevenue) -> None:
    first = drawn.of(engine, engine.snapshot, None)
    happened = (Annotation(Kind.NOTE, NOON, NOON, "a sale", "", NOON), Annotation(Kind.NOTE, SOON, SOON, "", "", NOON))

    shown = drawn.of(engine, engine.snapshot, None, Marks(frozenset({NOON}), happened))

    assert first.trend is not None
    assert shown.trend is not None
    assert first.trend.buckets["state"][-1].as_py() == "final"
    assert shown.trend.buckets["state"][-1].as_py() == "revised"
    assert shown.happened == happened[:1]
    assert shown is drawn.of(engine, engine.snapshot, None, Marks(frozenset({NOON}), happened))


def test_what_is_ahead_of_one_state_is_never_put_into_another(engine: TableOf, drawn: DrawnRevenue) -> None:
    with pytest.raises(NewState):
        drawn.of(engine, Snapshot(2, NOON), ahead_of(STREAMED))

    assert drawn.last.trend is None


def test_before_all_is_read_only_what_is_committed_is_shown(engine: TableOf, drawn: DrawnRevenue) -> None:
    shown = drawn.of(engine, engine.snapshot, ahead_of(STREAMED, is_live=False))

    assert (heights(shown), shown.is_ahead) == ([1.0], False)


def test_a_fault_takes_the_chart_away_and_its_end_brings_it_back(engine: TableOf, drawn: DrawnRevenue) -> None:
    shown = drawn.of(engine, engine.snapshot, ahead_of(table({NOON + timedelta(minutes=1): None})))
    assert shown.figure is None
    assert shown.trend is not None
    assert shown.trend.faults["fault"].to_pylist() == ["no amount"]

    assert heights(drawn.of(engine, engine.snapshot, ahead_of(STREAMED))) == [1.0, 2.0]
