import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard.local.shop.journal import End
from dashboard.local.shop.order_journal import OrderJournal, PastPlan
from dashboard.local.shop.payment_journal import FIRST, Counters, PaymentJournal, Row
from dashboard.settings import LocalSettings, Settings
from dashboard.verify import Verification, verify

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
WINDOW = timedelta(seconds=5)

Stored = tuple[datetime | None, datetime | None, Decimal | None]


@dataclass
class Snapshot:
    id: int
    committed_at: datetime = START


@dataclass
class GivenLake:
    """A lake that holds what a test says; `later` are its states after each further look at its snapshot."""

    rows: Sequence[Stored]
    later: list[Sequence[Stored]] = field(default_factory=list)
    looks: int = 0
    reads: int = 0

    def snapshot(self) -> Snapshot | None:
        if self.looks and self.later:
            self.rows = self.later.pop(0)
        self.looks += 1
        return Snapshot(id=hash(tuple(self.rows))) if self.rows else None

    def revenue(
        self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
    ) -> pa.Table:
        self.reads += 1
        times = pa.timestamp("us", tz="UTC")
        columns = list(zip(*self.rows, strict=True)) or [(), (), ()]
        return pa.table(
            {
                "window_start": pa.array(columns[0], times),
                "window_end": pa.array(columns[1], times),
                "total_revenue": pa.array(columns[2], pa.decimal128(18, 2)),
            }
        )


def window(number: int, revenue: str | None = "10.01") -> Stored:
    start = START + number * WINDOW
    return start, start + WINDOW, None if revenue is None else Decimal(revenue)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(local=LocalSettings(home=tmp_path / "home", cache=tmp_path))


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """A shop that sold for 10.005 in each of twenty windows from START, one order each."""
    sales = [(3000 + number, START_MS + 5_000 * number + 1_000, 10.005) for number in range(20)]
    journal(settings, sales)
    return settings


def journal(settings: Settings, sales: Sequence[tuple[int, int, float]], behind_ms: int = 0) -> None:
    """Writes journals of payments (order_id, ts in milliseconds, amount), each for an order of an hour before it.

    One of the topic's two partitions ends `behind_ms` before the other.
    """
    with OrderJournal(settings.local.home) as orders:
        orders.keep_plan(PastPlan(0, 0, 0, 1.0, 1), partitions=1)
        orders.write([(order_id, ts - 3_600_000) for order_id, ts, _ in sales], rejected=[])
        orders.settle(max(order_id for order_id, _, _ in sales), {})
    rows = [Row(row, order_id, ts, ts, amount, FIRST) for row, (order_id, ts, amount) in enumerate(sales, 1)]
    newest = max(row.sent_as for row in rows)
    with PaymentJournal(settings.local.home) as payments:
        payments.begin(seed=1, partitions=2, order_partitions=1)
        with payments.transaction():
            payments.write(rows, [], Counters(len(rows), len(rows), newest), None)
            payments.settle(len(rows), {0: End(len(rows), newest), 1: End(1, newest - behind_ms)})


CLOSED = 17
"""How many of the shop's windows must be in the table: its newest payment lets watermark START+91 s pass, which lets
the payment of START+91 s out, which closes the windows up to START+85.999 s."""


def right(count: int = CLOSED) -> list[Stored]:
    return [window(number) for number in range(count)]


def check(settings: Settings, rows: Sequence[Stored]) -> Verification:
    return verify(settings, GivenLake(rows), wait_seconds=0)


def test_a_table_with_every_closed_window_is_right(shop: Settings) -> None:
    found = check(shop, right())
    assert found.ok
    assert (found.compared, found.orders_completed, found.revenue) == (CLOSED, CLOSED, Decimal("170.17"))
    assert found.summary == "All 17 windows are right."
    assert found.closed_until == START + timedelta(seconds=86) - timedelta(milliseconds=1)


def test_one_cent_is_a_mismatch_and_both_amounts_are_listed(shop: Settings) -> None:
    found = check(shop, [*right()[:-1], window(CLOSED - 1, "10.00")])
    assert not found.ok
    assert found.mismatched == 1
    (mismatch,) = found.mismatches
    assert (mismatch.expected, mismatch.found) == (Decimal("10.01"), Decimal("10.00"))
    assert any("expected          10.01  found          10.00" in line for line in found.lines())


def test_only_the_first_twenty_mismatches_are_listed_and_all_are_counted(settings: Settings) -> None:
    journal(settings, [(3000 + number, START_MS + 5_000 * number, 1.0) for number in range(60)])
    found = check(settings, [window(number, "2.00") for number in range(50)])
    assert (found.mismatched, len(found.mismatches)) == (50, 20)
    assert found.mismatches[0].window_start == START


def test_a_missing_window_is_a_fault(shop: Settings) -> None:
    found = check(shop, right()[1:])
    assert (found.ok, found.missing, found.examples["missing"]) == (False, 1, [START])


def test_an_empty_table_misses_every_window(shop: Settings) -> None:
    found = check(shop, [])
    assert (found.ok, found.missing, found.committed_at) == (False, CLOSED, None)


def test_a_doubled_window_is_a_fault_even_with_the_right_amount(shop: Settings) -> None:
    found = check(shop, [*right(), window(3)])
    assert (found.ok, found.doubled, found.mismatched) == (False, 1, 0)


def test_a_window_without_an_amount_is_a_fault_and_not_zero(shop: Settings) -> None:
    found = check(shop, [*right()[:-1], window(CLOSED - 1, None)])
    assert (found.ok, found.null, found.missing) == (False, 1, 0)


