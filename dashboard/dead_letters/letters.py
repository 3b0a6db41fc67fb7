"""One dead letter: a payment that broke a rule of its contract, as whoever wrote it left it; and how it is shown.

Three kinds of writers exist: Confluent's clients for Python and for Java, and the shop's payment app. All write the
record as JSON, with headers that name the rule; but anything may stand in a topic, so nothing here raises for what a
letter holds: its fault is told instead.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dashboard.card_numbers import without_card_numbers
from dashboard.enforcement.outcomes import ENCRYPTED_HEADER, REDACTED, is_ciphertext
from dashboard.remotes.kafka import Headers, Record

DEAD_LETTERS_TOPIC = "error-payments"
RULE, MODE, SUBJECT, TOPIC, EXCEPTION = (f"__rule.{name}" for name in ("name", "mode", "subject", "topic", "exception"))
REDRIVEN_FROM, REDRIVEN_BY, REDRIVEN_TS = "redriven.from", "redriven.by", "redriven.original-ts"
"""Headers of a payment that was sent again: the letter, who sent it, and when it was paid (ISO 8601, UTC)."""
IN_CLEAR = "<card number in clear>"
CARD_FIELD = "cc_number"

_LARGEST_BYTES = 64 * 1024
"""A payment has about 300 bytes; a larger letter is none, and its content is not kept."""
_LONGEST_HEADER = 4_000
_ID_BITS = 31
_LARGEST_AMOUNT = Decimal(10) ** 12
"""What is more is no payment, and may be the number of a card."""
_AVRO_NAMES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_CENT = Decimal("0.01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Letter:
    """One record of the topic of dead letters."""

    partition: int
    offset: int
    at: datetime
    """The record's timestamp, UTC."""
    topic: str
    """Where the payment was to go; empty where no header says so."""
    rule: str
    subject: str
    reason: str
    """The text of the exception that the rule ended with."""
    key: str
    """The record's key as text; empty without one."""
    headers: tuple[tuple[str, str], ...]
    """As text, in the order in which they were written."""
    fields: Mapping[str, Any] | None
    """The payment as JSON gives it; None for what is none, then `fault` says why."""
    fault: str = ""
    encrypted: frozenset[str] = frozenset()
    """Fields that a header says are encrypted, and that stand as ciphertext."""
    redacted: frozenset[str] = frozenset()
    """Fields that are blacked out: their value is lost."""

    @property
    def id(self) -> str:
        """Its place in the topic, `partition:offset`."""
        return f"{self.partition}:{self.offset}"

    @property
    def order_id(self) -> int | None:
        value = (self.fields or {}).get("order_id")
        is_id = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _ID_BITS
        return value if is_id else None

    @property
    def amount(self) -> Decimal | None:
        """In the shop's currency, rounded to cents as the pipeline does; None where it holds no number."""
        return rounded((self.fields or {}).get("amount"))

    @property
    def paid_at(self) -> datetime | None:
        """UTC, to the millisecond; None where `ts` holds no time."""
        return moment_of((self.fields or {}).get("ts"))

    @property
    def redriven_from(self) -> str:
        """The letter that this payment was sent again from before it was refused once more; empty for a new one."""
        return next((value for name, value in self.headers if name == REDRIVEN_FROM), "")


@dataclass(frozen=True)
class Shown:
    """A letter as anybody may see it. Its texts are those of strangers: escape them for where they are shown."""

    fields: Mapping[str, object]
    """By name; ciphertext stands as `encrypted`, whatever looks like a card number as `IN_CLEAR`."""
    headers: tuple[tuple[str, str], ...]
    key: str
    reason: str
    rule: str
    clear_card: bool
    """Whether the letter holds a card number that everybody who reads the topic can see."""


