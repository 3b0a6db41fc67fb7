"""One question, one answer: every engine is asked of the same tables, of as many kinds as writers make."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BinaryType,
    DecimalType,
    IntegerType,
    LongType,
    MapType,
    NestedField,
    StringType,
    TimestampType,
)

from dashboard.errors import ReadError, UnreachableError
from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.readers.duckdb_catalog import AttachedCatalog, database
from dashboard.readers.engine import Engine, Limits
from dashboard.readers.lake import Lake
from dashboard.readers.questions import question_names
from dashboard.readers.zones import EARLIEST, LATEST
from tests.conftest import free_ports
from tests.engines import ENGINES, agreed, parameters_of_all
from tests.equality_deletes import delete_by_value
from tests.iceberg_tables import (
    WINDOW,
    Row,
    append,
    append_orders,
    commit_nothing,
    orders_table,
    revenue_rows,
    revenue_table,
    served_catalog,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PARAMETERS = parameters_of_all(NOON - DAY, NOON + DAY, ZoneInfo("Asia/Kathmandu"))

EVER = {"revenue_extent": {"start": EARLIEST, "end": LATEST}}


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass(frozen=True)
class World:
    """A namespace of its own, and one engine of each kind that reads it."""

    uri: str
    namespace: str
    catalog: Catalog
    engines: dict[str, Engine]
    folder: Path
    """For what engines keep."""

    def revenue(self, *rows: Row, zoned: bool = False) -> Table:
        table = revenue_table(self.catalog, zoned=zoned, namespace=self.namespace)
        if rows:
            append(table, rows)
        return table

    def made(self, *fields: NestedField) -> Table:
        self.catalog.create_namespace_if_not_exists(self.namespace)
        return self.catalog.create_table((self.namespace, "revenue_summary"), Schema(*fields))

    @contextmanager
    def duckdb(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """DuckDB as a writer."""
        catalog = AttachedCatalog(CatalogAccess(self.uri, self.namespace))
        catalog.attach(database())
        with closing(database().cursor()) as cursor:
            cursor.execute(f'USE {catalog.name}."{self.namespace}"')
            yield cursor
        catalog.detach(database())

    def answers(self, snapshot_id: int | None = None) -> dict[str, list[dict[str, Any]]]:
        """What every engine says to every question, the same from all of them to the last type."""
        agreed(self.engines.values(), EVER, snapshot_id)
        return agreed(self.engines.values(), PARAMETERS, snapshot_id)

    def windows(self, snapshot_id: int | None = None) -> list[tuple[int, str | None]]:
        """The windows that all engines agree on: seconds after noon, and the total."""
        return [
            (int((row["window_start"] - NOON).total_seconds()), row["total_revenue"] and str(row["total_revenue"]))
            for row in self.answers(snapshot_id)["revenue_windows"]
        ]

    def refusal(self, engine: str, question: str = "revenue_totals", snapshot_id: int | None = None) -> str:
        with pytest.raises(ReadError) as refused:
            self.engines[engine].ask(question, PARAMETERS[question], snapshot_id=snapshot_id)
        assert refused.value.hint
        return refused.value.message


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_catalog(tmp_path_factory.mktemp("catalog")) as uri:
        yield uri


NUMBERS = count(1)


@pytest.fixture
def world(uri: str, tmp_path: Path) -> Iterator[World]:
    namespace = f"lkc-{next(NUMBERS)}"
    lake = Lake(uri, namespace)
    catalog = open_catalog(CatalogAccess(uri, namespace))
    engines = {name: make(lake, WINDOW, tmp_path) for name, make in ENGINES.items()}
    yield World(uri, namespace, catalog, engines, tmp_path)
    for engine in engines.values():
        engine.close()


def test_there_are_parameters_for_every_question() -> None:
    assert sorted(PARAMETERS) == question_names()


# nothing there


def test_no_table_has_no_rows_and_no_snapshot_and_the_columns_of_the_question(world: World) -> None:
    found = world.answers()

    assert found["revenue_windows"] == found["revenue_by_day"] == found["revenue_by_bucket"] == []
    assert found["revenue_totals"][0]["windows"] == 0
    empty = world.engines["duckdb"].ask("revenue_windows", PARAMETERS["revenue_windows"])
    assert empty.snapshot is None
    assert empty.rows.schema.names == ["window_start", "window_end", "total_revenue"]


def test_an_empty_table_has_no_rows_and_one_whose_rows_are_all_deleted_neither(world: World) -> None:
    table = world.revenue()
    assert world.windows() == []

    append(table, [(at(0), "1.00")])
    table.delete()

    assert world.windows() == []


def test_an_empty_answer_has_the_types_of_a_full_one(world: World) -> None:
    before = {name: world.engines["pyiceberg"].ask(name, PARAMETERS[name]).rows.schema for name in question_names()}
    world.revenue((at(0), "1.00"))

    for engine in world.engines.values():
        assert {name: engine.ask(name, PARAMETERS[name]).rows.schema for name in question_names()} == before


# what Python writes


@pytest.mark.parametrize("zoned", [False, True])
def test_times_with_and_without_a_zone(world: World, zoned: bool) -> None:
    world.revenue((at(5), "2.20"), (at(0), "1.10"), (at(86_399), "3.30"), (at(86_400), "9.99"), zoned=zoned)
    placed = orders_table(world.catalog, zoned=zoned, namespace=world.namespace)
    append_orders(placed, [(at(1), 1.1), (at(9), 1.005), (at(5), 1.19), (at(2), 7.0)])

    found = world.answers()

    assert [row["total_revenue"] for row in found["revenue_windows"]] == [
        Decimal("1.10"),
        Decimal("2.20"),
        Decimal("3.30"),
    ]
    assert found["revenue_totals"] == [
        {
            "windows": 3,
            "revenue": Decimal("6.60"),
            "orders": 3,
            "uncounted": 1,
            "faults": 0,
        }
    ]
    assert [(row["local_day"].day, row["windows"]) for row in found["revenue_by_day"]] == [(1, 2), (2, 1)]


def test_doubled_windows_and_missing_amounts_are_faults_in_every_engine(world: World) -> None:
    table = world.revenue((at(0), "1.00"), (at(5), None))
    append(table, [(at(0), "1.00"), (at(10), "2.00")])

    found = world.answers()

    assert [row["fault"] for row in found["revenue_faults"]] == ["doubled", "no amount"]
    assert found["revenue_totals"][0]["faults"] == 2


@pytest.mark.parametrize("question", ["revenue_extent", "newest_window"])
def test_where_all_windows_begin_and_end_is_one_thing_to_every_engine(world: World, question: str) -> None:
    table = world.revenue(*((at(7 * n), "1.00") for n in range(0, 9000, 100)))
    table.append(revenue_rows(table, [(at(9_002), "1.00")], DAY))
    append(table, [(at(-86_400), "1.00")])

    for start in (EARLIEST, at(-86_395), at(0)):
        [found] = agreed(world.engines.values(), {question: {"start": start, "end": LATEST}})[question]
        assert found["newest_end" if question == "revenue_extent" else "window_end"] == at(9_002) + DAY


def test_columns_of_tableflow_that_nobody_asks_for_are_no_matter(world: World) -> None:
    table = world.made(
        NestedField(1, "key", BinaryType()),
        NestedField(2, "window_start", TimestampType()),
        NestedField(3, "window_end", TimestampType()),
        NestedField(4, "total_revenue", DecimalType(18, 2)),
        NestedField(5, "$$topic", StringType()),
        NestedField(6, "$$partition", IntegerType()),
        NestedField(7, "$$offset", LongType()),
        NestedField(8, "$$leader-epoch", IntegerType()),
        NestedField(9, "$$headers", MapType(10, StringType(), 11, BinaryType())),
    )
    rows = revenue_rows(table, [(at(0), "1.00"), (at(5), "2.00")])
    table.append(rows.append_column("key", pa.array([b"\0", b"\1"], pa.binary())))

    assert world.windows() == [(0, "1.00"), (5, "2.00")]


# changed tables


def test_a_column_that_was_added_and_one_that_was_renamed(world: World) -> None:
    table = world.made(
        NestedField(1, "total_revenue", IntegerType()),
        NestedField(2, "window_start", TimestampType()),
        NestedField(3, "window_end", TimestampType()),
        NestedField(4, "revenue", DecimalType(18, 2)),
    )
    table.append(
        revenue_rows(table, [(at(0), None)]).append_column(
            "revenue", pa.array([Decimal("1.00")]).cast(pa.decimal128(18, 2))
        )
    )
    with table.update_schema() as changed:
        changed.rename_column("total_revenue", "orders")
        changed.rename_column("revenue", "total_revenue")
        changed.add_column("note", StringType())
    append(table, [(at(5), "2.00")])

    assert world.windows() == [(0, "1.00"), (5, "2.00")]


def test_an_older_state_is_read_with_the_columns_that_it_had_or_refused_with_the_reason(world: World) -> None:
    table = world.made(
        NestedField(1, "window_start", TimestampType()),
        NestedField(2, "window_end", TimestampType()),
        NestedField(3, "revenue", DecimalType(18, 2)),
    )
    table.append(revenue_rows(table, [(at(0), None)]))
    before = table.metadata.current_snapshot_id
    with table.update_schema() as changed:
        changed.rename_column("revenue", "total_revenue")
    append(table, [(at(5), "2.00")])

    assert world.windows() == [(0, None), (5, "2.00")]
    for engine in ENGINES:
        assert "total_revenue" in world.refusal(engine, snapshot_id=before)


def test_amounts_that_were_widened(world: World) -> None:
    table = world.made(
        NestedField(1, "window_start", TimestampType()),
        NestedField(2, "window_end", TimestampType()),
        NestedField(3, "total_revenue", DecimalType(10, 2)),
    )
    append(table, [(at(0), "12345678.90")])
    before = table.metadata.current_snapshot_id
    with table.update_schema() as changed:
        changed.update_column("total_revenue", DecimalType(18, 2))
    assert world.windows() == [(0, "12345678.90")]
    append(table, [(at(5), "9999999999999999.99")])

    assert world.windows() == [(0, "12345678.90"), (5, "9999999999999999.99")]
    assert world.answers()["revenue_totals"][0]["revenue"] == Decimal("10000000012345678.89")
    assert world.windows(before) == [(0, "12345678.90")]


def test_a_partitioning_that_was_changed(world: World) -> None:
    table = world.revenue((at(0), "1.00"))
    with table.update_spec() as changed:
        changed.add_field("$$partition", IdentityTransform())
    append(table, [(at(5), "2.00")])
    with world.duckdb() as writer:
        writer.execute("ALTER TABLE revenue_summary SET PARTITIONED BY (day(window_start))")
        writer.executemany(
            "INSERT INTO revenue_summary VALUES ($1, $1 + INTERVAL 5 SECOND, $2, 0, 0)",
            [(naive(10), Decimal("3.00")), (naive(-43_205), Decimal("4.00"))],
        )

    assert world.windows() == [(-43_205, "4.00"), (0, "1.00"), (5, "2.00"), (10, "3.00")]


def naive(seconds: int) -> datetime:
    return at(seconds).replace(tzinfo=None)


# deleted and changed rows


def test_what_duckdb_writes(world: World) -> None:
    world.catalog.create_namespace(world.namespace)
    with world.duckdb() as writer:
        writer.execute(
            "CREATE TABLE revenue_summary AS SELECT r AS window_start, r + INTERVAL 5 SECOND AS window_end,"
            " CAST(1.25 AS DECIMAL(18, 2)) AS total_revenue FROM range(TIMESTAMP '2026-03-01 12:00:00',"
            " TIMESTAMP '2026-03-01 12:00:20', INTERVAL 5 SECOND) AS t (r)"
        )

    assert world.windows() == [(0, "1.25"), (5, "1.25"), (10, "1.25"), (15, "1.25")]


def test_position_deletes_and_rows_that_were_changed(world: World) -> None:
    table = world.revenue(*[(at(5 * n), "1.00") for n in range(4)])
    first = table.metadata.current_snapshot_id
    with world.duckdb() as writer:
        writer.execute("DELETE FROM revenue_summary WHERE window_start = TIMESTAMP '2026-03-01 12:00:05'")
        writer.execute(
            "UPDATE revenue_summary SET total_revenue = 7 WHERE window_start = TIMESTAMP '2026-03-01 12:00:10'"
        )
    table.refresh()
    summary = table.metadata.snapshots[1].summary
    assert summary is not None
    assert summary.additional_properties["added-position-deletes"] == "1", "the test means position deletes"

    assert world.windows() == [(0, "1.00"), (10, "7.00"), (15, "1.00")]
    assert world.windows(first) == [(0, "1.00"), (5, "1.00"), (10, "1.00"), (15, "1.00")]


def test_rows_that_were_deleted_by_writing_their_files_anew(world: World) -> None:
    table = world.revenue(*[(at(5 * n), "1.00") for n in range(3)])
    table.delete("window_start = '2026-03-01T12:00:05'")

    assert world.windows() == [(0, "1.00"), (10, "1.00")]


def test_equality_deletes_are_read_right_or_refused_with_the_reason(world: World) -> None:
    table = world.revenue(*[(at(5 * n), "1.00") for n in range(3)])
    delete_by_value(world.catalog, table, "window_start", [at(5)])

    assert "does not yet support equality deletes" in world.refusal("pyiceberg")
    rows = world.engines["duckdb"].ask("revenue_windows", PARAMETERS["revenue_windows"]).rows
    assert rows["window_start"].to_pylist() == [at(0), at(10)]


# states


def test_a_branch_beside_the_main_one_is_not_read(world: World) -> None:
    table = world.revenue((at(0), "1.00"))
    table.manage_snapshots().create_branch(table.metadata.current_snapshot_id or 0, "audit").commit()
    table.append(revenue_rows(table, [(at(5), "2.00")]), branch="audit")

    assert world.windows() == [(0, "1.00")]
    assert world.windows(table.metadata.refs["audit"].snapshot_id) == [(0, "1.00"), (5, "2.00")]


def test_a_state_that_was_rolled_back(world: World) -> None:
    table = world.revenue((at(0), "1.00"))
    first = table.metadata.current_snapshot_id or 0
    append(table, [(at(5), "2.00")])
    second = table.metadata.current_snapshot_id
    assert world.windows() == [(0, "1.00"), (5, "2.00")]

    table.manage_snapshots().rollback_to_snapshot(first).commit()

    assert world.windows() == [(0, "1.00")]
    assert world.windows(second) == [(0, "1.00"), (5, "2.00")]
    append(table, [(at(10), "3.00")])
    assert world.windows() == [(0, "1.00"), (10, "3.00")]


def test_a_table_that_was_dropped_and_made_again(world: World) -> None:
    old = world.revenue((at(0), "1.00")).metadata.current_snapshot_id
    assert world.windows() == [(0, "1.00")]
    world.catalog.drop_table((world.namespace, "revenue_summary"))
    assert world.windows() == []

    world.revenue((at(5), "2.00"), zoned=True)

    assert world.windows() == [(5, "2.00")]
    for engine in ENGINES:
        assert "not known any more" in world.refusal(engine, snapshot_id=old)


def test_hundreds_of_snapshots_each_of_which_can_be_asked_about(world: World) -> None:
    table = world.revenue((at(0), "1.00"))
    for n in (1, 2, 3):
        table = commit_nothing(world.catalog, table, 100)
        append(table, [(at(5 * n), "1.00")])
    snapshots = [snapshot.snapshot_id for snapshot in table.metadata.snapshots]

    assert len(world.windows()) == 4
    assert len(snapshots) == 304
    assert len(world.windows(snapshots[150])) == 2
    assert len(world.windows(snapshots[201])) == 2
    assert len(world.windows(snapshots[202])) == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_that_was_never_there_is_refused(world: World, engine: str) -> None:
    assert "12345" in world.refusal(engine, snapshot_id=12345)
    world.revenue((at(0), "1.00"))
    assert "12345" in world.refusal(engine, snapshot_id=12345)


# while somebody writes


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_is_of_one_state_whatever_is_committed_meanwhile(world: World, engine: str) -> None:
    """Every commit changes all windows at once: an answer that mixed two states would hold two totals."""
    table = world.revenue((at(0), "0.00"), (at(5), "0.00"))
    stop, written = threading.Event(), {table.metadata.current_snapshot_id: 0}

    def write() -> None:
        for total in range(1, 1000):
            if stop.is_set():
                return
            table.overwrite(revenue_rows(table, [(at(5 * n), f"{total}.00") for n in range(2 + total % 3)]))
            written[table.metadata.current_snapshot_id] = total

    writer = threading.Thread(target=write)
    writer.start()
    answers = [world.engines[engine].ask("revenue_windows", PARAMETERS["revenue_windows"]) for _ in range(8)]
    stop.set()
    writer.join()

    for answer in answers:
        assert answer.snapshot is not None
        total = written[answer.snapshot.id]
        assert answer.rows["total_revenue"].to_pylist() == [Decimal(total)] * (2 + total % 3)
    assert len({answer.snapshot for answer in answers}) > 1, "nothing was written meanwhile"


class MeddledCatalog:
    """Does something to the tables just after somebody looked one up."""

    def __init__(self, catalog: Catalog, *meddle: Callable[[], object]) -> None:
        self._catalog = catalog
        self._meddle = list(meddle)

    def load_table(self, identifier: tuple[str, str]) -> Table:
        found = self._catalog.load_table(identifier)
        if self._meddle:
            self._meddle.pop(0)()
        return found


def meddled(world: World, engine: str, *meddle: Callable[[], object]) -> Engine:
    """The engine, on a catalog that does each of these after one look."""
    catalog = cast(Catalog, MeddledCatalog(world.catalog, *meddle))
    return ENGINES[engine](Lake(world.uri, world.namespace, catalog), WINDOW, world.folder)


def delete_files(table: Table) -> None:
    for task in table.scan().plan_files():
        Path(task.file.file_path.removeprefix("file://")).unlink()


def replace(table: Table) -> None:
    """A new state in place of the old one, which expires, with its files."""
    table.refresh()
    old = table.metadata.current_snapshot_id or 0
    delete_files(table)
    table.overwrite(revenue_rows(table, [(at(60), "6.00")]))
    table.maintenance.expire_snapshots().by_id(old).commit()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_that_expires_while_it_is_read_is_read_anew_as_it_is_then(world: World, engine: str) -> None:
    table = world.revenue((at(0), "1.00"))

    with closing(meddled(world, engine, lambda: replace(table))) as asked:
        answer = asked.ask("revenue_windows", PARAMETERS["revenue_windows"])

    assert answer.rows["window_start"].to_pylist() == [at(60)]
    assert answer.snapshot is not None
    assert answer.snapshot.id == table.refresh().metadata.current_snapshot_id


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_that_was_asked_for_and_expires_meanwhile_is_never_replaced(world: World, engine: str) -> None:
    table = world.revenue((at(0), "1.00"))
    asked_for = table.metadata.current_snapshot_id

    with (
        closing(meddled(world, engine, lambda: replace(table))) as asked,
        pytest.raises(ReadError, match=f"snapshot {asked_for} of {world.namespace}.* is not known any more"),
    ):
        asked.ask("revenue_windows", PARAMETERS["revenue_windows"], snapshot_id=asked_for)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_that_is_replaced_again_and_again_is_an_error_after_the_second_time(world: World, engine: str) -> None:
    table = world.revenue((at(0), "1.00"))
    again = partial(replace, table)

    with closing(meddled(world, engine, again, again, again)) as asked, pytest.raises(ReadError):
        asked.ask("revenue_windows", PARAMETERS["revenue_windows"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_that_is_dropped_and_made_again_meanwhile_is_read_as_it_is_then(world: World, engine: str) -> None:
    world.revenue((at(0), "1.00"))

    def remake() -> None:
        world.catalog.drop_table((world.namespace, "revenue_summary"))
        world.revenue((at(5), "2.00"), zoned=True)

    with closing(meddled(world, engine, remake)) as asked:
        rows = asked.ask("revenue_windows", PARAMETERS["revenue_windows"]).rows

    # the old one can be read by who still knows its files
    assert rows["window_start"].to_pylist() in ([at(0)], [at(5)])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_data_file_that_is_gone_is_an_error_that_says_so(world: World, engine: str) -> None:
    table = world.revenue((at(0), "1.00"))
    append(table, [(at(5), "2.00")])
    delete_files(table)

    assert re.search(r"^A file of .* is gone: .*\.parquet", world.refusal(engine))


# limits


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_that_nobody_wants_any_more_ends_though_the_catalog_is_silent(world: World, engine: str) -> None:
    world.revenue((at(0), "1.00"))
    cancelled, release = threading.Event(), threading.Event()

    def be_silent() -> None:
        cancelled.set()
        release.wait(30)

    with closing(meddled(world, engine, be_silent)) as asked:
        with pytest.raises(ReadError, match="cancelled"):
            asked.ask("revenue_totals", PARAMETERS["revenue_totals"], limits=Limits(cancelled=cancelled))
        release.set()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_time_limit_ends_the_answer_and_is_named(world: World, engine: str) -> None:
    world.revenue((at(0), "1.00"))
    release = threading.Event()
    with closing(meddled(world, engine, lambda: release.wait(30))) as asked:
        with pytest.raises(ReadError, match=r"no answer within 0\.1 s"):
            asked.ask(
                "revenue_totals", PARAMETERS["revenue_totals"], limits=Limits(timeout=timedelta(milliseconds=100))
            )
        release.set()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_asked_is_refused_before_anybody_is_called(engine: str, tmp_path: Path) -> None:
    (free,) = free_ports(1)
    with closing(ENGINES[engine](Lake(f"http://127.0.0.1:{free}/iceberg", "lkc-1"), WINDOW, tmp_path)) as asked:
        with pytest.raises(ReadError, match="no question"):
            asked.ask("revenue", {})
        with pytest.raises(ReadError, match="takes end, start, and was given start"):
            asked.ask("revenue_totals", {"start": NOON})
        with pytest.raises(UnreachableError, match="cannot be reached"):
            asked.ask("revenue_totals", PARAMETERS["revenue_totals"])
        with pytest.raises(UnreachableError, match="cannot be reached"):
            asked.newest()


@pytest.mark.parametrize("engine", ENGINES)
def test_many_threads_ask_one_engine_at_once(world: World, engine: str) -> None:
    world.revenue((at(0), "1.00"), (at(5), "2.00"))

    def ask(_turn: int) -> Decimal:
        total: Decimal = (
            world.engines[engine].ask("revenue_totals", PARAMETERS["revenue_totals"]).rows["revenue"][0].as_py()
        )
        return total

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(8))) == {Decimal("3.00")}
