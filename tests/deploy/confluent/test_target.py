"""The whole pipeline against the fake of Confluent Cloud, its topics on a real broker."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.deploy.apply import Application, ApplyError, destroy_plan_for, plan_for
from dashboard.deploy.confluent.target import LABEL, ConfluentTarget
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.plan import Action
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import Silent, applied, destroyed, flink_of, registry_of, target_on, with_orders
from tests.fakes.confluent_cloud import FakeConfluentCloud

pytestmark = pytest.mark.stack

REVENUE = "revenue-summary-materializer"
REBUILT = {
    Id("statement", REVENUE),
    Id("statement", "revenue-summary"),
    Id("statement", "revenue-summary-retention"),
    Id("tableflow", "revenue_summary"),
}


@pytest.fixture
def cloud(broker: Kafka) -> Iterator[FakeConfluentCloud]:
    """An environment in which a connector already writes the orders."""

    def mirror(created: str | None, deleted: str | None) -> None:
        if created:
            broker.create_topics([Topic(created, 1)])
        if deleted:
            broker.delete_topics([deleted])

    def topics() -> list[str]:
        return [name for name in broker.topic_names() if not name.startswith(("__", "sales-trends-"))]

    with FakeConfluentCloud(on_topic=mirror, topics=topics) as cloud:
        with_orders(cloud, broker)
        yield cloud
        broker.delete_topics(name for name in broker.topic_names() if not name.startswith("__"))


@pytest.fixture
def target(cloud: FakeConfluentCloud, broker: Kafka) -> ConfluentTarget:
    return target_on(cloud, broker)


def uids(cloud: FakeConfluentCloud) -> dict[str, str]:
    """Without what is on its way out, as the query of every plan is for a moment."""
    return {name: one.uid for name, one in cloud.statements.items() if one.phase != "DELETING"}


def with_windows(cloud: FakeConfluentCloud, broker: Kafka, window: timedelta) -> ConfluentTarget:
    return target_on(cloud, broker, load_pipeline(PipelineSettings(window_size=window)))


def test_the_whole_pipeline_goes_from_nothing_to_running_and_a_second_plan_is_empty(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    assert {step.action for step in applied(target).steps} == {Action.CREATE}
    phases = {name: one.phase for name, one in cloud.statements.items()}
    assert {name for name, phase in phases.items() if phase == "RUNNING"} == {
        "unique-payments-maintenance",
        "completed-orders-materializer",
        REVENUE,
    }
    assert set(phases.values()) == {"RUNNING", "COMPLETED"}
    assert all(LABEL in one.labels for one in cloud.statements.values())
    assert {"payments", "error-payments", "revenue_summary"} <= broker.topic_names()
    assert broker.partitions()["payments"] == 6
    assert set(cloud.tableflow_topics) == set(load_pipeline(PipelineSettings()).tableflow_topics)
    given = {Id("topic", "shiftleft.public.orders")}
    assert target_on(cloud, broker).found().keys() == {one.id for one in target.wanted()} | given
    assert plan_for(target_on(cloud, broker)).changes == []


def test_the_state_ttl_goes_with_the_one_statement_it_belongs_to(
    cloud: FakeConfluentCloud, target: ConfluentTarget
) -> None:
    applied(target)
    with_ttl = {name for name, one in cloud.statements.items() if "sql.state-ttl" in one.properties}
    assert with_ttl == {"unique-payments-maintenance"}


def test_a_changed_window_is_refused_without_the_flag_and_done_with_it(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    before = uids(cloud)
    changed = with_windows(cloud, broker, timedelta(minutes=1))
    with pytest.raises(DeployError, match="table revenue_summary, its topic and its contract"):
        applied(changed)
    assert uids(cloud) == before
    plan = applied(changed, "revenue_summary")
    assert {step.id for step in plan.changes} == REBUILT
    assert "INTERVAL '1' MINUTE" in cloud.statements[REVENUE].text
    after = uids(cloud)
    assert {name for name in before if before[name] != after[name]} == {
        REVENUE,
        "revenue-summary",
        "revenue-summary-retention",
    }
    assert plan_for(with_windows(cloud, broker, timedelta(minutes=1))).changes == []


def test_what_the_service_has_forgotten_is_judged_by_its_table(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    cloud.purge_finished()
    assert "revenue-summary" not in cloud.statements
    assert plan_for(target_on(cloud, broker)).changes == []


def test_the_requests_of_a_plan_grow_with_pages_not_with_statements(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)

    def lists() -> int:
        before = len(cloud.requests)
        plan_for(target_on(cloud, broker))
        asked = cloud.requests[before:]
        return sum(one.method == "GET" and one.path.endswith("/statements") for one in asked)

    few = lists()
    flink = flink_of(cloud)
    for number in range(110):
        flink.create(f"others-{number}", "SELECT 1", {}, {})
    assert (few, lists()) == (1, 2)


@pytest.mark.parametrize(
    ("phase", "action"),
    [("DEGRADED", Action.DRIFTED), ("FAILING", Action.DRIFTED), ("HIBERNATING", Action.DRIFTED)],
)
def test_phases_that_are_odd_or_unknown_are_shown_and_not_fatal(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget, phase: str, action: Action
) -> None:
    applied(target)
    cloud.set_phase(REVENUE, phase, "looks odd")
    (step,) = plan_for(target_on(cloud, broker)).changes
    assert (step.id.name, step.action) == (REVENUE, action)
    assert phase in step.why
    assert "looks odd" in step.why


def test_one_that_somebody_stopped_is_resumed_with_what_it_knew(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    uid = cloud.statements[REVENUE].uid
    cloud.stop_as(REVENUE, "u-999")
    plan = applied(target_on(cloud, broker))
    assert [(step.id.name, step.action) for step in plan.changes] == [(REVENUE, Action.RESUME)]
    assert cloud.statements[REVENUE].uid == uid
    assert cloud.statements[REVENUE].phase == "RUNNING"


def test_one_that_failed_cannot_go_on_so_its_table_is_filled_anew(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    cloud.fail_statement(REVENUE, "out of memory")
    plan = plan_for(target_on(cloud, broker))
    assert {step.id for step in plan.changes} == REBUILT
    assert any("FAILED, which cannot be resumed: out of memory" in step.why for step in plan.changes)


def test_a_statement_that_fails_at_start_stops_the_apply_with_the_services_reason_and_the_next_goes_on(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    cloud.fail_statement("completed-orders-materializer", "no watermark on orders")
    with pytest.raises(ApplyError, match="completed-orders-materializer failed: no watermark on orders") as failed:
        applied(target)
    assert "Done:" in failed.value.hint
    names = [step.id.name for step in failed.value.outcome.done]
    assert "unique-payments-maintenance" in names
    again = target_on(cloud, broker)
    plan = plan_for(again)
    Application(plan, again, Silent(), lose=plan.losses).run()
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_first_apply_that_breaks_off_goes_on_without_any_loss(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    """What was made so far is empty, so nothing in it can be wrong."""
    cloud.fail_statement("revenue-summary", "no rights")
    with pytest.raises(ApplyError, match="no rights"):
        applied(target)
    again = target_on(cloud, broker)
    plan = plan_for(again)
    assert plan.losses == []
    Application(plan, again, Silent()).run()
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_table_of_tableflow_that_failed_is_made_anew_when_its_loss_is_named(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    cloud.fail_tableflow("payments", "a null value")
    again = target_on(cloud, broker)
    plan = plan_for(again)
    assert [(step.id.kind, step.id.name, step.action) for step in plan.changes] == [
        ("tableflow", "payments", Action.REPLACE_LOSING_STATE)
    ]
    assert "a null value" in plan.changes[0].why
    Application(plan, again, Silent(), lose=["payments"]).run()
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_dry_run_refuses_a_changed_statement_before_anything_is_touched(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    cloud.refuse_dry_run("TUMBLE", "no such column ts")
    before = uids(cloud)
    with pytest.raises(DeployError, match="no such column ts"):
        plan_for(with_windows(cloud, broker, timedelta(minutes=1)))
    assert uids(cloud) == before


def test_a_connection_cut_after_a_create_makes_nothing_twice(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    cloud.faults.cut("POST", r"/statements$", times=2, after_handling=True)
    applied(target)
    assert plan_for(target_on(cloud, broker)).changes == []


def test_too_many_requests_are_waited_for(cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget) -> None:
    cloud.faults.answer("GET", r"/statements", status=429, headers={"Retry-After": "0"}, times=3)
    applied(target)
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_topic_that_others_made_is_asked_about_and_taken_over_with_a_yes(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    broker.create_topics([Topic("payments", 6)])
    with pytest.raises(DeployError, match="Not known to be ours: topic payments"):
        applied(target)
    plan = plan_for(target, adopt=lambda id_: id_.name == "payments")
    Application(plan, target, Silent()).run()
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_statement_of_our_name_that_others_made_is_made_anew_when_it_is_taken_over(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    """Whatever it has written, nothing tells by which text."""
    applied(target)
    statement = cloud.statements[REVENUE]
    flink = flink_of(cloud)
    flink.delete(REVENUE)
    flink.wait_deleted(REVENUE, 60)
    flink.create(REVENUE, statement.text, {}, {})
    again = target_on(cloud, broker)
    with pytest.raises(DeployError, match=f"Not known to be ours: statement {REVENUE}"):
        applied(again)
    plan = plan_for(again, adopt=lambda id_: id_.name == REVENUE)
    assert plan.losses == ["revenue_summary"]
    Application(plan, again, Silent(), lose=plan.losses).run()
    assert LABEL in cloud.statements[REVENUE].labels
    assert plan_for(target_on(cloud, broker)).changes == []


def test_a_statement_of_ours_that_no_file_describes_is_an_orphan_and_one_of_others_is_nothing(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    fewer = load_pipeline(PipelineSettings())
    smaller = replace(
        fewer,
        statements=[one for one in fewer.statements if not one.name.startswith("revenue")],
        tableflow_topics=[one for one in fewer.tableflow_topics if one != "revenue_summary"],
    )
    plan = plan_for(target_on(cloud, broker, smaller))
    assert {step.action for step in plan.changes} == {Action.ORPHAN}
    assert Id("statement", REVENUE) in {step.id for step in plan.changes}
    assert plan.acts == []


def test_no_secret_is_in_a_plan_or_in_the_ledger(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    plan = applied(target)
    secrets = [cloud.flink_key[1], cloud.registry_key[1], cloud.tableflow_key[1]]
    written = str(plan.as_dict()) + str(broker.values("sales-trends-ledger"))
    assert not any(secret in written for secret in secrets)


def test_destroying_leaves_nothing_of_ours_and_everything_of_others(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    before, subjects = broker.topic_names(), set(registry_of(cloud).subjects())
    flink_of(cloud).create("others", "SELECT 1", {}, {})
    applied(target)
    again = target_on(cloud, broker)
    kept = destroy_plan_for(again)
    names = {step.data for step in kept.steps if step.data}
    assert names == {"payments", "error-payments", "CSFLE_Key", *load_pipeline(PipelineSettings()).tableflow_topics}
    destroyed(again, *names)
    left = {name for name, one in cloud.statements.items() if one.phase != "DELETING"}
    assert left == {"others"}
    assert broker.topic_names() - {"__consumer_offsets"} == before - {"__consumer_offsets"}
    assert set(registry_of(cloud).subjects()) == subjects
    assert not cloud.tableflow_topics


def test_destroying_without_naming_data_ends_what_runs_and_the_next_apply_fills_it_anew(
    cloud: FakeConfluentCloud, broker: Kafka, target: ConfluentTarget
) -> None:
    applied(target)
    for table in ("unique_payments", "completed_orders", "revenue_summary"):
        broker.append(table, [(None, "a record")])
    topics = broker.topic_names()
    destroyed(target_on(cloud, broker))
    assert not [name for name, one in cloud.statements.items() if one.phase == "RUNNING"]
    assert broker.topic_names() == topics
    assert "unique_payments" in cloud.tables
    again = target_on(cloud, broker)
    plan = plan_for(again)
    assert set(plan.losses) == {"unique_payments", "completed_orders", "revenue_summary"}
    Application(plan, again, Silent(), lose=plan.losses).run()
    assert plan_for(target_on(cloud, broker)).changes == []
