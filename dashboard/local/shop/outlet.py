"""Sending: batches of records to one topic, each record once, acknowledged before the next batch."""

import logging
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from dashboard.errors import StackError
from dashboard.local.shop.journal import End
from dashboard.local.shop.topics import REPEAT_SECONDS, client_settings, narrate_outages
from dashboard.local.worker import Interrupted, Stop

log = logging.getLogger(__name__)

_STOP_GRACE_SECONDS = 5


class Record(NamedTuple):
    """One record to send."""

    key: bytes
    value: bytes
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Outlet:
    """Sends batches to one topic, each record once, and says where they ended up."""

    def __init__(self, servers: str, topic: str) -> None:
        self._topic = topic
        self._servers = servers
        self._producer = Producer(
            client_settings(servers)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                # an unreachable broker is waited for, however long it takes
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "queue.buffering.max.messages": 200_000,
                "error_cb": narrate_outages(servers),
            }
        )
        self._next_offset: dict[int, int] = {}
        self._newest_ms: dict[int, int] = {}
        self._failures: list[str] = []

    def send(self, records: Iterable[Record], stop: Stop) -> dict[int, End]:
        """Sends the records in order and waits until all are acknowledged; where the touched partitions end now.

        Raises Interrupted when told to stop while the broker does not take them, and StackError when it never will;
        what became of them is then read from the topic by the next start.
        """
        self._next_offset.clear()
        self._newest_ms.clear()
        for index, record in enumerate(records):
            while True:
                try:
                    self._producer.produce(
                        self._topic,
                        record.value,
                        record.key,
                        on_delivery=partial(self._delivered, record.timestamp_ms),
                        timestamp=record.timestamp_ms,
                        headers=list(record.headers),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    raise self._refused(error.args[0].str()) from error
            if index % 500 == 499:
                self._producer.poll(0)
        self._flush(stop)
        if self._failures:
            raise self._refused(self._failures[0])
        return {
            partition: End(self._next_offset[partition], self._newest_ms[partition]) for partition in self._newest_ms
        }

    def _refused(self, reason: str) -> StackError:
        return StackError(
            f"Kafka at {self._servers} refused records of {self._topic}: {reason}.",
            "Start the process again: it reads from the topic what became of them, and goes on.",
        )

    def _flush(self, stop: Stop) -> None:
        waited_since = narrated = time.monotonic()
        while left := self._producer.flush(0.2):
            now = time.monotonic()
            if stop.is_set() and now - waited_since > _STOP_GRACE_SECONDS:
                raise Interrupted
            if now - narrated >= REPEAT_SECONDS:
                log.warning("Kafka has not taken %d records yet; still trying.", left)
                narrated = now

    def _delivered(self, timestamp: int, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failures.append(error.str())
            return
        partition = message.partition()
        self._next_offset[partition] = message.offset() + 1
        if timestamp > self._newest_ms.get(partition, -1):
            self._newest_ms[partition] = timestamp
