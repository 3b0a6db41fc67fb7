from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dashboard.errors import StackError
from dashboard.local.identity import identity
from dashboard.local.shop.fates import PAYMENTS_PER_ORDER
from dashboard.local.shop.order_feed import plan_past, work
from dashboard.local.shop.order_journal import OrderJournal
from dashboard.local.shop.progress import read_progress
from dashboard.local.shop.wire import orderid_of
from dashboard.local.worker import now_ms
from dashboard.settings import Settings, ShopSettings

ORDERS = "shiftleft.public.orders"


def sent_orders(broker: Any) -> dict[int, int]:
    """Record timestamp by orderid, of everything in the topic; fails when an order is there twice."""
    records = [(orderid_of(key), timestamp) for key, _, timestamp in broker.records(ORDERS)]
    assert len(dict(records)) == len(records)
    return dict(records)


def journaled(settings: Settings) -> dict[int, int]:
    with OrderJournal(settings.local.home) as journal:
        return dict(journal.connection.execute("SELECT orderid, orderdate FROM orders"))


def test_without_history_orders_come_at_once_at_a_steady_rate(
    shop_settings: Any, running: Any, until: Any, broker: Any
) -> None:
    settings = shop_settings(rate=200.0 * PAYMENTS_PER_ORDER)
    started = now_ms()
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent >= 200)
    orders = sent_orders(broker)
    assert orders == journaled(settings)
    assert sorted(orders) == list(range(3000, 3000 + len(orders)))
    assert all(started - 2_500 <= timestamp <= now_ms() for timestamp in orders.values())
    assert len(orders) <= 200 * (now_ms() - started) / 1000 + 1


def test_the_past_is_written_before_the_feed_is_live(shop_settings: Any, running: Any, until: Any, broker: Any) -> None:
    settings = shop_settings(history=timedelta(days=5), history_payments=3_000, rate=20.0)
    started = now_ms()
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_live_since)
        progress = read_progress(settings.local.home)
    assert progress.orders_planned == round(3_000 / PAYMENTS_PER_ORDER)
    # the last of them are to come by the clock
    assert progress.orders_sent > progress.orders_planned - 20
    past = [timestamp for timestamp in sent_orders(broker).values() if timestamp < started - 3_600_000]
    assert len(past) > 0.6 * progress.orders_planned
    assert min(past) >= started - 5 * 86_400_000 - 2_000
    assert read_progress(settings.local.home).orders_live_since is None


def test_a_restarted_feed_goes_on_with_new_ids_from_now(
    shop_settings: Any, running: Any, until: Any, broker: Any
) -> None:
    settings = shop_settings(history=timedelta(days=1), history_payments=500)
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_live_since)
        until(lambda: read_progress(settings.local.home).orders_sent > 600)
    before = sent_orders(broker)
    restarted = now_ms()
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent > len(before) + 20)
    after = sent_orders(broker)
    assert after == journaled(settings)
    assert sorted(after) == list(range(3000, 3000 + len(after)))
    assert {order_id: after[order_id] for order_id in before} == before
    assert all(timestamp >= restarted - 2_500 for order_id, timestamp in after.items() if order_id not in before)


def test_a_past_cut_short_is_finished_by_the_next_start_as_planned_first(
    shop_settings: Any, running: Any, until: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.local.shop.order_feed._BATCH", 50)
    settings = shop_settings(history=timedelta(days=5), history_payments=3_000, rate=1.0)
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent >= 200)
    assert read_progress(settings.local.home).orders_sent < 3_000
    changed = shop_settings(history=timedelta(days=1), history_payments=10, rate=2.0)
    with running(work, changed):
        until(lambda: read_progress(settings.local.home).orders_live_since)
    orders = sent_orders(broker)
    assert orders == journaled(settings)
    assert len(orders) >= round(3_000 / PAYMENTS_PER_ORDER)
    assert max(orders.values()) - min(orders.values()) > 4.5 * 86_400_000


def test_orders_in_flight_when_the_feed_died_are_void_unless_the_topic_has_them(
    shop_settings: Any, running: Any, until: Any, broker: Any
) -> None:
    settings = shop_settings()
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent >= 20)
    sent = sent_orders(broker)
    newest = max(sent)
    with OrderJournal(settings.local.home) as journal:
        # as if it had died with its last three orders unsettled and three more never sent
        journal.write([(newest + number, 1_000 * number) for number in (1, 2, 3)], rejected=[])
        with journal.transaction():
            journal.set_facts(settled_through=newest - 3)
            journal.connection.execute("UPDATE ends SET next_offset = 0")
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent > newest - 3000 + 4)
    with OrderJournal(settings.local.home) as journal:
        void = [row for (row,) in journal.connection.execute("SELECT row FROM left_out WHERE why = 'void'")]
    assert void == [newest + 1, newest + 2, newest + 3]
    after = sent_orders(broker)
    assert min(set(after) - set(sent)) == newest + 4


def test_a_second_feed_is_refused_while_one_runs(shop_settings: Any, until: Any) -> None:
    settings = shop_settings()
    with OrderJournal(settings.local.home) as journal:
        with journal.transaction():
            journal.set_facts(pid=1, process_identity=identity(1))
        with pytest.raises(StackError, match="belongs to the running process 1"):
            OrderJournal(settings.local.home).__enter__()


def test_a_topic_with_orders_that_the_journal_does_not_know_is_refused(
    shop_settings: Any, running: Any, until: Callable[..., None], tmp_path: Any
) -> None:
    settings = shop_settings()
    with running(work, settings):
        until(lambda: read_progress(settings.local.home).orders_sent > 5)
    elsewhere = settings.model_copy(update={"local": settings.local.model_copy(update={"home": tmp_path / "other"})})
    with pytest.raises(StackError, match="knows of none"), running(work, elsewhere):
        until(lambda: not read_progress(elsewhere.local.home).orders_sent)


def test_without_history_the_plan_is_empty() -> None:
    plan = plan_past(ShopSettings(history=timedelta(0), history_payments=200_000), 1_000_000)
    assert (plan.orders, plan.start_ms, plan.end_ms) == (0, 1_000_000, 1_000_000)
