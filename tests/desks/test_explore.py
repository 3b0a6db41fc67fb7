"""SQL of people, asked as somebody would who wants to see more than they may."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from pyiceberg.types import StringType

from dashboard.access import Caller, Role
from dashboard.desks.explore import AT_ONCE, ExploreDesk
from dashboard.desks.lake import LakeDesk
from dashboard.errors import AccessError, ReadError, SettingsError, StatementError
from dashboard.readers.engine import Limits
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.lake import Lake
from dashboard.readers.questions import question_names
from dashboard.sandbox.lender import Lent
from dashboard.sandbox.limits import ANSWER_BYTES, LONGEST_TEXT, MOST_ROWS
from dashboard.sandbox.process import MOST_SCANS, run
from tests.conftest import eventually
from tests.desk_world import ADA, CARD, CIPHERTEXT, NOBODY, OTTO, VERA, World, desk_world
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog
from tests.readers.test_history import NOON

FOREVER = "SELECT sum(a.range * b.range) FROM range(100000000) AS a, range(100000000) AS b"
SECRET_NAMES = ("cc_number", "renamed", "card", "cards", "by_name", "$$raw-value", "$$headers", "$$cc_number")
"""Of payments, as it is now: called so, once called so, holding one that is, or the whole record."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with desk_world(tmp_path_factory.mktemp("lake")) as world:
        yield world


@pytest.fixture(scope="module")
def desk(world: World) -> Iterator[ExploreDesk]:
    desk = ExploreDesk(world.settings, world.desk)
    yield desk
    desk.close()


# who sees what


def test_viewers_ask_about_revenue_and_orders_and_ops_about_every_table(desk: ExploreDesk) -> None:
    both = "SELECT sum(total_revenue), (SELECT count(*) FROM Completed_Orders) FROM revenue_summary"
    for who in (VERA, OTTO, ADA):
        assert list(desk.run(who, both).rows.to_pylist()[0].values()) == [Decimal("3.30"), 2]
    for sql in ("SELECT count(*) FROM payments", "FROM revenue_summary WHERE 1 IN (SELECT order_id FROM PAYMENTS)"):
        with pytest.raises(AccessError, match="is for ops"):
            desk.run(VERA, sql)
    assert desk.run(OTTO, "SELECT count(*) AS n FROM payments").rows["n"].to_pylist() == [3]
    for act in (lambda: desk.run(NOBODY, both), lambda: desk.begin(NOBODY, both), lambda: desk.engines(NOBODY)):
        with pytest.raises(AccessError):
            act()


def test_show_tables_lists_what_the_caller_may_see(desk: ExploreDesk) -> None:
    seen = {who.name: desk.run(who, "SHOW TABLES").rows["name"].to_pylist() for who in (VERA, OTTO)}

    assert seen["vera"] == ["completed_orders", "revenue_summary"]
    assert seen["otto"] == ["completed_orders", "payments", "revenue_summary"]


@pytest.mark.parametrize("column", ["cc_number", "renamed", "$$raw-value"])
def test_a_secret_column_is_not_there_for_whoever_may_not_see_it(desk: ExploreDesk, column: str) -> None:
    with pytest.raises(SettingsError, match="not found"):
        desk.run(OTTO, 'SELECT "?" FROM payments'.replace("?", column))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT *, payments, to_json(payments), unnest(payments), reverse(note), string_split(note, '-') FROM payments",
        "SUMMARIZE payments",
        "DESCRIBE payments",
        "WITH p AS (FROM payments) SELECT COLUMNS('.*') FROM p JOIN payments USING (order_id)",
    ],
)
def test_no_sql_gives_a_card_number_or_a_secret_column_away(desk: ExploreDesk, sql: str) -> None:
    told = repr(desk.run(OTTO, sql).rows.to_pylist())

    for secret in (CARD, CARD[::-1], "1111", CIPHERTEXT):
        assert secret not in told
    for name in SECRET_NAMES:
        assert f"'{name}'" not in told


def test_admins_see_ciphertext_and_no_number_in_the_clear(desk: ExploreDesk) -> None:
    told = desk.run(ADA, "SELECT cc_number, reverse(cc_number), card FROM payments ORDER BY order_id").rows

    assert told["cc_number"].to_pylist() == ["<card number>", CIPHERTEXT, CIPHERTEXT]
    assert "1111" not in repr(told.to_pylist())


