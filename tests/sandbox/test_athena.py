"""SQL of people on the fake of Athena, which runs it over published tables; the real one nobody here can reach."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard.errors import AccessError, ReadError
from dashboard.readers.engine import WITHOUT_HASTE, Limits
from dashboard.readers.lake_table import Column
from dashboard.sandbox import athena
from dashboard.sandbox.athena import AthenaSandbox
from tests.conftest import eventually
from tests.fakes.aws import Aws
from tests.readers.athena_world import START, World, served_aws, world


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with served_aws() as fake:
        yield fake


@pytest.fixture
def tables(aws: Aws, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, aws) as made:
        made.revenue((START, "1.10"), (START + timedelta(seconds=5), "2.20"))
        yield made


@pytest.fixture
def sandbox(tables: World) -> Iterator[AthenaSandbox]:
    made = AthenaSandbox(tables.access(), ["revenue_summary", "payments"])
    yield made
    made.close()


def revenue_alone(name: str, columns: list[Column]) -> tuple[str, list[Column]]:
    if name.lower() != "revenue_summary":
        raise AccessError(f"Seeing the table {name} is for ops.")
    return "revenue_summary", [one for one in columns if one.name != "window_end"]


def test_it_runs_over_what_may_be_seen_and_tells_what_it_scanned(tables: World, sandbox: AthenaSandbox) -> None:
    found = sandbox.run("SELECT * FROM Revenue_Summary ORDER BY window_start", revenue_alone, 1, WITHOUT_HASTE)

    assert found.rows["total_revenue"].to_pylist() == [Decimal("1.10")]
    assert found.is_cut
    assert "window_end" not in found.rows.schema.names
    assert found.engine == "athena"
    assert (found.scanned_bytes or 0) > 0
    assert found.snapshots["revenue_summary"].rows == 2
    [sent] = [one["QueryString"] for one in tables.aws.athena.submitted]
    assert sent.endswith("LIMIT 2")


def test_what_may_not_be_seen_is_neither_looked_up_nor_sent(tables: World, sandbox: AthenaSandbox) -> None:
    with pytest.raises(AccessError):
        sandbox.run("SELECT * FROM payments", revenue_alone, 10, WITHOUT_HASTE)

    assert tables.aws.athena.submitted == []


def test_an_answer_is_cut_at_the_bytes_that_it_may_have(
    sandbox: AthenaSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena, "ANSWER_BYTES", 1_000)

    found = sandbox.run("SELECT rpad('', 600, 'x') AS x FROM revenue_summary", revenue_alone, 10, WITHOUT_HASTE)

    assert (len(found.rows), found.is_cut) == (1, True)


def test_a_per_cent_sign_is_one(sandbox: AthenaSandbox) -> None:
    sql = "SELECT '10%' AS share, 'a%s' LIKE 'a%' AS fits FROM revenue_summary"

    assert sandbox.run(sql, revenue_alone, 1, WITHOUT_HASTE).rows.to_pylist() == [{"share": "10%", "fits": True}]


def test_a_statement_that_nobody_waits_for_is_stopped_in_athena(tables: World, sandbox: AthenaSandbox) -> None:
    tables.aws.athena.hold()
    unwanted = threading.Event()
    threading.Timer(0.3, unwanted.set).start()

    with pytest.raises(ReadError, match="cancelled"):
        sandbox.run("SELECT * FROM revenue_summary", revenue_alone, 10, Limits(timedelta(seconds=20), unwanted))

    eventually(lambda: tables.aws.athena.stopped, 5, 0.05)
