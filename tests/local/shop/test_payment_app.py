import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer

from dashboard.deploy.contract import Declaration, load_declarations
from dashboard.errors import ContractError, StackError
from dashboard.local.kms import KMS_SECRET, LOCAL_KMS_KEY_ID, LOCAL_KMS_TYPE
from dashboard.local.shop import order_feed, payment_app
from dashboard.local.shop.evidence import gather_evidence
from dashboard.local.shop.fates import FIRST_STRAY_ID
from dashboard.local.shop.journal import reading
from dashboard.local.shop.payment_journal import DUPLICATE, FIRST, LATE, PaymentJournal, payment_journal_path
from dashboard.local.shop.progress import read_progress
from dashboard.local.shop.truth import reckon
from dashboard.local.worker import now_ms
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.settings import Settings
from dashboard.topic_names import ORDERS_TOPIC

CONTRACTS = Path(__file__).parents[3] / "pipeline_sql" / "contracts"
PAYMENT_SCHEMA = fastavro.parse_schema(json.loads((CONTRACTS / "payments-value.avsc").read_text()))
DECLARED = load_declarations(CONTRACTS)["payments-value"]
DAY_MS = 86_400_000
CARD = re.compile(r"\d{4}-\d{4}-\d{4}-\d{4}")


def sent_payments(broker: Any) -> list[tuple[str, int, dict[str, Any]]]:
    """Key, record timestamp and value of every payment in the topic."""
    return [(key.decode(), timestamp, decoded(value)) for key, value, timestamp in broker.records("payments")]


def decoded(wire: bytes) -> dict[str, Any]:
    value: Any = fastavro.schemaless_reader(io.BytesIO(wire[5:]), PAYMENT_SCHEMA, None)
    return dict(value)


def rows(settings: Settings, *, left_out: bool = False) -> list[tuple[Any, ...]]:
    """The journal's rows: those that were sent, or those that were not."""
    with reading(payment_journal_path(settings.local.home)) as journal:
        assert journal is not None
        asked = (
            "SELECT order_id, ts, sent_as, amount, kind FROM payments"
            " WHERE (row IN (SELECT row FROM left_out)) = ? ORDER BY row"
        )
        return journal.execute(asked, (left_out,)).fetchall()


def identities(payments: list[tuple[str, int, dict[str, Any]]]) -> Counter[tuple[int, int]]:
    return Counter((int(key), timestamp) for key, timestamp, _ in payments)


def live(settings: Settings) -> bool:
    return read_progress(settings.local.home).payments_live_since is not None


@pytest.fixture
def past(shop_settings: Any, running: Any, until: Any) -> Settings:
    """A shop with six days of past orders in its topic, whose feed has ended."""
    settings: Settings = shop_settings(
        history=timedelta(days=6), history_payments=2_500, rate=1.0, payment_delay=timedelta(seconds=60)
    )
    with running(order_feed.work, settings):
        until(lambda: read_progress(settings.local.home).orders_live_since)
    return settings


def test_the_past_is_paid_in_order_with_duplicates_and_strays(
    past: Settings, running: Any, until: Any, broker: Any
) -> None:
    with running(payment_app.work, past):
        until(lambda: live(past))
    payments = sent_payments(broker)
    sent = rows(past)
    assert identities(payments) == Counter((order_id, sent_as) for order_id, _, sent_as, _, _ in sent)
    kinds = Counter(kind for *_, kind in sent)
    assert kinds[FIRST] == pytest.approx(2_500, rel=0.05)
    assert kinds[DUPLICATE] == pytest.approx(0.1 * kinds[FIRST], rel=0.3)
    assert sum(order_id >= FIRST_STRAY_ID for order_id, *_ in sent) > 3
    newest = 0
    for _, ts, sent_as, _, kind in sent:
        assert newest - sent_as <= 2_000
        assert kind == DUPLICATE or sent_as == ts
        newest = max(newest, sent_as)
    orders = gather_evidence(past.local).orders
    assert all(ts - orders[order_id] >= 60_000 for order_id, ts, *_ in sent if order_id in orders)


