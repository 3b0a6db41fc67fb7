"""A made-up target as commands work on it: one writer, an audit log on a real cluster, and how everything is."""

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from dashboard.deploy.audit import AUDIT_TOPIC, Act, AuditReader
from dashboard.deploy.deployment import TargetDeployment
from dashboard.deploy.raw_records import RawRecords
from dashboard.deploy.resources import Found, Id
from dashboard.errors import DeployError, UnreachableError
from dashboard.happened import deployments
from dashboard.narration import Narrator
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.registry import Registry
from tests.deploy.mars import FIRST, OTHER, PIPELINE, SECOND, TOPIC, Mars

pytestmark = pytest.mark.stack


@pytest.fixture
def mars() -> Mars:
    return Mars(PIPELINE)


@pytest.fixture
def deployment(broker: Kafka, mars: Mars) -> Iterator[TargetDeployment]:
    yield TargetDeployment(
        mars, broker, RawRecords(broker, Registry("http://127.0.0.1:1"), {}), lambda: Narrator(Console(file=StringIO()))
    )
    broker.delete_topics(name for name in broker.topic_names() if not name.startswith("__"))


def acts(deployment: TargetDeployment) -> list[tuple[str, str, str]]:
    return [(act.what, act.thing, act.result) for act in deployment.audit.acts()]


def test_every_act_is_in_the_audit_log_and_what_others_do_not_know_is_in_none(deployment: TargetDeployment) -> None:
    plan = deployment.apply()
    told = acts(deployment)
    assert [told[0], told[-1]] == [("apply begins", "", "ok"), ("apply ended", "", "ok")]
    assert {thing for what, thing, _ in told if what == "make"} == {str(one.id) for one in PIPELINE}
    assert {act.plan for act in deployment.audit.acts()} == {plan.digest}


def test_an_apply_that_fails_says_so_in_the_log_with_the_reason_and_the_next_may_go_on(
    deployment: TargetDeployment, mars: Mars
) -> None:
    mars.refuses[FIRST] = UnreachableError("Mars did not answer.")
    with pytest.raises(DeployError, match="Mars did not answer"):
        deployment.apply()
    assert acts(deployment)[-1] == ("apply failed", "", "Mars did not answer.")
    mars.refuses.clear()
    deployment.apply(lose=["other"])
    assert acts(deployment)[-1] == ("apply ended", "", "ok")


def test_an_interrupted_apply_is_in_the_log(deployment: TargetDeployment, mars: Mars) -> None:
    mars.refuses[FIRST] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        deployment.apply()
    assert acts(deployment)[-1] == ("apply failed", "", "KeyboardInterrupt")


def test_a_plan_of_before_is_refused_when_the_target_is_another_now(deployment: TargetDeployment, mars: Mars) -> None:
    plan = deployment.plan()
    mars.things[TOPIC] = Found(TOPIC, True, "1", "ready")
    with pytest.raises(DeployError, match="not as it was"):
        deployment.apply(plan.digest)
    assert mars.did == []


@pytest.mark.parametrize("what", ["adopt", "prune"])
def test_a_name_that_nothing_waits_for_is_refused(deployment: TargetDeployment, what: str) -> None:
    with pytest.raises(DeployError, match=f"nothing to {what} on mars that is called venus"):
        deployment.plan(**{what: ["venus"]})


def test_an_adopted_topic_and_a_pruned_orphan_are_carried_out_by_one_apply(
    deployment: TargetDeployment, mars: Mars
) -> None:
    orphan = Id("statement", "old")
    mars.things = {TOPIC: Found(TOPIC, False, None, "ready"), orphan: Found(orphan, True, "1", "ready")}
    deployment.apply(adopt=["topic"], prune=["old"])
    assert mars.did[:2] == ["adopt topic topic", "remove statement old"]
    assert deployment.plan().changes == []


def test_destroying_is_in_the_log_and_tells_the_target_to_forget(deployment: TargetDeployment, mars: Mars) -> None:
    deployment.apply()
    plan = deployment.destroy_plan(delete=["other"])
    deployment.destroy(plan.digest, delete=["other"])
    assert mars.did[-1] == "forget"
    assert [acts(deployment)[-1][0], mars.things] == ["destroy ended", {}]
    assert AUDIT_TOPIC in deployment.kafka.topic_names()


def test_how_everything_is_names_what_is_missing_changed_foreign_and_left_over(
    deployment: TargetDeployment, mars: Mars
) -> None:
    orphan = Id("statement", "old")
    mars.things = {
        TOPIC: Found(TOPIC, False, None, "ready"),
        FIRST: Found(FIRST, True, "2", "ready", "RUNNING"),
        SECOND: Found(SECOND, True, "1", "failed", "FAILED", "out of slots"),
        orphan: Found(orphan, True, "1", "ready"),
    }
    rows = {Id(one.kind, one.name): one for one in deployment.resources()}
    assert {id_: row.state for id_, row in rows.items()} == {
        TOPIC: "foreign",
        OTHER: "missing",
        FIRST: "changed",
        SECOND: "failed",
        Id("tableflow", "other"): "missing",
        orphan: "orphan",
    }
    assert (rows[SECOND].phase, rows[SECOND].detail) == ("FAILED", "out of slots")


