"""Kafka: cluster id, topics, how far a consumer group has come, and a topic's records as bytes."""

import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]  # not in __all__
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from dashboard.errors import DeployError, SalesTrendsError, UnreachableError
from dashboard.remotes.kafka_access import KafkaAccess, Refusal, kafka_access

_TIMEOUT_SECONDS = 10
_RETRY_SECONDS = 0.2
_LOADING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
)
_BATCH = 5_000
_TAIL = 500
"""So many of a partition's last offsets are looked at for its newest timestamp; records are a little out of order."""
_NEAR = 20
"""Up to so many offsets before its end, it is looked which of them are records."""
_NO_GROUP = "sales-trends-reader"
"""The library wants a group's name even where no group is joined."""


@dataclass(frozen=True)
class Topic:
    """A topic as it should be."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


Headers = tuple[tuple[str, bytes | None], ...]
"""In the order in which they were written; a name may come twice."""


class Record(NamedTuple):
    """One record's place, time and content."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()


class Kafka:
    """One cluster; connects when first asked. Raises SettingsError when it refuses the user or key."""

    def __init__(self, access: KafkaAccess | str) -> None:
        """By its bootstrap address alone when everybody may use it."""
        self.access = kafka_access(access)
        self.bootstrap = self.access.bootstrap
        self._refusal = Refusal()
        """What the newest client has heard."""

    def _admin(self) -> AdminClient:
        # A new one for each call: one that outlives a restart of the broker may wait for answers that never come.
        # It must be held until the answers are there, or it ends with them under way. Errors come back from each
        # call, so librdkafka's own lines on stderr would only repeat them.
        return AdminClient(
            {
                **self._config(),
                "reconnect.backoff.max.ms": 500,
                "socket.timeout.ms": _TIMEOUT_SECONDS * 1000,
            }
        )

    def _config(self) -> dict[str, Any]:
        self._refusal = Refusal()
        return {**self.access.config(), "error_cb": self._refusal}

    def cluster_id(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> str | None:
        """The cluster's id, or None when nothing answers in time."""
        try:
            return str(self._admin().list_topics(timeout=timeout_seconds).cluster_id)
        except KafkaException:
            return None

    def topic_names(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> set[str]:
        """Names of all topics, Kafka's own included."""
        return set(self.partitions(timeout_seconds))

    def create_topics(self, topics: Iterable[Topic]) -> list[str]:
        """Creates the topics that are missing and returns their names; one that exists is left as it is."""
        new = [
            NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=-1, config=dict(topic.config))
            for topic in topics
        ]
        created = []
        admin = self._admin()
        for name, future in admin.create_topics(new, request_timeout=_TIMEOUT_SECONDS).items():
            try:
                future.result()
                created.append(name)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                raise self._failed(admin, f"The topic {name} could not be created", error) from error
        return created

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset after the newest record of each partition."""
        return self._offsets(topic, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def start_offsets(self, topic: str) -> dict[int, int]:
        """The offset of the oldest record that each partition still keeps."""
        return self._offsets(topic, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def oldest_timestamps_ms(self, topic: str) -> dict[int, int]:
        """The timestamp (ms) of the oldest record of each partition that holds any."""
        found = self._listed(topic, OffsetSpec.for_timestamp(0))
        return {partition: at.timestamp for partition, at in found.items() if at.offset >= 0}

    def offsets_since(self, topic: str, since_ms: int) -> dict[int, int]:
        """The offset of each partition's first record with this timestamp (ms) or a later one, or its end."""
        # first the ends: what is written between the two questions must not be passed over
        ends = self.end_offsets(topic)
        found = self._offsets(topic, OffsetSpec.for_timestamp(max(since_ms, 0)))
        return {partition: offset if offset >= 0 else ends.get(partition, 0) for partition, offset in found.items()}

    def newest_timestamp_ms(self, topic: str) -> int | None:
        """The newest timestamp (ms) of a record among the last of each partition; None for an empty topic.

        The records themselves are asked: what the broker calls a topic's greatest timestamp may be that of the mark
        at a transaction's end, which is the machine's clock. Those of a transaction that is still open count too:
        with it open, nothing behind it could be seen otherwise.
        """
        ends, firsts = self.end_offsets(topic), self.start_offsets(topic)
        starts = {partition: max(end - _TAIL, firsts[partition]) for partition, end in ends.items()}
        with closing(self.records(topic, starts, ends, committed=False)) as records:
            return max((record.timestamp_ms for record in records), default=None)

    def unread(self, topic: str, read: Mapping[int, int], ends: Mapping[int, int]) -> int:
        """How many records stand between what was read (the next offset of each partition) and these ends.

        Far from the end it is the number of offsets, marks of transactions and aborted records included; near it the
        records are counted, so that nothing is left to read where only such a mark stands.
        """
        left = {partition: end - read.get(partition, 0) for partition, end in ends.items()}
        near = {partition: read.get(partition, 0) for partition, count in left.items() if 0 < count <= _NEAR}
        far = sum(count for count in left.values() if count > _NEAR)
        if not near:
            return far
        with closing(self.records(topic, near, ends)) as records:
            return far + sum(1 for _ in records)

    def _offsets(self, topic: str, which: OffsetSpec) -> dict[int, int]:
        return {partition: at.offset for partition, at in self._listed(topic, which).items()}

    def _listed(self, topic: str, which: OffsetSpec) -> dict[int, Any]:
        """By partition what the library tells of a place: an offset and its record's timestamp (ms), -1 for none."""
        admin = self._admin()

        def listed() -> dict[int, Any]:
            partitions = admin.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
            asked = {TopicPartition(topic, partition): which for partition in partitions}
            answers = admin.list_offsets(asked, request_timeout=_TIMEOUT_SECONDS) if asked else {}
            return {at.partition: future.result() for at, future in answers.items()}

        try:
            return _loading()(listed)
        except KafkaException as error:
            raise self._unreachable(error.args[0].str(), admin) from error

    def committed_offsets(self, group: str, topic: str) -> dict[int, int]:
        """The offset up to which a group has committed each partition; partitions without a commit are left out."""
        # Asked as a member of the group that never joins: the admin client's way can abort the whole process when the
        # connection breaks at the wrong moment (librdkafka pull request 5397, not in 2.16.0).
        consumer = self._reader(group)
        try:
            partitions = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
            places = [TopicPartition(topic, partition) for partition in partitions]
            committed = _loading()(lambda: consumer.committed(places, timeout=_TIMEOUT_SECONDS))
        except KafkaException as error:
            raise self._unreachable(error.args[0].str(), consumer) from error
        finally:
            consumer.close()
        return {at.partition: at.offset for at in committed if at.offset >= 0}

    def commit_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Says how far a group without members has read: of each partition the offset of its next record."""
        if not offsets:
            return
        consumer = self._reader(group)
        places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        try:
            for at in _loading()(lambda: consumer.commit(offsets=places, asynchronous=False)):
                if at.error is not None:
                    raise KafkaException(at.error)
        except KafkaException as error:
            raise self._unreachable(error.args[0].str(), consumer) from error
        finally:
            consumer.close()

    def oldest_unread(self, group: str, topic: str) -> datetime | None:
        """The timestamp (UTC) of the oldest record that a group has not committed; None when it has read them all."""
        ends, read = self.end_offsets(topic), self.committed_offsets(group, topic)
        starts = {partition: read.get(partition, 0) for partition, end in ends.items() if read.get(partition, 0) < end}
        oldest: dict[int, int] = {}
        with closing(self.records(topic, starts, ends)) as unread:
            for record in unread:
                oldest.setdefault(record.partition, record.timestamp_ms)
                if len(oldest) == len(starts):
                    break
        return datetime.fromtimestamp(min(oldest.values()) / 1000, UTC) if oldest else None

    def records(
        self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], *, committed: bool = True
    ) -> Generator[Record, None, None]:
        """The committed records from `starts` (inclusive) to `ends` (exclusive) of the partitions named in both.

        In order within a partition. Fewer than the offsets between them where marks of transactions or aborted records
        stand. Raises UnreachableError when the broker goes silent.
        """
        todo = {partition for partition, start in starts.items() if start < ends.get(partition, 0)}
        consumer = self._reader(committed=committed)
        try:
            consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in todo])
            heard = time.monotonic()
            while todo:
                # untyped: the library types every field of a message as optional, which none of a received one is
                messages: list[Any] = consumer.consume(_BATCH, timeout=0.05)
                # a partition that is done may go on for ever while another one has no leader, and a fault is no record
                if any(message.partition() in todo and not is_fault(message) for message in messages):
                    heard = time.monotonic()
                if self._refusal:
                    raise self._unreachable("", consumer)
                if time.monotonic() - heard > _TIMEOUT_SECONDS:
                    raise UnreachableError(
                        f"Kafka at {self.bootstrap} gave no more records of {topic}.",
                        self.access.silence_hint,
                    )
                for message in messages:
                    partition = message.partition()
                    if message.error() is not None:
                        if not is_fault(message):
                            todo.discard(partition)
                        continue
                    if message.offset() < ends[partition]:
                        yield record_of(message)
                    if message.offset() + 1 >= ends[partition]:
                        todo.discard(partition)
        except KafkaException as error:
            raise self._unreachable(error.args[0].str(), consumer) from error
        finally:
            consumer.close()

    def values(self, topic: str) -> list[bytes]:
        """The values of all records of a topic, in order within a partition, without the empty ones."""
        ends = self.end_offsets(topic)
        with closing(self.records(topic, dict.fromkeys(ends, 0), ends)) as records:
            return [record.value for record in records if record.value is not None]

    def append(self, topic: str, records: Iterable[tuple[str | None, str]]) -> None:
        """Writes (key, value) pairs in order; returns when every in-sync replica has them.

        Raises UnreachableError when that cannot be had in time; what was written until then stays.
        """
        faults: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                faults.append(error)

        producer = Producer(
            {
                **self._config(),
                # an idempotent one waits half a second for its id; ours are few, and one written twice does no harm
                "acks": "all",
                "max.in.flight": 1,
                "message.timeout.ms": _TIMEOUT_SECONDS * 1000,
                "linger.ms": 0,
            }
        )
        for key, value in records:
            producer.produce(topic, key=key, value=value, on_delivery=delivered)
        if left := producer.flush(_TIMEOUT_SECONDS + 1):
            raise self._unreachable(f"{left} records of {topic} were not taken", producer)
        if faults:
            raise self._unreachable(faults[0].str(), producer)

    def partitions(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> dict[str, int]:
        """Every topic with the number of its partitions, Kafka's own included."""
        admin = self._admin()
        try:
            topics = admin.list_topics(timeout=timeout_seconds).topics
        except KafkaException as error:
            raise self._unreachable(error.args[0].str(), admin) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def delete_topics(self, names: Iterable[str], within_seconds: float = 30) -> None:
        """Deletes topics and waits until the cluster shows them no more; one that is gone already is no error."""
        gone = set(names)
        if not gone:
            return
        admin = self._admin()
        for name, future in admin.delete_topics(sorted(gone), request_timeout=_TIMEOUT_SECONDS).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._failed(admin, f"The topic {name} could not be deleted", error) from error
        deadline = time.monotonic() + within_seconds
        while left := gone & self.topic_names():
            if time.monotonic() > deadline:
                raise DeployError(f"Still there after {within_seconds:.0f} s: the topics {', '.join(sorted(left))}.")
            time.sleep(_RETRY_SECONDS)

    def delete_group(self, group: str) -> None:
        """Forgets what a group has committed; one that does not exist is no error."""
        admin = self._admin()
        try:
            admin.delete_consumer_groups([group], request_timeout=_TIMEOUT_SECONDS)[group].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise self._failed(admin, f"The group {group} could not be deleted", error) from error

    def _reader(self, group: str = _NO_GROUP, *, committed: bool = True) -> Consumer:
        return Consumer(
            {
                **self._config(),
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
            }
        )

    def _failed(self, admin: AdminClient, what: str, error: KafkaException) -> SalesTrendsError:
        admin.poll(0)
        if self._refusal:
            return self.access.fault(self._refusal, "")
        return DeployError(f"{what}: {error.args[0].str()}.")

    def _unreachable(self, reason: str, client: AdminClient | Consumer | Producer) -> SalesTrendsError:
        client.poll(0)  # only now does the library tell what it heard beside the call
        return self.access.fault(self._refusal, reason)


def is_fault(message: Any) -> bool:
    """Whether it tells neither a record nor the end of its partition."""
    error = message.error()
    return error is not None and error.code() != KafkaError._PARTITION_EOF


def record_of(message: Any) -> Record:
    """The record that the library received; without what it says of an error."""
    headers = message.headers()
    # one written by another program may have a name of a header that is no text
    named = tuple((str(name), value) for name, value in headers) if headers else ()
    return Record(message.partition(), message.offset(), message.timestamp()[1], message.value(), message.key(), named)


def _loading() -> Retrying:
    """A broker that has just started is still reading what groups have committed, and says so.

    So does the leader of a partition that has just been made or moved.
    """
    return Retrying(
        retry=retry_if_exception(_is_loading),
        stop=stop_after_delay(_TIMEOUT_SECONDS),
        wait=wait_fixed(_RETRY_SECONDS),
        reraise=True,
    )


def _is_loading(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _LOADING
