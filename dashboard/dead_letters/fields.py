"""The fields of a payment as its schema wants them: from a letter's JSON, or as somebody typed them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.dead_letters.letters import Letter
from dashboard.errors import SettingsError

_WHOLE = {"int": 2**31, "long": 2**63}
_TIME = "ts"


class Unfit(Exception):
    """A letter's content is no payment; the text says why and holds no value."""


@dataclass(frozen=True)
class Fields:
    """The fields of the payments' schema: their Avro type by name."""

    types: Mapping[str, str]
    defaults: Mapping[str, object]

    def corrected(self, name: str, text: str) -> object:
        """What somebody typed for a field, as the schema wants it; raises SettingsError when it cannot be."""
        if name == _TIME:
            raise SettingsError("ts is no field to correct.", "Choose between the stream's time and the payment's own.")
        if name not in self.types:
            raise SettingsError(f"A payment has no field {name!r}.", f"Its fields are {', '.join(self.types)}.")
        try:
            return _FROM_TEXT[self.types[name]](text)
        except (ValueError, OverflowError):
            # the value is not repeated: it may be a card number
            raise SettingsError(
                f"What was given for {name} is no {_SPOKEN[self.types[name]]}.", f"Give {name} another value."
            ) from None

    def payment(self, letter: Letter, corrections: Mapping[str, object]) -> dict[str, Any]:
        """The payment that the letter holds, with the corrections and without its time; raises Unfit."""
        if letter.fields is None:
            raise Unfit(letter.fault)
        value: dict[str, Any] = {}
        for name, kind in self.types.items():
            if name == _TIME:
                continue
            if name in corrections:
                value[name] = corrections[name]
            elif name in letter.fields:
                value[name] = _checked(name, kind, letter.fields[name])
            elif name in self.defaults:
                value[name] = self.defaults[name]
            else:
                raise Unfit(f"it has no field {name}")
        return value


def fields_of(schema: Mapping[str, Any]) -> Fields:
    """The fields of a record's Avro schema; raises SettingsError for a field of a type that no payment has."""
    types, defaults = {}, {}
    for field in schema["fields"]:
        name, kind = str(field["name"]), field["type"]
        if isinstance(kind, list):
            # a field that may be missing
            [kind] = [branch for branch in kind if branch != "null"][:1]
        kind = kind["type"] if isinstance(kind, dict) else kind
        if kind not in _FROM_TEXT:
            raise SettingsError(f"The field {name} of payments has a type that cannot be redriven: {kind}.")
        types[name] = kind
        if "default" in field:
            defaults[name] = field["default"]
    return Fields(types, defaults)


def _checked(name: str, kind: str, value: object) -> object:
    """What JSON gave, as the schema wants it."""
    if kind == "string" and isinstance(value, str):
        return value
    if kind in _WHOLE and isinstance(value, int) and not isinstance(value, bool) and _fits(kind, value):
        return value
    if kind in ("double", "float") and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    if kind == "boolean" and isinstance(value, bool):
        return value
    raise Unfit(f"its {name} is no {_SPOKEN[kind]}")


def _fits(kind: str, value: int) -> bool:
    return -_WHOLE[kind] <= value < _WHOLE[kind]


def _whole(kind: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not _fits(kind, value):
            raise ValueError(kind)
        return value

    return parse


def _double(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("neither")
    return text == "true"


def _text(text: str) -> str:
    text.encode()
    return text


_FROM_TEXT: dict[str, Callable[[str], object]] = {
    "int": _whole("int"),
    "long": _whole("long"),
    "double": _double,
    "float": _double,
    "boolean": _truth,
    "string": _text,
}
_SPOKEN = {
    "int": "whole number of 32 bits",
    "long": "whole number",
    "double": "number",
    "float": "number",
    "boolean": "true or false",
    "string": "text",
}
