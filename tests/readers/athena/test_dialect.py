"""What is sent to Athena is in its dialect, which nothing here can run: each statement is parsed as Trino's.

Read back as DuckDB's, it must answer as DuckDB's own text does, over rows that are hard to sum.
"""

from datetime import timedelta

import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from dashboard.readers.questions import at_snapshots, compose, question_names
from tests.readers.athena_world import START, duckdbs

FORMS = {"whole": (), "without orders": (("on_time_orders", "no_orders"), ("dated_orders", "no_orders"))}
SECONDS = st.integers(0, 7200).map(lambda seconds: START + timedelta(seconds=seconds))
CENTS = st.none() | st.decimals(-10, 10, places=2)
"""Small, so that orders often sum up to the amount of a window."""


@pytest.mark.parametrize("instead", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("question", question_names())
@pytest.mark.parametrize("dialect", ["athena", "trino"])
def test_every_statement_is_athenas(question: str, instead: tuple[tuple[str, str], ...], dialect: str) -> None:
    text = compose(question, "direct", instead).text
    pinned = at_snapshots(text, {"revenue_summary": "FOR VERSION AS OF 5", "completed_orders": "FOR VERSION AS OF 6"})

    statement = sqlglot.parse_one(pinned, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)

    assert not list(statement.find_all(exp.Command, exp.Anonymous)), "a function that Trino does not have"
    versions = {
        one.name: one.args["version"].expression.name
        for one in statement.find_all(exp.Table)
        if one.args.get("version")
    }
    wanted = {name: id for name, id in (("revenue_summary", "5"), ("completed_orders", "6")) if f"{name} FOR" in pinned}
    assert versions == wanted


@pytest.mark.parametrize("question", question_names())
def test_no_time_is_cut_to_milliseconds(question: str) -> None:
    statement = sqlglot.parse_one(compose(question, "direct").text, dialect="athena")

    casts = [one for one in statement.find_all(exp.Cast) if one.to.is_type(exp.DataType.Type.TIMESTAMP)]

    # TIMESTAMP alone has three digits in Athena, and rounds to them
    assert all(one.to.expressions for one in casts), [one.sql("athena") for one in casts]


@settings(max_examples=25, deadline=None)
@given(
    windows=st.lists(st.tuples(SECONDS, CENTS), max_size=12),
    orders=st.lists(st.tuples(SECONDS, st.integers(-1000, 1000).map(lambda cents: cents / 100)), max_size=12),
    question=st.sampled_from(question_names()),
)
def test_read_back_as_duckdbs_it_gives_the_same_rows(
    windows: list[tuple[object, object]], orders: list[tuple[object, float]], question: str
) -> None:
    tables = {"revenue_summary": summary(windows), "completed_orders": completed(orders)}
    athenas = sqlglot.parse_one(compose(question, "direct").text, dialect="athena")

    assert duckdbs(question, tables, text=athenas.sql(dialect="duckdb")).equals(duckdbs(question, tables))


def summary(rows: list[tuple[object, object]]) -> pa.Table:
    starts = pa.array([start for start, _ in rows], pa.timestamp("us"))
    ends = pa.array([start + timedelta(seconds=5) for start, _ in rows], pa.timestamp("us"))  # type: ignore[operator]
    amounts = pa.array([amount for _, amount in rows], pa.decimal128(18, 2))
    return pa.table([starts, ends, amounts], names=["window_start", "window_end", "total_revenue"])


def completed(rows: list[tuple[object, float]]) -> pa.Table:
    times = pa.array([at for at, _ in rows], pa.timestamp("us"))
    places = [pa.array([0] * len(rows), pa.int32()), pa.array(range(len(rows)), pa.int64())]
    amounts = pa.array([amount for _, amount in rows], pa.float64())
    return pa.table([times, amounts, *places], names=["ts", "amount", "$$partition", "$$offset"])
