"""Pauses longer than what Flink or Kafka remember by the clock, made short: the clocks are, not the pauses."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard import open_source_deployment
from dashboard.deploy import open_source
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.lifecycle import LocalStack
from dashboard.local.services import SUPERVISOR
from dashboard.settings import PipelineSettings
from dashboard.verify import verify
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.records import send_payment
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.stack, pytest.mark.long]

_REMEMBERS_SECONDS = 30
_ORDERS = range(1, 61)
"""Enough for records in each of the six partitions."""


@pytest.fixture
def stack_without_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """The deduplication remembers for half a minute. No supervisor: it would know nothing of that."""

    def forgetful(settings: PipelineSettings) -> Pipeline:
        pipeline = load_pipeline(settings)
        ttl = {"sql.state-ttl": f"{_REMEMBERS_SECONDS} s"}
        statements = [
            replace(one, properties={**one.properties, **ttl}) if one.name == DEDUPLICATION else one
            for one in pipeline.statements
        ]
        return replace(pipeline, statements=statements)

    monkeypatch.setattr(open_source_deployment, "load_pipeline", forgetful)
    with running_stack(stack_settings(tmp_path / "home"), shop=False) as stack:
        stack.processes.stop(SUPERVISOR, 5)
        yield stack


def times_in_unique_payments(stack: LocalStack) -> Counter[int]:
    """How many orders have how many payments there."""
    rows = stack.deployment.check("duplicates-in-unique-payments", limit=1_000_000).rows
    return Counter(times for order_id, times in rows if order_id in _ORDERS)


def pay(stack: LocalStack, *, from_id: int) -> None:
    for order_id in _ORDERS:
        send_payment(stack.settings, from_id + order_id, amount=10.0)


def test_a_duplicate_is_dropped_after_a_pause_longer_than_the_deduplication_remembers(
    stack_without_shop: LocalStack,
) -> None:
    stack = stack_without_shop
    pay(stack, from_id=0)
    time.sleep(6)  # event time is wall time here: the watermark is five seconds behind
    pay(stack, from_id=10_000)
    eventually(lambda: times_in_unique_payments(stack) == {1: len(_ORDERS)}, 60)
    for name in ("taskmanager", "jobmanager"):
        process = stack.processes.find(name)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
    pay(stack, from_id=0)
    time.sleep(_REMEMBERS_SECONDS)  # the pause itself
    stack.up(shop=False, page=False)
    pay(stack, from_id=20_000)
    ends = stack.kafka.end_offsets("payments")
    eventually(lambda: stack.kafka.committed_offsets(DEDUPLICATION, "payments") == ends, 60)
    assert times_in_unique_payments(stack) == {1: len(_ORDERS)}


def test_transactions_that_kafka_gave_up_during_a_pause_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_source, "TRANSACTION_TIMEOUT", timedelta(seconds=20))
    settings = stack_settings(tmp_path / "home", shop={"history": "0s", "rate": 300, "payment_delay": "10s"})
    with running_stack(settings) as stack:
        log = stack.processes.log_file(SUPERVISOR)
        verified_until(stack, datetime.now(UTC))
        for _ in range(4):
            stack.processes.stop(SUPERVISOR, 5)
            _kill_between_checkpoint_and_commit(stack)
            time.sleep(31)  # nothing tells that the broker gave one up: it looks every ten seconds
            stack.up(page=False)
            came_back = datetime.now(UTC)
            if _comes_true(lambda: " lost " in log.read_text(), 30):
                found = verify(stack.settings, stack.lake)
                assert not found.ok
                assert sum(stack.deployment.lost_transactions().values()) > 0
                return
            verified_until(stack, came_back)
        pytest.fail("no kill came between a checkpoint and its commit")


def _kill_between_checkpoint_and_commit(stack: LocalStack) -> None:
    """Ends the TaskManager in the milliseconds after a checkpoint is complete and before its sinks know."""
    jobs = stack.deployment.statements.jobs()
    state = stack.settings.local.home / "flink" / "state"
    folders = [state / name / jobs[name].id for name in (DEDUPLICATION, JOIN)]
    process = stack.processes.find("taskmanager")
    assert process is not None
    next_one = {folder: max(int(path.name[4:]) for path in folder.glob("chk-*")) + 2 for folder in folders}
    deadline = time.monotonic() + 30
    while not any((folder / f"chk-{number}" / "_metadata").exists() for folder, number in next_one.items()):
        assert time.monotonic() < deadline
    os.kill(process.pid, signal.SIGKILL)


def _comes_true(ask: Callable[[], bool], within_seconds: float) -> bool:
    try:
        eventually(ask, within_seconds)
    except AssertionError:
        return False
    return True
