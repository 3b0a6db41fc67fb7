"""How the shop finds and reads its topics: waiting for them, their ends, and what lies beyond a settlement."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from dashboard.errors import ReadError, UnreachableError
from dashboard.local.shop.journal import End
from dashboard.local.worker import Interrupted, Stop
from dashboard.settings import LocalSettings

log = logging.getLogger(__name__)

REPEAT_SECONDS = 10.0
_STILL_SECONDS = 1.0


def bootstrap(local: LocalSettings) -> str:
    return f"127.0.0.1:{local.kafka_port}"


def wait_for_topic(servers: str, topic: str, stop: Stop) -> int:
    """The topic's number of partitions, as soon as a broker answers and the topic is there."""
    admin = AdminClient(client_settings(servers))
    complained = -float("inf")
    while True:
        try:
            metadata = admin.list_topics(topic, timeout=2).topics[topic]
            if metadata.error is None and metadata.partitions:
                return len(metadata.partitions)
            what = f"The topic {topic} is not there yet"
        except KafkaException as error:
            what = f"Kafka at {servers} does not answer ({error.args[0].str()})"
        if time.monotonic() - complained >= REPEAT_SECONDS:
            log.warning("%s; trying again.", what)
            complained = time.monotonic()
        if stop.wait(0.5):
            raise Interrupted


class Found(NamedTuple):
    """One record that is in the topic."""

    partition: int
    offset: int
    key: bytes
    timestamp_ms: int
    value: bytes = b""


def read_from(
    servers: str, topic: str, ends: Mapping[int, End], stop: Stop, within_seconds: float | None = None
) -> Iterator[Found]:
    """The records from the given offsets to the topic's end as it is now.

    The last request of a process that was killed may still be on its way into the broker, so the end is taken once
    it has held still for a second and no transaction is open: behind one that a redrive has begun, records that are
    there cannot be seen. Raises UnreachableError when it takes longer than `within_seconds`, and ReadError when the
    topic ends before the settlement.
    """
    deadline = time.monotonic() + within_seconds if within_seconds else float("inf")
    consumer = open_consumer(servers, f"{topic}-settlement")
    try:
        highs = _settled_ends(consumer, servers, topic, ends, stop, deadline)
        if any(high < ends[partition].next_offset for partition, high in highs.items()):
            raise ReadError(
                f"The topic {topic} holds fewer records than its journal knows of.",
                "Topics and journals belong together: start with empty topics and no journals.",
            )
        todo = {partition for partition, high in highs.items() if high > ends[partition].next_offset}
        consumer.assign(positions(topic, {partition: ends[partition].next_offset for partition in todo}))
        while todo:
            _check(stop, deadline, topic)
            for message in received(consumer, timeout_seconds=0.1):
                partition, error = message.partition(), message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        todo.discard(partition)
                    continue
                if message.offset() < highs[partition]:
                    yield _found(message)
                if message.offset() + 1 >= highs[partition]:
                    todo.discard(partition)
    finally:
        consumer.close()


def _found(message: Any) -> Found:
    key, value = message.key() or b"", message.value() or b""
    return Found(message.partition(), message.offset(), key, message.timestamp()[1], value)


def topic_ends(servers: str, topic: str, partitions: Iterable[int], stop: Stop) -> dict[int, int]:
    """The next offset of each partition, as soon as a broker says."""
    consumer = open_consumer(servers, f"{topic}-ends")
    try:
        return _ends(consumer, topic, list(partitions), stop, float("inf"))
    finally:
        consumer.close()


def _settled_ends(
    consumer: Consumer, servers: str, topic: str, partitions: Iterable[int], stop: Stop, deadline: float
) -> dict[int, int]:
    """The ends as they stay, once all before them can be seen by whoever reads what is committed alone."""
    whole = open_consumer(servers, f"{topic}-ends", committed=False)
    try:
        while True:
            ends = _still_ends(whole, topic, partitions, stop, deadline)
            seen = _ends(consumer, topic, list(partitions), stop, deadline)
            if all(seen[partition] >= end for partition, end in ends.items()):
                return ends
    finally:
        whole.close()


def _still_ends(
    consumer: Consumer, topic: str, partitions: Iterable[int], stop: Stop, deadline: float
) -> dict[int, int]:
    before: dict[int, int] = {}
    while (now := _ends(consumer, topic, list(partitions), stop, deadline)) != before:
        before = now
        if stop.wait(_STILL_SECONDS):
            raise Interrupted
        _check(stop, deadline, topic)
    return now


def _ends(consumer: Consumer, topic: str, partitions: list[int], stop: Stop, deadline: float) -> dict[int, int]:
    while True:
        try:
            return {
                partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=2)[1]
                for partition in partitions
            }
        except KafkaException as error:
            log.warning("The end of %s is not known yet (%s); trying again.", topic, error.args[0].str())
        if stop.wait(0.5):
            raise Interrupted
        _check(stop, deadline, topic)


def _check(stop: Stop, deadline: float, what: str) -> None:
    if stop.is_set():
        raise Interrupted
    if time.monotonic() > deadline:
        raise UnreachableError(
            f"The records of {what} could not be read in time.", "`sales-trends status` shows whether Kafka runs."
        )


def open_consumer(servers: str, group: str, *, committed: bool = True) -> Consumer:
    """A consumer that is told its partitions and offsets, keeps none in Kafka, and says when it reached an end."""
    return Consumer(
        client_settings(servers)
        | {
            # the library wants a group's name even where no group is ever joined
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # an offset that is gone means that the topic is another one than the journal's: never start over by itself
            "auto.offset.reset": "error",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 16_384,
            "fetch.wait.max.ms": 100,
            "error_cb": narrate_outages(servers),
        }
    )


def received(consumer: Consumer, timeout_seconds: float, limit: int = 5_000) -> list[Any]:
    """Up to `limit` messages, as many as come in time.

    Untyped, because the library types every field of a message as optional, which none of a received one is.
    """
    return consumer.consume(num_messages=limit, timeout=timeout_seconds)


def positions(topic: str, offsets: Mapping[int, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]


def client_settings(servers: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": servers,
        # its own lines would repeat what error_cb and every call report, in another form
        "log_level": 0,
        "reconnect.backoff.max.ms": 2_000,
    }


def narrate_outages(servers: str) -> Callable[[KafkaError], None]:
    """Says once in a while that the broker is away; everything else is reported by the call that meets it."""
    last = -float("inf")

    def narrate(error: KafkaError) -> None:
        nonlocal last
        if error.code() == KafkaError._ALL_BROKERS_DOWN and time.monotonic() - last >= REPEAT_SECONDS:
            log.warning("Kafka at %s does not answer; trying again.", servers)
            last = time.monotonic()
        elif error.fatal():
            log.error("Kafka's client cannot go on: %s", error.str())

    return narrate
