"""SQL of people made fit for Athena: one SELECT, over nothing but the columns that its writer may see.

What is sent is written anew from what was read, so nothing that the parser did not see gets through.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dashboard.card_numbers import HIDDEN
from dashboard.errors import StatementError

_DIALECT = "athena"
_CORRECT = "Correct the statement."
_CARD_NUMBER = r"[0-9](?:[^0-9]{0,3}[0-9]){12,}"
"""Wider than `card_numbers.py` has it, for nobody here can try Trino's expressions; it hides more."""
_WRITES = (exp.Into, exp.Lock, exp.Command, exp.DML, exp.DDL)
_REWRITTEN = (exp.Sort, exp.Cluster, exp.Distribute, exp.MatchRecognize, exp.Parameter, exp.Placeholder)
"""What Athena does not know or sqlglot writes otherwise than it was read, without a word."""
_FUNCTIONS_IN_FROM = (exp.Lateral, exp.TableFromRows)
_NAMES: dict[type, str] = {
    exp.Sort: "SORT BY",
    exp.Cluster: "CLUSTER BY",
    exp.Distribute: "DISTRIBUTE BY",
    exp.MatchRecognize: "MATCH_RECOGNIZE",
}
_FAULTS = (SqlglotError, RecursionError, TypeError)
"""What sqlglot raises for texts that it does not understand, the last one by mistake."""

# it would log what people wrote
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class AthenaView:
    """What somebody may see of one table, at one snapshot."""

    name: str
    columns: Sequence[str]
    texts: frozenset[str]
    """Columns that hold text, in which a card number may stand."""
    snapshot_id: int


def athena_text(
    sql: str,
    database: str,
    tables: Collection[str],
    views: Callable[[Sequence[str]], Sequence[AthenaView]],
    rows: int,
) -> str:
    """The query to send: each table that it names is a view of permitted columns before it, at most `rows` rows come.

    `tables` are all of the pipeline, whoever may see them. `views` gives those of the names, and raises for one that
    may not be seen. Raises StatementError for what is refused.
    """
    query = _parsed(sql)
    made = _made_names(query)
    named = dict.fromkeys(_name(table) for table in query.find_all(exp.Table) if not _is_made(table))
    # what WITH calls like a table might be taken for it, so that nobody does who may not see that
    named |= dict.fromkeys(one for one in tables if one.lower() in made)
    found = views(list(named))
    if taken := made & {one.name.lower() for one in found}:
        raise StatementError(f"{', '.join(sorted(taken))} is the name of a table; call it otherwise.", _CORRECT)
    _limit(query, rows)
    given = query.args.get("with_")
    before = [_view(one, database) for one in found]
    if before:
        expressions = [*before, *(given.expressions if given else [])]
        query.set("with_", exp.With(expressions=expressions))
    try:
        return query.sql(dialect=_DIALECT, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except _FAULTS as error:
        raise StatementError("The statement cannot be written as Athena's SQL.", _CORRECT) from error


def _parsed(sql: str) -> exp.Query:
    try:
        statements = [one for one in sqlglot.parse(sql, dialect=_DIALECT) if one is not None]
    except _FAULTS as error:
        raise StatementError(_told(error), _CORRECT) from error
    if len(statements) != 1:
        what = (
            f"These are {len(statements)} statements; one at a time is run." if statements else "There is none to run."
        )
        raise StatementError(what, _CORRECT)
    query = statements[0]
    if not isinstance(query, exp.Query) or query.find(*_WRITES, *_FUNCTIONS_IN_FROM):
        raise StatementError(
            "Athena runs one SELECT here; nothing that writes, and no function in place of a table.",
            "SHOW TABLES and DESCRIBE are asked of duckdb, which costs nothing.",
        )
    if other := query.find(*_REWRITTEN):
        raise StatementError(f"{_NAMES.get(type(other), 'A parameter')} is not run on Athena here.", _CORRECT)
    return query


def _told(error: Exception) -> str:
    found = getattr(error, "errors", None)
    if not found:
        return "The statement cannot be read as Athena's SQL."
    first = found[0]
    what = str(first.get("description", "")).partition(" but got")[0].split("\n")[0][:200].rstrip(".")
    return f"Line {first.get('line')}, column {first.get('col')}: {what}."


def _made_names(query: exp.Query) -> set[str]:
    """What WITH gives, in small letters: each once and none of itself, so that a name means one thing everywhere."""
    if any(one.recursive for one in query.find_all(exp.With)):
        raise StatementError("WITH RECURSIVE is not run on Athena here.", "Ask duckdb, which knows it.")
    counts = Counter(one.alias.lower() for one in query.find_all(exp.CTE))
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise StatementError(f"WITH gives the name {', '.join(twice)} twice.", "Call each otherwise.")
    return set(counts)


def _is_made(table: exp.Table) -> bool:
    """Whether WITH gives that name where the table is named; where it does not, the database's own would be read."""
    wanted, before, node = _name(table).lower(), None, table.parent
    inside: exp.Expr = table
    while node is not None:
        if isinstance(inside, exp.CTE) and isinstance(node, exp.With):
            before = inside
        given = node.args.get("with_")
        if isinstance(given, exp.With):
            made = list(given.expressions)
            if inside is given and before is not None:
                place = next(number for number, one in enumerate(made) if one is before)
                made = made[:place]
            if any(one.alias.lower() == wanted for one in made):
                return True
        inside, node = node, node.parent
    return False


def _name(table: exp.Table) -> str:
    if not isinstance(table.this, exp.Identifier) or set(_given(table)) - {
        "this",
        "alias",
        "sample",
        "joins",
        "laterals",
    }:
        raise StatementError(
            f"{table.sql(dialect=_DIALECT)[:100]} is no plain name of a table.",
            "Tables are named without their database, and read as they are now.",
        )
    return table.name


def _given(node: exp.Expr) -> list[str]:
    return [name for name, value in node.args.items() if value]


def _view(view: AthenaView, database: str) -> exp.CTE:
    columns = [_column(name, name in view.texts) for name in view.columns]
    table = exp.Table(
        this=exp.to_identifier(view.name, quoted=True),
        db=exp.to_identifier(database, quoted=True),
        version=exp.Version(this="VERSION", kind="AS OF", expression=exp.Literal.number(view.snapshot_id)),
    )
    body = exp.Select(expressions=columns).from_(table)
    return exp.CTE(this=body, alias=exp.TableAlias(this=exp.to_identifier(view.name, quoted=True)))


def _column(name: str, is_text: bool) -> exp.Expr:
    column: exp.Expr = exp.column(exp.to_identifier(name, quoted=True))
    if is_text:
        column = exp.Anonymous(
            this="REGEXP_REPLACE", expressions=[column, exp.Literal.string(_CARD_NUMBER), exp.Literal.string(HIDDEN)]
        )
    return exp.alias_(column, name, quoted=True)


def _limit(query: exp.Query, rows: int) -> None:
    given = query.args.get("limit")
    if any(one.args.get("percent") or one.args.get("with_ties") for one in query.find_all(exp.LimitOptions)):
        raise StatementError("FETCH knows neither PERCENT nor WITH TIES here.", _CORRECT)
    wanted = given.expression if isinstance(given, exp.Limit) else None
    if isinstance(given, exp.Fetch):
        # without a number it is one row
        wanted = given.args.get("count") or exp.Literal.number(1)
        if not (isinstance(wanted, exp.Literal) and wanted.is_int):
            raise StatementError("FETCH FIRST wants a whole number of rows.", _CORRECT)
    if not (isinstance(wanted, exp.Literal) and wanted.is_int and int(wanted.name) <= rows):
        query.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
