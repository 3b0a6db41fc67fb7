import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pyarrow as pa
import pytest

from dashboard.charts import describe, describe_live, live_bars, revenue_bars
from dashboard.readers.order_counts import Second
from dashboard.readers.revenue import MAX_BUCKETS

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCHEMA = pa.schema(
    [
        ("bucket_start", pa.timestamp("us", tz="UTC")),
        ("bucket_end", pa.timestamp("us", tz="UTC")),
        ("windows", pa.int64()),
        ("revenue", pa.decimal128(38, 2)),
        ("streamed_windows", pa.int64()),
        ("streamed", pa.decimal128(38, 2)),
        ("open_windows", pa.int64()),
        ("open", pa.decimal128(38, 2)),
    ]
)
Part = tuple[int, str]
"""How many windows, and the revenue of them."""
NOTHING: Part = (0, "0.00")


def buckets(starts: Sequence[datetime], totals: Sequence[str], bucket: timedelta = MINUTE) -> pa.Table:
    return parts(starts, [(12, total) for total in totals], bucket=bucket)


def parts(
    starts: Sequence[datetime],
    committed: Sequence[Part],
    streamed: Sequence[Part] = (),
    open_: Sequence[Part] = (),
    bucket: timedelta = MINUTE,
) -> pa.Table:
    streamed, open_ = (given or [NOTHING] * len(starts) for given in (streamed, open_))
    return pa.table(
        {
            "bucket_start": list(starts),
            "bucket_end": [start + bucket for start in starts],
            "windows": [windows for windows, _ in committed],
            "revenue": [Decimal(total) for _, total in committed],
            "streamed_windows": [windows for windows, _ in streamed],
            "streamed": [Decimal(total) for _, total in streamed],
            "open_windows": [windows for windows, _ in open_],
            "open": [Decimal(total) for _, total in open_],
        },
        schema=SCHEMA,
    )


def drawn(rows: pa.Table, *, end: datetime, bucket: timedelta = MINUTE, is_ahead: bool = False) -> go.Figure:
    return revenue_bars(rows, start=NOON, end=end, bucket=bucket, zone=BERLIN, is_ahead=is_ahead)


THREE = buckets([NOON, NOON + MINUTE, NOON + 3 * MINUTE], ["1234.56", "0.00", "100.00"])


def test_every_bucket_is_one_bar_at_the_readers_clock_time() -> None:
    (bars,) = drawn(THREE, end=NOON + 4 * MINUTE).data

    assert list(bars.y) == [1234.56, 0.0, 100.0]
    assert [x.isoformat() for x in bars.x] == ["2026-03-01T13:00:00", "2026-03-01T13:01:00", "2026-03-01T13:03:00"]


def test_a_minute_without_a_bucket_stays_a_gap_on_the_axis() -> None:
    figure = drawn(THREE, end=NOON + 4 * MINUTE)

    assert len(figure.data[0].x) == 3
    assert figure.data[0].width < 60_000
    assert [x.isoformat() for x in figure.layout.xaxis.range] == ["2026-03-01T13:00:00", "2026-03-01T13:04:00"]


def test_bars_stand_on_zero_and_there_is_no_legend() -> None:
    layout = drawn(THREE, end=NOON + 4 * MINUTE).layout

    assert layout.yaxis.rangemode == "tozero"
    assert layout.showlegend is False


def test_the_hover_tells_the_exact_amount_the_time_the_zone_the_windows_and_the_share() -> None:
    (bars,) = drawn(THREE, end=NOON + 4 * MINUTE).data

    assert list(bars.customdata[0]) == ["1,234.56", "13:00 to 13:01", "12", "92.5%", ""]
    assert "%{customdata[4]}" in bars.hovertemplate
    assert "Europe/Berlin" in bars.hovertemplate


def test_a_bar_that_is_still_filling_is_hatched_and_says_so() -> None:
    (bars,) = drawn(THREE, end=NOON + 3 * MINUTE + timedelta(seconds=20)).data

    assert list(bars.marker.pattern.shape) == ["", "", "/"]
    assert [facts[4] for facts in bars.customdata] == ["", "", "<br>still filling, known until 13:03:20"]


def test_short_bars_tell_their_seconds_and_days_their_date() -> None:
    seconds, days = timedelta(seconds=5), timedelta(days=1)
    midnight = NOON.replace(hour=23) - days
    short = drawn(buckets([NOON], ["1.00"], seconds), end=NOON + seconds, bucket=seconds)
    long = drawn(buckets([midnight], ["1.00"], days), end=midnight + days, bucket=days)

    assert short.data[0].customdata[0][1] == "13:00:00 to 13:00:05"
    assert long.data[0].customdata[0][1] == "Sun 1 Mar"


def test_days_of_unequal_length_are_bars_of_unequal_width() -> None:
    starts = [NOON, NOON + timedelta(hours=23)]
    rows = buckets(starts, ["1.00", "1.00"]).set_column(
        1, "bucket_end", pa.array([starts[1], starts[1] + timedelta(hours=24)], pa.timestamp("us", tz="UTC"))
    )

    (bars,) = drawn(rows, end=NOON + timedelta(hours=47), bucket=timedelta(days=1)).data

    assert bars.width[1] / bars.width[0] == pytest.approx(24 / 23)


