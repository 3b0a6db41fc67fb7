"""The pipeline as pipeline_sql/ describes it: topics, statements, tables; the same for every target."""

import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dashboard.deploy.contract import Declaration, load_declarations
from dashboard.deploy.script import CATALOG, DATABASE, split_script
from dashboard.deploy.stateless import is_stateless
from dashboard.errors import DeployError
from dashboard.settings import PipelineSettings

_FOLDER = Path(__file__).parents[2] / "pipeline_sql"
_WINDOW_SIZE = re.compile(r"/\* window_size \*/ INTERVAL '\d+' \w+")
_CREATES = re.compile(r"CREATE TABLE (?P<table>\w+)")
_INSERTS = re.compile(r"INSERT INTO `?(?P<table>[^`\s(]+)`?\s")
_RETENTION = re.compile(r"ALTER TABLE `?[\w.]+`? SET \('kafka\.retention\.time' = '[^']*'\)")
_ONE_WORD = re.compile(r"[\w.]+")
_HIDDEN = "sql.secrets."
"""Begins the key of a property whose value nobody may read."""
_WORDS = re.compile(r"(?<![\w.`])([\w.]++)(?!`)|`(?=([\w.]++)`)")

Kind = Literal["create table", "create table as", "insert", "alter table"]


@dataclass(frozen=True)
class InputTopic:
    """A topic that the outside writes."""

    name: str
    partitions: int
    value: dict[str, Any] | None
    """Avro schema of the record's value; None where it is not Avro."""
    key: dict[str, Any] | None
    given: bool = False
    """On Confluent Cloud others make the topic and its contracts, a connector for one."""
    contract: Declaration | None = None
    """Of the value: what it promises beside its schema; only a registry that knows rules is told."""


