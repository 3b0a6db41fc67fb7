"""Fault drills on a stack of its own: each is named at the right hop within 30 s, and clears when it is over."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import pytest
from confluent_kafka import Producer

from dashboard.desks.freshness import watch_of
from dashboard.freshness.verdict import Hop, State, Verdict
from dashboard.freshness.watch import Watch
from dashboard.lifecycle import LocalStack
from dashboard.local.shop.progress import read_progress
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.records import payment_on_the_wire

pytestmark = [pytest.mark.stack, pytest.mark.long]

NAMED_SECONDS, CLEAR_SECONDS = 30.0, 120.0
COPY = "tableflow-revenue-summary"
PAYMENTS, ORDERS = "ingest:payments", "ingest:shiftleft.public.orders"
Say = Callable[[str], None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    shop: dict[str, object] = {"history": "1h", "history_payments": 500, "rate": 20, "payment_delay": "10s"}
    with running_stack(stack_settings(tmp_path_factory.mktemp("drills") / "home", shop)) as stack:
        eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120)
        yield stack


@pytest.fixture(scope="module")
def watch(stack: LocalStack) -> Iterator[Watch]:
    with watch_of(stack.settings, "drills") as watch:
        yield watch


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """Into the test's own output, for the table of drills."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")

    def say(text: str) -> None:
        if reporter is not None:
            reporter.write_line(f"{request.node.name}: {text}")

    return say


@pytest.fixture(autouse=True)
def _fresh(watch: Watch) -> None:
    """Every drill begins with a pipeline on which all is well, and long enough to be known."""
    seen = 0

    def is_steady() -> bool:
        nonlocal seen
        seen = seen + 1 if verdict(watch).state is State.FRESH else 0
        return seen >= 10

    eventually(is_steady, 240, every_seconds=1)


def verdict(watch: Watch) -> Verdict:
    overview = eventually(watch.newest, 60)
    assert watch.fault is None, watch.fault
    return overview.verdict


def named(watch: Watch, say: Say, hop: str, *states: State, reason: str) -> Hop:
    """The hop as the verdict that holds it there says, within 30 s."""
    began = time.monotonic()

    def found() -> Hop | None:
        now = verdict(watch)
        held = now.held_at
        is_it = held is not None and held.name == hop and now.state in states and reason in held.reason
        return held if is_it else None

    try:
        held = eventually(found, NAMED_SECONDS, every_seconds=0.25)
    except AssertionError as error:
        now = verdict(watch)
        raise AssertionError(f"not named: {now.headline()}; {now.held_at}; {now.notes}") from error
    say(f"named after {time.monotonic() - began:.1f} s: {verdict(watch).headline()}. {held.reason}")
    return held


def clears(watch: Watch, say: Say) -> None:
    began = time.monotonic()
    eventually(lambda: verdict(watch).state is State.FRESH, CLEAR_SECONDS, every_seconds=0.25)
    say(f"fresh again after {time.monotonic() - began:.1f} s")


@contextmanager
def unsupervised(stack: LocalStack) -> Iterator[None]:
    """Nothing is brought back meanwhile."""
    supervisor = stack.processes.find("supervisor")
    assert supervisor is not None
    supervisor.suspend()
    try:
        yield
    finally:
        supervisor.resume()


@contextmanager
def ended(stack: LocalStack, name: str) -> Iterator[None]:
    with unsupervised(stack):
        process = stack.processes.find(name)
        assert process is not None
        process.terminate()
        psutil.wait_procs([process], 20)
        yield


@contextmanager
def going_on(act: Callable[[], None], every_seconds: float) -> Iterator[None]:
    """Done again and again in a thread of its own."""
    ending = Event()

    def run() -> None:
        while not ending.wait(every_seconds):
            act()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(10)


def test_the_payment_app_is_stopped(stack: LocalStack, watch: Watch, say: Say) -> None:
    with ended(stack, "payment-app"):
        named(watch, say, PAYMENTS, State.WAITING, reason="the payment app is not running")
    clears(watch, say)


def test_the_order_feed_is_stopped(stack: LocalStack, watch: Watch, say: Say) -> None:
    with ended(stack, "order-feed"):
        named(watch, say, ORDERS, State.WAITING, reason="the order feed is not running")
    clears(watch, say)


def test_the_iceberg_statement_is_paused(stack: LocalStack, watch: Watch, say: Say) -> None:
    stack.stop(COPY)
    try:
        held = named(watch, say, "commit:revenue_summary", State.LATE, State.STALE, reason="stopped")
        assert "resume" in held.hint
    finally:
        stack.resume(COPY)
    clears(watch, say)


def test_the_task_manager_is_killed(stack: LocalStack, watch: Watch, say: Say) -> None:
    with unsupervised(stack):
        process = stack.processes.find("taskmanager")
        assert process is not None
        process.kill()
        named(
            watch,
            say,
            "queue:unique-payments-maintenance",
            State.LATE,
            State.STALE,
            reason="The TaskManager is not running",
        )
    clears(watch, say)


def test_the_catalog_is_stopped(stack: LocalStack, watch: Watch, say: Say) -> None:
    with ended(stack, "registry"):
        named(
            watch,
            say,
            "commit:revenue_summary",
            State.UNKNOWN,
            State.LATE,
            State.STALE,
            reason="The program of registry and catalog is not running",
        )
    clears(watch, say)


def test_only_late_events_come(stack: LocalStack, watch: Watch, say: Say) -> None:
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{stack.settings.local.kafka_port}"})

    def late() -> None:
        now_ms = int(time.time() * 1000)
        value = payment_on_the_wire(stack.settings, ts=now_ms - 3_600_000)
        for partition in range(6):
            producer.produce("payments", value, key=b"late", partition=partition, timestamp=now_ms)
        producer.flush(10)

    with ended(stack, "payment-app"), going_on(late, 0.2):
        named(watch, say, PAYMENTS, State.LATE, State.STALE, reason="that come are old")
    clears(watch, say)


def test_the_dead_letter_topic_is_filled(stack: LocalStack, watch: Watch, say: Say) -> None:
    letters = [(str(number), json.dumps({"order_id": number})) for number in range(200)]
    with going_on(lambda: stack.kafka.append("error-payments", letters), 0.5):
        held = named(watch, say, PAYMENTS, State.LATE, State.STALE, reason="broke their contract")
        assert "dlq list" in held.hint
    clears(watch, say)


def test_one_idle_partition_holds_the_watermark(stack: LocalStack, watch: Watch, say: Say) -> None:
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{stack.settings.local.kafka_port}"})

    def to_all_but_one() -> None:
        now_ms = int(time.time() * 1000)
        value = on_the_wire_now(stack, now_ms)
        for partition in range(5):
            for _ in range(4):
                producer.produce("payments", value, key=b"held", partition=partition, timestamp=now_ms)
        producer.flush(10)

    with ended(stack, "payment-app"), going_on(to_all_but_one, 0.2):
        named(
            watch,
            say,
            "watermark:unique-payments-maintenance",
            State.LATE,
            State.STALE,
            reason="Partition 5 of payments",
        )
    clears(watch, say)


def on_the_wire_now(stack: LocalStack, now_ms: int) -> bytes:
    return payment_on_the_wire(stack.settings, ts=now_ms, order_id=2_100_000_000 + now_ms % 1_000_000)
