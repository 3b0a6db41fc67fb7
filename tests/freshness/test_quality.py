"""What must hold of topics and tables, over real tables and with each fault in them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from dashboard.deploy.checks import CheckResult
from dashboard.errors import DeployError, UnreachableError
from dashboard.freshness.quality import Outcome, QualityChecks, QualityResult
from dashboard.readers.lake import Lake
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from tests.iceberg_tables import NAMESPACE, WINDOW, append, append_orders, orders_table, revenue_table, sqlite_catalog

RULES = [("payments-counted-twice", "No payment is counted twice")]
SETTLING = timedelta(milliseconds=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def engine(catalog: SqlCatalog) -> PyicebergEngine:
    return PyicebergEngine(Lake("sqlite", NAMESPACE, catalog), WINDOW)


def noon() -> datetime:
    """A window's start an hour ago, at a whole minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)


def nothing(_name: str, _limit: int) -> CheckResult:
    return CheckResult(["order_id", "times"], [], False, "")


def asked(engine: PyicebergEngine, check: object = nothing) -> dict[str, QualityResult]:
    checks = QualityChecks(check, RULES, lambda: engine, SETTLING)  # type: ignore[arg-type]
    first = {one.name for one in checks.run()}
    assert first == {"payments-counted-twice", "windows-once"}, "both tables are given time to hold the same"
    time.sleep(0.01)
    return {one.name: one for one in checks.run()}


def test_all_is_as_it_should_be_and_late_orders_are_told_apart(catalog: SqlCatalog, engine: PyicebergEngine) -> None:
    start = noon()
    append(revenue_table(catalog), [(start, "3.00"), (start + WINDOW, "4.00")])
    orders = orders_table(catalog)
    append_orders(orders, [(start, 1.0), (start + WINDOW / 2, 2.0), (start + WINDOW, 4.0)])
    append_orders(orders, [(start, 0.5)], first_offset=3)

    results = asked(engine)

    assert results.keys() == QualityChecks(nothing, RULES, lambda: engine, SETTLING).names
    assert {one.outcome for one in results.values()} == {Outcome.PASSED}
    late = results["late-orders"]
    assert (late.found, late.money) == (1, Decimal("0.50"))
    assert "1 order of 0.50 in 1 window" in late.told


def test_each_fault_fails_its_own_check_alone(catalog: SqlCatalog, engine: PyicebergEngine) -> None:
    start = noon()
    append(
        revenue_table(catalog),
        [(start, "3.00"), (start + WINDOW, "4.00"), (start + WINDOW, "4.00"), (start + 2 * WINDOW, None)],
    )
    append_orders(orders_table(catalog), [(start, 2.99), (start + WINDOW, 4.0)])
    results = asked(engine, lambda _name, _limit: CheckResult(["order_id", "times"], [[7, 2]], False, ""))

    assert (results["payments-counted-twice"].outcome, results["payments-counted-twice"].found) == (Outcome.FAILED, 1)
    assert (results["windows-once"].outcome, results["windows-once"].found) == (Outcome.FAILED, 2)
    unlike = results["orders-sum-up"]
    assert unlike.outcome is Outcome.FAILED
    assert unlike.found is not None
    assert unlike.found >= 1
    assert results["late-orders"].outcome is Outcome.PASSED


def test_windows_that_came_since_the_run_before_are_not_judged(catalog: SqlCatalog, engine: PyicebergEngine) -> None:
    start, table = noon(), revenue_table(catalog)
    append(table, [(start, "3.00")])
    append_orders(orders_table(catalog), [(start, 3.0)])
    checks = QualityChecks(nothing, RULES, lambda: engine, SETTLING)
    list(checks.run())
    append(table, [(start + WINDOW, "4.00")])  # its orders are not committed yet
    time.sleep(0.01)

    first = {one.name: one for one in checks.run()}["orders-sum-up"]
    assert (first.outcome, "each of 1 window" in first.told) == (Outcome.PASSED, True)
    time.sleep(0.01)
    assert {one.name: one for one in checks.run()}["orders-sum-up"].outcome is Outcome.FAILED


def test_what_cannot_be_asked_is_unknown_and_leaves_the_others(engine: PyicebergEngine, catalog: SqlCatalog) -> None:
    append(revenue_table(catalog), [(noon(), "3.00")])

    def away(_name: str, _limit: int) -> CheckResult:
        raise UnreachableError("Flink did not answer.", "Start it.")

    results = asked(engine, away)
    assert results["payments-counted-twice"].outcome is Outcome.UNKNOWN
    assert results["payments-counted-twice"].told == "Flink did not answer. Start it."
    assert results["windows-once"].outcome is Outcome.PASSED


def test_without_a_table_nothing_is_wrong_yet(engine: PyicebergEngine) -> None:
    checks = QualityChecks(nothing, RULES, lambda: engine, SETTLING)
    for _ in range(2):
        assert {one.outcome for one in checks.run()} == {Outcome.PASSED}


def test_a_check_that_is_refused_is_unknown(engine: PyicebergEngine, catalog: SqlCatalog) -> None:
    def refused(_name: str, _limit: int) -> CheckResult:
        raise DeployError("Flink refused: no slots.")

    append(revenue_table(catalog), [(noon(), "3.00")])
    assert asked(engine, refused)["payments-counted-twice"].outcome is Outcome.UNKNOWN
