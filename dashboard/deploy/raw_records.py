"""Records as they are on the wire, with what nobody has asked to see left out.

A field that a rule encrypts stands there as its ciphertext, which may be seen. In the clear it is hidden, and so is
whatever else looks like a card number, unless somebody asks for that one record.
"""

import json
from base64 import b64decode
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

from dashboard.card_numbers import HIDDEN, holds_card_number
from dashboard.errors import ContractError
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.registry import Registry

_HEADER_BYTES = 5
_SHORTEST_CIPHERTEXT = 28
"""Bytes around an encrypted value: a nonce of 12 and a tag of 16."""
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
        self._registry = registry
        self._secret = secret
        self._schemas: dict[int, Any] = {}

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
        value = record.value or b""
        if len(value) < _HEADER_BYTES or value[0]:
            fault = "not in the registry's wire format"
            return RawRecord(record.partition, record.offset, at, None, {}, (), (), fault)
        schema_id = int.from_bytes(value[1:_HEADER_BYTES], "big")
        fields = self._fields(schema_id, value[_HEADER_BYTES:])
        if fields is None:
            fault = f"schema {schema_id} does not decode it"
            return RawRecord(record.partition, record.offset, at, schema_id, {}, (), (), fault)
        encrypted = tuple(name for name in secret if _is_ciphertext(fields.get(name, "")))
        hidden = tuple(
            name
            for name, text in fields.items()
            if name not in encrypted and (name in secret or holds_card_number(text)) and not uncover
        )
        shown = {name: HIDDEN if name in hidden else text for name, text in fields.items()}
        return RawRecord(record.partition, record.offset, at, schema_id, shown, hidden, encrypted)

    def _fields(self, schema_id: int, body: bytes) -> dict[str, str] | None:
        if schema_id not in self._schemas:
            text = self._registry.schema(schema_id)
            self._schemas[schema_id] = parse_schema(json.loads(text)) if text else None
        schema = self._schemas[schema_id]
        try:
            read = schemaless_reader(BytesIO(body), schema, None) if schema else None
        except Exception:
            # the library raises whatever the bytes lead it to, with parts of the record in it
            return None
        return {name: _text(value) for name, value in read.items()} if isinstance(read, dict) else None


def _is_ciphertext(text: str) -> bool:
    """Whether it is what the client makes of an encrypted text: base64 of more than what surrounds it."""
    try:
        return len(b64decode(text, validate=True)) > _SHORTEST_CIPHERTEXT
    except ValueError:
        return False


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value if isinstance(value, str) else repr(value)
