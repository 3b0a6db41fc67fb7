"""An engine that has just given rows, and the plain reckoning that answers are compared with."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from dashboard.readers.engine import NOW, WITHOUT_HASTE, Answer, Limits, Parameter
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, compose
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import Between, Range
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.queries.rows import orders

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECONDS_5 = timedelta(seconds=5)
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
Rows = Mapping[datetime, str | None]
"""By window_start the total as text."""


def table(rows: Rows, window: timedelta = SECONDS_5) -> pa.Table:
    return pa.table(
        {
            "window_start": list(rows),
            "window_end": [start + window for start in rows],
            "total_revenue": [text and Decimal(text) for text in rows.values()],
        },
        schema=REVENUE_SCHEMA,
    )


def every(step: timedelta, start: datetime, end: datetime, text: str = "1.00") -> dict[datetime, str | None]:
    """A window of that revenue at each step."""
    return {start + n * step: text for n in range(-(-(end - start) // step))}


class TableOf:
    """An engine that has just these rows, and says how often it was asked."""

    name = "rows"

    def __init__(self, rows: pa.Table, orders: pa.Table | None = None, window: timedelta = SECONDS_5) -> None:
        self.rows = rows
        self.orders = orders
        self.window = window
        self.snapshot = Snapshot(1, NOON)
        self.asked: list[str] = []

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot:
        return self.snapshot

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        self.asked.append(question)
        tables = {REVENUE_TABLE: self.rows}
        if self.orders is not None:
            tables[ORDERS_TABLE] = self.orders
        composed = compose(question, DIRECT, () if self.orders is not None else WITHOUT_ORDERS)
        given = composed.values(parameters, window_seconds=int(self.window.total_seconds()))
        return Answer(ask_tables(tables, composed.text, given), self.snapshot, self.name, 0.0)

    def close(self) -> None:
        return


def partly_counted() -> Trend:
    """Three bars of a minute: in the first the orders of all windows are known, in the second of one of two, in the
    third of the only one that is committed."""
    minute, starts = timedelta(minutes=1), [NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
    rows = {starts[0]: "10.00", starts[1]: "10.00", starts[1] + SECONDS_5: "10.00", starts[2]: "10.00"}
    paid = [(start + timedelta(seconds=second), 5.0) for start in starts for second in (1, 2)]
    asked = Asked(Between(NOON, NOON + 3 * minute), Calendar(UTC_ZONE), "1 min", ())
    ahead = Ahead(table({starts[2] + SECONDS_5: "1.00"}))
    answer = trend(TableOf(table(rows), orders(*paid)), asked, ahead=ahead)
    assert answer is not None
    return answer


def found(rows: Rows, asked: Range, zone: ZoneInfo = UTC_ZONE, *, window: timedelta = SECONDS_5, **more: Any) -> Trend:
    """The answer about these rows."""
    more.setdefault("comparisons", ())
    calendar = more.pop("calendar", Calendar(zone))
    answer = trend(TableOf(table(rows, window)), Asked(asked, calendar, **more))
    assert answer is not None
    return answer


def summed(rows: Rows, start: datetime, end: datetime) -> Decimal:
    """What begins in [start, end)."""
    return sum((Decimal(text) for at, text in rows.items() if text and start <= at < end), Decimal("0.00"))


def bars(answer: Trend, names: Iterable[str] = ("total",)) -> list[tuple[Any, ...]]:
    """By bucket these columns."""
    return [tuple(row[name] for name in names) for row in answer.buckets.to_pylist()]