def test_what_runs_sql_is_lent_nothing_but_columns_and_files_of_the_callers(world: World) -> None:
    lent = world.desk.lent(OTTO, "payments")

    assert not set(SECRET_NAMES) & {*lent.schema.names, *(name for file in lent.told_files() for name in file)}
    for columns, files in (
        (["cc_number"], [0]),
        (["note", "note"], [0]),
        ([], [0]),
        (["note"], [99]),
        (["note"], [-1]),
    ):
        with pytest.raises(ReadError, match="not lent"):
            next(lent.rows(columns, files))


# what is run


@pytest.mark.parametrize("question", question_names())
def test_the_sql_of_each_question_gives_here_what_the_question_gives(desk: ExploreDesk, question: str) -> None:
    bucket = timedelta(minutes=1) if question == "revenue_by_bucket" else None
    inquiry = Inquiry(question, NOON, NOON + timedelta(minutes=1), bucket=bucket)

    [sql] = desk.sql_of(VERA, inquiry)

    assert desk.run(VERA, sql).rows.equals(desk.lake.ask(VERA, inquiry, "pyiceberg").answer.rows)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT *\nFORM revenue_summary", r"Line 2, column 6: syntax error at or near \"revenue_summary\""),
        ("SELECT nothing FROM revenue_summary", r"Line 1, column 8: .*\"nothing\" not found"),
        ("SELECT 1; DROP TABLE x", "nothing that writes"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text cannot be read from"),
        ("SELECT * FROM shiftleft.public.orders", "stands in double quotes"),
        ("SELECT * FROM nobodys", "There is no table nobodys here"),
        ("SELECT " + "[" * 900 + "1" + "]" * 900, "nested too deep|depth"),
        ("SELECT $x", "Values were not provided"),
        ("SELECT CAST('01/02.5' AS DATE)", r"invalid date field format: \"01/02.5\""),
        ("  ", "no SQL to run"),
        ("-- only a comment", "no statement to run"),
        ("x" * (LONGEST_TEXT + 1), "20,001 characters"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_sentence_with_its_place(desk: ExploreDesk, sql: str, said: str) -> None:
    with pytest.raises(StatementError, match=said) as told:
        desk.run(OTTO, sql)
    assert "/site-packages/" not in str(told.value)
    assert "\n" not in str(told.value)


def test_what_keeps_a_table_from_being_read_is_no_fault_of_the_statement() -> None:
    class Torn:
        """A table whose rows are none."""

        name, snapshot, schema = "torn", None, pa.schema([("a", pa.string())])

        def told_files(self) -> list[dict[str, Any]]:
            return [{}]

        def rows(self, _columns: list[str], _files: list[int]) -> Iterator["Torn"]:
            yield self

        def serialize(self) -> pa.Buffer:
            return pa.py_buffer(b"no batch")

    with pytest.raises(SettingsError, match="arrow_scan") as told:
        run("FROM torn", lambda _names: [Torn()], 1, Limits(timedelta(seconds=20)))  # type: ignore[list-item]
    assert not isinstance(told.value, StatementError)


def test_an_answer_is_cut_at_the_rows_that_are_wanted(desk: ExploreDesk) -> None:
    cut = desk.run(VERA, "SELECT * FROM range(2500)", rows=1500)
    whole = desk.run(VERA, "SELECT * FROM range(1500)", rows=1500)

    assert (len(cut.rows), cut.is_cut) == (1500, True)
    assert (len(whole.rows), whole.is_cut) == (1500, False)
    for rows in (0, MOST_ROWS + 1):
        with pytest.raises(SettingsError, match="too few or too many"):
            desk.run(VERA, "SELECT 1", rows=rows)


def test_an_answer_is_cut_at_the_bytes_that_it_may_have(desk: ExploreDesk) -> None:
    found = desk.run(VERA, "SELECT repeat('x', 50000) AS x FROM range(1000)")

    assert found.is_cut
    assert 600 < len(found.rows) < 700
    assert found.rows.nbytes <= ANSWER_BYTES
    with pytest.raises(SettingsError, match="first row alone"):
        desk.run(VERA, "SELECT repeat('x', 40000000) AS x")


@pytest.mark.parametrize(
    "value",
    [
        "170141183460469231731687303715884105727::HUGEINT",
        "TIME '24:00:00'",
        "TIMESTAMP_NS '2026-01-01 00:00:00.000000001'",
    ],
)
def test_a_value_that_cannot_be_shown_is_told_without_it(desk: ExploreDesk, value: str) -> None:
    with pytest.raises(ReadError, match="a value that cannot be shown") as told:
        desk.run(VERA, f"SELECT {value}")
    assert told.value.__cause__ is None


def test_an_answer_says_what_it_stands_on(desk: ExploreDesk, world: World) -> None:
    found = desk.run(VERA, "SELECT * FROM revenue_summary ORDER BY window_start")

    assert {name: one.id for name, one in found.snapshots.items()} == {"revenue_summary": world.snapshots[-1]}
    assert found.engine == "duckdb"
    assert found.rows["window_start"][0].as_py() == NOON


def test_a_statement_ends_in_time(desk: ExploreDesk) -> None:
    with pytest.raises(ReadError, match="no answer within 2 s"):
        desk.run(VERA, FOREVER, limits=Limits(timedelta(seconds=2)))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 1000000000) FROM range(2000)",
        "WITH RECURSIVE r AS (SELECT 'xxxxxxxx' AS x UNION ALL SELECT x || x FROM r) SELECT max(length(x)) FROM r",
    ],
)
def test_a_statement_that_wants_too_much_memory_ends_alone(desk: ExploreDesk, sql: str) -> None:
    with pytest.raises(ReadError, match="more memory"):
        desk.run(VERA, sql)
    assert desk.run(VERA, "SELECT 1 AS one").rows["one"].to_pylist() == [1]


