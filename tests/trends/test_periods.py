"""How final each bucket is, and what is ahead of the commit in it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard.readers.open_windows import OpenWindow
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES, Between, Range
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, UTC_ZONE, Rows, TableOf, bars, every, found, table

MINUTE = timedelta(minutes=1)
NO_WINDOWS: Rows = {}


def ahead_of(
    rows: Rows,
    streamed: Rows,
    still_open: Rows = NO_WINDOWS,
    asked: Range = RANGES["1 h"],
    grain: str | None = "1 min",
) -> Trend:
    opened = tuple(OpenWindow(at, at + SECONDS_5, 1, Decimal(text or 0)) for at, text in still_open.items())
    answer = trend(TableOf(table(rows)), Asked(asked, Calendar(UTC_ZONE), grain), ahead=Ahead(table(streamed), opened))
    assert answer is not None
    return answer


def states(answer: Trend) -> list[str]:
    return [state for (state,) in bars(answer, ["state"])]


def test_a_bucket_is_open_until_its_time_has_passed_and_final_from_then_on() -> None:
    rows = every(SECONDS_5, NOON - 2 * HOUR, NOON + 30 * SECONDS_5)

    filling, full = (
        found(rows, RANGES["1 h"], grain="1 min"),
        found(every(SECONDS_5, NOON - 2 * HOUR, NOON), RANGES["1 h"]),
    )

    assert states(filling) == [*["final"] * 59, "open"]
    assert bars(filling, ["is_complete"])[-1] == (False,)
    assert set(states(full)) == {"final"}


def test_a_bucket_that_the_range_or_the_tables_beginning_cuts_is_incomplete() -> None:
    rows = every(SECONDS_5, NOON - 90 * MINUTE, NOON)
    cut = Between(NOON - 80 * MINUTE, NOON - 10 * MINUTE)

    assert states(found(rows, cut, grain="hour")) == ["incomplete", "incomplete"]
    assert states(found(rows, RANGES["6 h"], grain="hour")) == [*["incomplete"] * 5, "final"]
    assert bars(found(rows, RANGES["6 h"], grain="hour"))[0] == (None,)


def test_a_bucket_with_a_revised_window_is_revised_unless_more_is_to_be_said() -> None:
    rows = every(SECONDS_5, NOON - 2 * HOUR, NOON - 5 * SECONDS_5)
    revised = frozenset({NOON - 30 * MINUTE - SECONDS_5, NOON - 6 * SECONDS_5, NOON - 5 * HOUR})

    answer = trend(TableOf(table(rows)), Asked(RANGES["1 h"], Calendar(UTC_ZONE), "1 min"), revised=revised)

    assert answer is not None
    assert [place for place, state in enumerate(states(answer)) if state == "revised"] == [29]
    assert states(answer)[-1] == "open"


def test_what_is_streamed_closes_buckets_and_moves_no_total_when_it_is_committed() -> None:
    rows = every(SECONDS_5, NOON - 2 * HOUR, NOON)
    later = every(SECONDS_5, NOON, NOON + 2 * MINUTE, "2.50")

    before, after = ahead_of(rows, later), ahead_of({**rows, **later}, {})

    assert states(before)[-3:] == ["final", "closing", "closing"]
    assert states(after)[-3:] == ["final"] * 3
    assert bars(before, ["bucket_start", "total", "running"]) == bars(after, ["bucket_start", "total", "running"])
    assert before.total.revenue == after.total.revenue
    assert [before.total.streamed, after.total.streamed] == [60, 0]
    assert bars(before, ["revenue", "streamed"])[-1] == (None, Decimal("30.00"))


def test_a_bucket_with_a_streamed_window_is_closing_also_where_later_ones_are_committed() -> None:
    rows = every(SECONDS_5, NOON - 2 * HOUR, NOON)
    late = NOON - 3 * MINUTE
    del rows[late]

    answer = ahead_of(rows, {late: "2.50"})

    assert states(answer)[-4:] == ["final", "closing", "final", "final"]


def test_what_is_open_is_in_a_column_of_its_own_and_in_no_total() -> None:
    rows = every(SECONDS_5, NOON - 2 * HOUR, NOON + SECONDS_5)

    answer = ahead_of(rows, {}, {NOON + SECONDS_5: "7.00", NOON + 70 * SECONDS_5: "8.00", NOON + DAY: "9.00"})

    assert bars(answer, ["revenue", "open", "total", "state"])[59:61] == [
        (Decimal("1.00"), Decimal("7.00"), Decimal("1.00"), "open"),
        (None, None, None, "open"),
    ]
    assert bars(answer, ["open"])[64] == (Decimal("8.00"),)
    assert len(answer.buckets) == 72
    assert answer.total.revenue == 709
    assert answer.total.open == 15
    assert answer.buckets["running"].to_pylist()[60:] == [None] * 12


def test_before_anything_is_committed_all_is_streamed() -> None:
    answer = ahead_of({}, {NOON: "1.00", NOON + SECONDS_5: "2.00"})

    assert [answer.total.committed, answer.total.revenue] == [0, 3]
    assert answer.extent.committed_until is None
    assert answer.stretch.until == NOON + 2 * SECONDS_5


def test_a_streamed_window_without_an_amount_is_a_fault() -> None:
    answer = ahead_of({NOON: "1.00"}, {NOON + SECONDS_5: None})

    assert answer.faults["fault"].to_pylist() == ["no amount"]


def test_a_fault_is_told_of_the_range_that_it_is_in_alone() -> None:
    answer = ahead_of(
        {NOON: "1.00"}, {NOON + SECONDS_5: None, NOON + 3 * HOUR: None, NOON + 3 * HOUR + SECONDS_5: "1.00"}
    )

    assert answer.faults["window_start"].to_pylist() == [NOON + 3 * HOUR]


def test_committed_streamed_and_open_fall_into_buckets_by_one_rule() -> None:
    twice = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    moments = [twice + n * 20 * MINUTE for n in range(9)]
    windows = dict.fromkeys(moments, "1.00")
    first, last = {twice - 30 * HOUR: "1.00"}, {twice + 3 * HOUR: "1.00"}
    opened = tuple(OpenWindow(at, at + SECONDS_5, 1, Decimal(1)) for at in moments)

    def counts(column: str, rows: Rows, ahead: Ahead) -> list[int | None]:
        answer = trend(TableOf(table(rows)), Asked(RANGES["24 h"], Calendar(BERLIN), "hour"), ahead=ahead)
        assert answer is not None
        return [row[column] for row in answer.buckets.to_pylist() if row["bucket_start"] >= twice]

    committed = counts("windows", {**first, **windows, **last}, Ahead(table({})))
    streamed = counts("streamed_windows", first, Ahead(table({**windows, **last})))
    still_open = counts("open_windows", {**first, **last}, Ahead(table({}), opened))

    assert committed == streamed == [3, 3, 3, 1]
    assert still_open == [3, 3, 3, None]
