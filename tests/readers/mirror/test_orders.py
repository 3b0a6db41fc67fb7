"""The orders of the mirror: what is known of them is what the tables themselves say, however they were committed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from dashboard.errors import ReadError
from dashboard.readers.engine import Parameter
from dashboard.readers.lake import ORDERS_TABLE, Lake
from dashboard.readers.lake_table import LakeTable
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from tests.iceberg_tables import NAMESPACE, WINDOW, append, append_orders, orders_table, revenue_table, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENT = timedelta(minutes=1)
RANGE: dict[str, Parameter] = {"start": NOON, "end": NOON + timedelta(hours=1)}
BUCKETS: dict[str, Parameter] = {
    **RANGE,
    "change_1": RANGE["end"],
    "change_2": RANGE["end"],
    "offset_1": 0,
    "offset_2": 0,
    "offset_3": 0,
    "bucket_seconds": 5,
}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def lake(catalog: SqlCatalog) -> Lake:
    return Lake("sqlite", NAMESPACE, catalog)


@pytest.fixture
def revenue(catalog: SqlCatalog) -> Table:
    return revenue_table(catalog)


@pytest.fixture
def orders(catalog: SqlCatalog, revenue: Table) -> Table:
    return orders_table(catalog)


@pytest.fixture
def mirror(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MirrorEngine]:
    monkeypatch.setattr("dashboard.readers.mirror.refresh._ORDERS_AGAIN_SECONDS", 0.0)
    engine = MirrorEngine(lake, tmp_path / "mirror", timedelta(0), PATIENT)
    yield engine
    engine.close()


def said(engine: MirrorEngine | PyicebergEngine) -> list[Any]:
    return [
        engine.ask("revenue_by_bucket", BUCKETS).rows.to_pylist(),
        engine.ask("late_orders", RANGE).rows.to_pylist(),
        engine.ask("revenue_totals", RANGE).rows.to_pylist(),
    ]


def test_late_orders_are_found_and_kept_apart(mirror: MirrorEngine, revenue: Table, orders: Table) -> None:
    append_orders(orders, [(at(1), 1.0), (at(6), 2.0), (at(2), 5.0)])
    append(revenue, [(at(0), "1.00"), (at(5), "2.00")])

    [totals], [late] = said(mirror)[2], said(mirror)[1]

    assert (totals["orders"], totals["uncounted"]) == (2, 0)
    assert (late["window_start"], late["late_orders"], str(late["late_revenue"])) == (NOON, 1, "5.00")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_committed_when_the_mirror_says_what_the_tables_say(
    seed: int, mirror: MirrorEngine, lake: Lake, revenue: Table, orders: Table
) -> None:
    """Orders in the order of one partition, some after their window had closed; both tables commit when they like."""
    dice = random.Random(seed)
    windows: list[tuple[datetime, str]] = []
    stream: list[tuple[datetime, float]] = []
    for number in range(40):
        on_time = [
            (at(5 * number + dice.randrange(5)), float(dice.randrange(1, 500))) for _ in range(dice.randrange(4))
        ]
        stream += on_time
        if on_time:
            windows.append((at(5 * number), f"{sum(amount for _, amount in on_time):.2f}"))
        if dice.random() < 0.3:
            stream.append((at(5 * dice.randrange(number + 1)), float(dice.randrange(1, 500))))
    direct, offset = PyicebergEngine(lake, WINDOW), 0
    while windows or stream:
        if windows and dice.random() < 0.5:
            count = dice.randrange(1, 12)
            append(revenue, windows[:count])
            windows = windows[count:]
        elif stream:
            count = dice.randrange(1, 30)
            append_orders(orders, stream[:count], first_offset=offset)
            stream, offset = stream[count:], offset + count
        assert said(mirror) == said(direct)


def test_what_was_called_late_is_taken_back_when_its_window_comes_after_all(
    mirror: MirrorEngine, lake: Lake, revenue: Table, orders: Table
) -> None:
    append_orders(orders, [(at(1), 5.0), (at(6), 2.0)])
    append(revenue, [(at(5), "2.00")])
    assert len(said(mirror)[1]) == 1

    append(revenue, [(at(0), "5.00")])

    assert said(mirror) == said(PyicebergEngine(lake, WINDOW))
    assert said(mirror)[1] == []


def test_hundreds_of_late_windows_are_all_looked_into(
    mirror: MirrorEngine, lake: Lake, revenue: Table, orders: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.readers.mirror.orders._AT_ONCE", 7)
    append_orders(orders, [(at(5 * n + late), 1.0 + late) for n in range(40) for late in (0, 1)])
    append(revenue, [(at(5 * n), "1.00") for n in range(40)])

    assert len(said(mirror)[1]) == 40
    assert said(mirror) == said(PyicebergEngine(lake, WINDOW))


def test_a_file_that_cannot_be_read_once_leaves_nothing_unjudged(
    mirror: MirrorEngine, lake: Lake, revenue: Table, orders: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LakeTable.read
    failed: list[bool] = []

    def fails_once(self: LakeTable, columns: Any, range_: Any = None, *rest: Any) -> Any:
        if range_ is not None and range_.column == "ts" and range_.start == at(0) and not failed:
            failed.append(True)
            raise ReadError("The file is away.", "Read again.")
        return read(self, columns, range_, *rest)

    monkeypatch.setattr(LakeTable, "read", fails_once)
    append_orders(orders, [(at(1), 1.0), (at(2), 9.0), (at(6), 2.0), (at(7), 9.0)])
    append(revenue, [(at(0), "1.00"), (at(5), "2.00")])

    said(mirror)
    assert failed

    assert len(said(mirror)[1]) == 2
    assert said(mirror) == said(PyicebergEngine(lake, WINDOW))


def test_orders_that_were_taken_back_and_a_table_that_is_gone_are_followed(
    mirror: MirrorEngine, lake: Lake, revenue: Table, orders: Table, catalog: SqlCatalog
) -> None:
    append_orders(orders, [(at(1), 1.0), (at(2), 9.0), (at(6), 2.0), (at(7), 9.0)])
    append(revenue, [(at(0), "1.00"), (at(5), "2.00")])
    assert len(said(mirror)[1]) == 2

    orders.delete(
        "ts = '2026-03-01T12:00:07+00:00'" if "zone" in str(orders.schema()) else "ts = '2026-03-01T12:00:07'"
    )
    append(revenue, [(at(10), "3.00")])
    assert said(mirror) == said(PyicebergEngine(lake, WINDOW))

    catalog.drop_table((NAMESPACE, ORDERS_TABLE))
    append(revenue, [(at(15), "3.00")])
    assert said(mirror) == said(PyicebergEngine(lake, WINDOW))
    assert said(mirror)[1] == []


def test_what_waits_to_be_judged_is_judged_by_the_next_process(
    lake: Lake, revenue: Table, orders: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_orders(orders, [(at(1), 1.0), (at(2), 9.0)])
    append(revenue, [(at(0), "1.00")])
    with monkeypatch.context() as broken:
        broken.setattr("dashboard.readers.mirror.orders.OrderRefresh._judge", lambda *_: None)
        first = MirrorEngine(lake, tmp_path / "mirror", timedelta(0), PATIENT)
        assert said(first)[1] == []
        first.close()

    second = MirrorEngine(lake, tmp_path / "mirror", timedelta(0), PATIENT)

    assert len(said(second)[1]) == 1
    second.close()
