from datetime import UTC, datetime, timedelta

import pyarrow as pa

from tests.queries.conftest import Ask
from tests.queries.rows import windows

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = START + timedelta(hours=1)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_windows_that_follow_each_other_have_no_fault(ask: Ask) -> None:
    rows = windows((at(0), "1.00"), (at(5), "2.00"), (at(15), "0.00"))

    assert ask("revenue_faults", rows, start=START, end=END) == []


def test_a_window_that_stands_there_twice_is_named_once(ask: Ask) -> None:
    rows = windows((at(0), "1.00"), (at(5), "2.00"), (at(0), "1.00"))

    assert [(row["window_start"], row["fault"]) for row in ask("revenue_faults", rows, start=START, end=END)] == [
        (at(0), "doubled")
    ]


def test_windows_of_another_size_over_the_same_time_are_doubled(ask: Ask) -> None:
    rows = pa.concat_tables([windows((at(0), "3.00"), seconds=3600), windows((at(5), "1.00"), (at(10), "2.00"))])

    assert [row["fault"] for row in ask("revenue_faults", rows, start=START, end=END)] == ["doubled", "doubled"]


def test_a_window_without_an_amount_is_named(ask: Ask) -> None:
    (row,) = ask("revenue_faults", windows((at(0), "1.00"), (at(5), None)), start=START, end=END)

    assert row == {"window_start": at(5), "window_end": at(10), "total_revenue": None, "fault": "no amount"}


def test_faults_outside_the_range_do_not_count(ask: Ask) -> None:
    rows = windows((START - timedelta(seconds=5), None), (END, None))

    assert ask("revenue_faults", rows, start=START, end=END) == []
