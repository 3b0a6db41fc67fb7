from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa

from dashboard.shown_rows import as_csv, bars_as_rows, faults_as_rows

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")


def buckets(*starts: datetime, streamed: str = "0.00", open_: str = "0.00") -> pa.Table:
    def money(text: str) -> pa.Array:
        return pa.array([Decimal(text)] * len(starts), pa.decimal128(38, 2))

    return pa.table(
        {
            "bucket_start": pa.array(starts, INSTANT),
            "bucket_end": pa.array([start + HOUR for start in starts], INSTANT),
            "windows": range(1, len(starts) + 1),
            "revenue": money("1234.50"),
            "streamed_windows": [1 if Decimal(streamed) else 0] * len(starts),
            "streamed": money(streamed),
            "open": money(open_),
        }
    )


def test_bars_are_rows_with_the_newest_first_in_the_readers_time() -> None:
    rows = bars_as_rows(buckets(NOON, NOON + HOUR), end=NOON + 2 * HOUR, zone=BERLIN)

    assert rows.to_pylist() == [
        {
            "start": "2026-03-01 14:00:00+01:00",
            "end": "2026-03-01 15:00:00+01:00",
            "windows": 2,
            "revenue": Decimal("1234.50"),
        },
        {
            "start": "2026-03-01 13:00:00+01:00",
            "end": "2026-03-01 14:00:00+01:00",
            "windows": 1,
            "revenue": Decimal("1234.50"),
        },
    ]


def test_a_bar_that_is_still_filling_ends_where_the_windows_end() -> None:
    rows = bars_as_rows(buckets(NOON), end=NOON + timedelta(minutes=7), zone=BERLIN)

    assert rows["end"].to_pylist() == ["2026-03-01 13:07:00+01:00"]


def test_what_is_streamed_is_a_part_of_the_revenue_and_what_is_open_is_not() -> None:
    rows = bars_as_rows(
        buckets(NOON, NOON + HOUR, streamed="0.50", open_="7.00"),
        end=NOON + timedelta(minutes=7),
        zone=BERLIN,
        is_ahead=True,
    )

    assert rows.column_names == ["start", "revenue", "windows", "end", "streamed", "open"]
    assert rows.to_pylist()[1] == {
        "start": "2026-03-01 13:00:00+01:00",
        "revenue": Decimal("1235.00"),
        "windows": 2,
        "end": "2026-03-01 13:07:00+01:00",
        "streamed": Decimal("0.50"),
        "open": Decimal("7.00"),
    }
    # nothing of it has closed, so it is known until nowhere in it
    assert rows["end"][0].as_py() == "2026-03-01 15:00:00+01:00"


def test_the_hour_that_comes_twice_in_autumn_can_be_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)

    assert bars_as_rows(buckets(first, first + HOUR), end=first + 2 * HOUR, zone=BERLIN)["start"].to_pylist() == [
        "2026-10-25 02:00:00+01:00",
        "2026-10-25 02:00:00+02:00",
    ]


def test_the_csv_has_a_heading_and_plain_exact_amounts() -> None:
    text = as_csv(bars_as_rows(buckets(NOON), end=NOON + HOUR, zone=BERLIN)).decode()

    assert text.splitlines() == [
        '"start","revenue","windows","end"',
        '"2026-03-01 13:00:00+01:00",1234.50,1,"2026-03-01 14:00:00+01:00"',
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
