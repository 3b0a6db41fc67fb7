"""What a statement would do: checked first, as a dry run does, and then done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes import information_schema
from tests.fakes.columns import Column, full_type
from tests.fakes.sql_commands import AlterTable, CreateTable, DropTable, Explain, Insert, Query, Show, parse
from tests.fakes.sql_sources import sources
from tests.fakes.sql_text import SqlRefused, canonical
from tests.fakes.tables import Tables

Rows = list[list[Any]]
_PLAN = """== Physical Plan ==

StreamSink [3]
  +- StreamCalc [2]
    +- StreamTableSourceScan [1]

== Physical Details ==

[1] StreamTableSourceScan
Table: {table}
State size: low

[2] StreamCalc
State size: low

[3] StreamSink
Table: Foreground
State size: low
"""


@dataclass
class Outcome:
    """What became of a statement that was not refused."""

    kind: str
    streams: bool = False
    """It runs until it is stopped."""
    bounded: bool = True
    """What the traits claim, which for CREATE TABLE … AS is wrong."""
    columns: list[Column] = field(default_factory=list)
    rows: Rows = field(default_factory=list)
    append_only: bool = True
    upsert_columns: list[int] | None = None

    def traits(self) -> dict[str, Any]:
        schema = {"columns": [column.described() for column in self.columns]} if self.columns else {}
        return {
            "sql_kind": self.kind,
            "is_bounded": self.bounded,
            "is_append_only": self.append_only,
            "upsert_columns": self.upsert_columns,
            "schema": schema,
            "connection_refs": [],
        }


@dataclass(frozen=True)
class Script:
    """Rows for queries, plans or refusals for whatever matches."""

    pattern: re.Pattern[str]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    text: str = ""


class Engine:
    """Runs statements on the tables; what no table can tell is scripted."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.rows: list[Script] = []
        self.plans: list[Script] = []
        self.refusals: list[Script] = []
        self.changing: list[tuple[re.Pattern[str], list[int] | None]] = []
        """What changes rows that it has written, each with its upsert columns."""

    def run(self, text: str, properties: Mapping[str, str], *, dry: bool = False) -> Outcome:
        """Raises SqlRefused; a dry run changes nothing, and can be scripted to be refused."""
        if dry and (refusal := _matching(self.refusals, text)):
            raise SqlRefused(refusal.text)
        outcome = self._run(text, properties, dry=dry)
        for pattern, columns in self.changing:
            if pattern.search(canonical(text)):
                return replace(outcome, append_only=False, upsert_columns=columns)
        return outcome

    def _run(self, text: str, properties: Mapping[str, str], *, dry: bool) -> Outcome:
        command = parse(text)
        if isinstance(command, CreateTable):
            return self._create(command, properties, dry=dry)
        if isinstance(command, DropTable):
            self.tables.drop(command, properties, dry=dry)
        elif isinstance(command, AlterTable):
            self.tables.alter(command, properties, dry=dry)
        elif isinstance(command, Insert):
            return self._insert(command, properties)
        elif isinstance(command, Query):
            return self._select(command, properties)
        elif isinstance(command, Explain):
            return self._explain(command, properties)
        elif isinstance(command, Show):
            script = _matching(self.rows, text)
            return _scripted(command.kind, script) if script else Outcome(command.kind)
        return Outcome(command.kind)

    def _create(self, command: CreateTable, properties: Mapping[str, str], *, dry: bool) -> Outcome:
        self._check_sources(command.query, properties)
        self.tables.create(command, properties, dry=dry)
        return Outcome(command.kind, streams=bool(command.query))

    def _insert(self, command: Insert, properties: Mapping[str, str]) -> Outcome:
        self.tables.find(command.path, properties)
        self._check_sources(command.query, properties)
        bounded = not sources(command.query)
        return Outcome(command.kind, streams=not bounded, bounded=bounded)

    def _select(self, command: Query, properties: Mapping[str, str]) -> Outcome:
        if information_schema.is_asked(command.text):
            listed = self.tables.all().values()
            columns, rows = information_schema.answer(command.text, properties, self.tables.place, listed)
            return Outcome(command.kind, columns=columns, rows=[list(row) for row in rows])
        self._check_sources(command.text, properties)
        if script := _matching(self.rows, command.text):
            return _scripted(command.kind, script)
        bounded = properties.get("sql.snapshot.mode") == "now" or not sources(command.text)
        return Outcome(command.kind, streams=not bounded, bounded=bounded)

    def _explain(self, command: Explain, properties: Mapping[str, str]) -> Outcome:
        inner = parse(command.text)
        query = (
            inner.query if isinstance(inner, CreateTable | Insert) else inner.text if isinstance(inner, Query) else ""
        )
        if not query:
            raise SqlRefused("EXPLAIN supports only queries, INSERT INTO and CREATE TABLE … AS.")
        self._check_sources(query, properties)
        script = _matching(self.plans, command.text)
        named = ", ".join(".".join(path) for path in sources(query))
        plan = script.text if script else _PLAN.format(table=named)
        return Outcome(command.kind, columns=[_text("result")], rows=[[plan]])

    def _check_sources(self, query: str, properties: Mapping[str, str]) -> None:
        for path in sources(query) if query else ():
            self.tables.find(path, properties)

    def script_rows(self, pattern: str, columns: list[str], rows: Rows) -> None:
        self.rows.insert(0, Script(re.compile(pattern), tuple(columns), tuple(tuple(row) for row in rows)))

    def script_plan(self, pattern: str, plan: str) -> None:
        self.plans.insert(0, Script(re.compile(pattern), text=plan))

    def script_changing(self, pattern: str, upsert_columns: list[int] | None) -> None:
        self.changing.insert(0, (re.compile(pattern), upsert_columns))

    def script_refusal(self, pattern: str, detail: str) -> None:
        self.refusals.insert(0, Script(re.compile(pattern), text=detail))


def _matching(scripts: list[Script], text: str) -> Script | None:
    shown = canonical(text)
    return next((script for script in scripts if script.pattern.search(shown)), None)


def _scripted(kind: str, script: Script) -> Outcome:
    rows = [[None if cell is None else str(cell) for cell in row] for row in script.rows]
    return Outcome(kind, columns=[_text(name) for name in script.columns], rows=rows)


def _text(name: str) -> Column:
    return Column(name, full_type("STRING"))