def test_what_is_still_to_read_is_counted_against_the_ends_of_the_topics(
    deployment: TargetDeployment, mars: Mars, broker: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topics([Topic("raw", 2)])
    broker.append("raw", [("a", str(number)) for number in range(10)])
    mars.things = {FIRST: Found(FIRST, True, "1", "ready", "RUNNING")}
    (full,) = [partition for partition, end in broker.end_offsets("raw").items() if end]
    monkeypatch.setattr(mars, "offsets", lambda _id: {"raw": {full: 7}})
    row = next(one for one in deployment.resources() if one.name == FIRST.name)
    assert row.behind == 3
    mars.things[FIRST] = replace(mars.things[FIRST], digest="0")
    assert next(one for one in deployment.resources() if one.name == FIRST.name).state == "changed"


def test_the_log_tells_when_each_thing_was_made_and_when_it_was_ready(deployment: TargetDeployment) -> None:
    deployment.apply()
    told = acts(deployment)
    for one in PIPELINE:
        assert told.index(("make", str(one.id), "ok")) < told.index(("ready", str(one.id), "ok"))


def test_what_the_log_tells_of_a_deployment_is_one_annotation_and_of_none_it_is_none(
    deployment: TargetDeployment,
) -> None:
    deployment.apply()
    deployment.apply()

    [told] = deployments(deployment.audit.acts())

    assert told.text == f"A deployment changed {len(PIPELINE)} things"
    assert f"make {PIPELINE[0].id}" in told.detail


def test_a_reader_of_the_log_reads_each_act_once_and_begins_anew_with_another_topic(
    deployment: TargetDeployment, broker: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = AuditReader(deployment.audit)
    assert reader.acts() == []
    deployment.apply()
    assert reader.acts() == deployment.audit.acts()
    read: list[tuple[int, int]] = []
    between = deployment.audit.between

    def counted(start: int, end: int) -> list[Act]:
        read.append((start, end))
        return between(start, end)

    monkeypatch.setattr(deployment.audit, "between", counted)
    end = deployment.audit.end()
    deployment.audit.write("1", "apply begins")
    assert [act.what for act in reader.acts()][-2:] == ["apply ended", "apply begins"]
    reader.acts()
    assert read == [(end, end + 1)]
    broker.delete_topics([AUDIT_TOPIC])
    assert reader.acts() == []
    broker.create_topics([Topic(AUDIT_TOPIC, 1)])
    deployment.audit.write("2", "destroy begins")
    assert [act.what for act in reader.acts()] == ["destroy begins"]


def test_a_statement_is_stopped_and_resumed_and_the_log_tells_who_did_what_to_it(
    deployment: TargetDeployment, mars: Mars
) -> None:
    deployment.apply()
    begun = len(deployment.audit.acts())
    assert deployment.stop(FIRST.name) == "The statement first was stopped."
    assert deployment.resume(FIRST.name) == "The statement first runs again."
    assert mars.did[-2:] == [f"stop {FIRST}", f"resume {FIRST}"]
    assert acts(deployment)[begun:] == [
        (f"{what} {how}", str(FIRST), "ok") for what in ("stop", "resume") for how in ("begins", "ended")
    ]
    assert {act.who for act in deployment.audit.acts()} == {deployment.audit.who}


def test_a_stop_that_is_refused_is_in_the_log_with_the_reason(deployment: TargetDeployment) -> None:
    deployment.apply()
    deployment.stop(FIRST.name)
    with pytest.raises(DeployError, match="nothing to stop"):
        deployment.stop(FIRST.name)
    assert acts(deployment)[-1] == ("stop failed", str(FIRST), f"There is nothing to stop: {FIRST} is stopped.")


def test_a_name_that_no_statement_goes_by_is_refused_before_anything_is_written(deployment: TargetDeployment) -> None:
    for act in (deployment.stop, deployment.resume):
        with pytest.raises(DeployError, match="no statement called venus"):
            act("venus")
    assert deployment.audit.acts() == []


def test_who_acts_is_told_to_others_and_by_the_log_also_when_it_is_one_person_in_two_places(
    broker: Kafka, mars: Mars, deployment: TargetDeployment
) -> None:
    def page(who: str) -> TargetDeployment:
        return TargetDeployment(
            mars,
            broker,
            RawRecords(broker, Registry("http://127.0.0.1:1"), {}),
            lambda: Narrator(Console(file=StringIO())),
            who,
        )

    ada = page("Ada Lovelace")
    ada.apply()
    assert {act.who for act in deployment.audit.acts()} == {"Ada Lovelace"}
    with ada.acting("think", ""):
        for second in (page("Bob"), page("Ada Lovelace")):
            with (
                pytest.raises(DeployError, match="is being changed by Ada Lovelace"),
                second.audit.only_writer(within_seconds=6),
            ):
                pass