def test_records_say_what_the_journal_says_and_duplicates_are_identical(
    past: Settings, running: Any, until: Any, broker: Any
) -> None:
    with running(payment_app.work, past):
        until(lambda: live(past))
    amounts = {(order_id, sent_as): amount for order_id, _, sent_as, amount, _ in rows(past)}
    values: dict[str, dict[str, Any]] = {}
    for key, timestamp, value in sent_payments(broker):
        assert int(key) == value["order_id"]
        assert amounts[value["order_id"], timestamp] == value["amount"]
        assert values.setdefault(key, value) == value


def test_no_card_number_is_in_the_journal_or_the_log(
    past: Settings, running: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="dashboard")
    with running(payment_app.work, past):
        until(lambda: live(past))
    files = list(payment_journal_path(past.local.home).parent.glob("payments.sqlite*"))
    assert files
    assert not any(re.search(rb"\d{4}-\d{4}-\d{4}-\d{4}", file.read_bytes()) for file in files)
    assert not CARD.search(caplog.text)


def test_live_payments_follow_live_orders_by_the_wall_clock(
    shop_settings: Any, running: Any, until: Any, broker: Any
) -> None:
    settings = shop_settings(rate=200.0, payment_delay=timedelta(seconds=0.4))
    started = now_ms()
    with running(order_feed.work, settings), running(payment_app.work, settings):
        until(lambda: read_progress(settings.local.home).payments_sent > 300)
    payments = sent_payments(broker)
    assert identities(payments) == Counter((order_id, sent_as) for order_id, _, sent_as, _, _ in rows(settings))
    # an order may say that it is up to two seconds older than the shop
    assert all(started - 2_000 <= timestamp <= now_ms() for _, timestamp, _ in payments)
    proof = gather_evidence(settings.local)
    truth = reckon(proof, 1_000)
    assert (truth.ambiguous, truth.late_payments) == ([], 0)
    assert sum(truth.orders.values()) > 250


def test_the_truth_from_the_journals_is_the_truth_of_the_topics(
    past: Settings, running: Any, until: Any, broker: Any
) -> None:
    with running(payment_app.work, past):
        until(lambda: live(past))
    first: dict[int, tuple[int, dict[str, Any]]] = {}
    for _, timestamp, value in sent_payments(broker):
        known = first.get(value["order_id"])
        if known is None or timestamp < known[0]:
            first[value["order_id"]] = (timestamp, value)
    orders = {int.from_bytes(key, "big"): 0 for key, _, _ in broker.records("shiftleft.public.orders")}
    proof = gather_evidence(past.local)
    assert len(orders) == len(proof.orders)
    revenue: Counter[int] = Counter()
    for order_id, (_, value) in first.items():
        ts = round(value["ts"].timestamp() * 1000)
        if order_id in proof.orders and 0 <= ts - proof.orders[order_id] <= 4 * DAY_MS:
            revenue[ts - ts % 5_000] += int(value["amount"] * 100 + 0.5)
    truth = reckon(proof, 5_000)
    assert {start: int(total * 100) for start, total in truth.revenue.items()} == revenue


def test_late_payments_are_a_day_old_for_unpaid_orders_and_come_only_live(
    past: Settings, running: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_app, "_FIRST_LATE_SECONDS", 0.0)
    monkeypatch.setattr(payment_app, "_PIPELINE_RATE", 1e9)
    monkeypatch.setattr(payment_app, "_LATE_EVERY", 5)
    with running(payment_app.work, past):
        until(lambda: live(past))
        until(lambda: any(kind == LATE for *_, kind in rows(past)))
        live_since = read_progress(past.local.home).payments_live_since
    late = [(order_id, ts, sent_as) for order_id, ts, sent_as, _, kind in rows(past) if kind == LATE]
    assert live_since is not None
    orders = gather_evidence(past.local).orders
    for order_id, ts, sent_as in late:
        assert ts == sent_as <= now_ms() - 25 * 3_600_000
        assert 0 < ts - orders[order_id] <= 3_600_000
    truth = reckon(gather_evidence(past.local), DAY_MS)
    assert truth.late_payments == len(late)
    assert truth.late_revenue > 0
    assert truth.ambiguous == []