@dataclass(frozen=True)
class Statement:
    """One statement in the Confluent Cloud dialect, without comments, with its parameters filled in."""

    name: str
    text: str = field(repr=False)
    properties: Mapping[str, str] = field(repr=False)
    """May hold secrets: those that begin with `sql.secrets.`."""

    @cached_property
    def kind(self) -> Kind:
        if self.text.startswith("CREATE TABLE"):
            return "create table as" if "\nAS\n" in self.text else "create table"
        if self.text.startswith("INSERT INTO"):
            return "insert"
        if self.text.startswith("ALTER TABLE"):
            return "alter table"
        raise DeployError(
            f"The statement {self.name} begins with {self.text[:20]!r}.",
            "A pipeline statement is a CREATE TABLE, CREATE TABLE … AS, INSERT INTO or ALTER TABLE.",
        )

    @property
    def script(self) -> str:
        """Its properties as SET lines, then its text: all that makes it what it is but secrets, as people read it."""
        shown = {key: "***" if key.startswith(_HIDDEN) else value for key, value in sorted(self.properties.items())}
        quoted = {key: value.replace("'", "''") for key, value in shown.items()}
        return "\n".join([*(f"SET '{key}' = '{value}';" for key, value in quoted.items()), f"{self.text};"])

    @property
    def runs(self) -> bool:
        """It goes on running, unlike one that only makes or alters a table."""
        return self.kind in ("create table as", "insert")

    @cached_property
    def sets_retention(self) -> bool:
        """It alters how long a table's topic is kept and nothing else: no row that others read or write is another."""
        return _RETENTION.fullmatch(self.text) is not None

    @cached_property
    def created_table(self) -> str | None:
        match = _CREATES.match(self.text)
        return match["table"] if match else None

    @cached_property
    def filled_table(self) -> str | None:
        """The table that it writes for as long as it runs."""
        match = _INSERTS.match(self.text)
        return (match["table"] if match else self.created_table) if self.runs else None

    @cached_property
    def is_stateless(self) -> bool:
        """It only projects and filters one table's rows, so the offsets that it has read are all it knows."""
        return self.kind == "insert" and is_stateless(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Whatever in it could be the name of a table that is one word."""
        return frozenset(bare or quoted for bare, quoted in _WORDS.findall(self.text))

    def names(self, table: str) -> bool:
        """Whether it names this topic or table, to read or to write it."""
        if _ONE_WORD.fullmatch(table):
            return table in self.words
        return re.search(rf"(?<![\w.`]){re.escape(table)}(?![\w.`])|`{re.escape(table)}`", self.text) is not None


@dataclass(frozen=True)
class Pipeline:
    topics: list[InputTopic]
    statements: list[Statement]
    tableflow_topics: list[str]
    checks: dict[str, str]
    """SELECTs that prove the pipeline, by name."""
    without_rows: dict[str, str] = field(default_factory=dict)
    """By name the checks that must find no row, with what that says."""

    @cached_property
    def secret_fields(self) -> dict[str, list[str]]:
        """By input topic: the fields that its contract encrypts, or would if nobody had turned that off."""
        return {topic.name: topic.contract.secret_fields for topic in self.topics if topic.contract}

    @cached_property
    def created_tables(self) -> dict[str, Statement]:
        """Each table that a statement creates, with that statement."""
        return {table: statement for statement in self.statements if (table := statement.created_table) is not None}

    def used(self, statement: Statement) -> list[str]:
        """Topics and tables that a statement names, in the order of the files."""
        words, others = self._tables
        found = {table: words[table] for table in statement.words & words.keys()}
        found |= {table: place for table, place in others.items() if statement.names(table)}
        return sorted(found, key=found.__getitem__)

    def writes(self, statement: Statement, table: str) -> bool:
        """Whether a running statement fills this table."""
        return statement.filled_table == table

    def makers(self, tables: Iterable[str]) -> list[Statement]:
        """The statements that create these."""
        return _all_of(self._makers, tables)

    def changers(self, tables: Iterable[str]) -> list[Statement]:
        """The statements that alter one of these, or name it while they alter another."""
        return _all_of(self._changers, tables)

    def writers(self, tables: Iterable[str]) -> list[Statement]:
        """The running statements that fill these."""
        return _all_of(self._writers, tables)

    # looked up, not searched: a plan of a thousand statements would else read a million texts
    @cached_property
    def _tables(self) -> tuple[dict[str, int], dict[str, int]]:
        """Positions of the topics and tables whose name is one word, and of the others."""
        every = dict.fromkeys([*(topic.name for topic in self.topics), *self.created_tables])
        words: dict[str, int] = {}
        others: dict[str, int] = {}
        for place, table in enumerate(every):
            (words if _ONE_WORD.fullmatch(table) else others)[table] = place
        return words, others

    @cached_property
    def _makers(self) -> dict[str, list[Statement]]:
        return _by_table((one.created_table, one) for one in self.statements)

    @cached_property
    def _changers(self) -> dict[str, list[Statement]]:
        alter = [one for one in self.statements if one.kind == "alter table"]
        return _by_table((table, one) for one in alter for table in self.used(one))

    @cached_property
    def _writers(self) -> dict[str, list[Statement]]:
        return _by_table((one.filled_table, one) for one in self.statements)


def _by_table(pairs: Iterable[tuple[str | None, Statement]]) -> dict[str, list[Statement]]:
    found: defaultdict[str, list[Statement]] = defaultdict(list)
    for table, statement in pairs:
        if table is not None:
            found[table].append(statement)
    return dict(found)


def _all_of(statements: Mapping[str, list[Statement]], tables: Iterable[str]) -> list[Statement]:
    """Each once."""
    return list({one.name: one for table in tables for one in statements.get(table, ())}.values())


def load_pipeline(settings: PipelineSettings, folder: Path = _FOLDER) -> Pipeline:
    """Reads pipeline_sql/; raises DeployError for a description that names what is not there."""
    described = tomllib.loads((folder / "pipeline.toml").read_text())
    properties = described.get("properties", {})
    statements = [
        replace(one, properties={**one.properties, **properties.pop(one.name, {})})
        for path in sorted((folder / "statements").glob("*.sql"))
        for one in _statements(path, settings)
    ]
    if twice := sorted(name for name, count in Counter(one.name for one in statements).items() if count > 1):
        raise DeployError(f"Two statements in {folder / 'statements'} are called {', '.join(twice)}.")
    if properties:
        raise DeployError(f"pipeline.toml gives properties to {', '.join(properties)}, which no file defines.")

    def schema(file: str | None) -> dict[str, Any] | None:
        return json.loads((folder / "contracts" / file).read_text()) if file else None

    declared = load_declarations(folder / "contracts")
    if not settings.encrypt_fields:
        declared = {subject: one.unencrypted() for subject, one in declared.items()}
    topics = [
        InputTopic(
            topic["name"],
            topic["partitions"],
            schema(topic.get("value")),
            schema(topic.get("key")),
            topic.get("given", False),
            declared.pop(f"{topic['name']}-value", None),
        )
        for topic in described["topic"]
    ]
    if declared:
        raise DeployError(f"contracts/ declares {', '.join(declared)}, which is no topic of pipeline.toml.")
    checks = {path.stem: _without_comments(path.read_text()) for path in sorted((folder / "checks").glob("*.sql"))}
    without_rows = described.get("without_rows", {})
    if unknown := sorted(without_rows.keys() - checks):
        raise DeployError(f"pipeline.toml says that {', '.join(unknown)} finds no row; checks/ has no such file.")
    return Pipeline(topics, statements, described["tableflow"]["topics"], checks, without_rows)


def _statements(file: Path, settings: PipelineSettings) -> list[Statement]:
    """A file is a script: what its SET lines say belongs to its statements alone, and does not reach other files."""
    try:
        found = split_script(file.read_text())
    except DeployError as error:
        raise DeployError(f"{file.name}: {error.message}", error.hint) from error
    unnamed = [one for one in found if one.name is None]
    if not found or (len(found) > 1 and unnamed):
        what = f"the statement on line {unnamed[0].line} has no name" if found else "there is no statement in it"
        raise DeployError(
            f"{file.name}: {what}.",
            "A file holds one statement and gives it its name, or each has SET 'client.statement-name' before it.",
        )
    placed = [one for one in found if one.principal or {CATALOG, DATABASE} & one.properties.keys()]
    if placed:
        raise DeployError(
            f"{file.name}: the statement on line {placed[0].line} says where or as whom it runs.",
            "The target says that; remove the USE or the SET 'client.service-account'.",
        )
    return [
        Statement(
            one.name or file.stem.partition("-")[2],
            _filled(_without_comments(one.text), settings),
            one.properties,
        )
        for one in found
    ]


def _without_comments(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")


def _filled(text: str, settings: PipelineSettings) -> str:
    return _WINDOW_SIZE.sub(_interval(settings.window_size), text)


def _interval(duration: timedelta) -> str:
    """A literal of the largest unit that divides the duration; Flink wants more than two digits announced."""
    count, unit = int(duration.total_seconds()), "SECOND"
    for length, name in ((86_400, "DAY"), (3_600, "HOUR"), (60, "MINUTE")):
        if count % length == 0:
            count, unit = count // length, name
            break
    return f"INTERVAL '{count}' {unit}" + (f"({len(str(count))})" if count > 99 else "")
