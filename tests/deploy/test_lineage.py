from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dashboard.deploy.confluent.wanted import CloudPlace, Glue, wanted_on_confluent
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.layers import Layout
from dashboard.deploy.lineage import GIVEN, UNKNOWN, Node, Picture, picture_of
from dashboard.deploy.open_source_target import OpenSourceTarget
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Id, Wanted
from dashboard.settings import PipelineSettings

SALES = load_pipeline(PipelineSettings())
ORDERS = "shiftleft.public.orders"


def on_confluent() -> list[Wanted]:
    return wanted_on_confluent(SALES, CloudPlace(kms_key=KmsKey("arn:x"), glue=Glue("cspi-1")))


def on_open_source(*, makes_given: bool = True, holds_back: bool = True) -> list[Wanted]:
    """As the target describes it, which needs no cluster for that."""
    deployment: Any = SimpleNamespace(pipeline=SALES)
    nobody = cast(Any, None)
    target = OpenSourceTarget(
        "x", deployment, nobody, nobody, lambda _: None, lambda _: False, makes_given=makes_given, holds_back=holds_back
    )
    return target.wanted()


PIPELINES = {
    "Confluent Cloud": on_confluent(),
    "local": on_open_source(),
    "own clusters": on_open_source(makes_given=False, holds_back=False),
}
every_pipeline = pytest.mark.parametrize("wanted", PIPELINES.values(), ids=PIPELINES)


def status(id_: Id, state: str = "ready", phase: str = "") -> ResourceStatus:
    return ResourceStatus(id_.kind, id_.name, state, phase, "", "", None, {}, None)


def by_id(picture: Picture) -> dict[str, Node]:
    return {node.id: node for node in picture.nodes}


def edges(picture: Picture, kind: str) -> set[tuple[str, str]]:
    return {(edge.source, edge.sink) for edge in picture.edges if edge.kind == kind}


@every_pipeline
def test_everything_wanted_is_there_once_and_nothing_shares_a_place(wanted: list[Wanted]) -> None:
    picture = picture_of(wanted, [])
    assert {str(one.id) for one in wanted} == {node.id for node in picture.nodes if node.state != GIVEN}
    places = [(node.column, node.row, node.slot) for node in picture.nodes]
    assert len(set(places)) == len(places)


@every_pipeline
def test_data_only_flows_to_a_later_column_and_every_edge_has_two_ends(wanted: list[Wanted]) -> None:
    picture = picture_of(wanted, [])
    nodes = by_id(picture)
    for edge in picture.edges:
        source, sink = nodes[edge.source], nodes[edge.sink]
        if edge.kind == "data":
            assert source.column < sink.column
            assert len(edge.lane) == sink.column - source.column - 1


@every_pipeline
def test_no_two_edges_of_the_pipeline_cross(wanted: list[Wanted]) -> None:
    picture = picture_of(wanted, [])
    places = {node.id: (node.column, node.row) for node in picture.nodes}
    lanes = {(edge.source, edge.sink): edge.lane for edge in picture.edges if edge.kind == "data"}
    assert Layout(places, lanes).crossings == 0


@every_pipeline
def test_the_same_pipeline_has_the_same_places_whatever_its_states(wanted: list[Wanted]) -> None:
    picture = picture_of(wanted, [])
    failed = picture_of(wanted, [status(one.id, "failed") for one in wanted])
    assert failed.edges == picture.edges
    assert [replace(node, state="", word="") for node in failed.nodes] == [
        replace(node, state="", word="") for node in picture.nodes
    ]


@every_pipeline
def test_every_table_is_filled_by_one_thing_and_the_way_from_payments_leads_to_revenue(wanted: list[Wanted]) -> None:
    flow = edges(picture_of(wanted, []), "data")
    tables = [str(one.id) for one in wanted if one.id.kind == "tableflow"]
    assert [sum(sink == table for _, sink in flow) for table in tables] == [1] * 5
    reached = {"topic payments"}
    while more := {sink for source, sink in flow if source in reached} - reached:
        reached |= more
    assert {"statement completed-orders-materializer", "tableflow revenue_summary"} <= reached
    assert (f"topic {ORDERS}", "statement completed-orders-materializer") in flow


def test_on_open_source_the_topic_of_a_table_is_a_part_of_its_own() -> None:
    flow = edges(picture_of(PIPELINES["local"], []), "data")
    assert ("statement unique-payments-maintenance", "topic unique_payments") in flow
    assert ("topic unique_payments", "statement completed-orders-materializer") in flow


def test_on_confluent_cloud_a_statement_that_makes_a_table_stands_for_it() -> None:
    flow = edges(picture_of(PIPELINES["Confluent Cloud"], []), "data")
    assert ("statement unique-payments-maintenance", "statement completed-orders-materializer") in flow
    assert ("statement completed-orders-materializer", "statement completed-orders") in flow
    assert ("statement completed-orders", "tableflow completed_orders") in flow
    assert ("statement completed-orders-materializer", "tableflow completed_orders") not in flow