def test_a_statement_is_watched_and_cancelled_by_whoever_began_it(desk: ExploreDesk) -> None:
    names = {who: desk.begin(who, FOREVER) for who in (VERA, ADA)}
    assert len(names) == AT_ONCE
    with pytest.raises(ReadError, match="2 statements run already"):
        desk.begin(OTTO, "SELECT 1")
    with pytest.raises(ReadError, match="of yours runs already"):
        desk.begin(VERA, "SELECT 1")
    for other in (OTTO, Caller("vera", Role.OPS)):
        for act in (desk.watch, desk.cancel):
            with pytest.raises(ReadError, match="kept no more"):
                act(other, names[VERA])
    for who, name in names.items():
        desk.cancel(who, name)
        eventually(lambda who=who, name=name: desk.watch(who, name).is_done, 20, 0.05)  # type: ignore[misc]
        with pytest.raises(ReadError, match="cancelled"):
            desk.watch(who, name).found()
    name = eventually(lambda: _begun(desk), 20, 0.05)
    assert len(desk.watch(OTTO, name).found().rows) == 1


def test_work_that_goes_on_after_its_time_keeps_its_place(world: World) -> None:
    gate = threading.Event()

    class Slow(LakeDesk):
        def lent(self, caller: Caller, table: str) -> Lent:
            gate.wait(20)
            return super().lent(caller, table)

    desk = ExploreDesk(world.settings, Slow(world.settings, lambda _: world.lake))
    for who in (VERA, OTTO):
        with pytest.raises(ReadError, match="no answer within 1 s"):
            desk.run(who, "FROM revenue_summary", limits=Limits(timedelta(seconds=1)))
    with pytest.raises(ReadError, match="2 statements run already"):
        desk.begin(ADA, "SELECT 1")
    gate.set()
    assert eventually(lambda: _begun(desk), 20, 0.05)


def _begun(desk: ExploreDesk) -> str | None:
    try:
        return desk.begin(OTTO, "SELECT 1")
    except ReadError:
        return None


def test_athena_is_no_engine_where_it_is_not_set_up(desk: ExploreDesk) -> None:
    assert desk.engines(VERA) == ["duckdb"]
    with pytest.raises(SettingsError, match="no engine 'athena' here"):
        desk.run(VERA, "SELECT 1", "athena")


