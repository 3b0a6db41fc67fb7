"""The deduplication rests until the join runs, whatever goes wrong meanwhile; and whoever asks is told of both."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from dashboard import cloud_deployment
from dashboard.cloud_deployment import CloudDeployment
from dashboard.deploy.apply import Application, ApplyError, plan_for
from dashboard.deploy.audit import AuditLog, Writer
from dashboard.deploy.confluent.hold import carry_out, with_pause
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.plan import Action
from dashboard.errors import DeployError, SalesTrendsError
from dashboard.narration import Narrator
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from dashboard.target_fields import ConfluentTargetSettings
from tests.conftest import eventually
from tests.deploy.cloud import HASTE, KMS_KEY, Silent, applied, flink_of, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

JOIN, DEDUPLICATION = "completed-orders-materializer", "unique-payments-maintenance"
SUMMING = "revenue-summary-materializer"


class Right:
    """To change the target; `is_lost` tells from when on it is gone."""

    def __init__(self) -> None:
        self.is_lost: Callable[[], bool] = lambda: False

    def check(self) -> None:
        if self.is_lost():
            raise DeployError("The right to change confluent was lost.")


class Log(AuditLog):
    """Of a cluster in memory, which has no groups."""

    def __init__(self, kafka: FakeKafka) -> None:
        super().__init__(kafka, "confluent", "ada")
        self.right = Right()

    @contextmanager
    def only_writer(self, within_seconds: float = 0) -> Iterator[Writer]:
        self.begin()
        yield cast(Writer, self.right)


@pytest.fixture
def deployment(cloud: FakeConfluentCloud, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch) -> CloudDeployment:
    """All is deployed."""
    applied(target_on(cloud, kafka))
    keys = {
        "flink": cloud.flink_key,
        "schema_registry": cloud.registry_key,
        "tableflow": cloud.tableflow_key,
        "kafka": cloud.cloud_key,
    }
    settings = ConfluentTargetSettings.model_validate(
        {
            "name": "confluent",
            "organization": cloud.organization,
            "environment": cloud.environment,
            "compute_pool": cloud.compute_pool,
            "kafka_cluster": cloud.cluster_id,
            "kafka_cluster_name": cloud.cluster_name,
            "kafka_bootstrap": "127.0.0.1:1",
            "flink_endpoint": cloud.flink_url,
            "schema_registry_url": cloud.registry_url,
            "control_plane_endpoint": cloud.control_plane_url,
            "kms_key_id": KMS_KEY.id,
            **{f"{service}_api_key": key for service, (key, _) in keys.items()},
            **{f"{service}_api_secret": word for service, (_, word) in keys.items()},
        }
    )
    monkeypatch.setattr(
        cloud_deployment, "confluent_clusters", lambda _settings: (kafka, Registry(settings.schema_registry_url))
    )
    narrator = Narrator(Console(file=StringIO()))
    made = CloudDeployment(settings, PipelineSettings(), lambda: narrator, pace=HASTE, poll_seconds=0.02)
    made.audit = Log(kafka)
    return made


def phases(cloud: FakeConfluentCloud) -> dict[str, str]:
    return {name: cloud.statements[name].phase for name in (JOIN, DEDUPLICATION)}


BOTH_RUN = {JOIN: "RUNNING", DEDUPLICATION: "RUNNING"}


def asked(cloud: FakeConfluentCloud, method: str, name: str, since: int) -> int:
    return sum(one.method == method and one.path.endswith(f"/{name}") for one in cloud.requests[since:])


def apply(deployment: CloudDeployment) -> None:
    deployment.apply(lose=deployment.plan().losses)


def without(cloud: FakeConfluentCloud, name: str) -> None:
    flink = flink_of(cloud)
    flink.delete(name)
    flink.wait_deleted(name, 60)


@pytest.mark.parametrize("act", [apply, lambda one: one.resume(DEDUPLICATION)])
def test_the_deduplication_is_not_let_go_while_the_join_that_was_started_waits_for_the_pool(
    cloud: FakeConfluentCloud, deployment: CloudDeployment, act: Callable[[CloudDeployment], None]
) -> None:
    """As an apply leaves it that gave up or was killed."""
    for name in (DEDUPLICATION, JOIN):
        cloud.stop_as(name, "u-999")
    flink_of(cloud).resume(JOIN)
    cloud.set_phase(JOIN, "PENDING", "The compute pool is exhausted.")
    since = len(cloud.requests)
    with ThreadPoolExecutor() as pool:
        acting = pool.submit(act, deployment)
        try:
            eventually(
                lambda: acting.done() or max(asked(cloud, "GET", name, since) for name in BOTH_RUN) > 2, 30, 0.02
            )
            assert phases(cloud) == {JOIN: "PENDING", DEDUPLICATION: "STOPPED"}
            assert not acting.done()
        finally:
            cloud.set_phase(JOIN, "RUNNING")
        acting.result(60)
    assert phases(cloud) == BOTH_RUN
    assert deployment.plan().changes == []


@pytest.mark.parametrize("stopping", [DEDUPLICATION, JOIN])
def test_what_was_still_stopping_when_an_apply_or_a_stop_was_killed_goes_on_with_the_next_apply(
    cloud: FakeConfluentCloud, deployment: CloudDeployment, stopping: str
) -> None:
    cloud.stop_as(JOIN if stopping == DEDUPLICATION else DEDUPLICATION, "u-999")
    cloud.delays.stopping = 1
    flink_of(cloud).stop(stopping)
    assert {step.id.name: step.action for step in deployment.plan().changes} == dict.fromkeys(
        (DEDUPLICATION, JOIN), Action.RESUME
    )
    apply(deployment)
    assert phases(cloud) == BOTH_RUN
    assert not any(cloud.statements[name].stopped for name in BOTH_RUN)


def test_a_plan_says_that_the_deduplication_rests_while_the_join_is_started(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    assert deployment.plan().changes == []
    cloud.stop_as(JOIN, "u-999")
    cloud.add_warning(DEDUPLICATION, "CRITICAL", "SLOW", "it is slow")
    paused, resumed = deployment.plan().changes
    assert (paused.id.name, paused.action) == (DEDUPLICATION, Action.PAUSE)
    assert f"rests until {JOIN} runs" in paused.why
    assert "it is slow" in paused.why
    assert (resumed.id.name, resumed.action) == (JOIN, Action.RESUME)


def test_what_neither_of_the_two_needs_fails_without_holding_the_deduplication_back(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    cloud.stop_as(JOIN, "u-999")
    without(cloud, SUMMING)
    cloud.fail_statement(SUMMING, "out of memory")
    with pytest.raises(ApplyError, match="out of memory") as caught:
        apply(deployment)
    assert phases(cloud) == BOTH_RUN
    assert "not resumed yet" not in caught.value.hint


def test_an_apply_whose_join_fails_says_that_the_deduplication_is_stopped(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    without(cloud, JOIN)
    cloud.fail_statement(JOIN, "out of memory")
    with pytest.raises(ApplyError, match="out of memory") as caught:
        apply(deployment)
    assert f"Stopped and not resumed yet: statement {DEDUPLICATION}." in caught.value.hint
    assert cloud.statements[DEDUPLICATION].phase == "STOPPED"
    apply(deployment)
    assert phases(cloud) == BOTH_RUN


def test_a_pause_that_is_refused_says_how_far_the_apply_came(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    without(cloud, JOIN)
    cloud.faults.answer("PUT", f"/{DEDUPLICATION}$", status=403)
    with pytest.raises(SalesTrendsError) as caught:
        apply(deployment)
    assert f"Failed: statement {DEDUPLICATION}." in caught.value.hint
    assert f"statement {JOIN}" in caught.value.hint.partition("Not tried: ")[2]
    assert cloud.statements[DEDUPLICATION].phase == "RUNNING"


@pytest.mark.parametrize("again", ["STOPPED", "RUNNING"])
def test_whoever_lost_the_right_neither_pauses_the_deduplication_nor_lets_it_go_on(
    cloud: FakeConfluentCloud, deployment: CloudDeployment, again: str
) -> None:
    """Before the pause, and when the join runs again."""
    cloud.stop_as(JOIN, "u-999")
    cast(Log, deployment.audit).right.is_lost = lambda: cloud.statements[JOIN].phase == again
    with pytest.raises(ApplyError, match="right to change confluent was lost"):
        apply(deployment)
    assert phases(cloud) == {JOIN: again, DEDUPLICATION: "RUNNING" if again == "STOPPED" else "STOPPED"}


def test_a_join_of_others_is_not_stopped_and_the_deduplication_goes_on(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    text = cloud.statements[JOIN].text
    without(cloud, JOIN)
    flink_of(cloud).create(JOIN, text, {}, {})
    since = len(cloud.requests)
    with pytest.raises(DeployError, match=f"Nothing says that we made the statement {JOIN}"):
        deployment.stop(JOIN)
    assert asked(cloud, "PUT", DEDUPLICATION, since) == 0
    assert not cloud.statements[DEDUPLICATION].stopped


def test_a_join_that_cannot_be_stopped_is_said_with_what_was_stopped_first(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    cloud.faults.answer("PUT", f"/{JOIN}$", status=403)
    with pytest.raises(SalesTrendsError) as caught:
        deployment.stop(JOIN)
    assert f"{DEDUPLICATION} was stopped first" in caught.value.hint
    assert phases(cloud) == {JOIN: "RUNNING", DEDUPLICATION: "STOPPED"}


@pytest.mark.parametrize(("refused", "told"), [(JOIN, "stays stopped"), (DEDUPLICATION, f"{JOIN} runs again")])
def test_a_resume_that_fails_half_way_says_how_the_other_one_is(
    cloud: FakeConfluentCloud, deployment: CloudDeployment, refused: str, told: str
) -> None:
    deployment.stop(JOIN)
    cloud.faults.answer("PUT", f"/{refused}$", status=403)
    with pytest.raises(SalesTrendsError) as caught:
        deployment.resume(JOIN)
    assert told in caught.value.hint


@pytest.mark.parametrize(("named", "other"), [(JOIN, DEDUPLICATION), (DEDUPLICATION, JOIN)])
def test_the_log_tells_of_the_one_that_was_resumed_without_being_named(
    deployment: CloudDeployment, named: str, other: str
) -> None:
    deployment.stop(JOIN)
    deployment.resume(named)
    acts = [(act.what, act.thing) for act in deployment.audit.acts()][-3:]
    assert acts == [
        ("resume begins", f"statement {named}"),
        ("resume", f"statement {other}"),
        ("resume ended", f"statement {named}"),
    ]


def test_the_deduplication_is_not_let_go_while_the_join_is_about_to_fail(
    cloud: FakeConfluentCloud, deployment: CloudDeployment
) -> None:
    cloud.stop_as(DEDUPLICATION, "u-999")
    cloud.set_phase(JOIN, "FAILING", "out of memory")
    with pytest.raises(ApplyError, match="out of memory"):
        apply(deployment)
    assert cloud.statements[DEDUPLICATION].phase == "STOPPED"


def test_a_pipeline_whose_join_has_another_name_is_deployed_as_any_other(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    described = load_pipeline(PipelineSettings())
    renamed = replace(
        described,
        statements=[replace(one, name="joined") if one.name == JOIN else one for one in described.statements],
    )
    target = target_on(cloud, kafka, renamed)
    plan = with_pause(plan_for(target, prune=lambda id_: id_.name == JOIN), target)
    carry_out(plan, Application(plan, target, Silent(), lose=plan.losses), target)
    assert JOIN not in cloud.statements
    assert cloud.statements["joined"].phase == "RUNNING"
