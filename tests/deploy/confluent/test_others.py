"""Statements of others in the environment, where names are taken for all: nothing of theirs is taken away unasked."""

import json

import pytest

from dashboard.deploy.apply import destroy_plan_for, plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.ledger import LEDGER_TOPIC
from dashboard.deploy.plan import Action
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from tests.deploy.cloud import applied, carried_out, destroyed, flink_of, target_on
from tests.deploy.confluent.test_retention import made_before
from tests.deploy.confluent.test_versions import filtering
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

ALTERS_OR_CREATES = ["revenue-summary", "completed-orders", "orders-watermark", "unique-payments-append"]


def uids(cloud: FakeConfluentCloud) -> dict[str, str]:
    """Without what is on its way out, as the query of every plan is for a moment."""
    return {name: one.uid for name, one in cloud.statements.items() if one.phase != "DELETING"}


def on_another_cluster(cloud: FakeConfluentCloud) -> ConfluentTarget:
    return target_on(cloud, FakeKafka(), database="cluster_b")


@pytest.mark.parametrize("name", ALTERS_OR_CREATES)
def test_one_of_others_that_has_the_name_of_what_is_to_be_made_is_asked_about_first(
    cloud: FakeConfluentCloud, kafka: FakeKafka, name: str
) -> None:
    flink_of(cloud).create(name, "SELECT orderid FROM `shiftleft.public.orders`", {}, {})
    theirs = cloud.statements[name].uid
    target = target_on(cloud, kafka)
    asked = {step.id: step.action for step in plan_for(target).steps}
    assert asked[Id("statement", name)] is Action.ADOPT
    with pytest.raises(DeployError, match=f"Not known to be ours: statement {name}"):
        applied(target)
    assert Id("statement", name) not in {step.id for step in destroy_plan_for(target).steps}
    assert cloud.statements[name].uid == theirs

    plan = plan_for(target, adopt=lambda id_: id_.name == name)
    carried_out(target, plan, *plan.losses)
    assert cloud.statements[name].uid != theirs
    assert plan_for(target_on(cloud, kafka)).changes == []


def test_a_pipeline_on_another_cluster_of_the_environment_is_not_taken_for_ours(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, filtering(1)))
    before = uids(cloud)
    other = on_another_cluster(cloud)
    found = other.found()
    assert [id_ for id_, one in found.items() if id_.kind == "statement" and one.ours] == []
    assert [step for step in destroy_plan_for(other).steps if step.id.kind == "statement"] == []
    other.forget()
    assert uids(cloud) == before


def test_two_pipelines_of_the_same_names_in_one_environment_are_refused_before_anything_is_touched(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    before = uids(cloud)
    with pytest.raises(DeployError, match="works on another database, sales-cluster") as refused:
        plan_for(on_another_cluster(cloud))
    assert "environment" in refused.value.hint
    assert uids(cloud) == before


def test_a_statement_that_says_its_database_by_its_id_or_not_at_all_is_here(cloud: FakeConfluentCloud) -> None:
    for name, properties in (("by-id", {"sql.current-database": cloud.cluster_id}), ("unsaid", {})):
        cloud._statements.create({"statement": "SELECT 1", "properties": properties}, name, {})
        (there,) = [one for one in flink_of(cloud).statements() if one.name == name]
        assert flink_of(cloud).works_here(there)


def running(cloud: FakeConfluentCloud) -> set[str]:
    return {name for name, one in cloud.statements.items() if one.phase == "RUNNING"}


def test_after_a_rename_of_the_cluster_its_statements_are_ours_still(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    cloud.rename_cluster("sales-of-2027")
    assert plan_for(target_on(cloud, kafka)).changes == []
    target_on(cloud, kafka).check_ours(Id("statement", "completed-orders-materializer"))
    destroyed(target_on(cloud, kafka), "unique_payments", "completed_orders", "revenue_summary")
    assert running(cloud) == set()


def forget_uids(kafka: FakeKafka) -> None:
    """As versions before this one noted their things."""
    records = [json.loads(value) for value in kafka.appended[LEDGER_TOPIC]]
    kafka.appended[LEDGER_TOPIC] = [
        json.dumps({key: value for key, value in one.items() if key != "uids"}).encode() for one in records
    ]


def test_those_that_were_made_before_this_was_noted_are_noted_by_the_next_apply(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, made_before()))
    forget_uids(kafka)
    applied(target_on(cloud, kafka))
    cloud.rename_cluster("sales-of-2027")
    assert plan_for(target_on(cloud, kafka)).changes == []


def test_one_that_may_be_ours_by_an_older_name_is_never_passed_by_in_silence_nor_deleted(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    forget_uids(kafka)
    cloud.rename_cluster("sales-of-2027")
    before = running(cloud)
    with pytest.raises(DeployError, match="works on the database sales-cluster, and this cluster's ledger notes"):
        destroyed(target_on(cloud, kafka))
    assert running(cloud) == before


def test_one_of_another_cluster_that_took_a_name_that_our_ledger_still_notes_is_never_deleted(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    """Ours was deleted by hand, and another pipeline of the same files now has its name, on a database so called."""
    applied(target_on(cloud, kafka))
    name = "revenue-summary-materializer"
    ours = cloud.statements[name]
    flink_of(cloud).delete(name)
    flink_of(cloud).wait_deleted(name, 60)
    cloud.rename_cluster("sales-of-2027")
    cloud._statements.create({"statement": ours.text, "properties": ours.properties}, name, ours.labels)
    theirs = cloud.statements[name].uid
    with pytest.raises(DeployError, match=f"The statement {name} works on the database"):
        destroyed(target_on(cloud, kafka))
    assert cloud.statements[name].uid == theirs
    assert running(cloud) <= {name}
