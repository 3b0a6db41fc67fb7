from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.readers.zones import pieces
from tests.queries.conftest import Ask
from tests.queries.rows import orders, windows

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def buckets(
    ask: Ask,
    rows: pa.Table,
    start: datetime,
    end: datetime,
    seconds: int,
    zone: str = "UTC",
    placed: pa.Table | None = None,
) -> list[dict[str, Any]]:
    found = []
    for piece in pieces(start, end, ZoneInfo(zone)):
        found += ask("revenue_by_bucket", rows, placed, bucket_seconds=seconds, **piece.parameters)
    return found


def test_windows_are_summed_by_the_bucket_they_begin_in(ask: Ask) -> None:
    rows = windows(
        (START, "1.10"), (START + timedelta(seconds=55), "2.20"), (START + MINUTE, "3.30"), (START + 3 * MINUTE, "4.40")
    )

    answer = buckets(ask, rows, START, START + 4 * MINUTE, 60)

    assert [(row["bucket_start"] - START, row["windows"], str(row["revenue"])) for row in answer] == [
        (0 * MINUTE, 2, "3.30"),
        (1 * MINUTE, 1, "3.30"),
        (3 * MINUTE, 1, "4.40"),
    ]


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("UTC", "2026-03-01T12:00:00+00:00"),
        ("Europe/Berlin", "2026-03-01T11:00:00+00:00"),
        ("Asia/Kathmandu", "2026-03-01T12:15:00+00:00"),
        ("America/St_Johns", "2026-03-01T09:30:00+00:00"),
    ],
)
def test_buckets_of_some_hours_begin_by_the_readers_clock(ask: Ask, zone: str, begins: str) -> None:
    rows = windows((START + timedelta(minutes=20), "1.00"))

    (bucket,) = buckets(ask, rows, START - HOUR, START + HOUR, 6 * 3600, zone)

    assert bucket["bucket_start"] == datetime.fromisoformat(begins)


def test_the_start_is_inclusive_and_the_end_is_exclusive(ask: Ask) -> None:
    second = timedelta(seconds=1)
    rows = windows(
        (START - second, "1.00"), (START, "2.00"), (START + MINUTE - second, "3.00"), (START + MINUTE, "4.00")
    )

    (bucket,) = buckets(ask, rows, START, START + MINUTE, 3600)

    assert (bucket["windows"], bucket["revenue"]) == (2, Decimal("5.00"))


def test_sums_are_exact_where_floating_point_is_not(ask: Ask) -> None:
    rows = windows(*[(START + timedelta(seconds=5 * n), "9007199254740993.01") for n in range(3)])

    (bucket,) = buckets(ask, rows, START, START + MINUTE, 60)

    assert bucket["revenue"] == Decimal("27021597764222979.03")


def test_orders_windows_without_a_count_and_faults_are_summed_too(ask: Ask) -> None:
    rows = windows((START, "1.00"), (START + timedelta(seconds=5), "2.00"), (START + timedelta(seconds=5), "2.00"))

    (bucket,) = buckets(ask, rows, START, START + MINUTE, 60, placed=orders((START, 0.25), (START, 0.75)))

    assert (bucket["windows"], bucket["orders"], bucket["uncounted"], bucket["faults"]) == (3, 2, 2, 1)


def test_no_row_is_no_bucket(ask: Ask) -> None:
    assert buckets(ask, windows(), START, START + MINUTE, 60) == []
