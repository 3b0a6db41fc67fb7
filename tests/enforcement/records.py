"""What was written or refused by a contract, as the tests look at it."""

import traceback
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
from confluent_kafka.serialization import MessageField, SerializationContext

from dashboard.enforcement.enforcement import Enforcement
from dashboard.enforcement.outcomes import DeadLetter, Refused
from dashboard.errors import SalesTrendsError
from tests.enforcement.conftest import BAD, GOOD, KMS_SECRET, Topic

CARD = GOOD["cc_number"].encode()


def read(topic: Topic, wire: bytes) -> dict[str, Any]:
    """As whoever may use the key reads it, by the client alone."""
    executors = RuleRegistry()  # type: ignore[no-untyped-call]
    executors.register_executor(FieldEncryptionExecutor())
    with SchemaRegistryClient({"url": topic.address}) as client:
        reader = AvroDeserializer(client, rule_conf={"secret": KMS_SECRET.get_secret_value()}, rule_registry=executors)
        found = reader(wire, SerializationContext(topic.name, MessageField.VALUE))
        reader.close()
    assert isinstance(found, dict)
    return found


def refused(writer: Enforcement, value: dict[str, Any] = BAD) -> Refused:
    with pytest.raises(Refused) as caught:
        writer(value)
    assert caught.value.__suppress_context__
    return caught.value


def letter_of(writer: Enforcement, value: dict[str, Any] = BAD) -> DeadLetter:
    letter = refused(writer, value).letter
    assert letter is not None
    return letter


def assert_silent(error: SalesTrendsError) -> None:
    """Neither its words nor what a trace shows of it hold the card number."""
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert GOOD["cc_number"] not in shown
    assert error.__context__ is None or error.__suppress_context__
