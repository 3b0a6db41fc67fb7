"""The newest records of topics, looked at again and again: by one connection, and only those that came since.

All partitions are assigned by hand: no group is joined, nothing is committed.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # not in __all__
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from dashboard.errors import ReadError, UnreachableError
from dashboard.remotes.kafka import Kafka, Record, is_fault, record_of
from dashboard.remotes.kafka_access import Refusal

_ASK_SECONDS = 3
_MOVING_SECONDS = 0.5
_AGAIN_SECONDS = 0.05
_MOVING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
_BATCH = 500
_POLL_SECONDS = 0.01
"""The library waits so long for a batch to become full."""


@dataclass(frozen=True)
class Tail:
    """The end of one partition, as readers of committed records see it."""

    end: int
    """The offset after the last that is committed; where a transaction is open, its first record's."""
    records: tuple[Record, ...]
    """The newest that are committed, in order; none where only marks of transactions or aborted records stand."""


@dataclass(frozen=True)
class TopicTail:
    id: str
    """Another one after the topic was deleted and made anew."""
    partitions: Mapping[int, Tail]

    def without_records(self) -> "TopicTail":
        return TopicTail(self.id, {number: Tail(tail.end, ()) for number, tail in self.partitions.items()})


@dataclass
class _Clients:
    admin: AdminClient
    consumer: Consumer


class NewestRecords:
    """Of one cluster; for one thread at a time. What it has connected to is kept until a call fails."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._clients: _Clients | None = None
        self._refusal = Refusal()

    def look(
        self, topics: Sequence[str], most: int, seen: Mapping[str, TopicTail] | None = None
    ) -> dict[str, TopicTail]:
        """The last `most` offsets of each partition of those topics that exist, but for what `seen` has reached.

        Raises UnreachableError when the cluster does not answer, SettingsError when it refuses the user, ReadError
        for a topic that may not be read.
        """
        try:
            return _moving()(lambda: self._look(topics, most, seen or {}))
        except KafkaException as error:
            raise self._kafka.access.fault(self._refusal, error.args[0].str()) from error

    def _look(self, topics: Sequence[str], most: int, seen: Mapping[str, TopicTail]) -> dict[str, TopicTail]:
        clients = self._clients = self._clients or self._connect()
        try:
            ids = self._ids(clients.admin, topics)
            ends = self._ends(clients.admin, ids)
            starts = {}
            for (topic, partition), end in ends.items():
                before = seen.get(topic)
                known = before.partitions.get(partition) if before and before.id == ids[topic][0] else None
                # less than was seen: it has lost records
                start = max(0, end - most, known.end if known and known.end <= end else 0)
                if start < end:
                    starts[topic, partition] = start
            records = self._records(clients, starts, ends)
        except BaseException:
            # one that outlives a restart of the broker may wait for answers that never come
            self.close()
            clients.admin.poll(0)
            raise
        return {
            topic: TopicTail(
                id_,
                {number: Tail(ends[topic, number], tuple(records.get((topic, number), ()))) for number in numbers},
            )
            for topic, (id_, numbers) in ids.items()
        }

    def close(self) -> None:
        if self._clients is not None:
            self._clients.consumer.close()
            self._clients = None

    def _connect(self) -> _Clients:
        self._refusal = Refusal()
        config: dict[str, Any] = {
            **self._kafka.access.config(),
            "error_cb": self._refusal,
            "reconnect.backoff.max.ms": 500,
        }
        consumer = Consumer(
            {
                **config,
                # the library wants a group's name even where no group is joined
                "group.id": "sales-trends-freshness",
                "enable.auto.commit": False,
                # what has expired meanwhile is passed over
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        return _Clients(AdminClient({**config, "socket.timeout.ms": _ASK_SECONDS * 1000}), consumer)

    def _ids(self, admin: AdminClient, topics: Sequence[str]) -> dict[str, tuple[str, list[int]]]:
        """Of each topic that exists its id and the numbers of its partitions."""
        found: dict[str, tuple[str, list[int]]] = {}
        asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=_ASK_SECONDS)
        for topic, future in asked.items():
            try:
                told: Any = future.result()
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise ReadError(
                        f"The user of Kafka may not read the topic {topic}.",
                        "Whoever runs the cluster grants the rights to describe and read it.",
                    ) from error
                raise
            found[topic] = str(told.topic_id), [partition.id for partition in told.partitions]
        return found

    def _ends(self, admin: AdminClient, ids: Mapping[str, tuple[str, list[int]]]) -> dict[tuple[str, int], int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        places = {TopicPartition(topic, number): latest for topic, (_, numbers) in ids.items() for number in numbers}
        if not places:
            return {}
        answers = admin.list_offsets(
            places, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ASK_SECONDS
        )
        return {(place.topic, place.partition): future.result().offset for place, future in answers.items()}

    def _records(
        self, clients: _Clients, starts: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], list[Record]]:
        found: dict[tuple[str, int], list[Record]] = {place: [] for place in starts}
        todo, consumer = set(starts), clients.consumer
        if not todo:
            return found
        consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
        heard = time.monotonic()
        while todo:
            # untyped: the library types every field of a message as optional, which none of a received one is
            messages: list[Any] = consumer.consume(_BATCH, timeout=_POLL_SECONDS)
            # a partition that is done may go on for ever while another one has no leader
            if any((message.topic(), message.partition()) in todo for message in messages):
                heard = time.monotonic()
            if self._refusal:
                raise self._kafka.access.fault(self._refusal, "")
            if time.monotonic() - heard > _ASK_SECONDS:
                silent = ", ".join(sorted({topic for topic, _ in todo}))
                raise UnreachableError(
                    f"Kafka at {self._kafka.bootstrap} gave no more records of {silent}.",
                    self._kafka.access.silence_hint,
                )
            for message in messages:
                place = (message.topic(), message.partition())
                if is_fault(message):
                    raise KafkaException(message.error())
                if message.error() is not None:
                    todo.discard(place)
                    continue
                if message.offset() < ends[place]:
                    found[place].append(record_of(message))
                if message.offset() + 1 >= ends[place]:
                    todo.discard(place)
        consumer.unassign()
        return found


def _moving() -> Retrying:
    """A topic that was just made, or a broker that has just started, does not know yet who leads its partitions."""
    return Retrying(
        retry=retry_if_exception(_is_moving),
        stop=stop_after_delay(_MOVING_SECONDS),
        wait=wait_fixed(_AGAIN_SECONDS),
        reraise=True,
    )


def _is_moving(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _MOVING
