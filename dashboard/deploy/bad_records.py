"""Finds the records of an input topic that no statement can read, and says why. Their content goes nowhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

from dashboard.deploy.pipeline import InputTopic
from dashboard.deploy.skipped import LARGEST_VALUE_BYTES, Place
from dashboard.deploy.statements import Deployment
from dashboard.errors import ContractError, DeployError
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.remotes.wire_format import HEADER_BYTES, Undecodable, schema_id, wire_header, without_logical_types

NO_VALUE = "no value"


@dataclass(frozen=True)
class BadRecord:
    """One record that cannot be read."""

    topic: str
    partition: int
    offset: int
    reason: str

    @property
    def place(self) -> Place:
        return Place(self.topic, self.partition, self.offset)

    @property
    def stops_statements(self) -> bool:
        """Flink goes past a record without a value by itself, and says nothing."""
        return self.reason != NO_VALUE

    @property
    def skip_command(self) -> str:
        return f"sales-trends skip {self.topic} {self.partition} {self.offset}"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class Judge:
    """Judges the records of one input topic as Flink's format avro-confluent does."""

    def __init__(self, topic: InputTopic, registry: Registry) -> None:
        if topic.value is None:
            raise DeployError(f"The topic {topic.name} has no Avro schema, so no statement reads it.")
        self._wanted = topic.value
        self._registry = registry
        self._schemas: dict[bytes, tuple[Any, Any] | None] = {}

    def fault(self, value: bytes | None) -> str:
        """Why the value cannot be read; empty when it can. Raises UnreachableError without the registry."""
        if value is None:
            return NO_VALUE
        if len(value) > LARGEST_VALUE_BYTES:
            return f"value of {len(value):,} bytes, more than the {LARGEST_VALUE_BYTES:,} that can be written again"
        try:
            header = wire_header(value)
        except Undecodable as error:
            return str(error)
        if header not in self._schemas:
            self._schemas[header] = self._fetch(header)
        schemas = self._schemas[header]
        if schemas is None:
            return f"unknown schema id {schema_id(header)}"
        body = BytesIO(value[HEADER_BYTES:])
        try:
            record = schemaless_reader(body, *schemas, handle_unicode_errors="replace")
        except Exception as error:
            # an end in the middle of a number and one in the middle of a text are different errors of the library
            if isinstance(error, (EOFError, IndexError)) and not body.read(1):
                return "truncated Avro"
            # by its kind only: the library's messages hold parts of the record
            return f"Avro that schema {schema_id(header)} does not decode ({type(error).__name__})"
        # the library takes longer numbers than Java does
        if any(isinstance(record, dict) and _too_long(record.get(name)) for name in _int_fields(schemas[0])):
            return "a number of more than 32 bits in a field of 32"
        return ""

    def _fetch(self, header: bytes) -> tuple[Any, Any] | None:
        text = self._registry.schema(schema_id(header))
        if text is None:
            return None
        written = without_logical_types(json.loads(text))
        wanted = without_logical_types(self._wanted)
        if isinstance(written, dict):
            # Flink's own name for what it reads is another one anyway; columns are found by the names of fields
            wanted |= {"name": written.get("name"), "namespace": written.get("namespace", "")}
        return parse_schema(written), parse_schema(wanted)


class InputReader:
    """Looks for bad records on the topics that the outside writes."""

    def __init__(self, deployment: Deployment, kafka: Kafka, registry: Registry) -> None:
        self._deployment = deployment
        self._kafka = kafka
        self._registry = registry
        self._topics = {topic.name: topic for topic in deployment.pipeline.topics if topic.value is not None}

    def all_bad(self) -> list[BadRecord]:
        """Every bad record from the beginning that nobody decided to skip; reads the topics whole."""
        skipped = self._deployment.skipped.places()
        return [bad for topic in self._topics for bad in self._find(topic, {}) if bad.place not in skipped]

    def read_by(self, statement: str) -> list[str]:
        """The topics among these that a statement reads."""
        return [topic for topic in self._topics if statement in self._deployment.readers(topic)]

    def stopping(self, statement: str) -> BadRecord | None:
        """The first record found beyond what a statement has read that it cannot go past; None when there is none."""
        skipped = self._deployment.skipped.places()
        for topic in self.read_by(statement):
            for bad in self._find(topic, self._kafka.committed_offsets(statement, topic)):
                if bad.stops_statements and bad.place not in skipped:
                    return bad
        return None

    def judged(self, place: Place) -> BadRecord:
        """The bad record at this place; raises ContractError when there is none, or when it is good."""
        topics = " or ".join(self._topics)
        if place.topic not in self._topics:
            raise ContractError(f"{place.topic} is not a topic that others write.", f"Name {topics}.")
        starts, ends = {place.partition: place.offset}, {place.partition: place.offset + 1}
        end = self._kafka.end_offsets(place.topic).get(place.partition, 0)
        # the mark at a transaction's end has an offset too
        if 0 <= place.offset < end and any(True for _ in self._kafka.records(place.topic, starts, ends)):
            for bad in self._find(place.topic, starts, ends):
                return bad
            raise ContractError(f"{place} is good, so it is not skipped.", "`sales-trends status` names the bad one.")
        raise ContractError(f"There is no record at {place}.", "`sales-trends status` names the bad one.")

    def _find(
        self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int] | None = None
    ) -> Iterator[BadRecord]:
        """The bad records from `starts`, or from a partition's beginning, to `ends` or to its end as it is now."""
        ends = self._kafka.end_offsets(topic) if ends is None else ends
        judge = Judge(self._topics[topic], self._registry)
        for record in self._kafka.records(topic, {partition: starts.get(partition, 0) for partition in ends}, ends):
            if fault := judge.fault(record.value):
                yield BadRecord(topic, record.partition, record.offset, fault)


def _int_fields(schema: Any) -> list[str]:
    def is_int(kind: Any) -> bool:
        return any(map(is_int, kind)) if isinstance(kind, list) else kind == "int" or kind == {"type": "int"}

    return [one["name"] for one in schema.get("fields", []) if is_int(one["type"])]


def _too_long(value: Any) -> bool:
    return isinstance(value, int) and not -(2**31) <= value < 2**31
