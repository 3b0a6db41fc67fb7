"""INFORMATION_SCHEMA of Confluent Cloud: the documented views over an in-memory DuckDB, and nothing undocumented.

Sources: the page "Information Schema in Confluent Cloud for Apache Flink" for columns and syntax; InfoSchemaTables,
ColumnsStreamProvider and TablesStreamProvider of Confluent's Flink planner for order, types and values.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from tests.fakes.columns import Column, full_type
from tests.fakes.sql_text import Cursor, SqlRefused, Token, rendered, tokens_of
from tests.fakes.tables import Place, Table

SCHEMA = "INFORMATION_SCHEMA"
_DDL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
_VIEWS = frozenset(re.findall(r'CREATE TABLE "(\w+)"', _DDL))
_COLUMNS = frozenset(re.findall(r'^ +"(\w+)"', _DDL, re.MULTILINE))
_KEYWORDS = {"SELECT", "FROM", "WHERE", "UNION", "ALL", "AND", "OR", "IS", "NOT", "NULL", "CAST", "AS", "INT", "STRING"}
_MARKS = {"(", ")", ",", ".", "*", "=", "<>"}

Row = tuple[Any, ...]


def is_asked(text: str) -> bool:
    return any(token.name == SCHEMA for token in tokens_of(text) if token.kind != "literal")


def answer(
    query: str, properties: Mapping[str, str], place: Place, tables: Iterable[Table]
) -> tuple[list[Column], list[list[str | None]]]:
    """Columns and rows, every cell text or null; raises SqlRefused for what the documentation does not allow."""
    translated = rendered(_translated(tokens_of(query), properties, place))
    with duckdb.connect(":memory:") as connection:
        connection.execute(_DDL)
        for view, rows in _rows(list(tables), place).items():
            for row in rows:
                connection.execute(f'INSERT INTO "{view}" VALUES ({", ".join("?" * len(row))})', row)  # noqa: S608
        try:
            result = connection.execute(translated)
        except duckdb.Error as error:
            raise SqlRefused(f"SQL validation failed. {str(error).splitlines()[0]}") from error
        columns = [Column(one[0], full_type("INT" if one[1] == "INTEGER" else "STRING")) for one in result.description]
        return columns, [[None if cell is None else str(cell) for cell in row] for row in result.fetchall()]


def _translated(tokens: list[Token], properties: Mapping[str, str], place: Place) -> list[Token]:
    """The query as DuckDB reads it, checked word for word; names are as case-sensitive as in Flink."""
    cursor = Cursor(tokens)
    out: list[Token] = []
    previous = ""
    while cursor.rest:
        token = cursor.rest[0]
        if previous == "FROM" and token.text != "(":
            previous = _view(cursor.path(), properties, place)
            out.append(replace(token, text=f'"{previous}"', spaced=True))
            if cursor.sees(","):
                raise SqlRefused(f"Joins are not supported on {SCHEMA}.")
            continue
        cursor.pop()
        is_name = token.kind == "quoted" or (token.kind == "word" and token.upper not in _KEYWORDS)
        if token.kind == "mark" and token.text not in _MARKS:
            raise SqlRefused(f"Unsupported operator '{token.text}' in a query on {SCHEMA}.")
        if previous == "NOT" and token.upper != "NULL":
            raise SqlRefused(f"Unsupported expression 'NOT {token.text}' in a query on {SCHEMA}.")
        if is_name and previous != "AS":
            _check_name(token, is_alias=previous in _VIEWS, is_qualifier=cursor.sees("."), is_call=cursor.sees("("))
        out.append(replace(token, text=f'"{token.name}"') if is_name else token)
        previous = token.name if is_name else token.upper
    return out


def _check_name(token: Token, *, is_alias: bool, is_qualifier: bool, is_call: bool) -> None:
    if not is_call and (token.name in _COLUMNS or is_alias or is_qualifier):
        return
    meant = token.name.upper()
    hint = f"; did you mean '{meant}'?" if meant in _COLUMNS else ""
    raise SqlRefused(f"Unsupported name or expression '{token.name}' in a query on {SCHEMA}{hint}")


def _view(path: tuple[str, ...], properties: Mapping[str, str], place: Place) -> str:
    catalog = path[0] if len(path) == 3 else properties.get("sql.current-catalog", "")
    if catalog not in (place.environment, place.environment_name):
        raise SqlRefused(f"A catalog with name or ID '{catalog}' cannot be found. Set 'sql.current-catalog'.")
    if len(path) < 2 or path[-2] != SCHEMA:
        raise SqlRefused(f"{SCHEMA} cannot be combined with the table '{'.'.join(path)}'.")
    if path[-1] not in _VIEWS:
        raise SqlRefused(f"Table '{'.'.join(path)}' does not exist; this fake has {', '.join(sorted(_VIEWS))}.")
    return path[-1]


def _rows(tables: list[Table], place: Place) -> dict[str, list[Row]]:
    where = (place.environment, place.environment_name, place.cluster_id, place.cluster_name)
    rows: dict[str, list[Row]] = {view: [] for view in _VIEWS}
    for table in tables:
        named = (*where, table.name)
        rows["TABLES"].append((*named, *_described(table)))
        rows["TABLE_OPTIONS"] += [(*named, key, value) for key, value in sorted(table.options.items())]
        rows["COLUMNS"] += [(*named, *_column(table, one, at)) for at, one in enumerate(table.all_columns, start=1)]
        if table.primary_key:
            constraint = (*where, f"PK_{'_'.join(table.primary_key)}", *named)
            rows["TABLE_CONSTRAINTS"].append((*constraint, "PRIMARY KEY", "NO"))
            rows["KEY_COLUMN_USAGE"] += [(*constraint, key, at) for at, key in enumerate(table.primary_key, start=1)]
    return rows


def _described(table: Table) -> Row:
    column, expression = table.watermark or ("$rowtime", "`SOURCE_WATERMARK`()")
    distributed = bool(table.bucket_keys)
    distribution = (_yes(distributed), *(("HASH", table.buckets) if distributed else (None, None)))
    return ("BASE TABLE", *distribution, "YES", column, expression, _yes(table.watermark is None), table.comment)


def _column(table: Table, one: Column, position: int) -> Row:
    position_in_key = table.bucket_keys.index(one.name) + 1 if one.name in table.bucket_keys else None
    kind = (one.name, position, _yes(one.nullable), one.root, one.full_type, _yes(one.hidden))
    origin = (_yes(one.expression is not None), one.expression, _yes(one.metadata), one.metadata_key)
    return (*kind, *origin, _yes(one.expression is None and not one.virtual), position_in_key, one.comment)


def _yes(value: bool) -> str:
    return "YES" if value else "NO"
