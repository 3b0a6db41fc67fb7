"""Records that no statement can read, on the real stack: seen, gone past, and nothing else lost or doubled."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from dashboard.deploy.bad_records import BadRecord
from dashboard.deploy.skipped import Place
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import ContractError
from dashboard.lifecycle import LocalStack
from dashboard.local.services import SUPERVISOR
from dashboard.local.shop.progress import read_progress
from dashboard.topic_names import ORDERS_TOPIC
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.records import payment_on_the_wire
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.stack, pytest.mark.long]

UNKNOWN_SCHEMA = b"\0" + struct.pack(">i", 999) + b"\x02"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = stack_settings(tmp_path_factory.mktemp("bad") / "home")
    little_past = settings.shop.model_copy(update={"history": timedelta(minutes=30), "history_payments": 500})
    with running_stack(settings.model_copy(update={"shop": little_past})) as stack:
        # until it has caught up, what the shop sends late is not late for the pipeline
        verified_until(stack, eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120))
        yield stack


def send(stack: LocalStack, topic: str, partition: int, value: bytes | None, **config: object) -> Place:
    places: list[Place] = []

    def delivered(error: KafkaError | None, message: object) -> None:
        if error is not None:
            raise KafkaException(error)
        places.append(Place(topic, message.partition(), message.offset()))  # type: ignore[attr-defined]

    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap, "log_level": 0, **config})
    producer.produce(topic, value=value, partition=partition, on_delivery=delivered)
    assert producer.flush(20) == 0
    return places[0]


def stopped(stack: LocalStack) -> dict[str, BadRecord]:
    return {one.name: one.bad_record for one in stack.status().statements if one.bad_record is not None}


def goes_past(stack: LocalStack, place: Place, reason: str) -> None:
    """Sees the record named by every statement that reads its topic and by no other, then skips it."""
    readers = set(stack.deployment.statements.readers(place.topic))

    def named() -> dict[str, BadRecord] | None:
        found = stopped(stack)
        return found if set(found) == readers else None

    bad = BadRecord(place.topic, place.partition, place.offset, reason)
    assert set(eventually(named, within_seconds=90).values()) == {bad}
    others = {one.name: one.state for one in stack.status().statements if one.name not in readers}
    if JOIN in readers and others[DEDUPLICATION] == "HELD":
        # no payment may pass a join that has not read its order
        del others[DEDUPLICATION]
    assert set(others.values()) == {"RUNNING"}
    assert stack.skip(place) == bad
    assert stack.status().running


def command(stack: LocalStack, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **stack.settings.as_environment()}
    return subprocess.run(
        [sys.executable, "-m", "dashboard", *words], env=environment, capture_output=True, text=True, check=False
    )


def test_each_kind_of_bad_payment_is_named_and_gone_past(stack: LocalStack) -> None:
    payment = payment_on_the_wire(stack.settings)
    kinds = {
        "bad magic byte 7": b"\x07" + payment[1:],
        "unknown schema id 999": UNKNOWN_SCHEMA,
        "truncated Avro": payment[:-9],
    }
    for partition, (reason, value) in enumerate(kinds.items()):
        place = send(stack, "payments", partition, value)
        goes_past(stack, place, reason)
    assert verified_until(stack, datetime.now(UTC)).ok


def test_a_record_without_a_value_stops_nothing_and_is_named_until_it_is_acknowledged(stack: LocalStack) -> None:
    place = send(stack, "payments", 3, None)
    assert [bad.place for bad in stack.deployment.inputs.all_bad()] == [place]
    (finding,) = [one for one in json.loads(command(stack, "doctor", "--json").stdout) if one["name"] == "Bad record"]
    assert finding["detail"] == f"{place}: no value"
    assert command(stack, "skip", "payments", "3", str(place.offset)).returncode == 0
    assert stack.deployment.inputs.all_bad() == []
    assert {one.state for one in stack.status().statements} == {"RUNNING"}


def test_five_megabytes_are_refused_and_gone_past_when_they_came_in_compressed(stack: LocalStack) -> None:
    payment = payment_on_the_wire(stack.settings, confirmation_code="A" * 5_000_000)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        send(stack, "payments", 4, payment, **{"message.max.bytes": 10_000_000})
    place = send(stack, "payments", 4, payment, **{"message.max.bytes": 10_000_000, "compression.type": "zstd"})
    goes_past(stack, place, f"value of {len(payment):,} bytes, more than the 1,000,000 that can be written again")
    assert verified_until(stack, datetime.now(UTC)).ok


def test_a_bad_order_keeps_no_stack_from_starting_and_then_every_payment_finds_its_order(stack: LocalStack) -> None:
    place = send(stack, ORDERS_TOPIC, 2, UNKNOWN_SCHEMA)
    bad = eventually(lambda: stopped(stack).get(JOIN), within_seconds=90)
    assert f"{bad}; `{bad.skip_command}` goes past it" in command(stack, "status").stdout
    stack.down()
    stack.up(page=False)
    goes_past(stack, place, "unknown schema id 999")
    assert not stack.deployment.statements.hold.exists()
    assert verified_until(stack, datetime.now(UTC)).ok


def test_a_held_join_reads_orders_and_no_payment_until_it_is_let_go(stack: LocalStack) -> None:
    def read(topic: str) -> int:
        return sum(stack.kafka.committed_offsets(JOIN, topic).values())

    # it would let payments go to a join that has read the orders
    stack.processes.stop(SUPERVISOR, 60)
    stack.deployment.statements.cancel(JOIN)
    payments, orders = read("unique_payments"), read(ORDERS_TOPIC)
    stack.deployment.statements.hold.touch()
    stack.deployment.statements.start(JOIN)
    eventually(lambda: read(ORDERS_TOPIC) > orders + 500, within_seconds=60)
    assert read("unique_payments") == payments
    stack.deployment.statements.hold.unlink()
    eventually(lambda: read("unique_payments") > payments + 300, within_seconds=60)
    assert verified_until(stack, datetime.now(UTC)).ok
    stack.supervise()


def test_a_good_record_is_never_skipped(stack: LocalStack) -> None:
    with pytest.raises(ContractError, match="is good"):
        stack.skip(Place("payments", 0, 0))
    with pytest.raises(ContractError, match="no record"):
        stack.skip(Place("payments", 0, 10**9))
