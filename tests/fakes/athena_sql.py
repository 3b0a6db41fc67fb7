"""A query in Athena's dialect run on DuckDB, with what Athena does differently done as Athena does it.

Differences, of Trino's documentation (functions/conversion, language/types): TIMESTAMP without a precision has
milliseconds and rounds to them, and a double as text has an exponent.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import duckdb
import pyarrow as pa
import sqlglot
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table
from pyiceberg.types import TimestamptzType
from sqlglot import exp


class QueryFailedError(Exception):
    """Its text is the StateChangeReason."""


def answer(text: str, tables: Mapping[str, Table], database: str) -> tuple[pa.Table, int]:
    """The rows, and the bytes of the data files that their query had to open."""
    try:
        query = sqlglot.parse_one(text, dialect="athena", error_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.ParseError as error:
        raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error
    scanned = 0
    with duckdb.connect(config={"autoinstall_known_extensions": False, "threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.create_function("athena_text", _athena_text, ["DOUBLE"], "VARCHAR")
        for asked in list(_tables(query)):
            rows, size = _read(asked, tables, database)
            if asked.db:
                # DuckDB has no such schema, and WITH may give the name besides
                asked.replace(exp.to_table(f"stored_{asked.name}", alias=asked.name))
            connection.register(f"stored_{asked.name}" if asked.db else asked.name, rows)
            scanned += size
        try:
            found: pa.Table = connection.execute(_duckdbs(query)).to_arrow_table()
        except duckdb.Error as error:
            raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error
    return found, scanned


def _athena_text(number: float) -> str:
    return f"{Decimal(repr(number)).normalize():E}".replace("E+", "E")


def _tables(query: exp.Expr) -> Iterator[exp.Table]:
    made = {one.alias.lower() for one in query.find_all(exp.CTE)}
    return (one for one in query.find_all(exp.Table) if one.db or one.name.lower() not in made)


def _read(asked: exp.Table, tables: Mapping[str, Table], database: str) -> tuple[pa.Table, int]:
    table = tables.get(asked.name)
    if table is None:
        raise QueryFailedError(
            f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{asked.name}' does not exist"
        )
    version = asked.args.get("version")
    if version is None:
        raise QueryFailedError(f"the fake wants to be told which snapshot of {asked.name} is meant")
    snapshot_id = int(version.expression.name)
    if table.snapshot_by_id(snapshot_id) is None:
        raise QueryFailedError(f"INVALID_ARGUMENTS: Iceberg snapshot ID does not exists: {snapshot_id}")
    wanted = _range(asked, table)
    scan = table.scan(row_filter=AlwaysTrue() if wanted == "true" else wanted, snapshot_id=snapshot_id)
    size = sum(task.file.file_size_in_bytes for task in scan.plan_files())
    rows = table.scan(snapshot_id=snapshot_id).to_arrow()
    asked.set("version", None)
    return rows, size


def _range(asked: exp.Table, table: Table) -> str:
    """What Iceberg can rule files out by: a column as it is, and a literal."""
    found = []
    select = asked.find_ancestor(exp.Select)
    where = select.args.get("where") if select else None
    said = where.this if where else None
    for one in said.flatten() if isinstance(said, exp.And) else (said,):
        if not isinstance(one, exp.GTE | exp.LT):
            continue
        if isinstance(one.this, exp.Column) and isinstance(one.expression, exp.Cast):
            sign = ">=" if isinstance(one, exp.GTE) else "<"
            zone = "+00:00" if isinstance(table.schema().find_type(one.this.name), TimestamptzType) else ""
            found.append(f"{one.this.name} {sign} '{one.expression.this.name.replace(' ', 'T')}000{zone}'")
    # what people write may read all of it, which a question never does
    of_people = isinstance(one := asked.find_ancestor(exp.CTE), exp.CTE) and one.alias == asked.name
    assert found or of_people, f"nothing tells which files of {asked.name} are needed"
    return " AND ".join(found) or "true"


def _duckdbs(query: exp.Expr) -> str:
    for cast in list(query.find_all(exp.Cast)):
        if cast.to.is_type(exp.DataType.Type.TIMESTAMP):
            if isinstance(cast.this, exp.Literal):
                # it has as many digits as it has, and compares with times of any kind
                cast.to.set("expressions", [])
            elif not cast.to.expressions:
                cast.to.append("expressions", exp.DataTypeParam(this=exp.Literal.number(3)))
        elif cast.to.is_type(exp.DataType.Type.VARCHAR):
            cast.replace(exp.Anonymous(this="athena_text", expressions=[cast.this]))
    return query.sql(dialect="duckdb")