def test_a_window_in_which_nothing_was_sold_must_have_no_row(shop: Settings) -> None:
    found = check(shop, [window(-1, "0.00"), *right()])
    assert (found.ok, found.unexpected) == (False, 1)


def test_windows_that_only_the_fastest_partition_closes_may_be_there_and_must_be_right(settings: Settings) -> None:
    sales = [(3000 + number, START_MS + 5_000 * number + 1_000, 10.005) for number in range(20)]
    journal(settings, sales, behind_ms=20_000)
    assert (check(settings, right(13)).ok, check(settings, right(13)).compared) == (True, 13)
    assert (check(settings, right()).ok, check(settings, right()).compared) == (True, CLOSED)
    wrong = check(settings, [*right(CLOSED - 1), window(CLOSED - 1, "9.99")])
    assert (wrong.ok, wrong.mismatched, wrong.compared) == (False, 1, CLOSED)


def test_windows_closed_since_the_call_are_compared_with_what_is_known_by_then(shop: Settings) -> None:
    class GrowingLake(GivenLake):
        def revenue(
            self, start: datetime | None = None, end: datetime | None = None, snapshot_id: int | None = None
        ) -> pa.Table:
            with PaymentJournal(shop.local.home) as payments, payments.transaction():
                later = START_MS + 105_000
                payments.write([Row(21, 3019, later, later, 1.0, FIRST)], [], Counters(21, 21, later), None)
                payments.settle(21, {0: End(21, later), 1: End(21, later)})
            return super().revenue()

    found = verify(shop, GrowingLake(right(CLOSED + 1)), wait_seconds=0)
    assert (found.ok, found.compared) == (True, CLOSED + 1)


def test_a_window_that_cannot_be_closed_yet_must_have_no_row(shop: Settings) -> None:
    found = check(shop, right(CLOSED + 1))
    assert (found.ok, found.unexpected) == (False, 1)


def test_a_window_of_another_size_or_alignment_or_without_times_is_a_fault(shop: Settings) -> None:
    start, end, revenue = window(0)
    assert start is not None
    assert end is not None
    for row in (
        (start, end + WINDOW, revenue),
        (start, end + timedelta(microseconds=1), revenue),
        (start + timedelta(seconds=1), end + timedelta(seconds=1), revenue),
        (None, end, revenue),
        (start, None, revenue),
    ):
        found = check(shop, [row, *right()[1:]])
        assert (found.ok, found.misshapen, found.missing) == (False, 1, 1)


def test_an_empty_comparison_is_nothing_to_compare_and_not_ok(settings: Settings) -> None:
    found = check(settings, [])
    assert (found.ok, found.compared) == (False, 0)
    assert found.summary == "Nothing to compare: no window is closed yet."


def test_rows_of_a_shop_that_never_sold_are_unexpected(settings: Settings) -> None:
    found = check(settings, right(1))
    assert (found.ok, found.unexpected) == (False, 1)


def test_late_payments_are_left_out_and_said(settings: Settings) -> None:
    sales = [(3000 + number, START_MS + 5_000 * number, 10.0) for number in range(20)]
    journal(settings, [*sales, (3020, START_MS - 25 * 3_600_000, 7.125)])
    found = check(settings, [window(number, "10.00") for number in range(17)])
    assert found.ok
    assert (found.late_payments, found.late_revenue) == (1, Decimal("7.13"))


def test_a_payment_neither_on_time_nor_late_is_a_fault_of_the_shop(settings: Settings) -> None:
    sales = [(3000 + number, START_MS + 5_000 * number, 10.0) for number in range(20)]
    journal(settings, [*sales, (3020, START_MS + 60_000, 7.0)])
    found = check(settings, [window(number, "10.00") for number in range(17)])
    assert (found.ok, found.ambiguous) == (False, 1)
    assert any("fault of the shop" in line for line in found.lines())


def test_it_waits_until_the_lake_has_caught_up_and_reads_each_state_once(shop: Settings) -> None:
    lake = GivenLake([], later=[right(5), right(5), right()])
    found = verify(shop, lake, wait_seconds=30)
    assert found.ok
    assert lake.reads == 2
    assert found.waited_seconds < 10


def test_it_compares_with_what_there_is_when_the_time_is_up(shop: Settings) -> None:
    found = verify(shop, GivenLake(right(10)), wait_seconds=0.6)
    assert (found.ok, found.missing, found.compared) == (False, CLOSED - 10, CLOSED)


def test_it_does_not_wait_for_a_lake_that_is_right_already(shop: Settings) -> None:
    lake = GivenLake(right())
    verify(shop, lake, wait_seconds=30)
    assert (lake.looks, lake.reads) == (1, 1)


def test_the_result_is_plain_json_with_the_verdict_first(shop: Settings) -> None:
    facts = json.loads(json.dumps(check(shop, [*right()[:-1], window(CLOSED - 1, "1.00")]).as_dict()))
    assert next(iter(facts)) == "ok"
    assert (facts["ok"], facts["mismatched"], facts["revenue"]) == (False, 1, "170.17")
    assert facts["mismatches"][0]["window_start"] == "2026-11-22T12:01:20+00:00"


def test_the_text_fits_eighty_columns_even_with_every_fault(settings: Settings) -> None:
    sales = [(3000 + number, START_MS + 5_000 * number, 999_999_999.0) for number in range(40)]
    journal(settings, [*sales, (9000, START_MS + 100_000, 7.0)])
    start, _, revenue = window(9)
    rows = [window(number, "123456789012.34") for number in range(8)]
    rows += [window(0), window(8, None), (start, None, revenue), window(-5), window(39)]
    found = check(settings, rows)
    assert not found.ok
    assert max(len(line) for line in found.lines()) <= 80
    assert len(found.lines()) > 20
