import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import Producer

from dashboard.errors import UnreachableError
from dashboard.local.shop import evidence
from dashboard.local.shop.evidence import gather_evidence
from dashboard.local.shop.order_journal import OrderJournal, PastPlan
from dashboard.local.shop.payment_journal import Counters, PaymentJournal, Row
from dashboard.local.worker import now_ms
from dashboard.settings import Settings

OLD = 1_795_300_000_000
"""Older than any batch that a living process is about to settle."""


def key_of(orderid: int) -> bytes:
    zigzag, encoded = orderid << 1, b""
    while zigzag > 0x7F:
        encoded += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return b"\0\0\0\0\x03" + encoded + bytes([zigzag])


def produce(broker: Any, topic: str, records: list[tuple[bytes, int]]) -> None:
    producer = Producer({"bootstrap.servers": broker.servers})
    for key, timestamp in records:
        producer.produce(topic, b"value", key, timestamp=timestamp)
    producer.flush()


def journal_orders(settings: Settings, orders: list[tuple[int, int]], settled: int) -> None:
    with OrderJournal(settings.local.home) as journal:
        journal.keep_plan(PastPlan(0, 0, 0, 1.0, 1), partitions=4)
        journal.write(orders, rejected=[])
        with journal.transaction():
            journal.set_facts(settled_through=settled)


def journal_payments(settings: Settings, rows: list[Row], settled: int) -> None:
    with PaymentJournal(settings.local.home) as journal:
        journal.begin(seed=1, partitions=4, order_partitions=4)
        with journal.transaction():
            journal.write(rows, [], Counters(len(rows), len(rows), OLD), None)
            journal.set_facts(settled_through=settled)


def test_before_the_first_start_nothing_was_sent(shop_settings: Any) -> None:
    found = gather_evidence(shop_settings().local)
    assert (found.orders, found.payments, found.newest, found.newest_written) == ({}, [], {}, None)


def test_rows_left_out_were_not_sent(shop_settings: Any) -> None:
    settings = shop_settings()
    journal_orders(settings, [(3000, OLD), (3001, OLD)], settled=3001)
    journal_payments(settings, [Row(1, 3000, OLD, OLD, 1.5, 0), Row(2, 3001, OLD + 1, OLD + 1, 2.5, 0)], settled=2)
    with PaymentJournal(settings.local.home) as journal, journal.transaction():
        journal.leave_out([2], "rejected")
    with OrderJournal(settings.local.home) as orders, orders.transaction():
        orders.leave_out([3001], "void")
    found = gather_evidence(settings.local)
    assert found.orders == {3000: OLD}
    assert found.payments == [(3000, OLD, OLD, 1.5)]


def test_what_a_dead_shop_had_in_flight_is_settled_from_the_topics_without_writing(
    shop_settings: Any, broker: Any
) -> None:
    settings = shop_settings()
    produce(broker, "shiftleft.public.orders", [(key_of(3000), OLD), (key_of(3002), OLD + 2)])
    produce(broker, "payments", [(b"3000", OLD + 60_000), (b"3000", OLD + 61_000)])
    journal_orders(settings, [(3000 + number, OLD + number) for number in range(3)], settled=3000)
    rows = [
        Row(1, 3000, OLD + 60_000, OLD + 60_000, 1.5, 0),
        Row(2, 3000, OLD + 60_000, OLD + 61_000, 1.5, 1),
        Row(3, 3002, OLD + 62_000, OLD + 62_000, 2.5, 0),
    ]
    journal_payments(settings, rows, settled=0)
    found = gather_evidence(settings.local)
    assert found.orders == {3000: OLD, 3002: OLD + 2}
    assert found.payments == [(3000, OLD + 60_000, OLD + 60_000, 1.5), (3000, OLD + 60_000, OLD + 61_000, 1.5)]
    assert sorted(found.newest.values(), key=str) == [OLD + 61_000, None, None, None]
    assert found.newest_written == OLD + 62_000
    with PaymentJournal(settings.local.home) as journal:
        assert journal.fact("settled_through") == 0


def test_what_a_living_shop_has_in_flight_is_unknown_for_the_moment(shop_settings: Any) -> None:
    settings = shop_settings()
    now = now_ms()
    journal_orders(settings, [(3000, now), (3001, now)], settled=3000)
    with OrderJournal(settings.local.home):
        assert gather_evidence(settings.local).orders == {3000: now}


def test_a_batch_held_up_for_long_is_looked_for_even_while_the_shop_lives(shop_settings: Any, broker: Any) -> None:
    settings = shop_settings()
    produce(broker, "shiftleft.public.orders", [(key_of(3001), OLD)])
    journal_orders(settings, [(3000, OLD), (3001, OLD)], settled=3000)
    with OrderJournal(settings.local.home) as journal:
        journal.set_facts(written_ms=now_ms() - 30_000)
        assert gather_evidence(settings.local).orders == {3000: OLD, 3001: OLD}


def test_a_shop_that_settles_and_goes_on_while_the_topic_is_asked_is_believed(
    shop_settings: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_READ_SECONDS", 20)
    settings = shop_settings()
    journal_orders(settings, [(3000, OLD), (3001, OLD)], settled=3000)
    asked, over = threading.Event(), threading.Event()

    def goes_on_sending() -> None:
        number = 3001
        while not over.is_set():
            produce(broker, "shiftleft.public.orders", [(key_of(number), OLD)])
            number += 1
            if number > 3003:
                asked.set()

    with OrderJournal(settings.local.home) as journal, ThreadPoolExecutor() as pool:
        journal.set_facts(written_ms=now_ms() - 30_000)
        sending = pool.submit(goes_on_sending)
        found = pool.submit(gather_evidence, settings.local)
        try:
            assert asked.wait(10)
            with journal.transaction():
                journal.set_facts(settled_through=3001, written_ms=now_ms())
            assert found.result(15).orders == {3000: OLD, 3001: OLD}
        finally:
            over.set()
            sending.result(10)


def test_a_batch_with_old_times_that_was_only_just_written_is_not_yet_looked_for(shop_settings: Any) -> None:
    settings = shop_settings()
    journal_orders(settings, [(3000, OLD), (3001, OLD)], settled=3000)
    with OrderJournal(settings.local.home):
        assert gather_evidence(settings.local).orders == {3000: OLD}


def test_a_topic_that_cannot_be_read_is_said_to_be_unreachable(
    shop_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_READ_SECONDS", 0.5)
    settings = shop_settings()
    journal_orders(settings, [(3000, OLD)], settled=2999)
    nowhere = settings.local.model_copy(update={"kafka_port": 1})
    with pytest.raises(UnreachableError):
        gather_evidence(nowhere)
