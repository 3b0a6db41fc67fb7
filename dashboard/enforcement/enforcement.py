"""Turns records of one topic into bytes as the newest version of its contract says, or into nothing.

The registry's own serializer runs the rules. It leaves them out without a word when it is configured otherwise than
here, so enforcement is proven before the first record and whenever the contract has changed: see `self_check.py`.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, Self

from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from confluent_kafka.schema_registry import RegisteredSchema, Rule, RuleMode, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.serde import RuleConditionError, RuleError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from httpx2 import HTTPError
from pydantic import SecretStr

from dashboard.card_numbers import without_card_numbers
from dashboard.enforcement.conditions import Conditions
from dashboard.enforcement.encryption import Encryption
from dashboard.enforcement.field_tags import own_tags
from dashboard.enforcement.letters import LetterMade, LetterMissing, Letters
from dashboard.enforcement.outcomes import CACHE_SECONDS, Ciphertext, Refused
from dashboard.enforcement.self_check import ScratchRegistry, prove
from dashboard.errors import ContractError, SalesTrendsError, UnreachableError
from dashboard.remotes.registry import Registry

_TIMEOUT_SECONDS = 10
_SERVER_FAULT = 500
_TOO_MANY = 429
_NOT_FOUND = 404
_OF_AWS = (ClientError, EndpointConnectionError, HTTPClientError)
_PASSING_AWS = frozenset({"ThrottlingException", "KMSInternalException", "DependencyTimeoutException"})
_SHORTEST_SECRET = 6
"""Characters; a shorter text may stand among other bytes by chance."""
_ACTIONS = frozenset({"", "NONE", "ERROR", "DLQ"})


class Enforcement:
    """For the values of one topic; for one thread at a time."""

    def __init__(
        self,
        registry: Registry,
        topic: str,
        *,
        kms_secret: SecretStr | None = None,
        scratch: ScratchRegistry | None = None,
        sample: Mapping[str, Any] | None = None,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        """`scratch` is where enforcement is proven; without it nothing is, as for who only sends again.

        `kms_secret` is the local key management's, `sample` a valid record that the rules are tried on. Nothing is
        asked yet.
        """
        self.topic, self.subject = topic, f"{topic}-value"
        self._address = registry.url
        limits = {"cache.latest.ttl.sec": cache_seconds, "max.retries": 1, "timeout": _TIMEOUT_SECONDS}
        self._client = SchemaRegistryClient.new_client({**registry.client_config(), **limits})
        self._encryption = Encryption()
        self._letters = Letters(self._encryption)
        rules = RuleRegistry()  # type: ignore[no-untyped-call]
        for executor in (Conditions(), CelFieldExecutor(), self._encryption):  # type: ignore[no-untyped-call]
            rules.register_executor(executor)
        rules.register_action(self._letters)
        self._known = {one.type() for one in rules.get_executors()}
        self._rule_conf = {"secret": kms_secret.get_secret_value()} if kms_secret else {}
        self._rules = rules
        # any other configuration writes what it is given and runs no rule
        self._serializer = AvroSerializer(
            self._client,
            conf={"auto.register.schemas": False, "use.latest.version": True},
            rule_conf=self._rule_conf,
            rule_registry=rules,
        )
        self._context = SerializationContext(topic, MessageField.VALUE)
        self._scratch = scratch
        self._sample = sample
        self._contract: RegisteredSchema | None = None
        self._covered: tuple[str, ...] = ()
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Returns when what the contract says now is proven to be enforced.

        Raises ContractError when it is not, and UnreachableError when registry or key do not answer.
        """
        with self._lock, self._faults():
            self._follow()

    def __call__(self, value: Mapping[str, Any]) -> bytes:
        """The bytes to send; `value` stays what it is.

        Raises Refused when the contract refuses this one record, ContractError when no record can be made by it, and
        UnreachableError when registry or key do not answer; nothing is in the clear then that must not be.
        """
        with self._lock, self._faults():
            self._follow()
            wire = self._serialized(value)
            self._guard(value, wire)
            return wire

    @property
    def dead_letter_topics(self) -> frozenset[str]:
        """Where the contract sends what breaks it; empty before `begin`."""
        topics = (_param(rule, "dlq.topic") for rule in _enabled(self._contract))
        return frozenset(filter(None, topics))

    @property
    def version(self) -> int | None:
        """Of the contract that counts now; None before `begin`."""
        return self._contract.version if self._contract else None

    def close(self) -> None:
        self._serializer.close()
        self._client.close()

    def _follow(self) -> None:
        """Takes over a contract that has changed, once it is proven."""
        latest = self._client.get_latest_version(self.subject)
        if self._contract is not None and latest.guid == self._contract.guid:
            return
        rules = _enabled(latest)
        for rule in rules:
            self._check(rule)
        if self._scratch and rules:
            prove(self._scratch, rules, self._client, self._rules, self._rule_conf)
        self._covered = _covered(latest, rules, self._encryption.type())
        self._contract = latest
        if self._sample is not None:
            try:
                self._try(self._sample)
            except BaseException:
                # or it would count as proven for the next record
                self._contract = None
                raise

    def _check(self, rule: Rule) -> None:
        """The client passes by what it does not know, if the rule says so; here nothing is passed by."""
        if (rule.type or "").upper() not in self._known:
            raise ContractError(
                f"The contract {self.subject} has a rule {rule.name} of the type {rule.type}, which nothing here runs.",
                f"Rules may be {', '.join(sorted(self._known))}. Nothing is written until it is one of them, or gone.",
            )
        actions = {one.strip() for text in (rule.on_success, rule.on_failure) for one in (text or "").split(",")}
        if strange := sorted(actions - _ACTIONS):
            raise ContractError(
                f"The rule {rule.name} of {self.subject} asks for the action {', '.join(strange)}, which is not known.",
                "It may be NONE, ERROR or DLQ.",
            )
        if rule.type == self._encryption.type() and not rule.tags:
            raise ContractError(
                f"The rule {rule.name} of {self.subject} encrypts and names no tag.", "Give it the tags of the fields."
            )

    def _try(self, sample: Mapping[str, Any]) -> None:
        """A rule that cannot be evaluated would refuse every record, and blame each of them."""
        try:
            wire = self._serialized(sample)
        except LetterMade as made:
            if made.__context__ is not None and not isinstance(made.__context__, RuleConditionError):
                raise ContractError(
                    f"The rule {made.rule} of {self.subject} cannot be evaluated: {_told(made.__context__)}.",
                    "Correct its expression; nothing is written until then.",
                ) from None
        except SerializationError as error:
            if not isinstance(error.__cause__, RuleConditionError):
                raise
        else:
            self._guard(sample, wire)

    def _serialized(self, value: Mapping[str, Any]) -> bytes:
        """The bytes as the rules make them; raises what the client and the letters raise."""
        # rules change what they are given, and a record that is sent again would be encrypted twice
        record = copy.deepcopy(dict(value))
        self._letters.record = value
        try:
            return bytes(self._serializer(record, self._context) or b"")
        finally:
            self._letters.record = {}

    def _guard(self, value: Mapping[str, Any], wire: bytes) -> None:
        """No field that a rule encrypts may stand in the bytes as it was, whatever the client did or left out."""
        for name in self._covered:
            clear = value.get(name)
            if not isinstance(clear, str) or isinstance(clear, Ciphertext) or len(clear) < _SHORTEST_SECRET:
                continue
            if clear.encode() in wire:
                raise ContractError(
                    f"The field {name} of {self.topic} was not encrypted, though the contract says so.",
                    "The record was not written. Compare the rule's tags with the field's.",
                )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Whatever happens inside, in words without a value of the record.

        From None: the frames and messages of the libraries hold the record, card number and all.
        """
        try:
            yield
        except LetterMade as made:
            raise Refused(made.rule, made.reason, made.letter) from None
        except LetterMissing as missing:
            raise self._fault(missing.__cause__, str(missing)) from None
        except SerializationError as error:
            cause = error.__cause__
            if isinstance(cause, RuleConditionError):
                raise Refused(_name_of(cause, self._contract), without_card_numbers(str(cause))) from None
            raise self._fault(cause or error, "a rule failed") from None
        except SalesTrendsError:
            raise
        except Exception as error:
            raise self._fault(error, "") from None

    def _fault(self, error: BaseException | None, what: str) -> SalesTrendsError:
        chain = list(_chain(error))
        passing = next((one for one in chain if _passes(one)), None)
        if passing is not None:
            return UnreachableError(
                f"No record of {self.topic} can be made: {_who(passing, self._address)} does not answer "
                f"({type(passing).__name__}).",
                "Nothing is written meanwhile, and nothing is lost.",
            )
        if any(isinstance(one, SchemaRegistryError) and one.http_status_code == _NOT_FOUND for one in chain):
            return ContractError(
                f"The registry at {self._address} has no contract {self.subject}.", "`sales-trends apply` registers it."
            )
        told = "; ".join(dict.fromkeys(filter(None, [what, *map(_told, chain[:3])])))
        return ContractError(
            f"No record of {self.topic} can be made by its contract: {told}.",
            "Nothing is written until that is put right. Compare the newest contract, its key and the records.",
        )


def _enabled(contract: RegisteredSchema | None) -> list[Rule]:
    """The rules that count when a value is written."""
    rule_set = contract.schema.rule_set if contract else None
    rules = [*(rule_set.domain_rules or []), *(rule_set.encoding_rules or [])] if rule_set else []
    return [rule for rule in rules if not rule.disabled and rule.mode in (RuleMode.WRITE, RuleMode.WRITEREAD)]


def _param(rule: Rule, name: str) -> str:
    return str(rule.params.params.get(name) or "") if rule.params else ""


def _covered(contract: RegisteredSchema, rules: list[Rule], encrypts: str) -> tuple[str, ...]:
    """Names of the fields that a rule encrypts."""
    tags = {tag for rule in rules if rule.type == encrypts for tag in rule.tags or ()}
    return tuple(name for name, of_field in own_tags(contract.schema).items() if tags & of_field)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _passes(error: BaseException) -> bool:
    """It may be gone a moment later."""
    if isinstance(error, SchemaRegistryError):
        return error.http_status_code >= _SERVER_FAULT or error.http_status_code == _TOO_MANY
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return answer in _PASSING_AWS or status >= _SERVER_FAULT
    return isinstance(error, (HTTPError, EndpointConnectionError, HTTPClientError, ConnectionError, TimeoutError))


def _who(error: BaseException, address: str) -> str:
    return "the key management" if isinstance(error, _OF_AWS) else f"the registry at {address}"


def _told(error: BaseException) -> str:
    """An error's words where they cannot hold a value of the record, its kind otherwise."""
    if isinstance(error, (RuleError, SchemaRegistryError)):
        return without_card_numbers(str(error)).rstrip(".")
    if isinstance(error, ClientError):
        return f"key management: {error.response.get('Error', {}).get('Code', '')}"
    return type(error).__name__


def _name_of(error: RuleConditionError, contract: RegisteredSchema | None) -> str:
    """The client says what the rule asks, and not which it is."""
    told = str(error)
    names = [rule.name or "" for rule in _enabled(contract) if RuleConditionError.error_message(rule) == told]
    return names[0] if len(names) == 1 else "a rule"
