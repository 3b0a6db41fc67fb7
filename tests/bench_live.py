"""`make bench-live`: what following a topic costs, on a real broker and in a real browser.

With `--only steady --minutes 30` it watches the memory of a tail at 5,000 records a second for so long. Quote ratios
and spreads: the browser, the broker and the writer share the machine with what is measured.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import Event, Process
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from statistics import median, quantiles

import psutil
from confluent_kafka import Producer
from confluent_kafka.schema_registry.avro import AvroDeserializer
from playwright.sync_api import Browser

from dashboard.readers import tail as tail_module
from dashboard.readers.tail import Tail
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.wire_format import Decoder
from tests.app_pages.live_world import ORDER, ORDERS, World, live_world
from tests.browser import chromium
from tests.conftest import eventually
from tests.readers.topics import new_topic, wire
from tests.real_broker import real_broker

_STEADY, _TAIL_SECONDS = 5_000, 20
_CATCH_UP = 1_000_000
_SEEN = 1_000
_VIEWERS = 6


def _value(order_id: int) -> bytes:
    fields = {"order_id": order_id, "amount": order_id % 90_000 / 100, "confirmation_code": "AB12CD34"}
    return wire(fields | {"ts": int(time.time() * 1000)}, 1, ORDER)


def _write(bootstrap: str, topic: str, rate: int, end: Flag) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "log_level": 0})
    started, sent = time.monotonic(), 0
    while not end.is_set():
        due = int((time.monotonic() - started) * rate)
        for number in range(sent, due):
            producer.produce(topic, _value(number))
        sent = max(sent, due)
        producer.poll(0)
        time.sleep(0.005)
    producer.flush(30)


@contextmanager
def _written(kafka: Kafka, topic: str, rate: int) -> Iterator[None]:
    end = Event()
    writer = Process(target=_write, args=(kafka.bootstrap, topic, rate, end))
    writer.start()
    try:
        yield
    finally:
        end.set()
        writer.join()


def _schema_text(_id: int) -> str:
    return json.dumps(ORDER)


def _steady(kafka: Kafka, seconds: float) -> None:
    """The processor time of this process, which does nothing else."""
    topic = new_topic(kafka)
    tail = Tail(kafka, _schema_text, topic, amount_field="amount")
    with _written(kafka, topic, _STEADY):
        eventually(lambda: tail.look().newest > _STEADY, 30)
        process, count, shares = psutil.Process(), tail.look().newest, []
        began, memory = time.monotonic(), process.memory_info().rss
        told = ["0 min +0.0"]
        while time.monotonic() - began < seconds:
            cpu, at = sum(process.cpu_times()[:2]), time.monotonic()
            time.sleep(5)
            tail.look()
            shares.append(100 * (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - at))
            if time.monotonic() - began > 60 * len(told):
                told.append(f"{len(told)} min {(process.memory_info().rss - memory) / 2**20:+.1f}")
        rate = (tail.look().newest - count) / (time.monotonic() - began)
        grown = process.memory_info().rss - memory
    ends = kafka.end_offsets(topic)
    eventually(lambda: tail.look().newest >= sum(ends.values()), 30)
    exact = tail.look().sums.count == sum(ends.values())
    tail.close()
    _say(
        f"{rate:,.0f} records/s for {seconds:.0f} s: {median(shares):.1f}% of a core (median of {len(shares)}; "
        f"{min(shares):.1f} to {max(shares):.1f}), counted exactly: {exact}, memory {grown / 2**20:+.1f} MiB"
    )
    if len(told) > 1:
        _say(f"memory in MiB after {', '.join(told)}")


def _catch_up(kafka: Kafka) -> None:
    topic = new_topic(kafka)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000}
    )
    for number in range(_CATCH_UP):
        producer.produce(topic, _value(number))
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush(60)
    rates = []
    tail_module.LOOKED_BACK = timedelta(hours=1)
    for _ in range(3):
        cpu = time.process_time()
        tail = Tail(kafka, _schema_text, topic, amount_field="amount")
        _wait_for(tail, _CATCH_UP)
        rates.append(_CATCH_UP / (time.process_time() - cpu))
        assert tail.look().sums.without_amount == 0
        tail.close()
    values = [_value(number) for number in range(100_000)]
    decoded = Decoder(_schema_text)
    decoded.learn(values[0])
    ours = _per_second(lambda: [decoded.known(value) for value in values])
    _say(
        f"catching up: {min(rates):,.0f} to {max(rates):,.0f} records per second of a core (3 runs), all told; "
        f"decoding alone {ours:,.0f}, the client's deserializer {_standard(values[:20_000]):,.0f}"
    )


def _wait_for(tail: Tail, count: int) -> None:
    eventually(lambda: tail.look().newest >= count, 60, every_seconds=0.05)


def _standard(values: list[bytes]) -> float:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.serialization import MessageField, SerializationContext

    client = SchemaRegistryClient.new_client({"url": "mock://"})
    assert client.register_schema("orders-value", Schema(json.dumps(ORDER), "AVRO")) == 1
    deserialize, context = AvroDeserializer(client), SerializationContext("orders", MessageField.VALUE)
    return _per_second(lambda: [deserialize(value, context) for value in values])


def _per_second(run: object) -> float:
    best = 0.0
    for _ in range(3):
        started = time.process_time()
        made = run()  # type: ignore[operator]
        best = max(best, len(made) / (time.process_time() - started))
    return best


def _seen(world: World, browser: Browser) -> None:
    """Beside 1,000 others a second; the order that is waited for is found among them by a condition."""
    page = browser.new_page()
    page.goto(f"{world.url}/live_orders?live_where=value.order_id+%3E%3D+1000000000")
    page.locator("th").first.wait_for()
    waited = []
    with _written(world.kafka, ORDERS, _SEEN):
        time.sleep(5)
        for number in range(60):
            order_id = 1_000_000_000 + number
            world.order(order_id)
            committed = time.monotonic()
            page.locator("tbody tr", has=page.get_by_text(str(order_id), exact=True)).wait_for()
            waited.append(time.monotonic() - committed)
            time.sleep(0.37)
    page.close()
    p95 = quantiles(waited, n=20)[-1]
    _say(f"commit to browser at {_SEEN:,}/s: p50 {median(waited):.2f} s, p95 {p95:.2f} s, longest {max(waited):.2f} s")


def _viewers(world: World, browser: Browser) -> None:
    """What each further one costs the dashboard, beside the same orders."""
    port = int(world.url.rpartition(":")[2])
    [pid] = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.laddr and one.laddr.port == port and one.status == "LISTEN"
    }
    process = psutil.Process(pid)
    with _written(world.kafka, ORDERS, 20):
        shares = {}
        pages = []
        for count in range(1, _VIEWERS + 1):
            page = browser.new_page()
            page.goto(f"{world.url}/live_orders")
            page.locator("tbody tr").first.wait_for()
            pages.append(page)
            if count in (1, _VIEWERS):
                time.sleep(8)
                cpu, at = sum(process.cpu_times()[:2]), time.monotonic()
                threads = process.num_threads()
                time.sleep(20)
                shares[count] = 100 * (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - at)
    for page in pages:
        # or they would go on to draw beside what is measured next
        page.close()
    each = (shares[_VIEWERS] - shares[1]) / (_VIEWERS - 1)
    _say(
        f"the first viewer {shares[1]:.1f}% of a core, each further one {each:.2f}% "
        f"({each / 2.5 * 10:.1f} ms for each of 2.5 runs a second, Streamlit's own part included); {threads} threads"
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _on_the_page() -> None:
    with tempfile.TemporaryDirectory() as folder, live_world(Path(folder)) as world, chromium() as browser:
        world.order(1)
        _viewers(world, browser)
        _seen(world, browser)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=_TAIL_SECONDS / 60, help="of the steady part")
    parser.add_argument("--only", choices=("page", "catch-up", "steady"))
    asked = parser.parse_args()
    if asked.only in (None, "page"):
        _on_the_page()
    with tempfile.TemporaryDirectory() as folder, real_broker(Path(folder) / "home") as broker:
        if asked.only in (None, "catch-up"):
            _catch_up(broker.kafka)
        if asked.only in (None, "steady"):
            _steady(broker.kafka, asked.minutes * 60)


if __name__ == "__main__":
    main()
