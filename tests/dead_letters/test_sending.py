"""Redriving on a real broker: what is agreed to happens once, whoever dies or comes in between."""

import json
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import pytest

from dashboard.dead_letters.markers import REDRIVEN_TOPIC
from dashboard.dead_letters.redrive import Choices, Outcome
from dashboard.enforcement.outcomes import Refused
from dashboard.errors import DeployError, UnreachableError
from dashboard.local.shop.evidence import Evidence
from dashboard.local.shop.redriven import redriven_payments
from dashboard.local.shop.truth import reckon
from dashboard.remotes.kafka import Topic
from tests.dead_letters.world import (
    CIPHERTEXT,
    CLOCK,
    HOUR,
    RULE,
    WINDOW,
    World,
    headers,
    orders_of,
    payment,
    queue,
    write,
)
from tests.real_broker import RealBroker

START = CLOCK - CLOCK % 5_000


def three(world: World) -> list[str]:
    """Three letters that would count."""
    for orderid in (3000, 3001, 3002):
        world.order(orderid)
    return [world.letter(payment(orderid)) for orderid in (3000, 3001, 3002)]


def test_what_the_dry_run_says_is_what_happens(world: World, real: RealBroker) -> None:
    for orderid in (3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007):
        world.order(orderid)
    world.order(3008, CLOCK - 96 * HOUR - 1)
    world.order(3009, CLOCK - 96 * HOUR)
    world.order(3010, CLOCK + 1)
    world.pay(3001, CLOCK - 95 * HOUR)
    ids = {
        world.letter(payment(3000, ts="2026-11-22 12:00:00+00:00", amount=0.005)): Outcome.COUNTS,
        world.letter(payment(3001)): Outcome.ALREADY_PAID,
        world.letter(payment(3002, confirmation_code="0")): Outcome.STILL_REFUSED,
        world.letter(payment(3003, cc_number="<REDACTED>")): Outcome.CARD_LOST,
        world.letter(b"\xff\x00\xfe"): Outcome.UNREADABLE,
        world.letter(b"x" * 900_000): Outcome.UNREADABLE,
        world.letter(None, {}): Outcome.UNREADABLE,
        world.letter(payment(3004), headers(redriven_from="error-payments:0:7")): Outcome.REDRIVEN_ALREADY,
        world.letter(payment(3008)): Outcome.NO_ORDER,
        world.letter(payment(3009, amount=1)): Outcome.COUNTS,
        world.letter(payment(3010)): Outcome.NO_ORDER,
        world.letter(payment(9999)): Outcome.NO_ORDER,
        world.letter(payment(3000)): Outcome.ALREADY_PAID,
        world.letter(payment(3005, amount="12")): Outcome.UNREADABLE,
    }
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    assert {one.letter.id: one.outcome for one in plan.letters} == ids
    assert [one.detail for one in plan.letters if one.outcome is Outcome.STILL_REFUSED] == [RULE]
    assert plan.booked == Decimal("1.01")
    assert world.redriven() == []
    assert plan.summary.startswith("2 payments, 1.01 booked now; 3 have no order and will not count; 2 already paid")

    sent = letters.redrive(plan)

    assert [marker.order_id for marker in sent.markers] == [3000, 3009]
    assert orders_of(world.redriven()) == [3000, 3009]
    for record in world.redriven():
        assert record.timestamp_ms == CLOCK
        told = {name: (value or b"").decode() for name, value in record.headers}
        assert told["redriven.by"] == "tester"
        assert told["redriven.from"] in ("error-payments:0:0", "error-payments:0:9")
        assert json.loads(record.value or b"")["ts"] == CLOCK
    [first] = [one for one in world.redriven() if one.key == b"3000"]
    assert dict(first.headers)["redriven.original-ts"] == b"2026-11-22T12:00:00.000+00:00"
    assert len(world.in_topic("error-payments")) == len(ids)
    truth = reckon(
        Evidence({3000: CLOCK - HOUR, 3009: CLOCK - 96 * HOUR}, redriven_payments(real.settings.local, 20), {}, None),
        5_000,
    )
    assert truth.revenue == {START: plan.booked}
    again = letters.plan(ids)
    assert [one.outcome for one in again.letters if one.letter.id in ("0:0", "0:9")] == [Outcome.REDRIVEN_ALREADY] * 2
    assert again.sent == []