def test_an_order_without_a_date_or_of_another_schema_is_told_and_gone_past(
    past: Settings,
    running: Any,
    until: Any,
    broker: Any,
    contracts: CloudRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The contract allows the first, and `skip` refuses it for that; after the second the statements can be helped."""
    undated = {"orderid": 9_000_001, "customerid": 1, "orderdate": None, "status": "Completed"}
    other = {"orderid": 9_000_002}
    producer = Producer({"bootstrap.servers": broker.servers})
    for subject, value in (("shiftleft.public.orders-value", undated), ("shiftleft.public.orders-key", other)):
        latest = contracts.latest(subject)
        assert latest is not None
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(latest.schema)), value)
        wire = b"\0" + latest.id.to_bytes(4, "big") + body.getvalue()
        producer.produce(ORDERS_TOPIC, value=wire, partition=0)
    assert producer.flush(10) == 0
    with running(payment_app.work, past):
        until(lambda: live(past))
    assert caplog.text.count(f"No order that can be paid: {ORDERS_TOPIC}, partition 0, offset ") == 2
    kinds = Counter(kind for *_, kind in rows(past))
    assert kinds[FIRST] == pytest.approx(2_500, rel=0.05)


def test_after_a_pause_overdue_payments_are_sent_in_order_and_nothing_becomes_ambiguous(
    shop_settings: Any, running: Any, until: Any, broker: Any
) -> None:
    settings = shop_settings(rate=300.0, payment_delay=timedelta(seconds=0.3))
    with running(order_feed.work, settings):
        with running(payment_app.work, settings):
            until(lambda: read_progress(settings.local.home).payments_sent > 100)
        orders_before = read_progress(settings.local.home).orders_sent
        until(lambda: read_progress(settings.local.home).orders_sent > orders_before + 600)
        with running(payment_app.work, settings):
            until(lambda: live(settings))
            until(lambda: read_progress(settings.local.home).payments_due < 100)
    assert identities(sent_payments(broker)) == Counter((row[0], row[2]) for row in rows(settings))
    truth = reckon(gather_evidence(settings.local), 1_000)
    assert (truth.ambiguous, truth.late_payments) == ([], 0)


def test_a_topic_that_no_longer_holds_what_was_read_ends_the_app(past: Settings, running: Any, until: Any) -> None:
    with running(payment_app.work, past):
        until(lambda: live(past))
    with PaymentJournal(past.local.home) as journal, journal.transaction():
        journal.move_to(dict.fromkeys(journal.positions(), 1_000_000))
    with pytest.raises(StackError, match="no longer holds"), running(payment_app.work, past):
        until(lambda: False, within_seconds=2)


def promise(registry: CloudRegistry, declared: Declaration = DECLARED) -> None:
    """The next version of the contract of payments, with its key."""
    if declared.key and registry.kek(declared.key) is None:
        registry.create_kek(declared.key, LOCAL_KMS_TYPE, LOCAL_KMS_KEY_ID)
    latest = registry.latest("payments-value")
    registry.register("payments-value", declared.registered(latest.version + 1 if latest else None))


def letters(broker: Any) -> list[tuple[str, int, dict[str, Any]]]:
    return [(key.decode(), timestamp, json.loads(value)) for key, value, timestamp in broker.records("error-payments")]


def test_rules_of_the_registry_refuse_and_encrypt_without_the_app_knowing(
    past: Settings, running: Any, until: Any, broker: Any, contracts: CloudRegistry
) -> None:
    promise(contracts)
    with running(payment_app.work, past):
        until(lambda: live(past))
    payments = sent_payments(broker)
    rejected = rows(past, left_out=True)
    assert len(rejected) == pytest.approx(2_500 / 6, rel=0.1)
    assert identities(payments) == Counter((row[0], row[2]) for row in rows(past))
    assert not [value for _, _, value in payments if CARD.search(value["cc_number"])]
    assert all(re.fullmatch("[A-Z0-9]{8}", value["confirmation_code"]) for _, _, value in payments)
    assert not {row[0] for row in rejected} & {int(key) for key, _, _ in payments}
    found = letters(broker)
    assert Counter(int(key) for key, _, _ in found) == Counter(row[0] for row in rejected)
    assert all(value["order_id"] == int(key) and not CARD.search(str(value)) for key, _, value in found)


def test_the_same_app_writes_otherwise_when_the_registry_says_otherwise(
    past: Settings, running: Any, until: Any, broker: Any, contracts: CloudRegistry
) -> None:
    """In the clear, then by a new contract after a restart: nothing but the registry has changed."""
    with running(payment_app.work, past):
        until(lambda: live(past))
    before = len(broker.records("payments"))
    assert all(CARD.search(value["cc_number"]) for _, _, value in sent_payments(broker))
    promise(contracts)
    with running(order_feed.work, past), running(payment_app.work, past):
        until(lambda: len(broker.records("payments")) > before + 3)
    assert sum(not CARD.search(value["cc_number"]) for _, _, value in sent_payments(broker)) >= 3
    assert all(CARD.search(value["cc_number"]) is None for _, _, value in letters(broker))


def test_a_new_contract_counts_without_a_restart_when_the_copy_has_expired(
    shop_settings: Any, running: Any, until: Any, broker: Any, contracts: CloudRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_app, "CACHE_SECONDS", 0.1)
    settings = shop_settings(rate=200.0, payment_delay=timedelta(seconds=0.3))
    with running(order_feed.work, settings), running(payment_app.work, settings):
        until(lambda: read_progress(settings.local.home).payments_sent > 100)
        promise(contracts)
        until(lambda: any(not CARD.search(value["cc_number"]) for _, _, value in sent_payments(broker)))


def test_a_contract_that_no_record_can_meet_ends_the_app_without_showing_a_card(
    past: Settings, running: Any, until: Any, contracts: CloudRegistry
) -> None:
    first, *others = DECLARED.rules
    promise(contracts, replace(DECLARED, rules=({**first, "onFailure": "NO_SUCH_ACTION"}, *others)))
    with pytest.raises(ContractError, match="NO_SUCH_ACTION") as caught, running(payment_app.work, past):
        until(lambda: live(past), within_seconds=3)
    assert not CARD.search(str(caught.value))
    assert rows(past) == []


def test_without_its_secret_it_writes_nothing_and_says_which_file(past: Settings, running: Any, until: Any) -> None:
    (past.local.home / KMS_SECRET).unlink()
    with pytest.raises(ContractError, match="kms-secret"), running(payment_app.work, past):
        until(lambda: live(past), within_seconds=3)


def start(settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard.local.shop.payment_app"],
        env=os.environ | settings.as_environment(),
        stderr=subprocess.DEVNULL,
    )


def in_flight(settings: Settings) -> tuple[int, int]:
    """The newest row that is not settled, and how many there are."""
    with reading(payment_journal_path(settings.local.home)) as journal:
        if journal is None:
            return 0, 0
        newest = journal.execute("SELECT max(row) FROM payments").fetchone()[0] or 0
        settled = journal.execute("SELECT value FROM facts WHERE name = 'settled_through'").fetchone()
        return newest, newest - settled[0] if settled else 0


def test_killed_in_the_middle_of_a_batch_again_and_again_every_payment_is_sent_at_most_once(
    shop_settings: Any, slow_broker: Any, running: Any, until: Any, contracts: CloudRegistry
) -> None:
    promise(contracts)
    settings = shop_settings(
        broker=slow_broker, history=timedelta(days=6), history_payments=8_000, payment_delay=timedelta(seconds=60)
    )
    with running(order_feed.work, settings):
        until(lambda: read_progress(settings.local.home).orders_live_since)
    killed_at = 0
    for _ in range(2):
        process = start(settings)
        until(lambda: in_flight(settings)[0] > killed_at and in_flight(settings)[1])  # noqa: B023  # called at once
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_at, unsettled = in_flight(settings)
        assert unsettled
        assert reckon(gather_evidence(settings.local), 5_000).ambiguous == []
    process = start(settings)
    until(lambda: live(settings))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert in_flight(settings)[1] == 0
    sent = rows(settings)
    assert identities(sent_payments(slow_broker)) == Counter((row[0], row[2]) for row in sent)
    firsts = Counter(order_id for order_id, *_, kind in sent if kind == FIRST)
    assert set(firsts.values()) == {1}
    assert reckon(gather_evidence(settings.local), 5_000).ambiguous == []
    with reading(payment_journal_path(settings.local.home)) as journal:
        assert journal is not None
        asked = "SELECT order_id FROM payments JOIN left_out USING (row) WHERE why = 'rejected'"
        rejected = [row[0] for row in journal.execute(asked)]
    assert rejected
    assert Counter(int(key) for key, _, _ in letters(slow_broker)) == Counter(rejected)
