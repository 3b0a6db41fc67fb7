"""What people may see of the Iceberg tables, called as somebody would who uses neither page nor command."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from dashboard.access import Caller
from dashboard.desks.lake import MOST_ROWS, LakeDesk
from dashboard.errors import AccessError, ReadError, SettingsError
from dashboard.pipeline_reading import secret_names
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.readers.questions import question_names
from dashboard.settings import load_settings
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES
from dashboard.trends.trend import Asked as AskedTrend
from tests.desk_world import ADA, CARD, CIPHERTEXT, NOBODY, OTTO, VERA, WINDOW, World, desk_world
from tests.readers.test_history import NOON

ENGINES = ("pyiceberg", "duckdb")
WEEK = AskedTrend(RANGES["7 d"], Calendar(ZoneInfo("UTC")))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with desk_world(tmp_path_factory.mktemp("lake")) as world:
        yield world


def inquiry(name: str = "revenue_totals") -> Inquiry:
    bucket = timedelta(minutes=1) if name == "revenue_by_bucket" else None
    return Inquiry(name, NOON, NOON + timedelta(minutes=1), bucket=bucket)


# who may do what

REVENUE_ACTS: dict[str, Callable[[World, Caller], object]] = {
    "difference": lambda world, who: world.desk.difference(who, *world.snapshots),
    "added": lambda world, who: world.desk.added(who, world.snapshots[1]),
    "revised": lambda world, who: world.desk.revised(who),
    "as_of": lambda world, who: world.desk.as_of(who, NOON),
    "newest_end": lambda world, who: world.desk.newest_end(who, "pyiceberg"),
    "ask": lambda world, who: world.desk.ask(who, inquiry(), "pyiceberg"),
    "ask at a time": lambda world, who: world.desk.ask(who, inquiry(), "pyiceberg", NOON),
    "tables": lambda world, who: world.desk.tables(who),
    "commit": lambda world, who: world.desk.commit(who, world.snapshots[0]),
    "trend": lambda world, who: world.desk.trend(who, WEEK, "pyiceberg"),
}
TABLE_ACTS: dict[str, Callable[[World, Caller, str], object]] = {
    "history": lambda world, who, table: world.desk.history(who, table),
    "preview": lambda world, who, table: world.desk.preview(who, table),
}


@pytest.mark.parametrize("act", REVENUE_ACTS)
def test_revenue_is_for_viewers_and_for_nobody_without_a_role(world: World, act: str) -> None:
    for who in (VERA, OTTO, ADA):
        REVENUE_ACTS[act](world, who)
    with pytest.raises(AccessError):
        REVENUE_ACTS[act](world, NOBODY)


@pytest.mark.parametrize("act", TABLE_ACTS)
def test_viewers_see_revenue_and_orders_and_ops_every_table_of_the_pipeline(world: World, act: str) -> None:
    for who in (VERA, OTTO, ADA):
        for table in ("revenue_summary", "completed_orders"):
            TABLE_ACTS[act](world, who, table)
    for who in (OTTO, ADA):
        TABLE_ACTS[act](world, who, "payments")
        for other in ("PAYMENTS", "others", "../payments", "payments; --", ""):
            with pytest.raises(SettingsError, match="is no table of the pipeline"):
                TABLE_ACTS[act](world, who, other)
        with pytest.raises(ReadError, match="There is no table unique_payments yet"):
            TABLE_ACTS[act](world, who, "unique_payments")
    for who, table in ((VERA, "payments"), (VERA, "Revenue_Summary"), (VERA, "others"), (NOBODY, "revenue_summary")):
        with pytest.raises(AccessError):
            TABLE_ACTS[act](world, who, table)


# what nobody below admin may see


def test_tables_are_listed_without_what_the_caller_may_not_see(world: World) -> None:
    assert [one.name for one in world.desk.tables(VERA)] == ["completed_orders", "revenue_summary"]
    [orders, payments, revenue] = world.desk.tables(OTTO)
    assert [name for name, _ in orders.columns] == ["order_id", "amount", "ts", "$$partition", "$$offset"]
    assert orders.withheld == 1
    assert [name for name, _ in payments.columns] == [
        "order_id",
        "harmless",
        "cc_number_old",
        "note",
        "tags",
        "$$partition",
        "$$offset",
    ]
    assert (revenue.name, revenue.rows, revenue.withheld) == ("revenue_summary", 2, 0)
    assert revenue.newest is not None
    assert revenue.newest.id == world.snapshots[1]
    assert "CC_Number" not in str(world.desk.tables(OTTO))
    seen_by_admins = {name for name, _ in world.desk.tables(ADA)[1].columns}
    assert {"cc_number", "card", "cards", "by_name", "renamed"} < seen_by_admins
    # what holds the whole record is for nobody
    assert not {"$$raw-value", "$$headers", "$$cc_number"} & seen_by_admins


@pytest.mark.parametrize("who", [VERA, OTTO], ids=["viewer", "ops"])
def test_no_card_number_comes_out_of_a_preview(world: World, who: Caller) -> None:
    for table in ("completed_orders", "payments") if who is OTTO else ("completed_orders",):
        told = str(world.desk.preview(who, table).to_pylist()) + str(world.desk.preview(who, table).schema)
        assert "4111" not in told
        assert CIPHERTEXT not in told
        assert "cc_number" not in told.lower().replace("cc_number_old", "")


def test_admins_see_ciphertext_as_it_is_stored_and_no_number_in_the_clear(world: World) -> None:
    rows = world.desk.preview(ADA, "payments").to_pylist()
    assert [row["cc_number"] for row in rows] == [CIPHERTEXT, CIPHERTEXT, "<card number>"]
    assert "4111" not in str(rows)
    assert json.loads(rows[0]["card"]) == {"CC_Number": "<card number>", "code": "A"}
    assert rows[0]["renamed"] == "<card number>"


def test_a_preview_holds_the_newest_rows(world: World) -> None:
    rows = world.desk.preview(VERA, "completed_orders", rows=1)
    assert rows["order_id"].to_pylist() == [2]
    assert world.desk.preview(OTTO, "payments", rows=2)["order_id"].to_pylist() == [2, 1]
    assert world.desk.preview(VERA, "revenue_summary", snapshot=world.snapshots[0]).num_rows == 1
    for count in (0, -1, MOST_ROWS + 1):
        with pytest.raises(SettingsError, match="too few or too many"):
            world.desk.preview(VERA, "revenue_summary", rows=count)
    with pytest.raises(ReadError, match="not known any more"):
        world.desk.preview(VERA, "revenue_summary", snapshot=1)


def test_a_column_that_was_renamed_is_as_secret_at_an_older_snapshot(world: World) -> None:
    oldest = world.desk.history(OTTO, "payments").commits[-1].snapshot.id
    seen = world.desk.preview(OTTO, "payments", snapshot=oldest)
    assert seen.num_rows == 1
    # the names of then: CC_NUMBER is secret by itself, and so is what it is called now
    assert not {"CC_NUMBER", "renamed", "cc_number"} & set(seen.schema.names)
    assert "4111" not in str(seen.to_pylist())
    assert "renamed" not in world.desk.preview(OTTO, "payments").schema.names


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("question", question_names())
def test_no_question_gives_a_secret_away_through_any_engine(world: World, question: str, engine: str) -> None:
    for who in (VERA, OTTO, ADA):
        for snapshot in (None, *world.snapshots):
            rows = world.desk.ask(who, inquiry(question), engine, snapshot).answer.rows
            assert "4111" not in str(rows.to_pylist())
            assert not {name.casefold() for name in rows.schema.names} & {"cc_number"}


def test_an_answer_with_a_secret_column_is_refused(world: World) -> None:
    class Talkative(PyicebergEngine):
        def ask(self, *given: Any, **named: Any) -> Any:
            answer = super().ask(*given, **named)
            return type(answer)(pa.table({"CC_NUMBER": [CARD]}), answer.snapshot, answer.engine, 0.0)

    desk = LakeDesk(world.settings, lambda _: world.lake, lambda _, name: Talkative(world.lake, WINDOW))
    with pytest.raises(AccessError, match="holds CC_NUMBER"):
        desk.ask(OTTO, inquiry(), "pyiceberg")


def test_turning_encryption_off_makes_nothing_less_secret(world: World) -> None:
    encrypted = world.settings.pipeline
    clear = encrypted.model_copy(update={"encrypt_fields": False})
    assert secret_names(clear) == secret_names(encrypted) == {"cc_number"}


# answers


@pytest.mark.parametrize("engine", ENGINES)
def test_a_question_can_be_asked_at_a_snapshot_and_as_of_a_time(world: World, engine: str) -> None:
    def revenue(moment: int | datetime | None) -> tuple[Decimal | None, bool | None]:
        asked = world.desk.ask(VERA, inquiry(), engine, moment)
        return asked.answer.rows["revenue"][0].as_py(), None if asked.as_of is None else asked.as_of.is_snapshot

    assert revenue(None) == (Decimal("3.30"), None)
    assert revenue(world.snapshots[0]) == (Decimal("1.10"), None)
    assert revenue(datetime.now(UTC)) == (Decimal("3.30"), True)
    # before the first commit: the windows that had ended by then
    assert revenue(NOON + timedelta(seconds=9)) == (Decimal("1.10"), False)
    assert revenue(NOON + timedelta(seconds=4)) == (None, False)


def test_the_newest_end_is_that_of_the_state_that_is_asked(world: World) -> None:
    assert world.desk.newest_end(VERA, "pyiceberg") == NOON + timedelta(seconds=10)
    assert world.desk.newest_end(VERA, "pyiceberg", world.snapshots[0]) == NOON + timedelta(seconds=5)
    assert world.desk.newest_end(VERA, "pyiceberg", NOON + timedelta(seconds=9)) == NOON + timedelta(seconds=5)
    assert world.desk.newest_end(VERA, "pyiceberg", NOON) is None


def test_an_engine_that_there_is_not_is_refused(world: World) -> None:
    desk = LakeDesk(world.settings)
    for name in ("Mirror", " ", "mysql"):
        with pytest.raises(SettingsError, match="There is no engine"):
            desk.ask(VERA, inquiry(), name)


def test_an_unknown_question_is_refused_with_those_there_are(world: World) -> None:
    with pytest.raises(ReadError, match="There is no question") as raised:
        world.desk.ask(VERA, inquiry("revenue_summary; DROP TABLE x"), "pyiceberg")
    assert "revenue_totals" in raised.value.hint


def test_nothing_of_a_catalog_is_asked_before_the_role_is(tmp_path: Path) -> None:
    def never(*_given: object) -> Any:
        pytest.fail("something was asked")

    desk = LakeDesk(load_settings(), never, never)
    for act in (
        lambda: desk.tables(NOBODY),
        lambda: desk.preview(VERA, "payments"),
        lambda: desk.history(VERA, "payments"),
        lambda: desk.ask(NOBODY, inquiry()),
        lambda: desk.newest_end(NOBODY),
        lambda: desk.trend(NOBODY, WEEK),
        lambda: desk.commit(NOBODY, 1),
    ):
        with pytest.raises(AccessError):
            act()
