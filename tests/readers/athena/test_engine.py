"""Athena's engine against an Athena that runs what it is given, over real Iceberg tables."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cachetools import LRUCache

from dashboard.errors import ReadError
from dashboard.readers.athena import tables as athena_tables
from dashboard.readers.athena.access import AthenaSession
from dashboard.readers.athena.tables import AthenaTables
from dashboard.readers.engine import WITHOUT_HASTE, Engine, Limits
from dashboard.readers.lake_table import TIMESTAMP
from dashboard.readers.questions import question_names
from tests.conftest import eventually
from tests.fakes.aws import DATABASE, Aws
from tests.readers.athena_world import PARAMETERS, RANGE, START, World, duckdbs, served_aws, world

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def served() -> Iterator[Aws]:
    with served_aws() as fake:
        yield fake


@pytest.fixture
def lake(tmp_path: Path, served: Aws) -> Iterator[World]:
    with world(tmp_path, served) as made:
        yield made


def hard_rows(lake: World, zoned: bool) -> dict[str, pa.Table]:
    """Windows without an amount, doubled ones, the largest amounts; orders at the edges of windows and of cents."""
    revenue = lake.revenue(
        (START, "1.01"),
        (START + 5 * SECOND, None),
        (START + 10 * SECOND, "9999999999999999.99"),
        (START + 15 * SECOND, "9999999999999999.99"),
        (START + 15 * SECOND, "0.00"),
        (START + 60 * MINUTE, "2.02"),
        (START + 23 * 60 * MINUTE, "-3.10"),
        (START + 24 * 60 * MINUTE, "77.00"),
        zoned=zoned,
    )
    orders = lake.orders(
        (START + timedelta(seconds=4, microseconds=999_600), 1.005),
        (START + 60 * MINUTE, 1.015),
        (START + 60 * MINUTE + SECOND, 1.0),
        # after its window had closed
        (START + 60 * MINUTE + 2 * SECOND, 12345678.9),
        (START + 24 * 60 * MINUTE, 77.0),
        zoned=zoned,
    )
    return {"revenue_summary": revenue.scan().to_arrow(), "completed_orders": orders.scan().to_arrow()}


def scanned(lake: World, engine: Engine, **parameters: Any) -> int:
    return engine.ask("revenue_windows", {**RANGE, **parameters}).scanned_bytes or 0


# What it answers


@pytest.mark.parametrize("zoned", [False, True], ids=["timestamp", "timestamptz"])
def test_every_question_has_the_answer_that_duckdb_gives_over_the_same_rows(lake: World, zoned: bool) -> None:
    tables = hard_rows(lake, zoned)
    engine = lake.engine()

    for question in question_names():
        answer = engine.ask(question, PARAMETERS[question])
        assert answer.rows.equals(duckdbs(question, tables)), question
        assert answer.rows.num_rows


def test_amounts_are_exact_times_are_in_utc_and_no_amount_is_null(lake: World) -> None:
    hard_rows(lake, zoned=False)

    rows = lake.engine().ask("revenue_windows", RANGE).rows
    totals = lake.engine().ask("revenue_totals", RANGE).rows

    assert rows.schema.field("window_start").type == TIMESTAMP
    assert rows["window_start"][0].as_py() == START
    assert rows["total_revenue"][:3].to_pylist() == [Decimal("1.01"), None, Decimal("9999999999999999.99")]
    assert totals.schema.field("revenue").type == pa.decimal128(38, 2)
    assert totals["revenue"].to_pylist() == [Decimal("19999999999999999.91")]


def test_an_order_is_counted_to_the_microsecond_and_rounded_half_up(lake: World) -> None:
    hard_rows(lake, zoned=False)

    orders = lake.engine().ask("revenue_by_bucket", PARAMETERS["revenue_by_bucket"]).rows

    # 1.005 at 4.9996 seconds makes 1.01 in the first window; 1.015 and 1.00 make 2.02, and what came late is left out
    assert orders.select(["orders", "uncounted"]).to_pylist()[:2] == [
        {"orders": 1, "uncounted": 4},
        {"orders": 2, "uncounted": 0},
    ]


def test_an_answer_of_more_than_one_page_is_whole(lake: World) -> None:
    lake.revenue(*[(START + 5 * n * SECOND, f"{n}.50") for n in range(2500)])

    rows = lake.engine().ask("revenue_windows", RANGE).rows

    assert rows["total_revenue"].to_pylist() == [Decimal(f"{n}.50") for n in range(2500)]
    assert lake.aws.calls["GetQueryResults"] == 3


def test_without_a_table_of_orders_no_order_is_known(lake: World) -> None:
    table = lake.revenue((START, "1.00"))

    answer = lake.engine().ask("revenue_totals", RANGE)

    rows = {"revenue_summary": table.scan().to_arrow()}
    assert answer.rows.equals(duckdbs("revenue_totals", rows, (("on_time_orders", "no_orders"),)))
    assert answer.rows.select(["windows", "orders", "uncounted"]).to_pylist() == [
        {"windows": 1, "orders": None, "uncounted": 1}
    ]


@pytest.mark.parametrize("made", [False, True], ids=["no table", "an empty table"])
def test_where_nothing_was_committed_there_are_no_rows(lake: World, made: bool) -> None:
    if made:
        lake.revenue()
    engine = lake.engine()

    assert engine.newest() is None
    assert engine.ask("revenue_windows", RANGE).rows.num_rows == 0
    totals = engine.ask("revenue_totals", RANGE)
    assert totals.snapshot is None
    assert totals.rows.select(["windows", "revenue"]).to_pylist() == [{"windows": 0, "revenue": None}]
    assert all(engine.ask(question, PARAMETERS[question]).rows.num_rows < 2 for question in question_names())
    assert lake.aws.calls["StartQueryExecution"] == 0


# From which state


def test_an_answer_as_of_a_snapshot_is_read_from_that_one(lake: World) -> None:
    table = lake.revenue((START, "1.00"))
    engine = lake.engine()
    first = engine.newest()
    lake.more_revenue(table, (START + 5 * SECOND, "2.00"))
    assert first is not None

    then = engine.ask("revenue_windows", RANGE, snapshot_id=first.id)
    now = engine.ask("revenue_windows", RANGE)

    assert (then.snapshot, then.rows.num_rows) == (first, 1)
    assert (now.snapshot, now.rows.num_rows) == (engine.newest(), 2)


def test_every_table_of_a_query_is_pinned_to_one_snapshot(lake: World) -> None:
    revenue, orders = lake.revenue((START, "1.00")), lake.orders((START, 1.0))

    lake.engine().ask("revenue_totals", RANGE)

    text = lake.aws.athena.submitted[0]["QueryString"]
    assert f"revenue_summary FOR VERSION AS OF {revenue.metadata.current_snapshot_id}" in text
    assert f"completed_orders FOR VERSION AS OF {orders.metadata.current_snapshot_id}" in text


def test_a_snapshot_that_is_not_known_is_refused_before_anything_is_asked(lake: World) -> None:
    lake.revenue((START, "1.00"))

    with pytest.raises(ReadError, match=r"The snapshot 5 of lkc-test\.revenue_summary is not known any more"):
        lake.engine().ask("revenue_windows", RANGE, snapshot_id=5)

    assert lake.aws.calls["StartQueryExecution"] == 0


def expired(lake: World, engine: Engine) -> int:
    """A snapshot that the engine just saw as the newest, and that is gone now."""
    table = lake.revenue((START, "1.00"))
    seen = engine.newest()
    assert seen is not None
    lake.more_revenue(table, (START + 5 * SECOND, "2.00"))
    table.maintenance.expire_snapshots().by_id(seen.id).commit()
    lake.aws.publish(table.refresh())
    return seen.id


def test_a_snapshot_that_expires_in_the_middle_is_replaced_by_the_current_one(lake: World) -> None:
    engine = lake.engine(look_every=MINUTE)
    gone = expired(lake, engine)

    answer = engine.ask("revenue_windows", RANGE)

    assert answer.rows.num_rows == 2
    assert answer.snapshot is not None
    assert answer.snapshot.id != gone


def test_a_snapshot_that_was_asked_for_is_never_replaced_by_another(lake: World) -> None:
    engine = lake.engine(look_every=MINUTE)
    gone = expired(lake, engine)

    with pytest.raises(ReadError, match=f"snapshot ID does not exists: {gone}"):
        engine.ask("revenue_windows", RANGE, snapshot_id=gone)


# What it costs


def test_a_rerun_and_a_second_viewer_ask_athena_nothing(lake: World) -> None:
    hard_rows(lake, zoned=False)
    engine = lake.engine(look_every=MINUTE)
    first = engine.ask("revenue_by_day", PARAMETERS["revenue_by_day"])
    before = lake.aws.calls.copy()

    for _ in range(3):
        again = engine.ask("revenue_by_day", PARAMETERS["revenue_by_day"])
        assert again.rows is first.rows
        assert again.scanned_bytes == 0

    assert lake.aws.calls == before
    assert before["StartQueryExecution"] == 1
    assert (before["GetTable"], before["GetObject"]) == (2, 2)


def test_equal_moments_in_other_zones_are_the_same_question(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine()
    local = {name: moment.astimezone() for name, moment in RANGE.items() if isinstance(moment, datetime)}

    engine.ask("revenue_windows", RANGE)
    engine.ask("revenue_windows", local)

    assert lake.aws.calls["StartQueryExecution"] == 1


def test_many_who_ask_at_once_cause_one_query(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine()
    lake.aws.athena.hold()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(engine.ask, "revenue_windows", RANGE) for _ in range(8)]
        eventually(lambda: lake.aws.calls["GetQueryExecution"], within_seconds=10, every_seconds=0.02)
        lake.aws.athena.go.set()
        answers = [one.result(20) for one in asked]

    assert lake.aws.calls["StartQueryExecution"] == 1
    assert [answer.rows.num_rows for answer in answers] == [1] * 8
    assert sorted(bool(answer.scanned_bytes) for answer in answers) == [False] * 7 + [True]


def test_another_range_another_snapshot_and_newer_orders_are_asked_anew(lake: World) -> None:
    revenue, orders = lake.revenue((START, "1.00")), lake.orders()
    engine = lake.engine()

    def asked(**other: datetime) -> tuple[int, list[Any]]:
        rows = engine.ask("revenue_totals", {**RANGE, **other}).rows
        return lake.aws.calls["StartQueryExecution"], rows.select(["windows", "orders"]).to_pylist()

    assert asked() == (1, [{"windows": 1, "orders": None}])
    assert asked(end=START + MINUTE) == (2, [{"windows": 1, "orders": None}])
    lake.more_orders(orders, (START, 1.0))
    assert asked() == (3, [{"windows": 1, "orders": 1}])
    lake.more_revenue(revenue, (START + MINUTE, "2.00"))
    assert asked() == (4, [{"windows": 2, "orders": 1}])
    assert asked() == (4, [{"windows": 2, "orders": 1}])


def test_a_query_opens_the_files_of_its_range_alone(lake: World) -> None:
    table = lake.revenue((START, "1.00"))
    for hour in range(1, 6):
        lake.more_revenue(table, (START + hour * 60 * MINUTE, f"{hour}.00"))
    engine = lake.engine()

    whole = scanned(lake, engine)
    one_hour = scanned(lake, engine, end=START + 60 * MINUTE)

    assert one_hour == pytest.approx(whole / 6, rel=0.05)


def test_the_newest_snapshot_costs_no_query_and_its_file_is_read_once(lake: World) -> None:
    table = lake.revenue((START, "1.00"))
    engine = lake.engine()

    for _ in range(3):
        newest = engine.newest()
        assert newest is not None
        assert newest.id == table.metadata.current_snapshot_id
        assert newest.rows == 1

    assert (lake.aws.calls["GetTable"], lake.aws.calls["GetObject"]) == (3, 1)
    assert lake.aws.calls["StartQueryExecution"] == 0


def test_glue_is_asked_once_in_a_while_whoever_asks(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine(look_every=MINUTE)

    with ThreadPoolExecutor(8) as pool:
        assert len({one.id for one in pool.map(lambda _: engine.newest(), range(40)) if one}) == 1

    assert lake.aws.calls["GetTable"] == 1


def test_two_tables_looked_up_side_by_side_are_kept_one_after_the_other(
    lake: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.revenue((START, "1.00"))
    lake.orders((START, 1.0))
    together = threading.Barrier(2)
    met = []

    class Watched(LRUCache[Any, Any]):
        def __setitem__(self, key: Any, value: Any, **_: Any) -> None:
            with suppress(threading.BrokenBarrierError):
                together.wait(2)
                met.append(key)
            super().__setitem__(key, value)

    monkeypatch.setattr(athena_tables, "LRUCache", Watched)
    session = AthenaSession(lake.access())
    tables = AthenaTables(session, MINUTE)
    with closing(session), closing(tables), ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: tables.look(name, WITHOUT_HASTE), ("revenue_summary", "completed_orders"))
        assert all(found)

    assert met == []


def test_a_failure_is_not_kept(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine()
    lake.aws.athena.fails_with = "GENERIC_INTERNAL_ERROR: a node was lost"

    with pytest.raises(ReadError, match="a node was lost"):
        engine.ask("revenue_windows", RANGE)
    lake.aws.athena.fails_with = None

    assert engine.ask("revenue_windows", RANGE).rows.num_rows == 1


# When it gives up


def test_a_time_limit_stops_the_query_and_says_so(lake: World) -> None:
    lake.revenue((START, "1.00"))
    lake.aws.athena.hold()

    with pytest.raises(
        ReadError, match=r"revenue_windows of lkc-test took longer than [\d.]+ seconds, and was stopped\."
    ):
        lake.engine().ask("revenue_windows", RANGE, limits=Limits(timedelta(seconds=1.5)))

    assert len(lake.aws.athena.stopped) == 1
    # 0.1, 0.25, 0.48, 0.81 and 1.32 seconds after the first one
    assert 3 <= lake.aws.calls["GetQueryExecution"] <= 7


def given_up(lake: World) -> None:
    """A query that runs on, of somebody who no longer wants its answer."""
    lake.revenue((START, "1.00"))
    lake.aws.athena.hold()
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lake.engine().ask, "revenue_windows", RANGE, limits=Limits(cancelled=cancelled))
        eventually(lambda: lake.aws.calls["GetQueryExecution"], within_seconds=10, every_seconds=0.02)
        cancelled.set()
        asked.result(5)


def test_who_no_longer_wants_the_answer_ends_within_a_second(lake: World) -> None:
    with pytest.raises(ReadError, match=r"revenue_windows of lkc-test is not wanted any more, and was stopped\."):
        given_up(lake)

    assert len(lake.aws.athena.stopped) == 1


def test_one_who_leaves_takes_the_answer_from_nobody_else(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine()
    lake.aws.athena.hold()

    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(engine.ask, "revenue_windows", RANGE)
        eventually(lambda: lake.aws.calls["GetQueryExecution"], within_seconds=10, every_seconds=0.02)
        with pytest.raises(ReadError, match="others still wait for it"):
            engine.ask("revenue_windows", RANGE, limits=Limits(timedelta(seconds=2)))
        lake.aws.athena.go.set()
        assert patient.result(20).rows.num_rows == 1

    assert lake.aws.athena.stopped == []


def test_a_query_that_cannot_be_stopped_is_told(lake: World) -> None:
    lake.aws.refuse(
        "StopQueryExecution",
        "AccessDeniedException",
        "User: x is not authorized to perform: "
        "athena:StopQueryExecution on resource: arn:aws:athena:eu-central-1:1:workgroup/primary",
    )

    with pytest.raises(ReadError, match=r"could not be stopped: AWS does not let .* do athena:StopQueryExecution on"):
        given_up(lake)


def test_closing_the_engine_stops_what_runs(lake: World) -> None:
    lake.revenue((START, "1.00"))
    engine = lake.engine()
    lake.aws.athena.hold()

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.ask, "revenue_windows", RANGE)
        eventually(lambda: lake.aws.calls["GetQueryExecution"], within_seconds=10, every_seconds=0.02)
        engine.close()
        with pytest.raises(ReadError, match="was stopped"):
            asked.result(5)

    assert len(lake.aws.athena.stopped) == 1


# What it takes


@pytest.mark.parametrize(
    ("question", "parameters", "said"),
    [
        ("revenue", RANGE, "There is no question 'revenue'"),
        ("revenue_windows", {"start": START}, "takes end, start, and was given start"),
        ("revenue_windows", {**RANGE, "zone": 1}, "takes end, start, and was given end, start, zone"),
        ("revenue_windows", {**RANGE, "end": START.replace(tzinfo=None)}, "The time end = .* has no zone"),
        ("revenue_windows", {**RANGE, "end": "2026-03-29' OR 1 = 1 --"}, "end of revenue_windows is neither"),
        ("revenue_windows", {**RANGE, "end": True}, "end of revenue_windows is neither"),
    ],
)
def test_what_does_not_fit_the_question_is_refused_before_anything_is_asked(
    lake: World, question: str, parameters: dict[str, Any], said: str
) -> None:
    lake.revenue((START, "1.00"))

    with pytest.raises(ReadError, match=said):
        lake.engine().ask(question, parameters)

    assert lake.aws.calls["StartQueryExecution"] == 0


def test_a_query_runs_where_the_settings_say(lake: World) -> None:
    lake.revenue((START, "1.00"))

    lake.engine(workgroup="sales", output_location=None, catalog="another").ask("revenue_windows", RANGE)

    submitted = lake.aws.athena.submitted[0]
    assert submitted["QueryExecutionContext"] == {"Database": DATABASE, "Catalog": "another"}
    assert submitted["WorkGroup"] == "sales"
    assert "ResultConfiguration" not in submitted
