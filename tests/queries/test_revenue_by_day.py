from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.queries.conftest import Ask
from tests.queries.rows import windows

START = datetime(2026, 1, 1)  # noqa: DTZ001  # UTC without a zone, as the table has it
END = datetime(2027, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", "2026-03-02T00:00:00"),
        ("Europe/Berlin", "2026-03-01T23:00:00"),
        ("America/New_York", "2026-03-02T05:00:00"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00"),
    ],
)
def test_a_day_begins_at_the_readers_midnight(ask: Ask, zone: str, midnight: str) -> None:
    begins = datetime.fromisoformat(midnight)

    rows = windows((begins - timedelta(seconds=5), "1.00"), (begins, "2.00"), (begins + timedelta(seconds=5), "4.00"))

    assert ask("revenue_by_day", rows, start=START, end=END, zone=zone) == [
        {"local_day": date(2026, 3, 1), "windows": 1, "revenue": Decimal("1.00")},
        {"local_day": date(2026, 3, 2), "windows": 2, "revenue": Decimal("6.00")},
    ]


def test_days_have_23_and_25_hours_when_clocks_change(ask: Ask) -> None:
    rows = windows(*[(START + timedelta(hours=hour), "1.00") for hour in range(24 * 365)], seconds=3600)

    hours = {
        row["local_day"]: row["windows"]
        for row in ask("revenue_by_day", rows, start=START, end=END, zone="Europe/Berlin")
    }

    assert hours[date(2026, 3, 29)] == 23
    assert hours[date(2026, 10, 25)] == 25
    assert hours[date(2026, 7, 1)] == 24


def test_the_start_is_inclusive_and_the_end_is_exclusive(ask: Ask) -> None:
    second = timedelta(seconds=1)
    rows = windows((START - second, "1.00"), (START, "2.00"), (END - second, "3.00"), (END, "4.00"))

    assert [row["revenue"] for row in ask("revenue_by_day", rows, start=START, end=END, zone="UTC")] == [
        Decimal("2.00"),
        Decimal("3.00"),
    ]
