"""Records of one topic as they come, for as long as somebody reads: through restarts, new partitions, a new topic.

All partitions are assigned by hand: no group is joined, nothing is committed, nobody's partition is taken away.
"""

import time
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from dashboard.errors import ReadError, SalesTrendsError
from dashboard.remotes.kafka import Kafka, Record, record_of
from dashboard.remotes.kafka_access import Refusal

_BATCH = 200
"""Fewer than what Python makes before it looks for garbage: with thousands at a time it looked through all of the
process again and again, which took two fifths of the time."""
_POLL_SECONDS = 0.1
_WATCH_SECONDS = 2.0
"""So often it is asked whether the topic is still the same one; an answer takes 3 ms."""
_WATCH_TIMEOUT_SECONDS = 3
_AGAIN_SECONDS = 1.0
_QUEUED_KILOBYTES = 16 * 1024
"""What the library may fetch ahead: 60 MB by default, of which a reader that keeps up needs nothing."""


@dataclass(frozen=True)
class Polled:
    """What came since the last time."""

    records: list[Record]
    """In order within a partition."""
    anew: str = ""
    """Why the topic is read from its beginning again, in which case the records before are not a part of it."""


@dataclass(frozen=True)
class _Seen:
    """A topic as the cluster has it now."""

    id: str
    """Another one after it was deleted and made again."""
    partitions: frozenset[int]


class LiveRecords:
    """One topic's records; for one thread alone."""

    def __init__(self, kafka: Kafka, topic: str, *, since_ms: int | None = None, committed: bool = True) -> None:
        """From the first record with this timestamp on; without one, from the end as it is at the first poll.

        `committed`: without the records of transactions that are still open or were aborted.
        """
        self._kafka = kafka
        self.topic = topic
        self._since_ms = since_ms
        self._committed = committed
        self._consumer: Consumer | None = None
        self._refusal = Refusal()
        self._seen: _Seen | None = None
        self._next: dict[int, int] = {}
        """By partition: the offset of the record to be read next."""
        self._to_end: set[int] = set()
        """Partitions whose end was not reached yet."""
        self._is_lost = False
        """Whether what is to be read next is not there."""
        self._watch_at = 0.0
        self.fault: SalesTrendsError | None = None
        """Why nothing can be read now; it is tried again and again."""

    @property
    def is_live(self) -> bool:
        """Whether all that stood in the topic when it was begun with is read."""
        return self._seen is not None and not self._to_end

    def behind(self) -> int:
        """Offsets between what was read and the ends as they were last heard of."""
        if self._consumer is None:
            return 0
        behind = 0
        for partition, offset in self._next.items():
            _low, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            behind += max(0, high - offset)
        return behind

    def begin(self) -> None:
        """For whoever would rather know now what keeps it from reading: raises that."""
        self._watch()
        if self.fault is not None:
            raise self.fault

    def poll(self) -> Polled:
        """What has come; waits a moment where nothing has. Says in `fault` what keeps it from reading."""
        if time.monotonic() >= self._watch_at and (anew := self._watch()):
            return Polled([], anew)
        if self._consumer is None:
            time.sleep(_POLL_SECONDS)
            return Polled([])
        # untyped: the library types every field of a message as optional, which none of a received one is
        messages: list[Any] = self._consumer.consume(_BATCH, timeout=_POLL_SECONDS)
        if self._refusal and self.fault is None:
            self.fault = self._kafka.access.fault(self._refusal, "")
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                record = record_of(message)
                records.append(record)
                self._next[record.partition] = record.offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._to_end.discard(message.partition())
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                # expired before it was read, or another topic of the same name that is shorter
                self._is_lost, self._watch_at = True, 0.0
            else:
                self._watch_at = min(self._watch_at, time.monotonic() + _POLL_SECONDS)
        if records:
            self.fault = None
        return Polled(records)

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _watch(self) -> str:
        """Looks after the topic; gives why it is read from its beginning, where it is."""
        self._watch_at = time.monotonic() + _WATCH_SECONDS
        try:
            seen = self._look()
            if self._seen is None:
                self._assign(self._of_all(self._first_offsets(seen), seen), seen)
            elif seen.id != self._seen.id or self._is_lost:
                made_anew = seen.id != self._seen.id
                self._assign(self._of_all(self._kafka.start_offsets(self.topic), seen), seen)
                return "The topic was deleted and made anew." if made_anew else "What came next is no longer there."
            elif new := seen.partitions - self._seen.partitions:
                self._assign({**self._next, **dict.fromkeys(new, 0)}, seen)
        except SalesTrendsError as fault:
            self.fault = fault
            self._watch_at = time.monotonic() + _AGAIN_SECONDS
            return ""
        self.fault = None
        return ""

    def _look(self) -> _Seen:
        refusal = Refusal()
        config: dict[str, Any] = {**self._kafka.access.config(), "error_cb": refusal}
        admin = AdminClient(config)
        try:
            asked = admin.describe_topics(TopicCollection([self.topic]), request_timeout=_WATCH_TIMEOUT_SECONDS)
            found: Any = asked[self.topic].result()
        except KafkaException as error:
            admin.poll(0)
            code = error.args[0].code()
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise ReadError(f"There is no topic {self.topic}.", "`sales-trends apply` makes it.") from error
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise ReadError(
                    f"The user of Kafka may not read the topic {self.topic}.",
                    "Whoever runs the cluster grants the rights to describe and read it.",
                ) from error
            raise self._kafka.access.fault(refusal, error.args[0].str()) from error
        return _Seen(str(found.topic_id), frozenset(partition.id for partition in found.partitions))

    def _first_offsets(self, seen: _Seen) -> dict[int, int]:
        if self._since_ms is None:
            return self._kafka.end_offsets(self.topic)
        return self._kafka.offsets_since(self.topic, self._since_ms)

    def _of_all(self, offsets: dict[int, int], seen: _Seen) -> dict[int, int]:
        """The same; raises ReadError where they are not of all partitions, for what is left out once stays so."""
        if offsets.keys() != seen.partitions:
            raise ReadError(
                f"Kafka tells offsets of {len(offsets)} of the {len(seen.partitions)} partitions of {self.topic}.",
                "A topic that was just made takes a moment.",
            )
        return offsets

    def _assign(self, offsets: dict[int, int], seen: _Seen) -> None:
        # a new consumer: one that lives on may keep what it knew of the topic before
        self.close()
        self._refusal = Refusal()
        self._consumer = Consumer(
            {
                **self._kafka.access.config(),
                "error_cb": self._refusal,
                "group.id": "sales-trends-live",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if self._committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": _QUEUED_KILOBYTES,
                "reconnect.backoff.max.ms": 1_000,
            }
        )
        self._consumer.assign([TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items()])
        self._next = dict(offsets)
        self._to_end = set(offsets)
        self._seen = seen
        self._is_lost = False