AHEAD = parts(
    [NOON, NOON + MINUTE, NOON + 2 * MINUTE],
    [(12, "60.00"), (5, "30.00"), NOTHING],
    [NOTHING, (2, "10.00"), NOTHING],
    [NOTHING, (3, "5.00"), (1, "0.25")],
)


def test_what_is_streamed_stands_faint_and_what_is_open_hatched_on_what_is_committed() -> None:
    figure = drawn(AHEAD, end=NOON + MINUTE + timedelta(seconds=35), is_ahead=True)

    (bars,) = figure.data
    assert figure.layout.barmode == "relative"
    assert [(f"{at:%H:%M}", height) for at, height in zip(bars.x, bars.y, strict=True)] == [
        ("13:00", 60.0),
        ("13:01", 30.0),
        ("13:01", 10.0),
        ("13:01", 5.0),
        ("13:02", 0.25),
    ]
    assert list(bars.marker.pattern.shape) == ["", "", "", "/", "/"]
    committed, _, streamed, *open_ = bars.marker.opacity
    assert streamed < committed == 1.0
    assert open_ == [1.0, 1.0]
    # whatever colours the theme has
    assert bars.marker.color is None


def test_the_hover_of_each_part_says_which_it_is_and_the_open_one_has_no_share() -> None:
    (bars,) = drawn(AHEAD, end=NOON + MINUTE + timedelta(seconds=35), is_ahead=True).data

    assert [list(facts) for facts in bars.customdata][1:4] == [
        ["30.00", "13:01 to 13:02", "5", "30.0%", "<br>saved in Iceberg"],
        ["10.00", "13:01 to 13:02", "2", "10.0%", "<br>streamed: final, not saved yet"],
        ["5.00", "13:01 to 13:02", "3", "no part", "<br>open: so far, not final"],
    ]


def test_the_axis_reaches_to_the_end_of_what_is_open() -> None:
    figure = drawn(AHEAD, end=NOON + MINUTE + timedelta(seconds=35), is_ahead=True)

    assert figure.layout.xaxis.range[1].isoformat() == "2026-03-01T13:03:00"


def test_no_bucket_makes_an_empty_chart() -> None:
    figure = drawn(SCHEMA.empty_table(), end=NOON + MINUTE)

    assert list(figure.data[0].x) == []
    assert [x.isoformat() for x in figure.layout.xaxis.range] == ["2026-03-01T13:00:00", "2026-03-01T13:01:00"]


def test_the_most_bars_there_are_weigh_less_than_80_kilobytes() -> None:
    rows = buckets([NOON + n * MINUTE for n in range(MAX_BUCKETS)], ["123456.78"] * MAX_BUCKETS)

    for is_ahead in (False, True):
        assert len(drawn(rows, end=NOON + MAX_BUCKETS * MINUTE, is_ahead=is_ahead).to_json()) < 80_000


def test_the_description_tells_the_highest_bar() -> None:
    assert describe(THREE, start=NOON, end=NOON + 4 * MINUTE, zone=BERLIN) == (
        "Bar chart of revenue from 13:00 to 13:04:00, 3 bars; the highest is 1,234.56 at 13:00"
    )
    assert describe(SCHEMA.empty_table(), start=NOON, end=NOON, zone=BERLIN).endswith("without a bar")
    assert describe(AHEAD, start=NOON, end=NOON + MINUTE, zone=BERLIN).endswith(
        ", 2 bars; the highest is 60.00 at 13:00; 10.00 of all is streamed and not saved yet; "
        "5.25 more is in open windows so far"
    )


def test_charts_do_not_need_streamlit() -> None:
    program = "import sys, dashboard.charts; print('streamlit' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\n"
    )


def live_seconds(*amounts: str | None) -> list[Second]:
    start = datetime(2026, 11, 22, 13, tzinfo=UTC)
    return [
        Second(start + timedelta(seconds=2 * place), place + 1, None if amount is None else Decimal(amount))
        for place, amount in enumerate(amounts)
    ]


def test_live_bars_stand_in_the_readers_time_and_the_last_is_hatched_while_it_fills() -> None:
    buckets = live_seconds("10.00", "0.00", "2.50")
    figure = live_bars(buckets, until=buckets[-1].start, bucket=timedelta(seconds=2), zone=ZoneInfo("Europe/Berlin"))
    [bars] = figure.data
    assert [f"{at:%H:%M:%S}" for at in bars.x] == ["14:00:00", "14:00:02", "14:00:04"]
    assert list(bars.y) == [10.0, 0.0, 2.5]
    assert list(bars.marker.pattern.shape) == ["", "", "/"]
    assert list(bars.customdata[0]) == ["10.00", "1 order, 14:00:00 to 14:00:02"]
    assert "6 records from 14:00:00" in describe_live(buckets, zone=ZoneInfo("Europe/Berlin"))


def test_live_bars_of_records_without_money_are_counts() -> None:
    figure = live_bars(
        live_seconds(None, None),
        until=datetime(2027, 1, 1, tzinfo=UTC),
        bucket=timedelta(seconds=2),
        zone=ZoneInfo("UTC"),
    )
    assert list(figure.data[0].y) == [1.0, 2.0]
    assert figure.data[0].customdata[1][0] == "2 records"
    assert describe_live([], zone=ZoneInfo("UTC")) == "Bar chart without a bar"
