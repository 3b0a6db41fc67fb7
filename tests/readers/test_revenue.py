from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.errors import ReadError
from dashboard.readers.engine import WITHOUT_HASTE, Answer, Limits, Parameter
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, compose
from dashboard.readers.revenue import MAX_BUCKETS, RANGES, Range, Trend, trend

UTC_ZONE, BERLIN, KOLKATA = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS_5 = timedelta(seconds=5)
ALL = RANGES["All"]


def table(starts: Mapping[datetime, str | None], window: timedelta = SECONDS_5) -> pa.Table:
    return pa.table(
        {
            "window_start": list(starts),
            "window_end": [start + window for start in starts],
            "total_revenue": [text and Decimal(text) for text in starts.values()],
        },
        schema=REVENUE_SCHEMA,
    )


class TableOf:
    """An engine that has just these rows."""

    name = "rows"

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows
        self.snapshot = Snapshot(1, NOON)

    def newest(self) -> Snapshot:
        return self.snapshot

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        composed = compose(question, DIRECT, WITHOUT_ORDERS)
        given = composed.values(parameters)
        return Answer(ask_tables({REVENUE_TABLE: self.rows}, composed.text, given), self.snapshot, self.name, 0.0)

    def close(self) -> None:
        return


def found(rows: pa.Table, asked: Range, zone: ZoneInfo = UTC_ZONE) -> Trend:
    answer = trend(TableOf(rows), asked, zone)
    assert answer is not None
    return answer


def bars(answer: Trend) -> list[tuple[datetime, datetime, int, str]]:
    return [
        (row["bucket_start"], row["bucket_end"], row["windows"], str(row["revenue"]))
        for row in answer.buckets.to_pylist()
    ]


def test_a_table_without_rows_has_no_trend() -> None:
    assert trend(TableOf(REVENUE_SCHEMA.empty_table()), RANGES["1 h"], UTC_ZONE) is None


def test_the_shortest_range_has_a_bar_for_every_window_that_is_there() -> None:
    rows = table({NOON - timedelta(hours=1): "9.99", NOON - SECONDS_5 * 3: "1.10", NOON - SECONDS_5: "2.20"})

    answer = found(rows, RANGES["15 min"])

    assert (answer.start, answer.end) == (NOON - timedelta(minutes=15), NOON)
    assert bars(answer) == [
        (NOON - SECONDS_5 * 3, NOON - SECONDS_5 * 2, 1, "1.10"),
        (NOON - SECONDS_5, NOON, 1, "2.20"),
    ]
    assert answer.total == Decimal("3.30")
    assert not answer.is_filling


def test_the_newest_bar_fills_until_its_time_has_passed() -> None:
    answer = found(table({NOON: "1.00", NOON + timedelta(minutes=1): "2.00"}), RANGES["1 h"])

    assert answer.is_filling
    assert bars(answer)[-1][:2] == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert answer.end == NOON + timedelta(minutes=1, seconds=5)
    assert answer.start == NOON - timedelta(minutes=58)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("zone", [UTC_ZONE, BERLIN, KOLKATA])
def test_the_bars_of_a_range_add_up_to_its_rows_to_the_cent(name: str, zone: ZoneInfo) -> None:
    starts = {NOON + SECONDS_5 * n: f"{n % 97}.{n % 100:02}" for n in range(0, 300_000, 13)}
    rows = table(starts)

    answer = found(rows, RANGES[name], zone)
    in_range = [Decimal(text or 0) for start, text in starts.items() if start >= answer.start]

    assert answer.total == sum(in_range)
    assert answer.windows == len(in_range)
    assert len(answer.buckets) <= MAX_BUCKETS


def test_hours_begin_where_the_readers_clock_shows_a_full_hour() -> None:
    rows = table({NOON + timedelta(minutes=15): "1.00", NOON + timedelta(minutes=45): "2.00"})

    assert [bar[0] for bar in bars(found(rows, RANGES["7 d"], KOLKATA))] == [
        NOON - timedelta(minutes=30),
        NOON + timedelta(minutes=30),
    ]


