"""Records as they are on the wire, with what nobody has asked to see left out.

A field that a rule encrypts stands there as its ciphertext, which may be seen. In the clear it is hidden, and so is
whatever else looks like a card number, unless somebody asks for that one record.
"""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.card_numbers import HIDDEN, holds_card_number
from dashboard.enforcement.outcomes import is_ciphertext
from dashboard.errors import ContractError
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.registry import Registry
from dashboard.remotes.wire_format import Decoder, Undecodable, schema_id, wire_header

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RawRecord:
    """One record of a topic."""

    partition: int
    offset: int
    at: datetime
    """The record's own timestamp (UTC)."""
    schema_id: int | None
    """None where the value is not in the registry's wire format."""
    fields: dict[str, str]
    """Each value as text; empty where the value cannot be read."""
    hidden: tuple[str, ...]
    """Names of the fields that stand in the clear on the wire, and are hidden here."""
    encrypted: tuple[str, ...]
    """Names of the fields that stand as ciphertext on the wire."""
    fault: str = ""
    """Why the value cannot be read."""

    @property
    def place(self) -> str:
        return f"{self.partition}:{self.offset}"


class RawRecords:
    """Reads records of one cluster."""

    def __init__(self, kafka: Kafka, registry: Registry, secret: Mapping[str, Collection[str]]) -> None:
        """`secret` names, by topic, the fields that are not to be shown in the clear."""
        self._kafka = kafka
        self._secret = secret
        self._decoded = Decoder(registry.schema)

    def newest(self, topic: str, count: int) -> list[RawRecord]:
        """The newest `count` records, the newest first; none of a topic that is not there."""
        if topic not in self._kafka.topic_names():
            return []
        ends = self._kafka.end_offsets(topic)
        # a transaction's own marks take places too
        starts = {partition: max(0, end - count - 1) for partition, end in ends.items()}
        with closing(self._kafka.records(topic, starts, ends)) as records:
            newest = sorted(records, key=lambda one: (one.timestamp_ms, one.offset), reverse=True)[:count]
        return [self._shown(one, self._secret.get(topic, ())) for one in newest]

    def uncovered(self, topic: str, partition: int, offset: int) -> RawRecord:
        """One record with all that stands in it; raises ContractError when it is not there."""
        with closing(self._kafka.records(topic, {partition: offset}, {partition: offset + 1})) as records:
            for record in records:
                if record.offset == offset:
                    return self._shown(record, self._secret.get(topic, ()), uncover=True)
        raise ContractError(f"{topic} has no record {partition}:{offset}.", "It may have expired; look at newer ones.")

    def _shown(self, record: Record, secret: Collection[str], *, uncover: bool = False) -> RawRecord:
        at = _EPOCH + timedelta(milliseconds=record.timestamp_ms)
        try:
            id_ = schema_id(wire_header(record.value))
        except Undecodable:
            fault = "not in the registry's wire format"
            return RawRecord(record.partition, record.offset, at, None, {}, (), (), fault)
        try:
            value = self._decoded(record.value)
        except Undecodable as error:
            return RawRecord(record.partition, record.offset, at, id_, {}, (), (), str(error))
        if not isinstance(value, dict):
            return RawRecord(record.partition, record.offset, at, id_, {}, (), (), "a value without fields")
        fields = {name: _text(one) for name, one in value.items()}
        encrypted = tuple(name for name in secret if is_ciphertext(fields.get(name, "")))
        hidden = tuple(
            name
            for name, text in fields.items()
            if name not in encrypted and (name in secret or holds_card_number(text)) and not uncover
        )
        shown = {name: HIDDEN if name in hidden else text for name, text in fields.items()}
        return RawRecord(record.partition, record.offset, at, id_, shown, hidden, encrypted)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value if isinstance(value, str) else repr(value)
