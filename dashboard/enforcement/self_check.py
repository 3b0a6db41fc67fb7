"""Proves on a subject of its own that rules run: what breaks a condition is refused, what is to be secret is encrypted.

With the real contract's rules for encryption, and so with its key. The subject and the keys of its fields are removed
again, those of a process that died in the middle too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka.schema_registry import Rule, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.serde import RuleConditionError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from dashboard.errors import ContractError
from dashboard.remotes.cloud_registry import CloudRegistry, Contract

_VALID, _SECRET = "valid", "a secret of the self-check"
_ENCRYPT = "ENCRYPT"
_CONDITION = {
    "name": "selfCheck",
    "kind": "CONDITION",
    "mode": "WRITE",
    "type": "CEL",
    "expr": f"message.code == '{_VALID}'",
    "onFailure": "ERROR",
}


@dataclass(frozen=True)
class ScratchRegistry:
    """Where a subject may be made and removed for a moment."""

    registry: CloudRegistry
    app: str
    """Tells this writer from others that check themselves at the same time; letters, digits, - and _."""

    @property
    def topic(self) -> str:
        return f"sales-trends-self-check-{self.app}"

    @property
    def subject(self) -> str:
        return f"{self.topic}-value"


def prove(
    scratch: ScratchRegistry,
    rules: Sequence[Rule],
    client: SchemaRegistryClient,
    executors: RuleRegistry,
    rule_conf: Mapping[str, Any],
) -> None:
    """Raises ContractError when a condition or an encryption does not run.

    `rules` are the contract's. Raises what the client raises when registry or key cannot be used.
    """
    encrypting = [rule for rule in rules if rule.type == _ENCRYPT]
    keys = sorted({rule.params.params.get("encrypt.kek.name", "") for rule in encrypting if rule.params})
    _clear(scratch, keys)
    try:
        scratch.registry.register(scratch.subject, _contract(encrypting))
        _prove(scratch, client, executors, rule_conf, encrypts=bool(encrypting))
    finally:
        _clear(scratch, keys)


def _contract(encrypting: Sequence[Rule]) -> Contract:
    tags = sorted({tag for rule in encrypting for tag in rule.tags or ()})
    schema = {
        "type": "record",
        "name": "SelfCheck",
        "fields": [
            {"name": "code", "type": "string"},
            {"name": "secret", "type": "string", **({"confluent:tags": tags} if tags else {})},
        ],
    }
    rules = [_CONDITION, *(rule.to_dict() for rule in encrypting)]
    return Contract(json.dumps(schema), rule_set={"domainRules": rules})


def _prove(
    scratch: ScratchRegistry,
    client: SchemaRegistryClient,
    executors: RuleRegistry,
    rule_conf: Mapping[str, Any],
    *,
    encrypts: bool,
) -> None:
    # with the same executors as the records are written with: those are what is to be proven
    conf = {"auto.register.schemas": False, "use.latest.version": True}
    write = AvroSerializer(client, conf=conf, rule_conf=dict(rule_conf), rule_registry=executors)
    read = AvroDeserializer(client, rule_conf=dict(rule_conf), rule_registry=executors)
    context = SerializationContext(scratch.topic, MessageField.VALUE)
    client.clear_latest_caches()  # type: ignore[no-untyped-call]
    wire = write({"code": _VALID, "secret": _SECRET}, context) or b""
    if encrypts and (_SECRET.encode() in wire or read(wire, context) != {"code": _VALID, "secret": _SECRET}):
        raise _off("a field that is to be encrypted was not")
    try:
        write({"code": "invalid", "secret": _SECRET}, context)
    except SerializationError as refused:
        if isinstance(refused.__cause__, RuleConditionError):
            return
        raise
    raise _off("a record that breaks a condition was not refused")


def _off(what: str) -> ContractError:
    return ContractError(
        f"The rules of contracts are not enforced here: {what}.",
        "Nothing is written. Compare the installed confluent-kafka with requirements.lock.",
    )


def _clear(scratch: ScratchRegistry, keys: Sequence[str]) -> None:
    scratch.registry.delete(scratch.subject)
    for key in filter(None, keys):
        scratch.registry.delete_deks(key, scratch.subject)
