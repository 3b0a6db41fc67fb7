from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.queries.conftest import Ask
from tests.queries.rows import windows

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_windows_come_as_they_are_stored_oldest_first_doubled_ones_and_those_without_an_amount_too(ask: Ask) -> None:
    rows = windows((START + 5 * SECOND, None), (START, "2.00"), (START, "1.10"))

    answer = ask("revenue_windows", rows, start=START, end=START + 60 * SECOND)

    assert [(row["window_start"] - START, row["window_end"] - START) for row in answer] == [
        (0 * SECOND, 5 * SECOND),
        (0 * SECOND, 5 * SECOND),
        (5 * SECOND, 10 * SECOND),
    ]
    assert {row["total_revenue"] for row in answer[:2]} == {Decimal("2.00"), Decimal("1.10")}
    assert answer[2]["total_revenue"] is None


def test_a_window_belongs_to_the_range_that_it_begins_in(ask: Ask) -> None:
    rows = windows((START - 3 * SECOND, "1.00"), (START + 2 * SECOND, "2.00"), (START + 7 * SECOND, "4.00"))

    answer = ask("revenue_windows", rows, start=START, end=START + 7 * SECOND)

    assert [row["total_revenue"] for row in answer] == [Decimal("2.00")]
