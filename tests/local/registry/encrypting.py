"""A producer and a consumer with Confluent's own client: rules run, keys are made, fields are encrypted.

Run as a program it is a consumer in a process of its own: what it reads from its standard input it prints decrypted.
"""

import json
import sys
from base64 import b64decode
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import Clock, FieldEncryptionExecutor
from confluent_kafka.schema_registry.rules.encryption.localkms.local_driver import LocalKmsDriver
from confluent_kafka.serialization import MessageField, SerializationContext

SECRET = "the secret of the KMS"  # noqa: S105  # of a KMS that is a string in the tests
CARD = "4111-1111-1111-1111"
_FIELDS = [
    {"name": "order_id", "type": "int"},
    {"name": "confirmation_code", "type": "string"},
    {"name": "cc_number", "type": "string", "confluent:tags": ["PII"]},
]
_WITH_KMS = {"encrypt.kms.type": "local-kms", "encrypt.kms.key.id": "mine"}

LocalKmsDriver.register()


def payment(order_id: int = 1, code: str = "ABCD1234") -> dict[str, Any]:
    return {"order_id": order_id, "confirmation_code": code, "cc_number": CARD}


def schema(*more: str) -> str:
    optional = [{"name": name, "type": ["null", "string"], "default": None} for name in more]
    return json.dumps({"type": "record", "name": "Sale", "fields": [*_FIELDS, *optional]})


def rules(kek: str, *, kms: bool = True, **params: str) -> dict[str, Any]:
    """A rule set that checks the confirmation code and encrypts what is tagged PII, under this kek.

    With `kms` the rule tells the client which key it is, so that the client may make it known by itself.
    """
    encryption = {"encrypt.kek.name": kek} | (_WITH_KMS if kms else {})
    encryption |= {f"encrypt.dek.{name.replace('_', '.')}": value for name, value in params.items()}
    valid = "message.confirmation_code.matches('^[A-Z0-9]{8}$')"
    check = {"name": "codeIsValid", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": valid}
    encrypt = {"name": "Encrypt_PII", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "ENCRYPT", "tags": ["PII"]}
    return {"domainRules": [check, encrypt | {"params": encryption, "onFailure": "ERROR,NONE"}]}


class Sides(ExitStack):
    """Producers and consumers of one registry; each new one knows nothing that an earlier one asked.

    In one process the first secret of the local KMS counts for all, whatever the others are given: the library behind
    the client keeps one KMS by its address.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def producer(self, topic: str, clock: Clock | None = None) -> Callable[[dict[str, Any]], bytes]:
        """What turns a record into the bytes that go to Kafka."""
        config = {"auto.register.schemas": False, "use.latest.version": True}
        secret = {"secret": SECRET}
        serializer = AvroSerializer(self._client(), conf=config, rule_conf=secret, rule_registry=self._rules(clock))
        return lambda record: bytes(serializer(record, SerializationContext(topic, MessageField.VALUE)))

    def consumer(self, topic: str, secret: str = SECRET) -> Callable[[bytes], dict[str, Any]]:
        rule_config = {"secret": secret}
        deserializer = AvroDeserializer(self._client(), rule_conf=rule_config, rule_registry=self._rules())
        return lambda sent: dict(deserializer(sent, SerializationContext(topic, MessageField.VALUE)))

    def outsider(self, topic: str) -> Callable[[bytes], dict[str, Any]]:
        """A consumer that runs no rules: it sees what lies in Kafka."""
        no_rules = RuleRegistry()  # type: ignore[no-untyped-call]  # the client is typed in part
        deserializer = AvroDeserializer(self._client(), rule_registry=no_rules)
        return lambda sent: dict(deserializer(sent, SerializationContext(topic, MessageField.VALUE)))

    def _client(self) -> SchemaRegistryClient:
        client: SchemaRegistryClient = self.enter_context(
            SchemaRegistryClient({"url": self._address, "max.retries": 0})
        )
        return client

    def _rules(self, clock: Clock | None = None) -> RuleRegistry:
        encryption = FieldEncryptionExecutor(clock or Clock())
        self.callback(encryption.close)
        rule_registry = RuleRegistry()  # type: ignore[no-untyped-call]
        rule_registry.register_executor(CelExecutor())  # type: ignore[no-untyped-call]
        rule_registry.register_executor(encryption)
        return rule_registry


def main(address: str, topic: str, secret: str) -> None:
    with Sides(address) as sides:
        read = sides.consumer(topic, secret)
        for line in sys.stdin:
            print(json.dumps(read(b64decode(line))))  # noqa: T201  # what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