# how tables are read


def test_only_files_that_may_hold_the_rows_are_read(tmp_path: Path) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        for hour, total in ((0, "1.00"), (1, "2.00")):
            append(table, [(NOON + timedelta(hours=hour), total)])
        [older] = [
            one.file.file_path for one in table.refresh().scan("window_start < '2026-03-01T12:30:00'").plan_files()
        ]
        Path(older.removeprefix("file://")).unlink()
        lake = Lake("http://127.0.0.1:1", NAMESPACE, catalog)

        def lend(names: object) -> list[Lent]:
            found = lake.table("revenue_summary")
            assert found is not None
            return [Lent("revenue_summary", found, ["window_start", "total_revenue"], frozenset())]

        sql = "SELECT total_revenue FROM revenue_summary WHERE window_start >= TIMESTAMP '2026-03-01 12:30:00'"
        assert run(sql, lend, 10, Limits()).rows["total_revenue"].to_pylist() == [Decimal("2.00")]
        with pytest.raises(ReadError):
            run("SELECT sum(total_revenue) FROM revenue_summary", lend, 10, Limits())


class _Counted(Lent):
    """Counts how many of its scans are open."""

    opened: ClassVar[list[int]] = []
    most: ClassVar[list[int]] = []

    def rows(self, columns: Sequence[Any], files: Sequence[Any]) -> Iterator[pa.RecordBatch]:
        self.opened.append(1)
        self.most.append(len(self.opened))
        try:
            # so many that whoever wants one row leaves most, whatever Arrow reads ahead
            batches = list(super().rows(columns, files))
            for _ in range(20_000):
                yield from batches
        finally:
            self.opened.pop()


def test_few_scans_are_open_at_once_and_those_that_were_read_do_not_count(world: World) -> None:
    lent = world.desk.lent(VERA, "revenue_summary")

    def lend(names: object) -> list[Lent]:
        return [_Counted(lent.name, lent.table, lent.columns, lent.secret)]

    # each another one, for DuckDB would read what is the same once
    left = " UNION ALL ".join(f"(SELECT window_start FROM revenue_summary LIMIT {n})" for n in range(1, 25))  # noqa: S608
    with pytest.raises(ReadError, match="more than 16 places"):
        run(left, lend, 1000, Limits())
    assert max(_Counted.most) == MOST_SCANS
    eventually(lambda: not _Counted.opened, 5, 0.05)
    read = " UNION ALL ".join(f"SELECT count(*) + {n} FROM revenue_summary WHERE {n} > 0" for n in range(1, 25))  # noqa: S608
    assert len(run(read, lambda _: [lent], 100, Limits()).rows) == 24


def test_a_table_is_read_with_the_columns_of_its_newest_state(world: World, tmp_path: Path) -> None:
    with sqlite_catalog(tmp_path) as catalog:
        table = revenue_table(catalog)
        append(table, [(NOON, "1.00")])
        with table.refresh().update_schema() as change:
            change.add_column("note", StringType())
            change.rename_column("total_revenue", "revenue")
        desk = ExploreDesk(
            world.settings, LakeDesk(world.settings, lambda _: Lake("http://127.0.0.1:1", NAMESPACE, catalog))
        )

        assert desk.run(VERA, "SELECT total_revenue FROM revenue_summary").rows.to_pylist() == [
            {"total_revenue": Decimal("1.00")}
        ]
        assert "note" not in desk.run(VERA, "FROM revenue_summary").rows.schema.names


def test_files_are_told_without_where_they_lie(desk: ExploreDesk) -> None:
    found = desk.files(VERA, "revenue_summary")

    assert (found.count, sum(one.rows for one in found.largest)) == (2, 2)
    assert not any("/" in one.name for one in found.largest)
    with pytest.raises(AccessError):
        desk.files(VERA, "payments")


def test_many_may_ask_at_once(desk: ExploreDesk) -> None:
    found: list[int] = []

    def ask(number: int) -> None:
        sql = "SELECT ? AS n FROM revenue_summary LIMIT 1".replace("?", str(number))
        found.append(desk.run(VERA, sql).rows["n"][0].as_py())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [0, 1, 2, 3]
