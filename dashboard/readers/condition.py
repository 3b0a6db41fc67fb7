"""Which records somebody wants to see: a condition in CEL on the fields of readable records.

Compiled, in Rust: a hundred thousand answers a second where the Python one gives six thousand. While it answers,
everything else in the process waits, so what one condition may cost is bounded.
Language: https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

import re
from collections.abc import Callable
from typing import Any

from dashboard.errors import SettingsError
from dashboard.readers.readable import Readable

LONGEST = 500
_PARTS: dict[str, Callable[[Readable], Any]] = {
    "value": lambda record: record.value,
    "key": lambda record: record.key,
    "headers": lambda record: dict(record.headers),
    "partition": lambda record: record.partition,
    "offset": lambda record: record.offset,
    "time": lambda record: record.at,
    "size": lambda record: record.size,
}
NAMES = tuple(_PARTS)
EXAMPLE = "value.amount > 100.0 && value.confirmation_code.startsWith('A')"
_LOOPS = ("all", "exists", "exists_one", "map", "filter")
_FUNCTIONS = {
    *("contains", "endsWith", "matches", "startsWith", "size", "has"),
    *("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint", "type"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds"),
    *("getMinutes", "getMonth", "getSeconds", "in"),
}
_CALLED = re.compile(r"(\w+)\s*\(")
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"")
_TRICKY = ("\\", "'''", '"""')
"""Without these a text ends where the next quote of its kind stands."""
_UNDEFINED = re.compile(r"Undefined variable or function: '(?P<name>\w+)'")


class Unanswerable(Exception):
    """Why a condition has no answer for a record, such as a field that it does not have."""


class Condition:
    """One condition, compiled."""

    def __init__(self, text: str) -> None:
        """Raises SettingsError with the place of the mistake for what is no condition."""
        self.text = text.strip()
        if not self.text or len(self.text) > LONGEST:
            raise SettingsError(f"A condition has 1 to {LONGEST} characters, this one {len(self.text):,}.", _HINT)
        if not self.text.isprintable() or "`" in self.text:
            raise SettingsError("A condition stands on one line, and holds no `.", _HINT)
        self._check_functions()
        # what it does not speak of need not be made for each record
        self._names = [name for name in NAMES if re.search(rf"\b{name}\b", self.text)]
        # it brings a shell with it, for a quarter of a second that those without a condition need not wait
        import cel

        try:
            self._program = cel.compile(self.text)
        except ValueError as error:
            raise SettingsError(f"This is no condition: {_mistake(str(error))}.", _HINT) from None
        self._check_names()

    def _check_functions(self) -> None:
        tricky = any(part in self.text for part in _TRICKY)
        called = _CALLED.findall(self.text if tricky else _TEXTS.sub("''", self.text))
        if unknown := [name for name in called if name not in _FUNCTIONS and name not in _LOOPS]:
            raise SettingsError(f"There is no function {unknown[0]} in a condition.", _HINT)
        # a loop in a loop can take minutes
        if sum(name in _LOOPS for name in called) > 1:
            raise SettingsError(f"A condition may hold one of {', '.join(_LOOPS)}, once.", _HINT)

    def _check_names(self) -> None:
        """A name that nothing has is wrong for every record."""
        try:
            self._program.execute(dict.fromkeys(self._names))
        except Exception as error:
            found = _UNDEFINED.search(str(error))
            if found and found["name"] not in _FUNCTIONS:
                raise SettingsError(f"There is no {found['name']} in a record.", _HINT) from None

    def matches(self, record: Readable) -> bool:
        """Whether the record is wanted; raises Unanswerable when the condition has no answer for it."""
        if record.fault:
            raise Unanswerable(f"the value cannot be read: {record.fault}")
        try:
            answer: Any = self._program.execute({name: _PARTS[name](record) for name in self._names})
        except KeyError as error:
            raise Unanswerable(f"there is no {error.args[0] if error.args else 'such field'}") from None
        except Exception as error:
            # the engine raises what the values lead it to
            raise Unanswerable(_first_sentence(str(error))) from None
        if not isinstance(answer, bool):
            raise Unanswerable("its answer is neither true nor false")
        return answer


_HINT = f"Wanted is CEL on {', '.join(NAMES)}, such as: {EXAMPLE}"


def _mistake(told: str) -> str:
    """The first thing that the parser says, with its column."""
    found = re.search(r"<input>:\d+:(?P<column>\d+): (?P<what>[^\n]+)", told)
    if found is None:
        return _first_sentence(told)
    what = found["what"].partition(" expecting ")[0].removeprefix("Syntax error: ")
    return f"{what.replace(chr(39) + '<EOF>' + chr(39), 'its end')} at character {found['column']}"


def _first_sentence(told: str) -> str:
    return told.partition(". ")[0].partition("\n")[0].rstrip(".")[:200]
