"""The questions of queries/, each put together with the relations that one engine supplies for it.

A question is one SELECT over relations such as `revenue_buckets`. A relation is a SELECT too, a file of the engine that
may read other relations and the Iceberg tables; so one text is asked of every engine.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from dashboard.errors import ReadError
from dashboard.readers.engine import Parameter
from dashboard.sql_files import ROOT, read_sql

_FOLDER = "queries"
_READS = re.compile(r"^-- reads:\s*(?P<names>.*)$", re.MULTILINE)
_ASKS = re.compile(r"^-- asks:\s*(?P<text>.*(?:\n--  .*)*)$", re.MULTILINE)
_PARAMETER = re.compile(r'"[^"]*"|\'[^\']*\'|--[^\n]*|\$(?P<name>[a-z_][a-z_0-9]*)')
_AT = re.compile(r"\b(?P<table>[a-z_]+) /\* at \*/")
TABLES = ("revenue_summary", "completed_orders")
"""The Iceberg tables that relations read, by the names they have in the text."""
DIRECT = "direct"
"""The relations of engines that read the tables themselves."""
WITHOUT_ORDERS = (("dated_orders", "no_orders"), ("on_time_orders", "no_orders"))
"""What stands for relations of DIRECT where there is no table of orders."""


@dataclass(frozen=True)
class Composed:
    """One statement, whole."""

    text: str
    parameters: frozenset[str]
    """The names that it must be given, without the dollar."""
    relations: frozenset[str]
    """Those that it reads, by whatever way."""

    @property
    def tables(self) -> frozenset[str]:
        """The Iceberg tables that it reads, by the names they have in the text."""
        return frozenset(one["table"] for one in _AT.finditer(self.text))

    def values(self, given: Mapping[str, Parameter], **added: Parameter) -> dict[str, Parameter]:
        """What each name stands for, times in UTC without a zone; `added` are those that engines add themselves.

        Raises ReadError for a parameter too many or too few, and for a time without a zone.
        """
        wanted = self.parameters - set(added)
        if wanted != set(given):
            raise ReadError(
                f"The question takes {_listed(wanted)}, and was given {_listed(given)}.",
                "Give it just the parameters that its file in queries/ names.",
            )
        together = {**given, **added}
        return {name: _naive(name, together[name]) for name in self.parameters}

    def filled(self, values: Mapping[str, Parameter]) -> str:
        """The statement for copying, each table as it is now, each parameter as a literal.

        `values` are numbers and times alone, as the method `values` gives them; no text of anybody's gets into it.
        """
        text = at_snapshots(self.text, {})
        return _PARAMETER.sub(lambda one: _literal(values[one["name"]]) if one["name"] else one[0], text)


def question_names() -> list[str]:
    """Everything that can be asked."""
    return sorted(path.stem for path in (ROOT / _FOLDER).glob("*.sql"))


def asks(question: str) -> str:
    """What a question asks, as its file says it, on one line; raises ReadError for one that there is not."""
    found = _ASKS.search(read_sql(_FOLDER, question))
    return " ".join(found["text"].replace("\n--", " ").split()) if found else ""


@cache
def compose(question: str, engine: str, instead: Sequence[tuple[str, str]] = ()) -> Composed:
    """The question with the relations of queries/relations/<engine>/ before it.

    `instead` names, for relations that this time come from another file, the relation and the file. Raises ReadError
    for a question that there is not, naming those there are.
    """
    if question not in question_names():
        raise ReadError(
            f"There is no question {question!r}.",
            f"Ask one of {', '.join(question_names())}; each is a file of queries/.",
        )
    text = _statement(read_sql(_FOLDER, question))
    relations: dict[str, str] = {}
    _collect(_reads(read_sql(_FOLDER, question)), f"{_FOLDER}/relations/{engine}", dict(instead), relations)
    together = ",\n".join(f"{name} AS (\n{body}\n)" for name, body in relations.items())
    whole = f"WITH {together}\n{text}"
    parameters = frozenset(found for one in _PARAMETER.finditer(whole) if (found := one["name"]))
    return Composed(whole, parameters, frozenset(relations))


def at_snapshots(text: str, clauses: Mapping[str, str]) -> str:
    """The text with each table's clause of time travel, such as `AT (VERSION => 5)`, where its name is marked.

    A table without a clause is read as it is now. Clauses are made of numbers by the engines, never of anybody's text.
    """
    return _AT.sub(lambda one: f"{one['table']} {clauses.get(one['table'], '')}".rstrip(), text)


def _literal(value: Parameter) -> str:
    """A time in UTC without a zone, as the tables' times compare with."""
    return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'" if isinstance(value, datetime) else f"{value:d}"


def _naive(name: str, value: Parameter) -> Parameter:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ReadError(f"The time {name} = {value} has no zone.", "Give it with one, such as 2026-03-01T12:00Z.")
    return value.astimezone(UTC).replace(tzinfo=None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _collect(names: Sequence[str], folder: str, instead: Mapping[str, str], into: dict[str, str]) -> None:
    """Every relation after those that it reads."""
    for name in names:
        if name in into or name in TABLES:
            continue
        whole = read_sql(folder, instead.get(name, name))
        _collect(_reads(whole), folder, instead, into)
        into[name] = _statement(whole)


def _reads(text: str) -> list[str]:
    found = _READS.search(text)
    names = found["names"].strip() if found else "none"
    return [] if names == "none" else [name.strip() for name in names.split(",")]


def _statement(text: str) -> str:
    """Without the header and the semicolon; comments within stay."""
    lines = text.strip().splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines).rstrip().removesuffix(";")
