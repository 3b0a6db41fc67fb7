"""The action of a rule that sends what breaks it to a dead-letter topic: makes the letter, and leaves its sending.

The client's own action writes to Kafka from within the serializer, where it may wait for ever, and writes card numbers
in the clear unless a rule encrypts them. This one writes nothing, and no letter that it makes holds a secret in the
clear: what a rule encrypts stands as its ciphertext, so that the record can be sent again; what carries the tag of
secrets without such a rule, and what looks like a card number, is blacked out.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import RuleMode
from confluent_kafka.schema_registry.serde import (
    DLQ_RULE_EXCEPTION_HEADER,
    DLQ_RULE_MODE_HEADER,
    DLQ_RULE_NAME_HEADER,
    DLQ_RULE_SUBJECT_HEADER,
    DLQ_RULE_TOPIC_HEADER,
    RuleAction,
    RuleConditionError,
    RuleContext,
)
from confluent_kafka.serialization import SerializationError

from dashboard.card_numbers import holds_card_number, without_card_numbers
from dashboard.enforcement.encryption import Encryption
from dashboard.enforcement.field_tags import tags_beside
from dashboard.enforcement.outcomes import (
    ENCRYPTED_HEADER,
    REDACTED,
    REDACTED_HEADER,
    Ciphertext,
    DeadLetter,
)

SECRET_TAG = "PII"  # noqa: S105  # a tag of fields
_TOPIC = "dlq.topic"


class LetterMade(SerializationError):
    """A rule refused the record, and this is its letter. Of the client's kind, or the client would swallow it."""

    def __init__(self, rule: str, reason: str, letter: DeadLetter) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule, self.reason, self.letter = rule, reason, letter


class LetterMissing(SerializationError):
    """A rule refused the record, and no letter can be made of it."""


class Letters(RuleAction):
    """The action DLQ."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption
        self.record: Mapping[str, Any] = {}
        """What is being written, as it was before any rule changed it."""

    def type(self) -> str:
        return "DLQ"

    def run(self, ctx: RuleContext, message: Any, ex: Exception | None) -> None:
        """Raises LetterMade; LetterMissing when what failed is the rule itself, which is no fault of the record."""
        topic, rule = ctx.get_parameter(_TOPIC), ctx.rule.name or ""
        if not topic:
            raise LetterMissing(f"the rule {rule} names no dlq.topic") from ex
        if ctx.rule.type == self._encryption.type():
            raise LetterMissing(f"the rule {rule} failed") from ex
        fields, encrypted, redacted = self._without_secrets(ctx)
        reason = _reason(ex)
        told = {
            DLQ_RULE_NAME_HEADER: rule,
            DLQ_RULE_MODE_HEADER: ctx.rule_mode.value,
            DLQ_RULE_SUBJECT_HEADER: ctx.subject,
            DLQ_RULE_TOPIC_HEADER: ctx.ser_ctx.topic or "",
            DLQ_RULE_EXCEPTION_HEADER: reason,
            ENCRYPTED_HEADER: ",".join(encrypted),
            REDACTED_HEADER: ",".join(redacted),
        }
        headers = tuple((name, text.encode()) for name, text in told.items() if text)
        value = json.dumps(fields, default=_as_text).encode()
        raise LetterMade(rule, reason, DeadLetter(topic, value, headers)) from None

    def _without_secrets(self, ctx: RuleContext) -> tuple[dict[str, Any], list[str], list[str]]:
        """The fields of the letter, and the names of those that are encrypted and blacked out."""
        clear = dict(self.record)
        fields, fit = self._encrypted(ctx, clear)
        encrypted = [name for name in clear if fields[name] != clear[name] or isinstance(clear[name], Ciphertext)]
        secret = set() if fit else _tagged(ctx, {tag for rule in ctx.rules for tag in rule.tags or ()})
        secret |= _tagged(ctx, {SECRET_TAG})
        redacted = [name for name in clear if name not in encrypted and (name in secret or _looks_secret(clear[name]))]
        return {**fields, **dict.fromkeys(redacted, REDACTED)}, encrypted, redacted

    def _encrypted(self, ctx: RuleContext, clear: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """A copy with every field encrypted that a rule encrypts; the record as it is, and False, where that fails."""
        fields: dict[str, Any] = copy.deepcopy(clear)
        for index, rule in enumerate(ctx.rules):
            if rule.type != self._encryption.type() or rule.disabled:
                continue
            inner = RuleContext(
                ctx.enabled_env,
                ctx.ser_ctx,
                ctx.source,
                ctx.target,
                ctx.subject,
                RuleMode.WRITE,
                rule,
                index,
                ctx.rules,
                ctx.inline_tags,
                ctx.field_transformer,
            )
            try:
                fields = self._encryption.transform(inner, fields)
            except Exception:
                # without the key the letter is worth more than the card number in it
                return dict(clear), False
        return fields, True


def _tagged(ctx: RuleContext, tags: set[str]) -> set[str]:
    """Names of the fields with one of these tags, wherever they stand in the record."""
    names = {name for name, of_field in (ctx.inline_tags or {}).items() if tags & set(of_field)}
    names |= {name for name, of_field in tags_beside(ctx.target).items() if tags & set(of_field)}
    return {name.rpartition(".")[2] for name in names}


def _reason(error: Exception | None) -> str:
    """Without a value of the record: of a condition what it asks, of anything else its kind alone."""
    if isinstance(error, RuleConditionError):
        return without_card_numbers(str(error))
    return f"the rule could not be evaluated: {type(error).__name__}" if error else "it gives no reason"


def _looks_secret(value: Any) -> bool:
    # a number alone may be a moment in milliseconds, which has as many digits
    return isinstance(value, (str, bytes, bytearray)) and holds_card_number(_as_text(value))


def _as_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else str(value)