def test_a_correction_choice_or_agreement_lets_a_letter_count(world: World) -> None:
    for orderid in range(3000, 3005):
        world.order(orderid)
    ids = [
        world.letter(payment(3000, confirmation_code="0")),
        world.letter(payment(3001, cc_number="<REDACTED>")),
        world.letter(payment(3002, cc_number=CIPHERTEXT), headers() | {"sales-trends.encrypted": "cc_number"}),
        world.letter(payment(3003), headers(redriven_from="error-payments:0:7")),
        world.letter(payment(9999)),
    ]
    choices = Choices(
        corrections={"amount": "2.675"},
        of_letter={ids[0]: {"confirmation_code": "ZZ99ZZ99", "amount": "1"}},
        without_card=True,
        again=True,
        including_orderless=True,
    )
    letters = queue(world.kafka)
    plan = letters.plan(ids, choices)
    assert [one.outcome for one in plan.letters] == [Outcome.COUNTS] * 4 + [Outcome.NO_ORDER]
    assert plan.booked == Decimal("1.00") + 3 * Decimal("2.68")
    letters.redrive(plan)
    values = {int(one.key or b""): json.loads(one.value or b"") for one in world.redriven()}
    assert {order: value["amount"] for order, value in values.items()} == {
        3000: 1.0, 3001: 2.675, 3002: 2.675, 3003: 2.675, 9999: 2.675,
    }  # fmt: skip
    assert values[3002]["cc_number"] == CIPHERTEXT, "what is encrypted is not encrypted once more"
    assert values[3001]["cc_number"] == "<REDACTED>", "nor is what is blacked out"
    assert values[3003]["cc_number"] == "encrypted(19)"


def test_at_its_own_time_a_payment_is_late_and_one_too_fresh_is_not_sent(world: World) -> None:
    world.order(3000)
    late_after = int(WINDOW.total_seconds() * 1000) + 60_000
    ids = [
        world.letter(payment(3000, ts=CLOCK - late_after - 1)),
        world.letter(payment(3001, ts=CLOCK - late_after)),
        world.letter(payment(3002, ts=CLOCK + HOUR)),
    ]
    letters = queue(world.kafka)
    plan = letters.plan(ids, Choices(when="own"))
    assert [one.outcome for one in plan.letters] == [Outcome.LATE, Outcome.TOO_FRESH, Outcome.TOO_FRESH]
    assert plan.letters[1].not_before is not None
    assert plan.letters[1].not_before.timestamp() * 1000 == CLOCK + 1
    assert plan.booked == 0
    [marker] = letters.redrive(plan).markers
    assert (marker.ts, marker.sent_as) == (CLOCK - late_after - 1, CLOCK)
    [record] = world.redriven()
    assert (record.timestamp_ms, json.loads(record.value or b"")["ts"]) == (CLOCK, CLOCK - late_after - 1)
    payments = [(1, CLOCK, CLOCK, 1.0), (marker.order_id, marker.ts, marker.sent_as, float(marker.amount))]
    truth = reckon(Evidence({3000: CLOCK - HOUR}, payments, {}, None), 5_000)
    assert (truth.late_payments, truth.revenue, truth.ambiguous) == (1, {}, [])


def test_when_the_stream_goes_on_before_the_commit_everything_is_stamped_anew(world: World) -> None:
    ids = three(world)
    letters = queue(world.kafka)
    moved: list[int] = []

    def stream_goes_on() -> None:
        # by more than is allowed, then by as much as is
        if len(moved) < 2:
            moved.append(2_001 if not moved else 2_000)
            world.pay(1, CLOCK + sum(moved))

    sent = letters.redrive(letters.plan(ids), before_commit=stream_goes_on)
    assert [marker.sent_as for marker in sent.markers] == [CLOCK + 2_001] * 3
    assert [(one.timestamp_ms, json.loads(one.value or b"")["ts"]) for one in world.redriven()] == [
        (CLOCK + 2_001, CLOCK + 2_001)
    ] * 3
    assert len(world.in_topic(REDRIVEN_TOPIC)) == 3


def test_a_stream_that_never_waits_is_given_up_and_nothing_is_sent(world: World) -> None:
    ids = three(world)
    letters = queue(world.kafka)
    clock = [CLOCK]

    def stream_runs() -> None:
        clock[0] += 3_000
        world.pay(1, clock[0])

    with pytest.raises(UnreachableError, match="The stream of payments went on"):
        letters.redrive(letters.plan(ids), before_commit=stream_runs)
    assert world.redriven() == []
    assert world.in_topic(REDRIVEN_TOPIC) == []


KILLED = """
import sys, time
from dashboard.remotes.kafka import Kafka
from tests.dead_letters.world import queue

letters = queue(Kafka(sys.argv[1]))
chunks = 0

def before_commit():
    global chunks
    chunks += 1
    if chunks == int(sys.argv[2]):
        print("ready", flush=True)
        time.sleep(600)

letters.redrive(letters.plan(sys.argv[3:]), before_commit=before_commit)
"""


def test_a_kill_between_producing_and_committing_leaves_nothing_and_the_next_run_goes_on(world: World) -> None:
    ids = three(world)
    command = [sys.executable, "-c", KILLED, world.kafka.bootstrap, "1", *ids]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"ready\n"
        uncommitted = world.kafka.end_offsets(REDRIVEN_TOPIC)
        assert sum(uncommitted.values()) == 3, "the markers are with Kafka, and not committed"
        killed.kill()
    assert world.in_topic(REDRIVEN_TOPIC) == []
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    assert len(plan.sent) == 3
    letters.redrive(plan)
    assert orders_of(world.redriven()) == [3000, 3001, 3002]
    assert sorted(one.key or b"" for one in world.in_topic(REDRIVEN_TOPIC)) == [b"0:0", b"0:1", b"0:2"]


