"""Which SQL is run, and that what would not be admitted finds nothing either."""

import json
from functools import cache, partial

import duckdb
import pyarrow as pa
import pytest

from dashboard.sandbox.admission import ALL_TABLES, Refused, admitted
from dashboard.sandbox.worker import CLOSED

_parser = cache(partial(duckdb.connect, config=CLOSED))


def tables(sql: str) -> list[str]:
    [told] = _parser().execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone() or [""]
    tree = json.loads(told)
    if tree["error"]:
        raise Refused(tree["error_message"])
    return admitted(tree)


READS = {
    "SELECT 1": [],
    "FROM a": ["a"],
    "TABLE a": ["a"],
    "VALUES (1)": [],
    'SELECT * FROM "shiftleft.public.orders"': ["shiftleft.public.orders"],
    "SELECT (SELECT max(x) FROM a) FROM b WHERE y IN (SELECT y FROM c)": ["a", "b", "c"],
    "WITH a AS (SELECT * FROM b) SELECT * FROM A": ["b"],
    "SELECT * FROM a UNION ALL BY NAME SELECT * FROM b": ["a", "b"],
    # a name that WITH gives elsewhere is a table's
    "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS x, a": ["a"],
    "WITH b AS (FROM a), a AS (FROM b) FROM a": ["a"],
    "WITH a AS (FROM a) FROM a": ["a"],
    "WITH a AS (SELECT 1) SELECT (SELECT max(x) FROM a) FROM (FROM a) WHERE 1 IN (FROM a)": [],
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t": [],
    "WITH RECURSIVE t AS (FROM t) FROM t": ["t"],
    "WITH a AS (SELECT 1 AS x), b AS (FROM a UNION ALL FROM a) FROM b UNION ALL FROM a": [],
    "SELECT * FROM a POSITIONAL JOIN b": ["a", "b"],
    "SELECT * FROM (PIVOT a ON x IN (1) USING sum(y))": ["a"],
    "SELECT list_transform([1], lambda x: x + 1) FROM range(3)": [],
    "DESCRIBE a": ["a"],
    "SUMMARIZE SELECT * FROM a": ["a"],
    "SHOW TABLES": [ALL_TABLES],
    "SELECT 1;": [],
}


@pytest.mark.parametrize("sql", READS)
def test_what_only_reads_is_admitted_with_the_tables_it_names(sql: str) -> None:
    assert sorted(tables(sql)) == sorted(READS[sql])


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE a",
        "INSERT INTO a VALUES (1)",
        "CREATE TABLE b AS SELECT * FROM a",
        "CREATE MACRO f(x) AS x",
        "CREATE SECRET s (TYPE s3)",
        "COPY a TO 'a.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPORT DATABASE 'x'",
        "ATTACH 'x.duckdb'",
        "USE x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET memory_limit",
        "PRAGMA version",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE x AS SELECT 1",
        "BEGIN",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('file:///etc/passwd')",
        "SELECT * FROM READ_CSV_AUTO('x')",
        "FROM glob('/*')",
        "SELECT * FROM iceberg_scan('x')",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT * FROM sniff_csv('x')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('a')",
        "SELECT * FROM (WITH duckdb_databases AS (SELECT 1) SELECT 1), duckdb_databases",
        "WITH Pg_class AS (SELECT 1) FROM pg_class",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM pragma_table_info('a')",
        "SELECT * FROM json_execute_serialized_sql('x')",
        "SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
        "SELECT * FROM pandas_scan(1::POINTER)",
        "SELECT * FROM (SELECT * FROM a, LATERAL (SELECT * FROM read_blob(a.x)))",
        "WITH t AS MATERIALIZED (FROM read_text('x')) SELECT 1",
        "SELECT 1 WHERE EXISTS (FROM read_text('x'))",
        "SELECT current_setting('secret_directory')",
        "SELECT getenv('HOME')",
        "SELECT x FROM a ORDER BY (SELECT getenv('HOME'))",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM main.a",
        "SELECT * FROM a AT (VERSION => 3)",
    ],
)
def test_what_writes_or_reads_anything_but_tables_is_refused(sql: str) -> None:
    with pytest.raises(Refused):
        tables(sql)


@pytest.mark.parametrize("sql", ["SELECT * FROM 'x.csv'", 'SELECT * FROM "/etc/passwd"', "FROM 's3://x/y.parquet'"])
def test_a_file_in_the_place_of_a_table_is_a_table_that_nobody_lends(sql: str) -> None:
    assert len(tables(sql)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd.csv'",
        "COPY (SELECT 1) TO '/tmp/sales-trends-escape.csv'",
        "ATTACH '/tmp/sales-trends-escape.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET lock_configuration = false",
        "SELECT * FROM secret_of_this_process",
        "SELECT * FROM iceberg_scan('x')",
    ],
)
def test_what_would_be_refused_reaches_nothing_if_it_were_run(sql: str) -> None:
    secret_of_this_process = pa.table({"card": ["4111"]})
    with duckdb.connect(config=CLOSED) as connection:
        connection.execute("SET lock_configuration = true")
        with pytest.raises(duckdb.Error):
            connection.execute(sql).fetchall()
    assert len(secret_of_this_process) == 1