def parsed(record: Record) -> Letter:
    """The letter that a record is; never raises for what the record holds."""
    headers = _texts(record.headers)
    named = dict(reversed(headers))
    fields, fault = _payment(record.value)
    held = (fields or {}).items()
    told_encrypted = _names(named.get(ENCRYPTED_HEADER, ""))
    return Letter(
        partition=record.partition,
        offset=record.offset,
        at=_EPOCH + timedelta(milliseconds=max(record.timestamp_ms, 0)),
        topic=named.get(TOPIC, ""),
        rule=named.get(RULE, ""),
        subject=named.get(SUBJECT, ""),
        reason=named.get(EXCEPTION, ""),
        key=_text(record.key),
        headers=headers,
        fields=fields,
        fault=fault,
        # anybody can write a header, and one that lied would keep a card number from being encrypted
        encrypted=frozenset(name for name, value in held if name in told_encrypted and _is_encrypted(value)),
        redacted=frozenset(name for name, value in held if value == REDACTED),
    )


def shown(letter: Letter) -> Shown:
    """The letter without a single card number."""
    mask = _Mask()
    fields: dict[str, object] = {}
    for name, value in (letter.fields or {}).items():
        if name in letter.encrypted:
            fields[mask(name)] = "encrypted"
        elif name == "ts" and (paid_at := letter.paid_at):
            # milliseconds have as many digits as a card number
            fields[name] = paid_at.isoformat(timespec="milliseconds")
        elif name == CARD_FIELD and name not in letter.redacted and value not in (None, ""):
            fields[name] = mask.card()
        else:
            fields[mask(name)] = mask.value(value)
    headers = tuple((mask(name), mask(value)) for name, value in letter.headers)
    key, reason, rule = mask(letter.key), mask(letter.reason), mask(letter.rule)
    return Shown(fields, headers, key, reason, rule, mask.found)


def rounded(amount: object) -> Decimal | None:
    """To cents, half-up by the decimal text of the double: 0.005 is 0.01; None for what is no sum of money."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return None
    try:
        exact = Decimal(repr(float(amount)))
    except OverflowError:
        # an integer beyond every double
        return None
    return exact.quantize(_CENT, ROUND_HALF_UP) if abs(exact) < _LARGEST_AMOUNT else None


def moment_of(ts: object) -> datetime | None:
    """The time that a letter's `ts` stands for, UTC: milliseconds, or ISO 8601, in UTC unless it says otherwise."""
    try:
        if isinstance(ts, int) and not isinstance(ts, bool):
            return _EPOCH + timedelta(milliseconds=ts)
        if isinstance(ts, str):
            moment = datetime.fromisoformat(ts)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return None


def milliseconds(moment: datetime) -> int:
    """Since the epoch."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class _Mask:
    """Takes card numbers out of texts, and remembers whether there was one."""

    def __init__(self) -> None:
        self.found = False

    def __call__(self, text: str) -> str:
        masked = without_card_numbers(text, IN_CLEAR)
        self.found = self.found or masked != text
        return masked

    def card(self) -> str:
        self.found = True
        return IN_CLEAR

    def value(self, value: object) -> object:
        """Numbers without a card number stay numbers; what is nested becomes its JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        masked = self(text)
        return value if masked == text and isinstance(value, (bool, int, float, type(None))) else masked


def _payment(value: bytes | None) -> tuple[Mapping[str, Any] | None, str]:
    """The fields, or why there are none."""
    if value is None:
        return None, "no value"
    if len(value) > _LARGEST_BYTES:
        return None, f"value of {len(value):,} bytes, too large for a payment"
    try:
        found = json.loads(value.decode("utf-8"), parse_constant=_no_constant)
        # half a character, as JSON can hold one, can be neither shown nor sent
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None, "not JSON in UTF-8"
    if not isinstance(found, dict):
        return None, "JSON, but not of a record"
    return {name: _plain(field) for name, field in found.items()}, ""


def _plain(field: object) -> object:
    """Avro's own JSON names the branch of a union: {"string": "x"} stands for "x"."""
    if isinstance(field, dict) and len(field) == 1:
        [(name, inner)] = field.items()
        if name.partition(".")[0] in _AVRO_NAMES:
            return inner
    return field


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _is_encrypted(value: object) -> bool:
    return isinstance(value, str) and is_ciphertext(value)


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in text.split(","))))


def _texts(headers: Headers) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(value)) for name, value in headers)


def _text(content: bytes | None) -> str:
    text = (content or b"").decode("utf-8", "backslashreplace")
    return text if len(text) <= _LONGEST_HEADER else f"{text[:_LONGEST_HEADER]}…"
