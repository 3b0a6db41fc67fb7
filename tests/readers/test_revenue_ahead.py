"""A trend with what is ahead of the commit: each window in it once, and no sum that moves when it is committed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.readers.committed import NOTHING, committed_by
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.readers.open_windows import OpenWindow
from dashboard.readers.revenue import MAX_BUCKETS, RANGES, Range, Trend, trend
from dashboard.readers.revenue_ahead import wider, with_ahead
from dashboard.readers.streamed import Ahead
from tests.readers.test_revenue import BERLIN, KOLKATA, NOON, SECONDS_5, UTC_ZONE, TableOf, table

LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Its clocks change by half an hour."""
MINUTE = timedelta(minutes=1)
CHANGES = [
    NOON,
    datetime(2026, 3, 29, 1, 0, 20, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 0, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 15, 0, 20, tzinfo=UTC),
]
"""A day like others, and when clocks have just changed, in spring and autumn in Berlin and in autumn on Lord Howe."""


def ahead_of(
    streamed: pa.Table, open_: Sequence[OpenWindow] = (), *, is_live: bool = True, doubled: bool = False
) -> Ahead:
    spans = ((NOON, NOON + SECONDS_5),) if doubled else ()
    return Ahead(streamed, tuple(open_), spans, 0, is_live, 0, "", None, None)


def open_at(start: datetime, revenue: str = "1.00", window: timedelta = SECONDS_5) -> OpenWindow:
    return OpenWindow(start, start + window, 2, Decimal(revenue))


def before_and_after(
    starts: Mapping[datetime, str | None], streamed: int, asked: Range, zone: ZoneInfo, window: timedelta = SECONDS_5
) -> tuple[Trend, Trend]:
    """The newest so many windows streamed, and committed."""
    rows = table(starts, window)
    there, ahead = TableOf(rows.slice(0, len(rows) - streamed)), ahead_of(rows.slice(len(rows) - streamed))
    found = trend(there, asked, zone)
    if instead := wider(found, ahead, asked):
        found = trend(there, instead, zone)
    before, after = with_ahead(found, ahead, asked, zone), trend(TableOf(rows), asked, zone)
    assert before is not None
    assert after is not None
    return before, after


def sums(found: Trend) -> list[tuple[datetime, datetime, int, Decimal]]:
    """By bar, of all that closed."""
    return [
        (
            row["bucket_start"],
            row["bucket_end"],
            row["windows"] + row["streamed_windows"],
            row["revenue"] + row["streamed"],
        )
        for row in found.buckets.to_pylist()
    ]


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("zone", [UTC_ZONE, BERLIN, KOLKATA, LORD_HOWE])
@pytest.mark.parametrize("end", CHANGES)
def test_no_bar_and_no_total_moves_when_what_is_streamed_is_committed(name: str, zone: ZoneInfo, end: datetime) -> None:
    past = {end - 7 * MINUTE * n: f"{n % 91}.{n % 100:02}" for n in range(3000, 12, -1)}
    lately = {end - 2 * SECONDS_5 * n: f"{n % 97}.{n % 99:02}" for n in range(460, 0, -1)}

    before, after = before_and_after(past | lately, 300, RANGES[name], zone)

    assert sums(before) == sums(after)
    assert (before.start, before.end, before.known_from) == (after.start, after.end, after.known_from)
    assert (before.total, before.windows, before.windows_passed) == (after.total, after.windows, after.windows_passed)
    assert (before.newest_start, before.newest_revenue) == (after.newest_start, after.newest_revenue)
    assert before.average_per(MINUTE) == after.average_per(MINUTE)
    assert before.streamed > 0
    assert after.streamed == 0
    assert (before.is_ahead, after.is_ahead) == (True, False)


def test_parts_of_one_bar_are_told_apart_and_open_is_in_no_total() -> None:
    found = trend(TableOf(table({NOON: "1.10", NOON + SECONDS_5: "2.20"})), RANGES["1 h"], UTC_ZONE)
    streamed = table({NOON + 2 * SECONDS_5: "0.03", NOON + 3 * SECONDS_5: "0.04"})
    open_ = [open_at(NOON + 4 * SECONDS_5, "9.00"), open_at(NOON + MINUTE, "0.50")]

    shown = with_ahead(found, ahead_of(streamed, open_), RANGES["1 h"], UTC_ZONE)

    assert shown is not None
    [first, second] = shown.buckets.to_pylist()
    assert (first["windows"], first["streamed_windows"], first["open_windows"]) == (2, 2, 1)
    assert (first["revenue"], first["streamed"], first["open"]) == (Decimal("3.30"), Decimal("0.07"), Decimal("9.00"))
    assert (second["bucket_start"], second["windows"], second["open"]) == (NOON + MINUTE, 0, Decimal("0.50"))
    assert (shown.total, shown.committed, shown.streamed) == (Decimal("3.37"), Decimal("3.30"), Decimal("0.07"))
    assert shown.open == Decimal("9.50")
    assert shown.end == NOON + 4 * SECONDS_5
    assert shown.committed_until == NOON + 2 * SECONDS_5


