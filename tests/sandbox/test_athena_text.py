"""What is sent to Athena for SQL of people: parsed as Athena's, and read again to see which tables it reads."""

from collections.abc import Sequence

import pytest
import sqlglot
from sqlglot import exp

from dashboard.errors import AccessError, StatementError
from dashboard.sandbox.athena_text import AthenaView, athena_text

SEEN = ("revenue_summary", "completed_orders")
COLUMNS = ("order_id", "code")


def views(names: Sequence[str]) -> list[AthenaView]:
    for name in names:
        if name.lower() not in SEEN:
            raise AccessError(f"{name} may not be seen.")
    return [AthenaView(name.lower(), COLUMNS, frozenset({"code"}), 5) for name in dict.fromkeys(map(str.lower, names))]


def sent(sql: str, rows: int = 11) -> exp.Expr:
    return sqlglot.parse_one(athena_text(sql, "lkc-1", (*SEEN, "payments"), views, rows), dialect="athena")


def read(query: exp.Expr) -> set[str]:
    """The tables of the database itself."""
    return {table.name for table in query.find_all(exp.Table) if table.db}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM completed_orders",
        "select code from COMPLETED_ORDERS where code like '10%'",
        "WITH a AS (SELECT * FROM completed_orders) SELECT count(*) FROM a",
        "SELECT (SELECT max(order_id) FROM completed_orders) UNION ALL SELECT 1",
        "SELECT * FROM completed_orders CROSS JOIN UNNEST(ARRAY[1]) AS t (x)",
    ],
)
def test_a_table_is_a_view_of_permitted_columns_at_one_snapshot(sql: str) -> None:
    query = sent(sql)

    assert read(query) == {"completed_orders"}
    view = next(one for one in query.find_all(exp.CTE) if one.alias == "completed_orders")
    assert view.this.named_selects == list(COLUMNS)
    assert "FOR VERSION AS OF 5" in view.sql(dialect="athena")
    assert not any(table.db for table in query.find_all(exp.Table) if table.find_ancestor(exp.CTE) is not view)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM payments",
        "SELECT * FROM completed_orders, payments",
        'SELECT * FROM "payments$files"',
        # names that WITH gives elsewhere: the database's own table would be read
        "SELECT * FROM (WITH payments AS (SELECT 1) SELECT * FROM payments) AS x, payments",
        "WITH a AS (SELECT * FROM payments), payments AS (SELECT 1) SELECT * FROM a",
        "WITH payments AS (SELECT * FROM payments) SELECT * FROM payments",
        "WITH Payments AS (SELECT 1) SELECT * FROM payments",
        "WITH a AS (WITH payments AS (SELECT 1) SELECT * FROM payments) SELECT * FROM a, payments",
        "SELECT 1 WHERE EXISTS (WITH payments AS (SELECT 1) SELECT 1) AND 1 IN (SELECT order_id FROM payments)",
        "SELECT * FROM x UNION ALL (WITH x AS (SELECT 1) SELECT * FROM x)",
    ],
)
def test_no_table_is_read_that_may_not_be_seen(sql: str) -> None:
    with pytest.raises(AccessError):
        sent(sql)


def test_names_that_with_gives_are_no_tables() -> None:
    assert read(sent("WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM b JOIN a ON true")) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "SELECT FROM WHERE",
        "INSERT INTO completed_orders SELECT 1",
        "CREATE TABLE x AS SELECT 1",
        "DELETE FROM completed_orders",
        "UNLOAD (SELECT 1) TO 's3://x' WITH (format = 'JSON')",
        "USING EXTERNAL FUNCTION f(x VARCHAR) RETURNS VARCHAR LAMBDA 'l' SELECT f('x')",
        "PREPARE x FROM SELECT 1",
        "EXECUTE x",
        "SHOW TABLES",
        "EXPLAIN ANALYZE SELECT 1",
        "MSCK REPAIR TABLE x",
        "SELECT * FROM TABLE(system.query(query => 'SELECT 1'))",
        "SELECT * FROM completed_orders FOR VERSION AS OF 3",
        "SELECT * FROM lkc_1.completed_orders",
        'SELECT * FROM "information_schema"."tables"',
        "SELECT * FROM awsdatacatalog.other.completed_orders",
        "SELECT * FROM completed_orders MATCH_RECOGNIZE (PARTITION BY code)",
        "WITH completed_orders AS (SELECT * FROM completed_orders) SELECT * FROM completed_orders",
        "SELECT * FROM completed_orders SORT BY code",
        "SELECT * FROM completed_orders ORDER BY code FETCH FIRST 3 ROWS WITH TIES",
        "SELECT * FROM completed_orders FETCH FIRST 3 PERCENT ROWS ONLY",
        "SELECT * FROM completed_orders WHERE code = ?",
        "SELECT * FROM completed_orders WHERE code = :x",
        "SELECT @x FROM completed_orders",
        "SELECT * FROM completed_orders MATCH_RECOGNIZE (ORDER BY order_id PATTERN (A) DEFINE A AS true)",
        "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t",
        # the inner one is the outer's to our eyes and the database's own to Trino's
        "WITH RECURSIVE payments (c) AS (WITH payments AS (SELECT cc_number FROM payments) "
        "SELECT cc_number FROM payments) SELECT c FROM payments",
        "WITH a AS (WITH A AS (SELECT 1) SELECT * FROM a) SELECT * FROM a",
    ],
)
def test_everything_but_one_select_of_plain_tables_is_refused(sql: str) -> None:
    with pytest.raises(StatementError):
        sent(sql)


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ("", 11),
        ("LIMIT 3", 3),
        ("LIMIT 500", 11),
        ("LIMIT ALL", 11),
        ("FETCH FIRST 3 ROWS ONLY", 3),
        ("OFFSET 2 FETCH NEXT 3 ROWS ONLY", 3),
        ("FETCH FIRST ROW ONLY", 1),
        ("FETCH FIRST 500 ROWS ONLY", 11),
    ],
)
def test_no_more_rows_come_than_are_wanted(given: str, limit: int) -> None:
    query = sent(" ".join(("SELECT * FROM completed_orders ORDER BY order_id", given)))

    [given_out] = query.find_all(exp.Limit, exp.Fetch)
    assert (given_out.expression or given_out.args.get("count") or exp.Literal.number(1)).name == str(limit)
    assert query.args["order"] is not None


def test_card_numbers_in_texts_are_hidden_before_anything_is_reckoned_with_them() -> None:
    query = sent("SELECT reverse(code) FROM completed_orders")

    [view] = [one for one in query.find_all(exp.CTE) if one.alias == "completed_orders"]
    assert [one.this.name for one in view.find_all(exp.RegexpReplace)] == ["code"]
