from datetime import UTC, datetime
from pathlib import Path

from dashboard.local.shop.order_journal import OrderJournal, PastPlan
from dashboard.local.shop.payment_journal import FIRST, Counters, PaymentJournal, Pending, Row
from dashboard.local.shop.progress import ShopProgress, read_progress
from dashboard.local.worker import now_ms


def test_before_the_first_start_there_is_no_progress(tmp_path: Path) -> None:
    assert read_progress(tmp_path) == ShopProgress()
    assert list(tmp_path.iterdir()) == []


def test_in_the_past_the_feed_is_not_live(tmp_path: Path) -> None:
    with OrderJournal(tmp_path) as journal:
        assert read_progress(tmp_path) == ShopProgress()
        journal.keep_plan(PastPlan(0, 10, 500, 1.0, 1), partitions=6)
        journal.write([(3000, 1), (3001, 2)], rejected=[])
        assert read_progress(tmp_path) == ShopProgress(orders_planned=500)
        journal.settle(3001, {})
        assert read_progress(tmp_path) == ShopProgress(orders_sent=2, orders_planned=500)


def test_live_is_only_what_runs(tmp_path: Path) -> None:
    with OrderJournal(tmp_path) as journal, PaymentJournal(tmp_path) as payments:
        with journal.transaction():
            journal.set_facts(live_since_ms=1_000)
        with payments.transaction():
            payments.set_facts(live_since_ms=2_000)
        progress = read_progress(tmp_path)
        assert progress.orders_live_since == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
        assert progress.payments_live_since == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
        with journal.transaction():
            # as a killed process leaves it
            journal.set_facts(process_identity=12)
        assert read_progress(tmp_path).orders_live_since is None
    assert read_progress(tmp_path).payments_live_since is None


def test_payments_due_are_those_whose_time_has_come(tmp_path: Path) -> None:
    with PaymentJournal(tmp_path) as journal:
        journal.begin(seed=1, partitions=6, order_partitions=6)
        now = now_ms()
        with journal.transaction():
            journal.plan([Pending(now - 1, 3000, FIRST, now - 1), Pending(now + 60_000, 3001, FIRST, now)])
            journal.write([Row(1, 2999, 5, 5, 1.0, FIRST)], [], Counters(1, 1, 5), None)
            journal.settle(1, {})
        progress = read_progress(tmp_path)
        assert (progress.payments_sent, progress.payments_due) == (1, 1)