def test_old_windows_leave_the_range_when_a_newer_one_is_streamed() -> None:
    rows = {NOON: "1.00", NOON + timedelta(minutes=59): "2.00"}
    found = trend(TableOf(table(rows)), RANGES["1 h"], UTC_ZONE)
    assert found is not None
    assert found.total == Decimal("3.00")

    shown = with_ahead(found, ahead_of(table({NOON + timedelta(hours=2): "4.00"})), RANGES["1 h"], UTC_ZONE)

    assert shown is not None
    assert [bar[3] for bar in sums(shown)] == [Decimal("4.00")]


def test_before_anything_is_committed_all_comes_from_what_is_streamed() -> None:
    rows = table({NOON + SECONDS_5 * n: f"{n}.01" for n in range(100)})

    shown = with_ahead(None, ahead_of(rows), RANGES["All"], BERLIN)
    after = trend(TableOf(rows), RANGES["All"], BERLIN)

    assert shown is not None
    assert after is not None
    assert sums(shown) == sums(after)
    assert (shown.snapshot, shown.committed_until, shown.committed) == (None, None, Decimal("0.00"))
    assert with_ahead(None, ahead_of(REVENUE_SCHEMA.empty_table(), [open_at(NOON)]), RANGES["All"], BERLIN) is None


def test_bars_of_the_whole_table_stay_few_however_much_is_streamed() -> None:
    rows = {NOON + SECONDS_5 * n: "1.00" for n in range(20_000)}

    before, after = before_and_after(rows, 19_990, RANGES["All"], UTC_ZONE)

    assert before.bucket == after.bucket
    assert sums(before) == sums(after)
    assert len(before.buckets) <= MAX_BUCKETS


def test_an_order_of_the_far_future_does_not_stretch_the_chart_and_is_told() -> None:
    found = trend(TableOf(table({NOON: "1.00"})), RANGES["15 min"], UTC_ZONE)
    far = [open_at(NOON + SECONDS_5), open_at(NOON + timedelta(days=3))]

    shown = with_ahead(found, ahead_of(REVENUE_SCHEMA.empty_table(), far), RANGES["15 min"], UTC_ZONE)

    assert shown is not None
    assert shown.buckets["bucket_end"].to_pylist()[-1] == NOON + 2 * SECONDS_5
    assert (shown.open, shown.open_later) == (Decimal("1.00"), 1)


def test_before_all_is_read_only_what_is_committed_is_shown() -> None:
    found = trend(TableOf(table({NOON: "1.00"})), RANGES["1 h"], UTC_ZONE)

    assert with_ahead(found, ahead_of(table({NOON + MINUTE: "2.00"}), is_live=False), RANGES["1 h"], UTC_ZONE) is found


def test_a_streamed_window_without_an_amount_is_a_fault_as_it_is_in_the_table() -> None:
    before, after = before_and_after({NOON: "1.00", NOON + SECONDS_5: None}, 1, RANGES["1 h"], UTC_ZONE)

    assert before.faults.to_pylist() == after.faults.to_pylist()
    assert before.faults["fault"].to_pylist() == ["no amount"]


def test_a_table_at_fault_is_given_as_it_is() -> None:
    row = table({NOON: "1.00"})
    found = trend(TableOf(pa.concat_tables([row, row])), RANGES["1 h"], UTC_ZONE)

    assert with_ahead(found, ahead_of(table({NOON + MINUTE: "2.00"})), RANGES["1 h"], UTC_ZONE) is found


def test_windows_longer_than_an_hour_are_summed_alike() -> None:
    six = timedelta(hours=6)
    rows = {NOON.replace(hour=0) + six * n: f"{n}.00" for n in range(40)}

    for name in RANGES:
        before, after = before_and_after(rows, 3, RANGES[name], BERLIN, six)
        assert sums(before) == sums(after)


class Counting(TableOf):
    """Tells how often it was asked."""

    def __init__(self, rows: pa.Table) -> None:
        super().__init__(rows)
        self.asked = 0

    def ask(self, *given: object, **more: object):  # type: ignore[no-untyped-def]
        self.asked += 1
        assert more.get("snapshot_id") == self.snapshot.id
        return super().ask(*given, **more)  # type: ignore[arg-type]


def test_an_engine_is_asked_once_for_the_windows_of_a_state_and_only_when_somebody_wants_them() -> None:
    engine = Counting(table({NOON + SECONDS_5 * n: "1.00" for n in range(100)}))
    state = committed_by(engine, engine.newest(), NOON + 100 * SECONDS_5)
    assert engine.asked == 0

    ends = [state.windows(NOON + SECONDS_5 * n)["window_end"].to_pylist() for n in (90, 95, 90, 100)]

    assert [len(one) for one in ends] == [10, 5, 10, 0]
    assert min(ends[0]) == NOON + 91 * SECONDS_5
    assert engine.asked == 1
    assert len(state.windows(NOON - SECONDS_5)) == 100
    assert engine.asked == 2
    assert state.state != NOTHING.state
    assert state.newest_end == NOON + 100 * SECONDS_5


def test_a_window_that_begins_a_day_earlier_is_among_those_that_end_later() -> None:
    day = timedelta(days=1)
    engine = TableOf(table({NOON - day: "1.00", NOON: "2.00"}, window=day))

    state = committed_by(engine, engine.newest(), NOON + day)

    assert state.windows(NOON - timedelta(seconds=1))["window_start"].to_pylist() == [NOON - day, NOON]
