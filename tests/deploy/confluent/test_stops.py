"""Statements on Confluent Cloud are stopped and resumed by the service's own means."""

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.ledger import BEING_REMOVED, Ledger
from dashboard.deploy.plan import Action
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from tests.deploy.cloud import applied, flink_of, target_on
from tests.deploy.confluent.test_versions import NAME, filtering
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

JOIN, DEDUPLICATION = "completed-orders-materializer", "unique-payments-maintenance"


@pytest.fixture
def target(cloud: FakeConfluentCloud, kafka: FakeKafka) -> ConfluentTarget:
    """All is deployed; the target has not looked since."""
    applied(target_on(cloud, kafka))
    return target_on(cloud, kafka)


def silent(_text: str) -> None: ...


@pytest.mark.parametrize("name", [JOIN, DEDUPLICATION])
def test_one_is_stopped_and_resumed_and_the_others_are_left_alone(
    cloud: FakeConfluentCloud, kafka: FakeKafka, target: ConfluentTarget, name: str
) -> None:
    before = {one: there.version for one, there in cloud.statements.items() if one != name}
    id_ = target.stoppable(name)
    waited: list[str] = []
    assert target.stop(id_, waited.append) == "stopped"
    assert (cloud.statements[name].phase, waited[-1]) == ("STOPPED", f"{name}: STOPPED")
    assert [(step.id.name, step.action) for step in plan_for(target_on(cloud, kafka)).changes] == [
        (name, Action.RESUME)
    ]
    target.resume(id_, silent)
    assert cloud.statements[name].phase == "RUNNING"
    assert {one: there.version for one, there in cloud.statements.items() if one in before} == before
    assert plan_for(target_on(cloud, kafka)).changes == []


def test_the_live_version_is_the_one_that_is_stopped(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    for least in (1, 2):
        applied(target_on(cloud, kafka, filtering(least)))
    target = target_on(cloud, kafka, filtering(2))
    target.stop(Id("statement", NAME), silent)
    assert cloud.statements[f"{NAME}-v2"].phase == "STOPPED"
    target.resume(Id("statement", NAME), silent)
    assert cloud.statements[f"{NAME}-v2"].phase == "RUNNING"


@pytest.mark.parametrize("name", ["completed-orders", "tableflow-payments", "unknown"])
def test_tables_and_copies_are_no_running_statements(target: ConfluentTarget, name: str) -> None:
    with pytest.raises(DeployError):
        target.stoppable(name)


def test_what_rests_is_not_stopped_and_what_runs_is_not_resumed(target: ConfluentTarget) -> None:
    id_ = Id("statement", JOIN)
    with pytest.raises(DeployError, match="is RUNNING, so there is nothing to resume"):
        target.resume(id_, silent)
    target.stop(id_, silent)
    with pytest.raises(DeployError, match="is STOPPED, so there is nothing to stop"):
        target.stop(id_, silent)


def test_one_that_failed_can_be_neither_stopped_nor_resumed(cloud: FakeConfluentCloud, target: ConfluentTarget) -> None:
    cloud.fail_statement(JOIN, "Out of memory.")
    for act, message in ((target.stop, "nothing to stop"), (target.resume, "cannot be resumed")):
        with pytest.raises(DeployError, match=f"is FAILED, so .*{message}") as caught:
            act(Id("statement", JOIN), silent)
        assert "Out of memory" in caught.value.hint


def test_a_stop_that_was_killed_before_it_was_over_is_ended_by_a_resume(
    cloud: FakeConfluentCloud, target: ConfluentTarget
) -> None:
    cloud.delays.stopping = 0.5
    flink_of(cloud).stop(JOIN)
    assert cloud.statements[JOIN].phase == "RUNNING"
    target.resume(Id("statement", JOIN), silent)
    assert cloud.statements[JOIN].phase == "RUNNING"
    assert not cloud.statements[JOIN].stopped


def test_one_that_fails_while_it_stops_or_resumes_is_said_with_the_reason(
    cloud: FakeConfluentCloud, target: ConfluentTarget
) -> None:
    id_ = Id("statement", JOIN)
    cloud.delays.stopping = 60
    with pytest.raises(DeployError, match="failed while it stopped: Out of memory"):
        target.stop(id_, lambda _text: cloud.fail_statement(JOIN, "Out of memory."))


def test_what_others_made_under_our_name_is_left_to_them(cloud: FakeConfluentCloud, target: ConfluentTarget) -> None:
    flink = flink_of(cloud)
    text = cloud.statements[JOIN].text
    flink.delete(JOIN)
    flink.wait_deleted(JOIN, 60)
    flink.create(JOIN, text, {}, {})
    for act in (target.stop, target.resume):
        with pytest.raises(DeployError, match="Nothing says that we made"):
            act(Id("statement", JOIN), silent)


def test_one_that_is_missing_or_half_removed_is_for_the_next_apply(
    cloud: FakeConfluentCloud, kafka: FakeKafka, target: ConfluentTarget
) -> None:
    id_ = Id("statement", JOIN)
    Ledger(kafka).note({id_: BEING_REMOVED})
    with pytest.raises(DeployError, match="is being removed"):
        target.stop(id_, silent)
    flink = flink_of(cloud)
    flink.delete(JOIN)
    flink.wait_deleted(JOIN, 60)
    with pytest.raises(DeployError, match="is not there"):
        target.resume(id_, silent)
