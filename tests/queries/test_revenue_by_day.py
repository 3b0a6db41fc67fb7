from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.readers.zones import pieces
from tests.queries.conftest import Ask
from tests.queries.rows import windows

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def days(
    ask: Ask, rows: pa.Table, zone: str, start: datetime = START, end: datetime = END
) -> dict[date, dict[str, Any]]:
    found = {}
    for piece in pieces(start, end, ZoneInfo(zone)):
        for row in ask("revenue_by_day", rows, **piece.parameters):
            assert row["local_day"] not in found, "a day came twice"
            found[row.pop("local_day")] = row
    return found


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", "2026-03-02T00:00:00+00:00"),
        ("Europe/Berlin", "2026-03-01T23:00:00+00:00"),
        ("America/New_York", "2026-03-02T05:00:00+00:00"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00+00:00"),
        ("Australia/Lord_Howe", "2026-03-01T13:00:00+00:00"),
        ("Pacific/Kiritimati", "2026-03-01T10:00:00+00:00"),
    ],
)
def test_a_day_begins_at_the_readers_midnight(ask: Ask, zone: str, midnight: str) -> None:
    begins = datetime.fromisoformat(midnight)
    rows = windows((begins - timedelta(seconds=5), "1.00"), (begins, "2.00"), (begins + timedelta(seconds=5), "4.00"))

    found = days(ask, rows, zone)

    assert {day: (row["windows"], row["revenue"]) for day, row in found.items()} == {
        date(2026, 3, 1): (1, Decimal("1.00")),
        date(2026, 3, 2): (2, Decimal("6.00")),
    }


@pytest.mark.parametrize(
    ("zone", "short", "long", "quarters"),
    [
        ("Europe/Berlin", date(2026, 3, 29), date(2026, 10, 25), 4),
        ("America/New_York", date(2026, 3, 8), date(2026, 11, 1), 4),
        ("Australia/Lord_Howe", date(2026, 10, 4), date(2026, 4, 5), 2),
    ],
)
def test_days_are_shorter_and_longer_when_clocks_change(
    ask: Ask, zone: str, short: date, long: date, quarters: int
) -> None:
    rows = windows(*[(START + timedelta(minutes=15 * n), "1.00") for n in range(4 * 24 * 365)], seconds=900)

    counted = {day: row["windows"] for day, row in days(ask, rows, zone).items()}

    assert counted[short] == 96 - quarters
    assert counted[long] == 96 + quarters
    assert counted[date(2026, 7, 1)] == 96
    assert sum(counted.values()) == len(rows)


def test_several_years_are_asked_in_pieces_and_no_day_is_cut(ask: Ask) -> None:
    end = START + timedelta(days=3 * 365)
    rows = windows(*[(START + timedelta(hours=n), "1.00") for n in range(24 * 3 * 365)], seconds=3600)

    counted = days(ask, rows, "Europe/Berlin", START, end)

    lengths = [row["windows"] for row in counted.values()]
    # the first and the last one are cut by the range
    assert lengths[0] + lengths[-1] == 24
    assert (lengths.count(23) - (lengths[0] == 23), lengths.count(25)) == (3, 3)
    assert sum(lengths) == len(rows)


def test_the_start_is_inclusive_and_the_end_is_exclusive(ask: Ask) -> None:
    second = timedelta(seconds=1)
    rows = windows((START - second, "1.00"), (START, "2.00"), (END - second, "3.00"), (END, "4.00"))

    assert [row["revenue"] for row in days(ask, rows, "UTC").values()] == [Decimal("2.00"), Decimal("3.00")]


def test_a_day_of_windows_without_an_amount_has_no_revenue_and_says_why(ask: Ask) -> None:
    assert days(ask, windows((START, None)), "UTC") == {
        date(2026, 1, 1): {"windows": 1, "revenue": None, "orders": None, "uncounted": 1, "faults": 1}
    }
