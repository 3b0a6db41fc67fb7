from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from dashboard.readers.open_windows import OpenWindow
from dashboard.shown_rows import answer_as_csv, as_csv, buckets_as_rows, faults_as_rows, hours_as_rows
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import BERLIN, NOON, SECONDS_5, Rows, TableOf, found, table

HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")
TWO_HOURS = Between(NOON, NOON + 2 * HOUR)


def ahead_of(rows: Rows, streamed: Rows, opened: tuple[OpenWindow, ...] = ()) -> Trend:
    asked = Asked(RANGES["1 h"], Calendar(BERLIN), "hour", ())
    answer = trend(TableOf(table(rows)), asked, ahead=Ahead(table(streamed), opened))
    assert answer is not None
    return answer


def test_bars_are_rows_with_the_newest_first_in_the_readers_time_and_what_was_not_sold_has_none() -> None:
    rows = {NOON: "1234.50", NOON + SECONDS_5: "1.00", NOON + 3 * HOUR - SECONDS_5: "2.00"}
    answer = found(rows, Between(NOON, NOON + 3 * HOUR), BERLIN, grain="hour")

    assert buckets_as_rows(answer).to_pylist() == [
        {
            "start": "2026-03-01 15:00:00+01:00",
            "revenue": Decimal("2.00"),
            "orders": None,
            "windows": 1,
            "running": Decimal("1237.50"),
            "end": "2026-03-01 16:00:00+01:00",
            "state": "final",
        },
        {
            "start": "2026-03-01 13:00:00+01:00",
            "revenue": Decimal("1235.50"),
            "orders": None,
            "windows": 2,
            "running": Decimal("1235.50"),
            "end": "2026-03-01 14:00:00+01:00",
            "state": "final",
        },
    ]


def test_a_bar_that_is_still_filling_ends_where_the_windows_end() -> None:
    answer = found({NOON: "1.00", NOON + 7 * SECONDS_5: "2.00"}, TWO_HOURS, BERLIN, grain="hour")

    assert buckets_as_rows(answer)["end"].to_pylist() == ["2026-03-01 13:00:40+01:00"]


def test_what_is_streamed_is_a_part_of_the_revenue_and_what_is_open_is_not() -> None:
    opened = OpenWindow(NOON + HOUR, NOON + HOUR + SECONDS_5, 1, Decimal("7.00"))
    answer = ahead_of({NOON: "1234.50"}, {NOON + SECONDS_5: "0.50"}, (opened,))

    newest, first = buckets_as_rows(answer, is_ahead=True).to_pylist()

    assert (first["revenue"], first["streamed"], first["open"]) == (Decimal("1235.00"), Decimal("0.50"), Decimal(0))
    assert (first["windows"], first["end"]) == (2, "2026-03-01 13:00:10+01:00")
    assert (newest["revenue"], newest["open"], newest["running"]) == (Decimal(0), Decimal("7.00"), None)
    # nothing of it has closed, so it is known until nowhere in it
    assert newest["end"] == "2026-03-01 15:00:00+01:00"


def test_each_comparison_is_a_column_beside_the_bars() -> None:
    rows = {NOON - HOUR: "3.00", NOON: "1.00", NOON + HOUR - SECONDS_5: "1.00"}
    answer = found(rows, Between(NOON, NOON + HOUR), BERLIN, grain="hour", comparisons=("previous",))

    [row] = buckets_as_rows(answer).to_pylist()

    assert row["compared with the 1 h before"] == Decimal("3.00")


def test_the_hour_that_comes_twice_in_autumn_can_be_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)
    answer = found({first: "1.00", first + HOUR: "1.00"}, Between(first, first + 2 * HOUR), BERLIN, grain="hour")

    assert buckets_as_rows(answer)["start"].to_pylist() == ["2026-10-25 02:00:00+01:00", "2026-10-25 02:00:00+02:00"]


def test_the_heat_map_is_rows_of_weekdays_and_hours() -> None:
    answer = found({NOON: "2.00", NOON + HOUR - SECONDS_5: "1.00"}, Between(NOON, NOON + HOUR), BERLIN, heat=True)

    assert hours_as_rows(answer).to_pylist() == [
        {"weekday": "Sunday", "hour": 13, "average": Decimal("3.00"), "revenue": Decimal("3.00"), "hours": 1}
    ]
    assert len(hours_as_rows(found({NOON: "2.00"}, TWO_HOURS, BERLIN))) == 0


def test_the_csv_has_a_heading_and_plain_exact_amounts() -> None:
    answer = found({NOON: "1234.50", NOON + HOUR - SECONDS_5: "0.00"}, Between(NOON, NOON + HOUR), BERLIN, grain="hour")

    assert as_csv(buckets_as_rows(answer)).decode().splitlines() == [
        '"start","revenue","orders","windows","running","end","state"',
        '"2026-03-01 13:00:00+01:00",1234.50,,2,1234.50,"2026-03-01 14:00:00+01:00","final"',
    ]


def test_faults_keep_their_order_and_their_missing_amounts() -> None:
    faults = pa.table(
        {
            "window_start": pa.array([NOON, NOON + HOUR], INSTANT),
            "window_end": pa.array([NOON + HOUR, NOON + 2 * HOUR], INSTANT),
            "total_revenue": pa.array([Decimal("1.00"), None], pa.decimal128(18, 2)),
            "fault": ["doubled", "no amount"],
        }
    )

    rows = faults_as_rows(faults, zone=BERLIN)

    assert rows.column_names == ["start", "fault", "revenue", "end"]
    assert rows["start"].to_pylist() == ["2026-03-01 13:00:00+01:00", "2026-03-01 14:00:00+01:00"]
    assert rows["revenue"].to_pylist() == [Decimal("1.00"), None]


def test_neither_a_cell_nor_a_name_of_an_answer_is_a_formula() -> None:
    formula = '=HYPERLINK("http://example.com")'

    [names, row] = answer_as_csv(pa.table([["+1"], [2]], names=[formula, "total"])).decode().splitlines()

    assert names == '"\'=HYPERLINK(""http://example.com"")","total"'
    assert row == '"\'+1",2'
