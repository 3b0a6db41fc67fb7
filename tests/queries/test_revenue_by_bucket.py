from datetime import datetime, timedelta
from decimal import Decimal

from tests.queries.conftest import Ask
from tests.queries.rows import windows

START = datetime(2026, 3, 1, 12)  # noqa: DTZ001  # UTC without a zone, as the table has it
MINUTE = timedelta(minutes=1)


def test_windows_are_summed_by_the_bucket_they_begin_in(ask: Ask) -> None:
    rows = windows(
        (START, "1.10"), (START + timedelta(seconds=55), "2.20"), (START + MINUTE, "3.30"), (START + 3 * MINUTE, "4.40")
    )

    answer = ask("revenue_by_bucket", rows, start=START, end=START + 4 * MINUTE, bucket_seconds=60)

    assert [(row["bucket_start"] - START, row["windows"], str(row["revenue"])) for row in answer] == [
        (0 * MINUTE, 2, "3.30"),
        (1 * MINUTE, 1, "3.30"),
        (3 * MINUTE, 1, "4.40"),
    ]
    assert all(row["bucket_end"] - row["bucket_start"] == MINUTE for row in answer)


def test_the_start_is_inclusive_and_the_end_is_exclusive(ask: Ask) -> None:
    second = timedelta(seconds=1)
    rows = windows(
        (START - second, "1.00"), (START, "2.00"), (START + MINUTE - second, "3.00"), (START + MINUTE, "4.00")
    )

    (bucket,) = ask("revenue_by_bucket", rows, start=START, end=START + MINUTE, bucket_seconds=3600)

    assert (bucket["windows"], bucket["revenue"]) == (2, Decimal("5.00"))


def test_sums_are_exact_where_floating_point_is_not(ask: Ask) -> None:
    rows = windows(*[(START + timedelta(seconds=5 * n), "9007199254740993.01") for n in range(3)])

    (bucket,) = ask("revenue_by_bucket", rows, start=START, end=START + MINUTE, bucket_seconds=60)

    assert bucket["revenue"] == Decimal("27021597764222979.03")


def test_no_row_is_no_bucket(ask: Ask) -> None:
    assert ask("revenue_by_bucket", windows(), start=START, end=START + MINUTE, bucket_seconds=60) == []