def test_a_kill_between_two_transactions_leaves_the_first_and_the_next_run_sends_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = three(world)
    in_ones = "import dashboard.dead_letters.sending as s\ns.MOST_AT_ONCE = 1\n" + KILLED
    command = [sys.executable, "-c", in_ones, world.kafka.bootstrap, "2", *ids]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"ready\n"
        killed.kill()
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    assert [one.outcome for one in plan.letters] == [Outcome.REDRIVEN_ALREADY, Outcome.COUNTS, Outcome.COUNTS]
    letters.redrive(plan)
    assert orders_of(world.redriven()) == [3000, 3001, 3002]


def test_of_two_at_once_the_second_sends_and_the_first_says_so_whatever_they_call_the_target(world: World) -> None:
    ids = three(world)
    first, second = queue(world.kafka, "first"), queue(world.kafka, "second", "staging")
    plan = first.plan(ids)
    sent: list[int] = []

    def second_comes() -> None:
        if not sent:
            sent.append(len(second.redrive(second.plan(ids)).markers))

    with pytest.raises(DeployError, match="Another process has begun the same work, redrive-payments") as raised:
        first.redrive(plan, before_commit=second_comes)
    assert "0 of 3 payments are known to have been sent" in raised.value.message
    assert sent == [3]
    assert orders_of(world.redriven()) == [3000, 3001, 3002]
    assert {dict(one.headers)["redriven.by"] for one in world.redriven()} == {b"second"}


@pytest.mark.parametrize("change", ["redriven", "paid", "order"])
def test_nothing_is_sent_when_something_else_would_happen_than_what_was_agreed_to(world: World, change: str) -> None:
    ids = three(world)
    ids.append(world.letter(payment(9999)))
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    if change == "redriven":
        letters.redrive(letters.plan(ids[:1]))
    elif change == "paid":
        world.pay(3001, CLOCK)
    else:
        world.order(9999)
    before = len(world.redriven())
    with pytest.raises(DeployError, match="something else would happen"):
        letters.redrive(plan)
    assert len(world.redriven()) == before


def test_a_contract_that_changes_while_it_sends_ends_it_with_what_was_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = three(world)
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    changed: list[bool] = []

    def by_now(value: dict[str, Any]) -> bytes:
        if changed:
            raise Refused(RULE, "it asks for another code")
        return write(value)

    monkeypatch.setattr("tests.dead_letters.world.write", by_now)
    monkeypatch.setattr("dashboard.dead_letters.sending.MOST_AT_ONCE", 1)
    with pytest.raises(DeployError, match="something else would happen to the letter 0:1") as raised:
        letters.redrive(plan, before_commit=lambda: changed.append(True))
    assert RULE in raised.value.message
    assert "1 of 3 payments are known to have been sent" in raised.value.message
    assert orders_of(world.redriven()) == [3000]


def test_the_same_plan_is_agreed_to_whatever_the_time(world: World) -> None:
    ids = three(world)
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    world.pay(1, CLOCK + 60_000)
    assert letters.plan(ids).digest == plan.digest
    assert {marker.sent_as for marker in letters.redrive(plan).markers} == {CLOCK + 60_000}


def test_without_payments_there_is_no_clock(world: World) -> None:
    ids = three(world)
    world.kafka.delete_topics(["payments"])
    world.kafka.create_topics([Topic("payments", 6)])
    with pytest.raises(DeployError, match="no clock yet"):
        queue(world.kafka).plan(ids)


def test_each_act_is_in_the_audit_log_with_counts_and_no_value(world: World) -> None:
    ids = three(world)
    letters = queue(world.kafka, "ann")
    before = letters.audit.end()
    plan = letters.plan(ids)
    letters.redrive(plan)
    begins, ended = letters.audit.between(before, letters.audit.end())
    assert (begins.what, begins.who, begins.thing, begins.plan) == (
        "redrive begins", "ann", "error-payments", plan.digest,
    )  # fmt: skip
    assert begins.result == "3 of 3 to send (3 counts)"
    assert (ended.what, ended.result) == ("redrive ended", "3 sent")


def test_a_broker_that_goes_away_before_the_commit_is_said_and_leaves_nothing_half_done(
    world: World, real: RealBroker
) -> None:
    ids = three(world)
    letters = queue(world.kafka)
    plan = letters.plan(ids)
    began = time.monotonic()
    try:
        with pytest.raises(UnreachableError) as raised:
            letters.redrive(plan, before_commit=real.stop)
        assert "0 of 3 payments are known to have been sent" in raised.value.message
        with pytest.raises(UnreachableError):
            letters.plan(ids)
        assert time.monotonic() - began < 120
    finally:
        real.start()
    plan = letters.plan(ids)
    assert len(plan.sent) == 3
    letters.redrive(plan)
    assert orders_of(world.redriven()) == [3000, 3001, 3002]
    assert len(world.in_topic(REDRIVEN_TOPIC)) == 3