def test_a_bar_never_cuts_through_a_window() -> None:
    hour = timedelta(hours=1)
    rows = table({NOON: "1.00", NOON + hour: "2.00"}, window=hour)

    answer = found(rows, RANGES["15 min"], KOLKATA)

    assert bars(answer) == [(NOON + hour, NOON + 2 * hour, 1, "2.00")]
    assert answer.bucket == hour
    assert bars(found(rows, RANGES["1 h"]))[0][0] == NOON + hour


def test_a_long_table_is_shown_by_the_readers_days_when_clocks_change_too() -> None:
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    rows = table({first + timedelta(hours=hour): "1.00" for hour in range(24 * 60)})

    answer = found(rows, ALL, BERLIN)
    days = {bar[0].astimezone(BERLIN).date(): bar for bar in bars(answer)}

    assert all(bar[0].astimezone(BERLIN).hour == 0 for bar in days.values())
    assert days[date(2026, 3, 28)][2] == 24
    assert days[date(2026, 3, 29)][2] == 23
    assert days[date(2026, 3, 29)][1] == days[date(2026, 3, 30)][0]


@pytest.mark.parametrize("years", [1, 10, 40])
def test_the_bars_grow_with_the_table(years: int) -> None:
    starts = {NOON + timedelta(days=day): "1.00" for day in range(365 * years)}

    answer = found(table(starts), ALL)

    assert len(answer.buckets) <= MAX_BUCKETS
    assert answer.total == 365 * years


def test_quiet_windows_count_for_the_average_and_the_time_before_the_table_does_not() -> None:
    rows = table({NOON + SECONDS_5 * n: "1.00" for n in (0, 1, 3)})

    answer = found(rows, RANGES["15 min"])

    assert (answer.windows, answer.windows_passed) == (3, 4)
    assert answer.average_per(answer.window) == Decimal("0.75")
    assert answer.average_per(timedelta(hours=1)) == Decimal("540.00")


def test_the_newest_window_is_told_apart() -> None:
    answer = found(table({NOON: "1.00", NOON + SECONDS_5: "2.00"}), RANGES["1 h"])

    assert (answer.newest_start, answer.newest_revenue) == (NOON + SECONDS_5, Decimal("2.00"))


def test_a_doubled_window_in_the_range_is_a_fault_and_outside_of_it_is_not() -> None:
    doubled = table({NOON - timedelta(hours=2): "1.00"})
    rows = pa.concat_tables([doubled, doubled, table({NOON: "1.00"})])

    assert found(rows, RANGES["24 h"]).faults["fault"].to_pylist() == ["doubled"]
    assert found(rows, RANGES["24 h"]).faults["window_start"].to_pylist() == [NOON - timedelta(hours=2)]
    assert len(found(rows, RANGES["1 h"]).faults) == 0


def test_a_window_without_an_amount_is_a_fault() -> None:
    answer = found(table({NOON: None}), RANGES["1 h"])

    assert answer.faults["fault"].to_pylist() == ["no amount"]
    assert answer.total == 0


def test_a_window_that_ends_when_it_begins_is_refused() -> None:
    with pytest.raises(ReadError, match="does not end after it begins"):
        trend(TableOf(table({NOON: "1.00"}, window=timedelta(0))), ALL, UTC_ZONE)


def test_a_commit_between_two_questions_has_them_asked_again() -> None:
    rows = table({NOON: "1.00", NOON + SECONDS_5: "2.00"})

    class Moving(TableOf):
        """Something is committed after the first answer."""

        def ask(self, question: str, *given: Any, **limits: Any) -> Answer:
            answer = super().ask(question, *given, **limits)
            if self.snapshot.id == 1:
                self.rows, self.snapshot = rows, Snapshot(2, NOON)
            return answer

    answer = trend(Moving(rows.slice(0, 1)), RANGES["15 min"], UTC_ZONE)

    assert answer is not None
    assert (answer.end, answer.total, len(answer.buckets)) == (NOON + 2 * SECONDS_5, Decimal("3.00"), 2)


def test_a_table_that_never_stands_still_is_a_fault() -> None:
    class Restless(TableOf):
        def ask(self, question: str, *given: Any, **limits: Any) -> Answer:
            self.snapshot = Snapshot(self.snapshot.id + 1, NOON)
            return super().ask(question, *given, **limits)

    with pytest.raises(ReadError, match="again and again"):
        trend(Restless(table({NOON: "1.00"})), ALL, UTC_ZONE)
