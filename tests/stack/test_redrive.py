"""Dead letters redriven on the real stack: they count once, and every closed window is right to the cent with them."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from confluent_kafka import Producer

from dashboard.dead_letter_queue import DeadLetterQueue
from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC
from dashboard.dead_letters.reading import Wanted
from dashboard.dead_letters.redrive import Choices, Outcome
from dashboard.lifecycle import LocalStack
from dashboard.local.shop.payment_journal import payment_journal_path
from dashboard.local.shop.progress import read_progress
from dashboard.local.shop.truth import take_truth
from tests.conftest import eventually
from tests.stack.test_running_stack import iceberg_table
from tests.stack.waiting import verified_until

pytestmark = pytest.mark.stack


def unpaid_orders(stack: LocalStack, count: int) -> list[int]:
    """The newest orders that the shop never pays."""
    with sqlite3.connect(payment_journal_path(stack.settings.local.home)) as journal:
        rows = journal.execute("SELECT order_id FROM unpaid ORDER BY orderdate DESC LIMIT ?", (count,))
        return [order_id for (order_id,) in rows]


def test_redriven_payments_count_once_and_the_table_is_right_to_the_cent(stack: LocalStack) -> None:
    eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120)
    *now, late = unpaid_orders(stack, 6)
    old = datetime.now(UTC) - timedelta(hours=30)
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    for order_id in (*now, late, now[0]):
        letter = {
            "order_id": order_id, "product_id": 1, "customer_id": 1, "confirmation_code": "0",
            "cc_number": "<REDACTED>", "expiration": "12/30", "amount": 7.005, "ts": str(old),
        }  # fmt: skip
        producer.produce(DEAD_LETTERS_TOPIC, json.dumps(letter).encode())
    assert producer.flush(10) == 0
    letters = DeadLetterQueue(stack.settings, "tester")
    ids = {
        one.order_id: one.id for one in letters.letters(1_000, Wanted(rule="")).letters if one.order_id in (*now, late)
    }
    assert len(ids) == 6
    before = take_truth(stack.settings)
    agreed = Choices({"confirmation_code": "AB12CD34"}, without_card=True)

    plan = letters.plan([ids[order_id] for order_id in now], agreed)
    assert plan.counts == {Outcome.COUNTS: 5}
    assert plan.booked == Decimal("35.05")
    sent = letters.redrive(plan)
    at_own_time = letters.plan([ids[late]], Choices(agreed.corrections, when="own", without_card=True))
    assert at_own_time.counts == {Outcome.LATE: 1}
    letters.redrive(at_own_time)

    windows = {marker.ts - marker.ts % before.window_ms for marker in sent.markers}
    found = verified_until(stack, datetime.fromtimestamp(max(windows) / 1000, UTC) + timedelta(seconds=20))
    assert found.ok
    completed = iceberg_table(stack, "completed_orders").scan().to_arrow()["order_id"].to_pylist()
    assert sorted(order_id for order_id in completed if order_id in (*now, late)) == sorted(now)
    assert take_truth(stack.settings).late_payments >= before.late_payments + 1
