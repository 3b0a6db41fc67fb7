"""What is redriven is part of the truth: it counts once, late it adds nothing; Kafka is asked only if there is any."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Producer

from dashboard.errors import ReadError, UnreachableError
from dashboard.local.shop import evidence
from dashboard.local.shop.evidence import Evidence, gather_evidence
from dashboard.local.shop.payment_journal import Counters, PaymentJournal, Row
from dashboard.local.shop.redriven import REDRIVEN, Payment, merged
from dashboard.local.shop.truth import Truth, reckon
from dashboard.settings import Settings

NOON = 1_795_348_800_000
HOUR = 3_600_000


def truth(sent: list[Payment], redriven: list[Payment], orders: dict[int, int]) -> Truth:
    return reckon(Evidence(orders, list(merged(sent, redriven)), {0: NOON}, NOON), 5_000)


def test_a_redriven_payment_counts_once_in_the_window_of_the_streams_clock() -> None:
    sent = [(3000, NOON, NOON, 1.0), (3001, NOON + 9_000, NOON + 9_000, 2.0)]
    found = truth(sent, [(3002, NOON, NOON, 0.005)], dict.fromkeys((3000, 3001, 3002), NOON - HOUR))
    assert found.revenue == {NOON: Decimal("1.01"), NOON + 5_000: Decimal("2.00")}
    assert (found.late_payments, found.ambiguous) == (0, [])


def test_one_at_its_own_time_is_late_and_adds_nothing() -> None:
    found = truth([(3000, NOON, NOON, 1.0)], [(3001, NOON - HOUR, NOON, 2.5)], {3000: NOON, 3001: NOON - 2 * HOUR})
    assert found.revenue == {NOON: Decimal("1.00")}
    assert (found.late_payments, found.late_revenue, found.ambiguous) == (1, Decimal("2.50"), [])


def test_of_a_redriven_payment_and_the_shops_own_of_the_same_order_the_first_counts() -> None:
    orders = {3000: NOON - HOUR}
    first = truth([(3000, NOON + 7_000, NOON + 7_000, 2.0)], [(3000, NOON, NOON, 1.0)], orders)
    assert first.revenue == {NOON: Decimal("1.00")}
    second = truth([(3000, NOON, NOON, 2.0)], [(3000, NOON + 7_000, NOON + 7_000, 1.0)], orders)
    assert second.revenue == {NOON: Decimal("2.00")}


def test_the_shops_own_order_is_kept_and_a_late_one_of_it_moves_nothing() -> None:
    sent = [(1, NOON, NOON, 1.0), (2, NOON - HOUR, NOON - HOUR, 1.0), (3, NOON + 5, NOON + 5, 1.0)]
    redriven = [(8, NOON, NOON, 1.0), (9, NOON + 9, NOON + 9, 1.0)]
    assert [one[0] for one in merged(sent, redriven)] == [1, 2, 8, 3, 9]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_redriven_at_the_streams_clock_makes_nobody_late_and_is_never_late(seed: int) -> None:
    """By chance: streams with disorder and late payments, redriven ones at clocks that the stream really had."""
    chance = random.Random(seed)
    sent: list[Payment] = []
    clock = NOON
    clocks = []
    for order_id in range(3000, 3200):
        clock += chance.randrange(3_000)
        held = chance.choice([0, 0, 0, chance.randrange(4_000), 25 * HOUR])
        sent.append((order_id, clock - held, clock - held, chance.randrange(10**6) / 1000))
        clocks.append(max(one[2] for one in sent))
    orders = {order_id: ts - HOUR for order_id, ts, _, _ in sent} | dict.fromkeys(range(9000, 9020), NOON - HOUR)
    stamps = sorted(chance.choices(clocks, k=20))
    redriven = [(9000 + number, stamp, stamp, 0.005) for number, stamp in enumerate(stamps)]
    before, after = truth(sent, [], orders), truth(sent, redriven, orders)
    assert (after.late_payments, after.late_revenue) == (before.late_payments, before.late_revenue)
    assert after.ambiguous == before.ambiguous
    assert sum(after.revenue.values()) == sum(before.revenue.values()) + Decimal("0.20")
    assert sum(after.orders.values()) == sum(before.orders.values()) + 20


def journal(settings: Settings) -> None:
    with PaymentJournal(settings.local.home) as journal:
        journal.begin(seed=1, partitions=4, order_partitions=4)
        with journal.transaction():
            rows = [Row(1, 3000, NOON, NOON, 1.0, 0), Row(2, 3001, NOON + 9, NOON + 9, 2.0, 0)]
            journal.write(rows, [], Counters(2, 2, NOON), None)
            journal.set_facts(settled_through=2)


def marker(order_id: int, ts: int) -> bytes:
    return json.dumps({"letter": "0:1", "order_id": order_id, "ts": ts, "sent_as": ts, "amount": "2.675"}).encode()


def test_markers_are_read_where_the_brokers_folder_holds_their_topic(
    shop_settings: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop_settings()
    journal(settings)
    producer = Producer({"bootstrap.servers": broker.servers})
    producer.produce(REDRIVEN, marker(9000, NOON + 8), b"0:1", partition=0)
    producer.flush()
    assert gather_evidence(settings.local).payments == [(3000, NOON, NOON, 1.0), (3001, NOON + 9, NOON + 9, 2.0)]
    (settings.local.home / "kafka" / "data" / f"{REDRIVEN}-0").mkdir(parents=True)
    found = gather_evidence(settings.local)
    assert [one[0] for one in found.payments] == [3000, 9000, 3001]
    assert found.payments[1] == (9000, NOON + 8, NOON + 8, 2.675)
    monkeypatch.setattr(evidence, "_READ_SECONDS", 0.5)
    with pytest.raises(UnreachableError):
        gather_evidence(settings.local.model_copy(update={"kafka_port": 1}))


def test_where_nothing_was_ever_redriven_kafka_need_not_run(shop_settings: Any) -> None:
    settings = shop_settings()
    journal(settings)
    assert len(gather_evidence(settings.local.model_copy(update={"kafka_port": 1})).payments) == 2


def test_a_marker_that_is_not_ours_is_said(shop_settings: Any, broker: Any) -> None:
    settings = shop_settings()
    journal(settings)
    (settings.local.home / "kafka" / "data" / f"{REDRIVEN}-0").mkdir(parents=True)
    producer = Producer({"bootstrap.servers": broker.servers})
    producer.produce(REDRIVEN, b"[]", partition=0)
    producer.flush()
    with pytest.raises(ReadError, match="not ours"):
        gather_evidence(settings.local)
