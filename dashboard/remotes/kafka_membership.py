"""A right that only one process has at a time: the one partition of a topic in a consumer group.

A member that dies is forgotten after its session's time; one that was cut off learns that it lost the right.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from dashboard.errors import SettingsError
from dashboard.remotes.kafka_access import KafkaAccess, Refusal, kafka_access

SESSION_SECONDS = 10
_POLL_SECONDS = 0.2
_ASK_SECONDS = 5


class Membership:
    """One attempt to hold the right, from `with` to its end."""

    def __init__(self, access: KafkaAccess | str, group: str, topic: str, name: str) -> None:
        self._access = kafka_access(access)
        self._group = group
        self._topic = topic
        self._name = name
        self._held = threading.Event()
        self._settled = threading.Event()
        """The right came, or it is known that it cannot."""
        self._refusal = Refusal()
        self._lost = threading.Event()
        self._end = threading.Event()

    @property
    def held(self) -> bool:
        """Whether this process has the right now."""
        return self._held.is_set() and not self._lost.is_set()

    @contextlib.contextmanager
    def sought(self, within_seconds: float) -> Iterator["Membership"]:
        """Joins the group and waits for the right; inside, `held` says whether it came and still is there.

        Raises SettingsError when Kafka refuses the user or key, or its settings cannot be used.
        """
        # cooperative: a second member takes nothing from the first
        options = {
            **self._access.config(),
            "error_cb": self._heard,
            "group.id": self._group,
            "client.id": self._name,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": SESSION_SECONDS * 1000,
            "heartbeat.interval.ms": 1000,
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
        }
        try:
            consumer = Consumer(options)
        except KafkaException as error:
            raise SettingsError(
                f"Kafka at {self._access.bootstrap} cannot be asked: {error.args[0].str()}.",
                "Check its security protocol and the file of certificates.",
            ) from error
        consumer.subscribe([self._topic], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken)
        polling = threading.Thread(target=self._poll, args=(consumer,), daemon=True)
        polling.start()
        try:
            self._settled.wait(within_seconds)
            if self._refusal:
                raise self._access.fault(self._refusal, "")
            yield self
        finally:
            self._end.set()
            polling.join()
            consumer.close()

    def holder(self) -> str:
        """The name of who else has the right, which may be our own name; empty when nobody is known to."""
        refusal = Refusal()
        options: dict[str, Any] = {**self._access.config(), "error_cb": refusal}
        admin = AdminClient(options)
        try:
            group = admin.describe_consumer_groups([self._group], request_timeout=_ASK_SECONDS)[self._group].result()
        except KafkaException as error:
            admin.poll(0)  # only now does the library tell what it heard beside the call
            raise self._access.fault(refusal, error.args[0].str()) from error
        names = [one.client_id for one in group.members if one.assignment and one.assignment.topic_partitions]
        # one person may be at work in two places by one name
        return next((str(name) for name in names if name != self._name), "" if self.held else "".join(names[:1]))

    def _poll(self, consumer: Consumer) -> None:
        """A member that does not poll is taken for dead; nothing is read."""
        while not self._end.is_set():
            with contextlib.suppress(KafkaException):
                consumer.poll(_POLL_SECONDS)

    def _heard(self, error: KafkaError) -> None:
        self._refusal(error)
        if self._refusal:
            self._settled.set()

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)
            self._held.set()
            self._settled.set()

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # first, for the call below may fail
        if partitions and not self._end.is_set():
            self._lost.set()
        consumer.incremental_unassign(partitions)
