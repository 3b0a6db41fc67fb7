"""Questions about stretches of time on somebody's clock: their parts, and how the parts become one answer."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.errors import ReadError, SettingsError
from dashboard.readers.engine import NOW, Answer, Parameter
from dashboard.readers.inquiry import Inquiry, ask_whole, faults_in
from dashboard.readers.lake_table import TIMESTAMP, Snapshot
from dashboard.readers.questions import asks, question_names

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
SNAPSHOT = Snapshot(7, END, 1)


class Noted:
    """An engine that answers each part with one row of the week that begins on Monday, 30 December 2019."""

    name = "noted"

    def __init__(self) -> None:
        self.asked: list[tuple[Mapping[str, Parameter], int | None]] = []

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        return SNAPSHOT

    def ask(self, question: str, parameters: Mapping[str, Parameter], **named: Any) -> Answer:
        self.asked.append((parameters, named["snapshot_id"]))
        rows = pa.table(
            {
                "bucket_start": pa.array([datetime(2019, 12, 30, tzinfo=UTC)], TIMESTAMP),
                "windows": pa.array([1], pa.int64()),
                "revenue": pa.array([Decimal("99999999999999999999.99")], pa.decimal128(38, 2)),
                "orders": pa.array([None], pa.int64()),
                "faults": pa.array([0], pa.int64()),
            }
        )
        return Answer(rows, SNAPSHOT, self.name, 0.5, 10)

    def close(self) -> None:
        return


def test_a_long_stretch_is_asked_in_parts_of_one_snapshot_and_shared_rows_become_one() -> None:
    engine = Noted()
    answer = ask_whole(engine, Inquiry("revenue_by_bucket", START, END, BERLIN, 24 * 7 * HOUR))
    parts = [parameters for parameters, _ in engine.asked]
    assert len(parts) > 3
    assert (parts[0]["start"], parts[-1]["end"]) == (START, END)
    assert all(one["end"] == other["start"] for one, other in pairwise(parts))
    # the first reads what is newest, and all the others the same
    assert [snapshot for _, snapshot in engine.asked] == [None] + [7] * (len(parts) - 1)
    [row] = answer.rows.to_pylist()
    assert row["revenue"] == len(parts) * Decimal("99999999999999999999.99")
    assert (row["windows"], row["orders"], row["faults"]) == (len(parts), None, 0)
    assert (answer.scanned_bytes, answer.engine) == (10 * len(parts), "noted")
    assert answer.rows.schema.names == ["bucket_start", "windows", "revenue", "orders", "faults"]


@pytest.mark.parametrize("question", question_names())
def test_every_question_can_be_asked_and_says_what_it_asks(question: str) -> None:
    inquiry = Inquiry(question, START, END, BERLIN, HOUR if question == "revenue_by_bucket" else None)
    for until in (None, START, START + HOUR, START - HOUR):
        for part in inquiry.parts(until):
            assert part["end"] <= (END if until is None else max(START, until))  # type: ignore[operator]
    assert "--" not in asks(question)
    assert len(asks(question).split()) > 3


def test_what_is_missing_or_too_much_is_told_before_anything_is_asked() -> None:
    with pytest.raises(SettingsError, match="how long a bucket is") as raised:
        Inquiry("revenue_by_bucket", START, END).parts()
    assert "--bucket" in raised.value.hint
    with pytest.raises(SettingsError, match="has no buckets"):
        Inquiry("revenue_totals", START, END, bucket=HOUR).parts()
    with pytest.raises(ReadError, match="There is no question"):
        Inquiry("revenue", START, END).parts()
    with pytest.raises(SettingsError, match="falls inside a window"):
        Inquiry("revenue_by_day", START, END, ZoneInfo("Asia/Kathmandu"), window=HOUR).parts()


def test_the_comparison_is_with_as_much_time_before() -> None:
    [part] = Inquiry("revenue_compared", START, START + HOUR).parts()
    assert part == {"start": START - HOUR, "middle": START, "end": START + HOUR}


def test_a_comparison_with_what_was_before_all_bounds_is_refused() -> None:
    bounds = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    assert Inquiry("revenue_totals", *bounds).parts() == [dict(zip(("start", "end"), bounds, strict=True))]
    with pytest.raises(SettingsError, match="would begin before 1970"):
        Inquiry("revenue_compared", *bounds).parts()


def windows(*rows: tuple[int, int, str | None]) -> pa.Table:
    return pa.table(
        {
            "window_start": pa.array([START + timedelta(seconds=start) for start, _, _ in rows], TIMESTAMP),
            "window_end": pa.array([START + timedelta(seconds=end) for _, end, _ in rows], TIMESTAMP),
            "total_revenue": pa.array([text and Decimal(text) for _, _, text in rows], pa.decimal128(18, 2)),
        }
    )


def test_doubled_windows_and_those_without_an_amount_are_counted_as_faults() -> None:
    assert faults_in("revenue_windows", windows((0, 5, "1"), (5, 10, "2"))) == 0
    assert faults_in("revenue_windows", windows((0, 5, "1"), (0, 5, "1"), (5, 10, None))) == 2
    # a window that reaches into the next one
    assert faults_in("revenue_windows", windows((0, 10, "1"), (5, 10, "2"))) == 1
    assert faults_in("revenue_faults", windows((0, 5, "1"))) == 1
    assert faults_in("revenue_totals", pa.table({"faults": pa.array([None], pa.int64())})) == 0
    assert faults_in("revenue_by_day", pa.table({"local_day": [date(2026, 1, 1)] * 2, "faults": [1, 2]})) == 3
