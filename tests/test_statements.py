"""Which statements are kept, and for whom."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from dashboard.access import Role
from dashboard.errors import ReadError
from dashboard.sandbox.process import Found
from dashboard.statements import KEPT_BYTES, Statement, Statements


def kept(statements: Statements, by: str, size: int = 1) -> str:
    statement = Statement(by, Role.VIEWER, "duckdb", datetime.now(UTC))
    name = statements.begin(statement)
    rows = pa.table({"x": pa.array([bytes(size)])})
    statement.result.set_result(Found(rows, False, {}, 0.0, "duckdb"))
    statements.end(name)
    return name


def is_kept(statements: Statements, name: str, by: str) -> bool:
    try:
        return statements.find(name, by, Role.VIEWER).is_done
    except ReadError:
        return False


def test_answers_that_are_kept_have_a_limit_together_and_the_oldest_goes() -> None:
    statements = Statements()
    names = [kept(statements, "vera", KEPT_BYTES // 4) for _ in range(5)]

    assert [is_kept(statements, name, "vera") for name in names] == [False, False, True, True, True]


def test_who_asks_much_pushes_nothing_out_but_their_own_nor_what_runs() -> None:
    statements = Statements()
    ottos = kept(statements, "otto")
    running = statements.begin(Statement("otto", Role.VIEWER, "duckdb", datetime.now(UTC)))
    veras = [kept(statements, "vera") for _ in range(40)]

    assert is_kept(statements, ottos, "otto")
    assert not statements.find(running, "otto", Role.VIEWER).is_done
    assert not is_kept(statements, veras[0], "vera")
    assert is_kept(statements, veras[-1], "vera")


def test_what_is_kept_is_for_whoever_began_it_as_they_were_then() -> None:
    statements = Statements()
    name = kept(statements, "vera")

    for by, role in (("otto", Role.VIEWER), ("vera", Role.OPS), ("vera", None)):
        with pytest.raises(ReadError, match="kept no more"):
            statements.find(name, by, role)
