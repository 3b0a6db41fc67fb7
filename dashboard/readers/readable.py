"""One record as people and conditions may see it: decoded, and without what is secret.

Conditions ask about the same values that are shown. One that could ask about a hidden one would be a way to guess it.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from dashboard.card_numbers import HIDDEN, holds_card_number, without_card_numbers
from dashboard.enforcement.outcomes import REDACTED, is_ciphertext
from dashboard.remotes.kafka import Record
from dashboard.remotes.wire_format import Undecodable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_128_000_000
"""30 December 9999: a record may say that it is of any time, and of this one every zone has a date."""
_MILLISECONDS = range(10**12, 2 * 10**12)
"""Of 2001 to 2033, in 13 digits; the last card numbers of so few began with a 4."""
_LARGEST_AMOUNT = 1e12
_DEEPEST = 50
_TOO_DEEP = "<nested too deep>"
_LARGEST_BYTES = 64 * 1024
"""Of a value that is shown on a line, or whole as bytes."""
_ROW = 16
_DIGITS = bytes(range(ord("0"), ord("9") + 1))
_WITHOUT_DIGITS = bytes.maketrans(_DIGITS, b"*" * len(_DIGITS))


@dataclass(frozen=True, slots=True, eq=False)
class Readable:
    """One record without card numbers and secret fields. Its texts are those of strangers.

    Equal to itself alone, so that what is made of one can be kept beside it.
    """

    partition: int
    offset: int
    at: datetime
    """The record's own timestamp, UTC, to the millisecond."""
    key: Any
    value: Any
    """As decoded: a mapping by field for most; None where it cannot be read."""
    headers: tuple[tuple[str, str], ...]
    size: int
    """Bytes of the value as it stands in the topic."""
    fault: str = ""
    """Why the value cannot be read; empty when it can."""

    @property
    def id(self) -> str:
        return f"{self.partition}:{self.offset}"

    def as_json(self) -> dict[str, Any]:
        """All of it, in values of JSON."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "time": _json(self.at),
            "key": _json(self.key),
            "value": _json(self.value),
            "headers": [list(header) for header in self.headers],
            "size": self.size,
            **({"fault": self.fault} if self.fault else {}),
        }

    @property
    def hides(self) -> bool:
        """Whether anything of it is not shown."""
        told = repr((self.key, self.value, self.headers))
        return HIDDEN in told or _TOO_DEEP in told

    @property
    def time_text(self) -> str:
        return str(_json(self.at))

    @property
    def key_text(self) -> str:
        """On one line; empty without a key."""
        return "" if self.key is None else _one_line(self.key)

    @property
    def value_text(self) -> str:
        """On one line; why it cannot be read where it cannot, and how large it is where it is too large for a line."""
        if self.size > _LARGEST_BYTES:
            return self.fault or f"{self.size:,} bytes"
        return self.fault or _one_line(self.value)


class Reading:
    """Makes records of one topic readable."""

    def __init__(
        self, decoded: Callable[[bytes | None], Any], secret: Collection[str], *, wants_schema: bool = True
    ) -> None:
        """`decoded` raises Undecodable; `secret` names fields of which ciphertext alone is shown, wherever they
        stand, in small letters or capitals.

        Without `wants_schema` a value that is text, JSON or other, is none of the faults.
        """
        self._decoded = decoded
        self._secret = frozenset(name.casefold() for name in secret)
        self._wants_schema = wants_schema

    def __call__(self, record: Record) -> Readable:
        """Never raises for what the record holds."""
        fault = ""
        try:
            value = self._value(record.value)
        except Undecodable as error:
            value, fault = None, str(error)
        return Readable(
            record.partition,
            record.offset,
            _EPOCH + timedelta(milliseconds=min(max(record.timestamp_ms, 0), _LAST_MS)),
            self._masked(self._key(record.key)),
            self._masked(value),
            tuple((_text(name), self._header(name, text)) for name, text in record.headers),
            len(record.value or b""),
            fault,
        )

    def _value(self, wire: bytes | None) -> Any:
        if self._wants_schema or (wire or b"").startswith(b"\0"):
            return self._decoded(wire)
        if wire is None:
            return None
        try:
            return _parsed(wire)
        except UnicodeDecodeError:
            raise Undecodable("neither in the registry's wire format nor text") from None

    def _key(self, key: bytes | None) -> Any:
        if key is None:
            return None
        try:
            return self._decoded(key) if key.startswith(b"\0") else _parsed(key)
        except (Undecodable, UnicodeDecodeError):
            return key

    def _header(self, name: str, value: bytes | None) -> str:
        text = (value or b"").decode(errors="replace")
        return HIDDEN if name.casefold() in self._secret and not _may_be_seen(text) else _text(text)

    def _masked(self, value: Any) -> Any:
        return masked(value, self._secret)


def masked(value: Any, secret: Collection[str], name: str = "", depth: int = 0) -> Any:
    """A copy that holds no secret; a mapping or a list of the same shape. `name` is the field's own.

    `secret` names fields in small letters; they are hidden in capitals too.
    What is nested deeper than people read is left out: whatever is made of it then could run out of stack.
    """
    if name.casefold() in secret and value is not None and not (isinstance(value, str) and _may_be_seen(value)):
        return HIDDEN
    if isinstance(value, (dict, list, tuple)) and depth == _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, dict):
        return {_text(str(field)): masked(one, secret, str(field), depth + 1) for field, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(one, secret, name, depth + 1) for one in value]
    if value is None or isinstance(value, bool):
        return value
    return _without_card(value)


def raw_text(record: Record, readable: Readable) -> str:
    """Key and value as they stand in the topic: sixteen bytes a line in hexadecimal and as text, every digit hidden.

    Hidden are all digits, for which of them belong to a card number cannot be told of bytes without a schema. Where
    `readable`, the same record, hides anything, only how many bytes there are: which of them hold it cannot be told.
    """
    parts = []
    for name, whole in (("key", record.key), ("value", record.value)):
        if whole is None:
            parts.append(f"{name}: none")
            continue
        if readable.hides:
            parts.append(f"{name}: {len(whole):,} bytes")
            continue
        bytes_ = whole[:_LARGEST_BYTES].translate(_WITHOUT_DIGITS)
        more = "" if len(whole) <= _LARGEST_BYTES else f", the first {_LARGEST_BYTES:,}"
        parts.append(f"{name}: {len(whole):,} bytes{more}")
        parts += [_hex_line(place, bytes_[place : place + _ROW]) for place in range(0, len(bytes_), _ROW)]
    if readable.hides:
        parts.append("They are not shown, because something in this record is hidden.")
    return "\n".join(parts)


def _hex_line(place: int, line: bytes) -> str:
    seen = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
    return f"{place:06x}  {line.hex(' '):<{3 * _ROW - 1}}  {seen}"


def _parsed(text: bytes) -> Any:
    """JSON of an object or a list as what it says, other text as it is; raises UnicodeDecodeError."""
    read = text.decode()
    if read[:1] in ("{", "["):
        try:
            return json.loads(read)
        except (ValueError, RecursionError):
            pass
    return read


def _may_be_seen(text: str) -> bool:
    return text in ("", REDACTED) or is_ciphertext(text)


def _without_card(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (datetime, date, time, timedelta)):
        return value
    if isinstance(value, int):
        return value if value in _MILLISECONDS or not holds_card_number(str(value)) else HIDDEN
    if isinstance(value, float):
        # as a double a longer number loses its last digits, and shows the others
        return value if abs(value) < _LARGEST_AMOUNT or value != value else HIDDEN
    if isinstance(value, Decimal):
        return value if abs(value) < _LARGEST_AMOUNT else HIDDEN
    if isinstance(value, bytes):
        read = value.decode("latin-1"), value.decode(errors="ignore")
        return HIDDEN if any(_text(told) != told for told in read) else value
    text = str(value)
    return HIDDEN if holds_card_number(text) else text


def _text(text: str) -> str:
    """Without card numbers, also those with something between their digits that nobody sees; as Unicode.

    Such as the zeros of UTF-16 that was taken for UTF-8, or a line's end.
    """
    if not text.isascii():
        # half a surrogate can stand in JSON, and nowhere else
        text = text.encode(errors="replace").decode()
    if not text.isprintable() and holds_card_number("".join(filter(str.isprintable, text))):
        return HIDDEN
    return without_card_numbers(text)


def _one_line(value: Any) -> str:
    told = _json(value)
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        # no value of JSON
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
