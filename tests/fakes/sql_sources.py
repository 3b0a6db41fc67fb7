"""What a query reads, and what comes out of it as far as names tell: enough for a fake, no planner."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.fakes.columns import Column, full_type
from tests.fakes.sql_text import Cursor, SqlRefused, Token, split_at_commas, tokens_of

Path = tuple[str, ...]
_STARTS = ("FROM", "JOIN", "TABLE", "MODEL")
_ENDS = ("WHERE", "GROUP", "HAVING", "UNION", "ORDER", "LIMIT", "ON", "JOIN", "LEFT", "INNER", "WINDOW", "CROSS", "FOR")


def sources(query: str) -> list[Path]:
    """The tables a query names after FROM, JOIN and TABLE; its own WITH names are left out."""
    tokens = tokens_of(query)
    own = _own_names(tokens)
    found: list[Path] = []
    cursor = Cursor(tokens)
    while cursor.rest:
        before = cursor.pop()
        if before.upper == "DISTINCT" and cursor.sees("FROM"):
            cursor.pop()
        elif before.upper in _STARTS and before.kind == "word":
            found += _listed(cursor)
    return [path for path in dict.fromkeys(found) if path[0] not in own]


def output_columns(query: str, columns_of: Callable[[Path], Sequence[Column]]) -> list[Column]:
    """The columns a CREATE TABLE … AS makes: names from the select list, types from the first table that has them."""
    known = {column.name: column for path in reversed(sources(query)) for column in columns_of(path)}
    first = sources(query)[:1]
    cursor = Cursor(tokens_of(query))
    cursor.until("SELECT")
    if not cursor.takes("SELECT"):
        raise SqlRefused("SQL parse failed. CREATE TABLE … AS expects a SELECT.")
    columns: list[Column] = []
    for item in split_at_commas(cursor.until("FROM")):
        if item[-1].text == "*":
            columns += [column for path in first for column in columns_of(path)]
            continue
        like = known.get(item[-1].name) or known.get(item[0].name)
        name = item[-1].name
        columns.append(replace(like, name=name) if like else Column(name, full_type("STRING")))
    return [column for column in columns if column.physical]


def _own_names(tokens: Sequence[Token]) -> set[str]:
    """The names of WITH: each stands before `AS (`."""
    pairs = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return {one.name for one, word, mark in pairs if word.upper == "AS" and mark.text == "(" and one.kind != "mark"}


def _listed(cursor: Cursor) -> list[Path]:
    """The tables of one FROM, divided by commas, each with or without another name."""
    found: list[Path] = []
    while cursor.rest and cursor.rest[0].kind in ("word", "quoted") and not cursor.sees("TABLE"):
        found.append(cursor.path())
        if cursor.sees("("):
            # a table function, or UNNEST: no table
            found.pop()
            return found
        cursor.takes("AS")
        if cursor.rest and cursor.rest[0].kind in ("word", "quoted") and cursor.rest[0].upper not in _ENDS:
            cursor.pop()
        if not cursor.takes(","):
            break
    return found
