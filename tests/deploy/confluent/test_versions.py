"""A statement without state is replaced by a next version that goes on where the one before stopped."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dashboard.deploy.apply import ApplyError, plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.confluent.versions import CARRY_OVER, next_version
from dashboard.deploy.pipeline import Pipeline, Statement, load_pipeline
from dashboard.deploy.plan import Action, make_plan
from dashboard.deploy.resources import Found, Id, Wanted
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import applied, carried_out, cloud_on, destroyed, flink_of, target_on
from tests.deploy.confluent.test_killed import Doom, Killed
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

NAME = "large-payments-filter"
every_step = pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.long)])


@pytest.fixture
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        cloud.delays.deleting = cloud.delays.pending = cloud.delays.stopping = cloud.delays.listed_after_delete = 0.02
        yield cloud


def filtering(least: int) -> Pipeline:
    whole = load_pipeline(PipelineSettings())
    table = "CREATE TABLE large_payments (\n    order_id INT NOT NULL,\n    amount DOUBLE NOT NULL\n)"
    insert = f"INSERT INTO large_payments\nSELECT order_id, amount\nFROM payments\nWHERE amount >= {least}"
    statements = [Statement("large-payments", table, {}), Statement(NAME, insert, {})]
    return replace(whole, statements=statements, tableflow_topics=[])


def alive(cloud: FakeConfluentCloud) -> dict[str, str]:
    """The carry-over of each version that is there and not on its way out."""
    return {
        name: one.properties.get(CARRY_OVER, "")
        for name, one in cloud.statements.items()
        if name.startswith(NAME) and one.phase != "DELETING"
    }


def test_the_next_version_begins_at_the_offsets_of_the_one_before_and_nothing_else_is_touched(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    table = cloud.statements["large-payments"].uid
    for number, least in ((2, 10), (3, 100)):
        before = next(iter(alive(cloud)))
        plan = plan_for(target_on(cloud, kafka, filtering(least)))
        assert {step.id.name: step.action for step in plan.changes} == {NAME: Action.REPLACE_KEEPING_OFFSETS}
        assert plan.losses == []
        applied(target_on(cloud, kafka, filtering(least)))
        assert alive(cloud) == {f"{NAME}-v{number}": before}
        assert f">= {least}" in cloud.statements[f"{NAME}-v{number}"].text
        assert plan_for(target_on(cloud, kafka, filtering(least))).changes == []
    assert cloud.statements["large-payments"].uid == table


def test_one_that_somebody_stopped_is_resumed_by_its_own_name(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    applied(target_on(cloud, kafka, filtering(2)))
    cloud.stop_as(f"{NAME}-v2", "u-999")
    plan = plan_for(target_on(cloud, kafka, filtering(2)))
    assert [(step.id.name, step.action) for step in plan.changes] == [(NAME, Action.RESUME)]
    applied(target_on(cloud, kafka, filtering(2)))
    assert cloud.statements[f"{NAME}-v2"].phase == "RUNNING"


def test_a_next_version_that_fails_is_made_again_from_the_one_that_ran(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    cloud.fail_statement(f"{NAME}-v2", "out of memory")
    with pytest.raises(ApplyError, match="out of memory"):
        applied(target_on(cloud, kafka, filtering(2)))
    plan = plan_for(target_on(cloud, kafka, filtering(2)))
    assert {step.id.name: step.action for step in plan.changes} == {NAME: Action.REPLACE_KEEPING_OFFSETS}
    applied(target_on(cloud, kafka, filtering(2)))
    assert alive(cloud) == {f"{NAME}-v2": NAME}
    assert plan_for(target_on(cloud, kafka, filtering(2))).changes == []


@every_step
def test_killed_anywhere_one_version_is_left_that_took_over_from_the_one_before(
    cloud: FakeConfluentCloud, kafka: FakeKafka, stride: int
) -> None:
    doom = Doom(kafka)
    least = 1

    def target() -> ConfluentTarget:
        return target_on(cloud, kafka, filtering(least), transport=doom.transport)

    applied(target())
    before = set(alive(cloud))
    for steps in range(stride // 2, 100, stride):
        least += 1
        new = target()
        plan = plan_for(new)
        doom.left = steps
        try:
            carried_out(new, plan)
        except Killed:
            doom.lift()
            again = plan_for(target())
            assert again.losses == []
            applied(target())
        else:
            doom.lift()
            break
        left = alive(cloud)
        assert len(left) == 1
        assert set(left.values()) <= before, "it began where one of those before it stopped"
        assert plan_for(target()).changes == []
        before |= set(left)
    assert steps > 5


def test_a_missing_one_is_not_begun_anew_beside_what_it_wrote(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    flink = flink_of(cloud)
    flink.delete(NAME)
    flink.wait_deleted(NAME, 60)
    assert plan_for(target_on(cloud, kafka, filtering(1))).losses == ["large_payments"]
    kafka.empty.add("large_payments")
    plan = plan_for(target_on(cloud, kafka, filtering(1)))
    assert {step.id.name: step.action for step in plan.changes} == {NAME: Action.CREATE}


def test_one_that_reads_another_topic_keeps_no_offsets(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    other = filtering(1)
    insert = replace(other.statements[1], text=other.statements[1].text.replace("FROM payments", "FROM large_payments"))
    plan = plan_for(target_on(cloud, kafka, replace(other, statements=[other.statements[0], insert])))
    assert Action.REPLACE_KEEPING_OFFSETS not in {step.action for step in plan.changes}


def test_destroying_takes_every_version(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    applied(target_on(cloud, kafka, filtering(2)))
    destroyed(target_on(cloud, kafka, filtering(2)), "large_payments")
    assert alive(cloud) == {}
    assert "large_payments" not in cloud.tables


def test_a_statement_of_others_that_has_taken_the_first_name_is_left_alone(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    applied(target_on(cloud, kafka, filtering(2)))
    flink_of(cloud).create(NAME, "SELECT 1", {}, {})
    assert plan_for(target_on(cloud, kafka, filtering(2))).changes == []
    applied(target_on(cloud, kafka, filtering(3)))
    assert set(alive(cloud)) == {NAME, f"{NAME}-v3"}
    destroyed(target_on(cloud, kafka, filtering(3)), "large_payments")
    assert set(alive(cloud)) == {NAME}


def test_a_new_reader_costs_what_it_reads_nothing(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    whole = load_pipeline(PipelineSettings())
    applied(target_on(cloud, kafka, whole))
    table = "CREATE TABLE sums (\n    order_id INT NOT NULL,\n    total DOUBLE NOT NULL\n)"
    insert = "INSERT INTO sums\nSELECT order_id, SUM(amount)\nFROM completed_orders\nGROUP BY order_id"
    more = [Statement("sums", table, {}), Statement("sums-filler", insert, {})]
    plan = make_plan("confluent", *read(target_on(cloud, kafka, replace(whole, statements=[*whole.statements, *more]))))
    assert {step.id.name: step.action for step in plan.changes} == dict.fromkeys(("sums", "sums-filler"), Action.CREATE)
    fewer = target_on(cloud, kafka, whole)
    wanted, found = read(fewer)
    del found[Id("tableflow", "revenue_summary")]
    assert {step.action for step in make_plan("confluent", wanted, found).changes} == {Action.CREATE}
    del found[Id("statement", "revenue-summary-materializer")]
    assert make_plan("confluent", wanted, found).losses == ["revenue_summary"]


def read(target: ConfluentTarget) -> tuple[list[Wanted], dict[Id, Found]]:
    return target.wanted(), target.found()


@pytest.mark.parametrize(
    ("name", "newest", "following"),
    [("a", "a", "a-v2"), ("a", "a-v2", "a-v3"), ("a-v7", "a-v7", "a-v7-v2"), ("a", "a-v9", "a-v10")],
)
def test_the_names_of_versions(name: str, newest: str, following: str) -> None:
    assert next_version(name, newest) == following


def test_the_longest_name_still_has_a_next_version() -> None:
    following = next_version("n" * 100, "n" * 100)
    assert len(following) == 100
    assert following.endswith("-v2")