def test_a_statement_that_only_waits_for_another_takes_no_data_from_it() -> None:
    wanted = PIPELINES["own clusters"]
    join, deduplication = (
        Id("statement", "completed-orders-materializer"),
        Id("statement", "unique-payments-maintenance"),
    )
    assert join in next(one for one in wanted if one.id == deduplication).comes_from
    picture = picture_of(wanted, [])
    assert (str(join), str(deduplication)) not in edges(picture, "data") | edges(picture, "needs")


def test_contracts_keys_and_what_alters_a_table_hang_under_what_they_belong_to() -> None:
    picture = picture_of(PIPELINES["Confluent Cloud"], [])
    nodes = by_id(picture)

    def hanging(*ids: str) -> list[tuple[int, int, int]]:
        return [(nodes[id_].column, nodes[id_].row, nodes[id_].slot) for id_ in ids]

    payments, contract, key = hanging("topic payments", "contract payments-value", "key CSFLE_Key")
    assert [contract, key] == [(*payments[:2], 1), (*payments[:2], 2)]
    table, change = hanging("statement unique-payments-maintenance", "statement unique-payments-append")
    assert change == (*table[:2], 1)
    assert {
        ("contract payments-value", "topic payments"),
        ("contract payments-value", "key CSFLE_Key"),
        ("contract payments-value", "topic error-payments"),
        ("statement orders-watermark", f"topic {ORDERS}"),
    } <= edges(picture, "needs")


def test_two_contracts_of_one_topic_hang_under_each_other() -> None:
    nodes = by_id(picture_of(PIPELINES["local"], []))
    orders = nodes[f"topic {ORDERS}"]
    hanging = [nodes[f"contract {ORDERS}-{part}"] for part in ("key", "value")]
    assert [(one.column, one.row, one.slot) for one in hanging] == [(0, orders.row, 1), (0, orders.row, 2)]


def test_the_topic_of_records_that_break_a_contract_stands_next_to_the_contracts_topic() -> None:
    nodes = by_id(picture_of(PIPELINES["Confluent Cloud"], []))
    payments, rejected = nodes["topic payments"], nodes["topic error-payments"]
    assert (rejected.column, rejected.row) == (payments.column, payments.row + 1)


def test_the_catalog_stands_last_and_needs_every_table() -> None:
    picture = picture_of(PIPELINES["Confluent Cloud"], [])
    catalog = by_id(picture)["catalog sales-trends"]
    assert catalog.column == 1 + max(node.column for node in picture.nodes if node.id != catalog.id)
    assert sum(source == catalog.id for source, _ in edges(picture, "needs")) == 5


def test_a_topic_that_others_make_is_given_and_what_no_status_tells_of_is_unknown() -> None:
    nodes = by_id(picture_of(PIPELINES["own clusters"], []))
    assert (nodes[f"topic {ORDERS}"].state, nodes["topic payments"].state) == (GIVEN, UNKNOWN)


@pytest.mark.parametrize(
    ("state", "phase", "shown", "word"),
    [
        ("ready", "RUNNING", "ready", "ready"),
        ("missing", "", "missing", "missing"),
        ("changed", "RUNNING", "changed", "changed"),
        ("ready", "RESTARTING", "changing", "restarting"),
        ("failed", "RESTARTING", "failed", "restarting"),
        ("missing", "HELD", "changing", "held back"),
        ("ready", "HELD", "changing", "held back"),
    ],
)
def test_a_state_has_a_word_and_a_restart_does_not_look_settled(state: str, phase: str, shown: str, word: str) -> None:
    join = Id("statement", "completed-orders-materializer")
    node = by_id(picture_of(PIPELINES["local"], [status(join, state, phase)]))[str(join)]
    assert (node.state, node.word) == (shown, word)


def test_orphans_stand_below_everything_else_and_move_nothing() -> None:
    wanted = PIPELINES["local"]
    orphans = [Id("statement", f"old-{number}") for number in range(12)]
    picture = picture_of(wanted, [status(one.id) for one in wanted] + [status(id_, "orphan") for id_ in orphans])
    nodes = by_id(picture)
    before = by_id(picture_of(wanted, [status(one.id) for one in wanted]))
    left = [nodes[str(id_)] for id_ in orphans]
    assert {id_: node for id_, node in nodes.items() if node not in left} == before
    assert min(node.row for node in left) > max(node.row for node in before.values())
    assert len({(node.column, node.row) for node in left}) == 12


def test_nothing_wanted_and_orphans_alone_are_pictures_too() -> None:
    assert picture_of([], []) == Picture((), ())
    assert len(picture_of([], [status(Id("topic", "old"), "orphan")]).nodes) == 1


def test_a_circle_does_not_hang() -> None:
    one, other = Id("topic", "one"), Id("topic", "other")
    wanted = [
        Wanted(one, "", comes_from=frozenset({other}), holds="topic one"),
        Wanted(other, "", comes_from=frozenset({one}), holds="topic other"),
    ]
    assert edges(picture_of(wanted, []), "data") == {("topic one", "topic other"), ("topic other", "topic one")}
