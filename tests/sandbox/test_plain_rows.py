"""Values that DuckDB has and Python, CSV or Parquet have not."""

import duckdb
import pyarrow as pa
import pytest

from dashboard.readers.lake_table import normalised
from dashboard.sandbox.plain_rows import plain_rows
from dashboard.shown_rows import answer_as_csv, answer_as_parquet


def plain(sql: str) -> pa.Table:
    with duckdb.connect() as connection:
        return plain_rows(normalised(connection.execute(f"SELECT {sql} AS x").to_arrow_table()))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("INTERVAL '14 months 3 days 04:05:06.5'", "14 months 3 days 04:05:06.500000"),
        ("INTERVAL '-5 seconds'", "-00:00:05"),
        ("NULL::INTERVAL", None),
        ("[INTERVAL 1 MONTH]", '["1 months"]'),
        ("union_value(k := 1)", "1"),
        ("{'a': union_value(k := 'y')}", '{"a": "y"}'),
        ("MAP {'a': INTERVAL 1 DAY}", '[["a", "1 days"]]'),
    ],
)
def test_what_python_csv_or_parquet_does_not_know_is_text(sql: str, told: str | None) -> None:
    rows = plain(sql)

    assert rows["x"].to_pylist() == [told]
    assert answer_as_csv(rows)
    assert answer_as_parquet(rows)


@pytest.mark.parametrize(
    "sql",
    ["TIMESTAMP '290000-01-01'", "'infinity'::TIMESTAMP", "'infinity'::DATE", "DATE '12000-01-01'"],
)
@pytest.mark.parametrize("nested", ["{}", "[{}]", "{{'a': {}}}", "[[{}, NULL]]", "MAP {{'a': {}}}"])
def test_times_that_python_has_not_are_text(sql: str, nested: str) -> None:
    rows = plain(nested.format(sql))

    assert rows["x"].type == pa.string()
    assert isinstance(rows["x"][0].as_py(), str)
    assert answer_as_csv(rows)
    assert answer_as_parquet(rows)


@pytest.mark.parametrize(
    "sql", ["TIMESTAMP '2026-01-01'", "[1, NULL]", "{'a': DATE '2026-01-01'}", "1.10", "NULL", "'x'"]
)
def test_everything_else_is_as_it_was(sql: str) -> None:
    with duckdb.connect() as connection:
        rows = normalised(connection.execute(f"SELECT {sql} AS x").to_arrow_table())

    assert plain_rows(rows).equals(rows)
