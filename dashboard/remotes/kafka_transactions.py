"""Writing to Kafka so that all of some records are there or none: transactions under a name of their own."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from dashboard.errors import DeployError, SalesTrendsError
from dashboard.remotes.kafka_access import KafkaAccess, Refusal, kafka_access

_TIMEOUT_SECONDS = 10
OPEN_SECONDS = 30
"""Kafka ends a transaction that its writer left open by then; until then nothing behind it can be read."""
_FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


@dataclass(frozen=True)
class ToWrite:
    """One record to write."""

    topic: str
    key: bytes
    value: bytes
    timestamp_ms: int | None = None
    """None for the machine's clock."""
    headers: Mapping[str, str] = field(default_factory=dict)


class TransactionalWriter:
    """The only writer under a name: entering it ends whatever another one of that name has not committed.

    Raises UnreachableError when Kafka does not answer, SettingsError when it refuses the user or key.
    """

    def __init__(self, access: KafkaAccess | str, name: str) -> None:
        self._access = kafka_access(access)
        self._name = name
        self._refusal = Refusal()
        self._faults: list[KafkaError] = []
        options: dict[str, Any] = {
            **self._access.config(),
            "error_cb": self._refusal,
            "transactional.id": name,
            "transaction.timeout.ms": OPEN_SECONDS * 1000,
            # keys go where Kafka's own client for Java, and the shop, would put them
            "partitioner": "murmur2_random",
            "linger.ms": 5,
        }
        self._producer = Producer(options)

    def __enter__(self) -> Self:
        self._call(lambda: self._producer.init_transactions(_TIMEOUT_SECONDS))
        return self

    def __exit__(self, *_: object) -> None:
        # an open transaction was aborted, or it ends by itself; without this the producer would wait to be rid of it
        self._producer.purge()

    def write(self, records: Iterable[ToWrite], may_commit: Callable[[], bool] = lambda: True) -> bool:
        """Writes all of the records or, when `may_commit` says no after all of them are with Kafka, none: then False.

        An error means none too, unless Kafka fell silent at the very end: then either all or none are there.

        Raises DeployError when another writer of the same name has begun meanwhile.
        """
        self._faults.clear()
        self._call(self._producer.begin_transaction)
        try:
            for record in records:
                self._produce(record)
            self._flush()
            if not may_commit():
                self._call(lambda: self._producer.abort_transaction(_TIMEOUT_SECONDS))
                return False
            self._call(lambda: self._producer.commit_transaction(_TIMEOUT_SECONDS))
            return True
        except BaseException:
            # the first error says more; Kafka ends the transaction by itself where this does not reach it
            with contextlib.suppress(KafkaException):
                self._producer.abort_transaction(_TIMEOUT_SECONDS)
            raise

    def _produce(self, record: ToWrite) -> None:
        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                self._faults.append(error)

        place: dict[str, Any] = {} if record.timestamp_ms is None else {"timestamp": record.timestamp_ms}
        self._call(
            lambda: self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers.items()),
                on_delivery=delivered,
                **place,
            )
        )

    def _flush(self) -> None:
        left = self._producer.flush(_TIMEOUT_SECONDS)
        if self._faults:
            raise self._failed(self._faults[0])
        if left:
            raise self._access.fault(self._refusal, f"{left} records were not taken")

    def _call(self, call: Callable[[], object]) -> None:
        """Tries again, for as long as the library says that it may help."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                call()
                return
            except KafkaException as error:
                fault: KafkaError = error.args[0]
                if not fault.retriable() or time.monotonic() > deadline:
                    raise self._failed(fault) from error
                self._producer.poll(0.2)

    def _failed(self, fault: KafkaError) -> SalesTrendsError:
        if fault.code() in _FENCED:
            return DeployError(
                f"Another process has begun the same work, {self._name}, so this one wrote nothing more.",
                "Wait for it to end, then look at what is left to do.",
            )
        self._producer.poll(0)
        return self._access.fault(self._refusal, fault.str())
