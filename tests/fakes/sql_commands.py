"""The statements the fake knows, taken apart: tables made, changed and dropped, inserts, queries, plans."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tests.fakes.columns import Column, full_type
from tests.fakes.sql_text import Cursor, SqlRefused, Token, rendered, split_at_commas, tokens_of

T = TypeVar("T")
Path = tuple[str, ...]
Watermark = tuple[str, str]
"""The column and the expression."""

_COLUMN_ENDS = ("NOT", "NULL", "PRIMARY", "METADATA", "COMMENT", "AS")


@dataclass
class Definition:
    """What stands between the parentheses of a CREATE TABLE."""

    columns: list[Column] = field(default_factory=list)
    primary_key: list[str] = field(default_factory=list)
    watermark: Watermark | None = None


@dataclass(frozen=True)
class CreateTable:
    path: Path
    definition: Definition
    options: dict[str, str]
    if_not_exists: bool = False
    comment: str | None = None
    bucket_keys: tuple[str, ...] = ()
    buckets: int = 6
    query: str = ""
    """Of a CREATE TABLE … AS."""

    @property
    def kind(self) -> str:
        return "CREATE_TABLE_AS" if self.query else "CREATE_TABLE"


@dataclass(frozen=True)
class AlterTable:
    path: Path
    options: dict[str, str] = field(default_factory=dict)
    reset: tuple[str, ...] = ()
    watermark: Watermark | None = None
    drops_watermark: bool = False
    kind: str = "ALTER_TABLE"


@dataclass(frozen=True)
class DropTable:
    path: Path
    if_exists: bool
    kind: str = "DROP_TABLE"


@dataclass(frozen=True)
class Insert:
    path: Path
    query: str
    kind: str = "INSERT_INTO"


@dataclass(frozen=True)
class Query:
    text: str
    kind: str = "SELECT"


@dataclass(frozen=True)
class Explain:
    text: str
    kind: str = "EXPLAIN"


@dataclass(frozen=True)
class Show:
    """SHOW and DESCRIBE: bounded, their rows are scripted."""

    kind: str = "SHOW"


Command = CreateTable | AlterTable | DropTable | Insert | Query | Explain | Show


def parse(text: str) -> Command:
    """The one statement in `text`; raises SqlRefused, also for a script of several and for SET."""
    cursor = Cursor(tokens_of(text))
    if any(token.text == ";" for token in cursor.rest):
        raise SqlRefused("SQL parse failed. Only a single statement is supported at a time.")
    if cursor.takes("CREATE", "TABLE"):
        return _create_table(cursor)
    if cursor.takes("ALTER", "TABLE"):
        return _alter_table(cursor)
    if cursor.takes("DROP", "TABLE"):
        if_exists = cursor.takes("IF", "EXISTS")
        return DropTable(_to_the_end(cursor, cursor.path()), if_exists)
    if cursor.takes("INSERT", "INTO"):
        path = cursor.path()
        if cursor.sees("("):
            cursor.parenthesised()
        return Insert(path, rendered(cursor.rest))
    if cursor.takes("EXPLAIN"):
        return Explain(rendered(cursor.rest))
    if cursor.sees("SELECT") or cursor.sees("WITH") or cursor.sees("VALUES") or cursor.sees("("):
        return Query(text)
    if cursor.sees("SHOW") or cursor.sees("DESCRIBE") or cursor.sees("DESC"):
        return Show("SHOW" if cursor.sees("SHOW") else "DESCRIBE")
    raise cursor.wrong()


def _create_table(cursor: Cursor) -> CreateTable:
    if_not_exists = cursor.takes("IF", "NOT", "EXISTS")
    path = cursor.path()
    definition = _definition(cursor.parenthesised()) if cursor.sees("(") else Definition()
    comment = cursor.literal() if cursor.takes("COMMENT") else None
    keys: tuple[str, ...] = ()
    buckets = 6
    if cursor.takes("DISTRIBUTED"):
        if cursor.takes("BY"):
            cursor.takes("HASH")
            keys = tuple(part[0].name for part in split_at_commas(cursor.parenthesised()))
        if cursor.takes("INTO"):
            buckets = int(cursor.pop().text)
            cursor.expect("BUCKETS")
    options = _options(cursor.parenthesised()) if cursor.takes("WITH") else {}
    query = rendered(cursor.rest) if cursor.takes("AS") else ""
    if not query:
        _to_the_end(cursor, path)
        if not definition.columns:
            raise SqlRefused(f"Table {'.'.join(path)} has no columns.")
    return CreateTable(path, definition, options, if_not_exists, comment, keys, buckets, query)


def _definition(tokens: Sequence[Token]) -> Definition:
    definition = Definition()
    for part in split_at_commas(tokens):
        cursor = Cursor(part)
        if cursor.takes("WATERMARK", "FOR"):
            definition.watermark = _watermark(cursor)
        elif cursor.sees("CONSTRAINT") or cursor.sees("PRIMARY", "KEY"):
            if cursor.takes("CONSTRAINT"):
                cursor.identifier()
            cursor.expect("PRIMARY", "KEY")
            definition.primary_key = [one[0].name for one in split_at_commas(cursor.parenthesised())]
            cursor.expect("NOT", "ENFORCED")
        else:
            _add_column(definition, cursor)
    # a primary key's columns are never null, said or not
    keys = definition.primary_key
    definition.columns = [replace(one, nullable=one.nullable and one.name not in keys) for one in definition.columns]
    return definition


def _add_column(definition: Definition, cursor: Cursor) -> None:
    name = cursor.identifier()
    if cursor.takes("AS"):
        expression = rendered(cursor.until("COMMENT"))
        definition.columns.append(Column(name, full_type("STRING"), expression=expression))
        return
    column = Column(name, full_type(rendered(cursor.until(*_COLUMN_ENDS))))
    while cursor.rest:
        if cursor.takes("NOT", "NULL"):
            column = replace(column, nullable=False)
        elif cursor.takes("PRIMARY", "KEY"):
            cursor.expect("NOT", "ENFORCED")
            definition.primary_key = [name]
        elif cursor.takes("METADATA"):
            key = cursor.literal() if cursor.takes("FROM") else None
            column = replace(column, metadata=True, metadata_key=key, virtual=cursor.takes("VIRTUAL"))
        elif cursor.takes("COMMENT"):
            column = replace(column, comment=cursor.literal())
        elif not cursor.takes("NULL"):
            raise cursor.wrong()
    definition.columns.append(column)


def _alter_table(cursor: Cursor) -> AlterTable:
    path = cursor.path()
    if cursor.takes("SET"):
        return _to_the_end(cursor, AlterTable(path, options=_options(cursor.parenthesised())))
    if cursor.takes("RESET"):
        keys = tuple(part[0].name for part in split_at_commas(cursor.parenthesised()))
        return _to_the_end(cursor, AlterTable(path, reset=keys))
    if cursor.takes("DROP", "WATERMARK"):
        return _to_the_end(cursor, AlterTable(path, drops_watermark=True))
    if cursor.takes("MODIFY") or cursor.takes("ADD"):
        inner = Cursor(cursor.parenthesised()) if cursor.sees("(") else cursor
        inner.expect("WATERMARK", "FOR")
        return AlterTable(path, watermark=_watermark(inner))
    raise cursor.wrong()


def _watermark(cursor: Cursor) -> Watermark:
    column = cursor.identifier()
    cursor.expect("AS")
    if not cursor.rest:
        raise cursor.wrong()
    return column, rendered(cursor.rest)


def _options(tokens: Sequence[Token]) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in split_at_commas(tokens):
        cursor = Cursor(part)
        key = cursor.literal()
        cursor.expect("=")
        options[key] = _to_the_end(cursor, cursor.literal())
    return options


def _to_the_end(cursor: Cursor, value: T) -> T:
    if cursor.rest:
        raise cursor.wrong()
    return value
