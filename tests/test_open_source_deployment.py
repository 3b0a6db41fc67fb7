"""What is stopped and resumed on open-source Flink, and in which order, on a made-up cluster.

That the numbers stay right is proven in tests/stack.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from dashboard.deploy.audit import AuditLog, Writer
from dashboard.deploy.one_job import FIXED_JOB_ID
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import DeployError, UnreachableError
from dashboard.narration import Narrator
from dashboard.open_source_deployment import Clusters, OpenSourceDeployment
from dashboard.remotes.flink import Flink, Job, Result, Session
from dashboard.remotes.kafka import Topic
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from dashboard.topic_names import ORDERS_TOPIC
from tests.fakes.kafka import FakeKafka

REVENUE = "revenue-summary-materializer"
COPY = "tableflow-payments"
NOWHERE = "http://127.0.0.1:1"


class Killed(BaseException):
    """As `kill -9`."""


class Cluster(Flink):
    """Jobs that run at once; `did` is what was asked of it, in order, and `dies_at` ends whoever asks for that."""

    def __init__(self, state: Path) -> None:
        super().__init__(NOWHERE, NOWHERE)
        self.state = state
        self.listed: list[Job] = []
        self.did: list[str] = []
        self.savepoints = True
        self.dies_at = ""

    def step(self, what: str) -> None:
        self.did.append(what)
        if what == self.dies_at:
            raise Killed

    def jobs(self) -> list[Job]:
        return list(self.listed)

    def job_failure(self, _job_id: str) -> str:
        return ""

    def completed_checkpoints(self, _job_id: str) -> int:
        return 1

    def forget(self) -> None:
        """As a JobManager that was started anew."""
        self.listed.clear()

    def run(self, name: str, id_: str = "") -> None:
        self.listed.insert(0, Job(id_ or f"{name}-1", name, "RUNNING", 1, 1))

    def stop_with_savepoint(self, job_id: str, _folder: str, _within_seconds: float) -> str:
        name = next(job.name for job in self.listed if job.id == job_id)
        if not self.savepoints:
            raise DeployError("no room")
        self._end(job_id, "FINISHED")
        folder = self.state / name / f"savepoint-{job_id}"
        folder.mkdir(parents=True)
        (folder / "_metadata").write_text("")
        self.step(f"stop {name}")
        return folder.as_uri()

    def cancel(self, job_id: str) -> None:
        self._end(job_id, "CANCELED")
        self.did.append("cancel")

    @contextmanager
    def session(self, properties: Mapping[str, str]) -> Iterator[Session]:
        asked: list[str] = []
        self._asked = asked
        yield cast(Session, self)
        if name := properties.get("pipeline.name"):
            self.run(name, properties[FIXED_JOB_ID])
            held = any("HoldRecords" in text for text in asked)
            self.step(f"start {name}" + (" without payments" if held else ""))

    def execute(self, statement: str) -> Result:
        self._asked.append(statement)
        return Result([], [], None)

    def _end(self, job_id: str, state: str) -> None:
        self.listed = [replace(job, state=state) if job.id == job_id else job for job in self.listed]


class Orders(FakeKafka):
    """Of the orders' topic, how many there are and how many the join has read."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster
        self.create_topics([Topic(ORDERS_TOPIC, 1)])

    def committed_offsets(self, group: str, topic: str) -> dict[int, int]:
        if (group, topic) == (JOIN, ORDERS_TOPIC):
            self.cluster.did.append("ask for the orders that are read")
            return {0: 1}
        return {}

    def oldest_unread(self, _group: str, _topic: str) -> None:
        return None


class Log(AuditLog):
    """Kept here, and nobody else writes."""

    def __init__(self, who: str) -> None:
        super().__init__(FakeKafka(), "here", who)
        self.told: list[tuple[str, str, str]] = []

    def write(self, plan: str, what: str, thing: str = "", result: str = "ok") -> None:
        self.told.append((what, thing, result))

    @contextmanager
    def only_writer(self, within_seconds: float = 0) -> Iterator[Writer]:
        yield cast(Writer, Free())


class Free:
    def check(self) -> None: ...


class NoRegistry(Registry):
    def latest(self, _subject: str) -> None:
        return None


def deployment_on(cluster: Cluster, *, is_local: bool = True) -> OpenSourceDeployment:
    def wait_until(_title: str, waits_for: object, _within_seconds: float) -> None:
        assert callable(waits_for)
        while waits_for():
            pass

    addresses = Addresses("127.0.0.1:1", NOWHERE, NOWHERE, "lkc-1", cluster.state.as_uri())
    made = OpenSourceDeployment(
        "here",
        PipelineSettings(),
        Clusters(Orders(cluster), NoRegistry(NOWHERE), cluster, addresses),
        lambda: Narrator(Console(file=StringIO())),
        wait_until,
        cluster.state,
        is_local=is_local,
    )
    made.audit = Log("ada")
    return made


def told(deployment: OpenSourceDeployment) -> list[tuple[str, str, str]]:
    return cast(Log, deployment.audit).told


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    for name in (JOIN, REVENUE, COPY, DEDUPLICATION):
        cluster.run(name)
    return cluster


@pytest.fixture
def deployment(cluster: Cluster) -> OpenSourceDeployment:
    return deployment_on(cluster)


def states(deployment: OpenSourceDeployment) -> dict[str, str]:
    return {one.name: one.state for one in deployment.statuses(deployment.statements.jobs())}


@pytest.mark.parametrize(("name", "thing"), [(REVENUE, f"statement {REVENUE}"), (COPY, "tableflow payments")])
def test_one_is_stopped_with_a_savepoint_stays_so_in_status_and_goes_on(
    cluster: Cluster, deployment: OpenSourceDeployment, name: str, thing: str
) -> None:
    assert "was stopped with a savepoint" in deployment.stop(name)
    assert cluster.did == [f"stop {name}"]
    for _ in range(2):
        (status,) = [one for one in deployment.statuses(deployment.statements.jobs()) if one.name == name]
        assert (status.state, status.trouble) == (
            "STOPPED",
            f"somebody stopped it; `sales-trends resume {name}` lets it go on",
        )
        cluster.forget()
    assert "runs again" in deployment.resume(name)
    assert cluster.did[1:] == [f"start {name}"]
    assert states(deployment)[name] == "RUNNING"
    assert deployment.statements.stopped.names() == set()
    assert told(deployment) == [
        ("stop begins", thing, "ok"),
        ("stop ended", thing, "ok"),
        ("resume begins", thing, "ok"),
        ("resume ended", thing, "ok"),
    ]


def test_one_that_can_make_no_savepoint_is_cancelled_and_that_is_said(
    cluster: Cluster, deployment: OpenSourceDeployment
) -> None:
    cluster.savepoints = False
    assert "cancelled, for it could make no savepoint" in deployment.stop(REVENUE)
    assert states(deployment)[REVENUE] == "STOPPED"


def test_the_join_takes_the_deduplication_with_it_and_both_come_back_in_the_order_of_every_start(
    cluster: Cluster, deployment: OpenSourceDeployment
) -> None:
    assert f"{DEDUPLICATION} was stopped first" in deployment.stop(JOIN)
    assert cluster.did == [f"stop {DEDUPLICATION}", f"stop {JOIN}"]
    assert states(deployment)[JOIN] == states(deployment)[DEDUPLICATION] == "STOPPED"
    assert ("stop", f"statement {DEDUPLICATION}", "ok") in told(deployment)
    cluster.did.clear()
    deployment.resume(JOIN)
    assert cluster.did == [
        f"start {JOIN} without payments",
        "ask for the orders that are read",
        f"start {DEDUPLICATION}",
    ]
    assert not deployment.statements.hold.exists()
    assert states(deployment)[JOIN] == states(deployment)[DEDUPLICATION] == "RUNNING"
    assert told(deployment)[-2] == ("resume", f"statement {DEDUPLICATION}", "ok")


def test_to_resume_the_deduplication_brings_the_join_first(cluster: Cluster, deployment: OpenSourceDeployment) -> None:
    deployment.stop(JOIN)
    cluster.did.clear()
    deployment.resume(DEDUPLICATION)
    assert [one.partition(" w")[0] for one in cluster.did] == [
        f"start {JOIN}",
        "ask for the orders that are read",
        f"start {DEDUPLICATION}",
    ]
    assert told(deployment)[-2] == ("resume", f"statement {JOIN}", "ok")


def test_the_deduplication_alone_is_stopped_and_resumed_and_the_join_not_touched(
    cluster: Cluster, deployment: OpenSourceDeployment
) -> None:
    deployment.stop(DEDUPLICATION)
    assert cluster.did == [f"stop {DEDUPLICATION}"]
    assert states(deployment)[DEDUPLICATION] == "STOPPED"
    assert states(deployment)[JOIN] == "RUNNING"
    deployment.resume(DEDUPLICATION)
    assert cluster.did[1:] == ["ask for the orders that are read", f"start {DEDUPLICATION}"]
    assert "resume" not in [what for what, _, _ in told(deployment)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unknown", "There is no statement called unknown"),
        ("completed-orders", "only makes or alters a table"),
        ("payments", "There is no statement called payments"),
    ],
)
def test_another_name_is_refused_before_anything_is_asked_or_written(
    cluster: Cluster, deployment: OpenSourceDeployment, name: str, message: str
) -> None:
    for act in (deployment.stop, deployment.resume):
        with pytest.raises(DeployError, match=message):
            act(name)
    assert (cluster.did, told(deployment)) == ([], [])


def test_what_rests_is_not_stopped_and_what_runs_is_not_resumed_and_that_is_in_the_log(
    cluster: Cluster, deployment: OpenSourceDeployment
) -> None:
    for name in (REVENUE, JOIN, DEDUPLICATION):
        with pytest.raises(DeployError, match="is not stopped, so there is nothing to resume"):
            deployment.resume(name)
    deployment.stop(JOIN)
    for name in (JOIN, DEDUPLICATION):
        with pytest.raises(DeployError, match="does not run, so there is nothing to stop"):
            deployment.stop(name)
    assert told(deployment)[1] == (
        "resume failed",
        f"statement {REVENUE}",
        f"The statement {REVENUE} is not stopped, so there is nothing to resume.",
    )


def test_a_statement_whose_file_has_changed_is_not_resumed(
    deployment: OpenSourceDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.stop(REVENUE)
    monkeypatch.setattr(deployment.target, "whole", lambda: {JOIN, DEDUPLICATION})
    with pytest.raises(DeployError, match="Not deployed as the files describe it now"):
        deployment.resume(REVENUE)
    assert states(deployment)[REVENUE] == "STOPPED"


def test_a_join_that_cannot_be_stopped_leaves_nothing_that_keeps_the_deduplication_away(
    cluster: Cluster, deployment: OpenSourceDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = cluster.stop_with_savepoint

    def silent(job_id: str, folder: str, within_seconds: float) -> str:
        if JOIN in job_id:
            raise UnreachableError("Flink did not answer.")
        return stop(job_id, folder, within_seconds)

    monkeypatch.setattr(cluster, "stop_with_savepoint", silent)
    with pytest.raises(UnreachableError):
        deployment.stop(JOIN)
    assert deployment.statements.stopped.names() == set()
    assert told(deployment)[-1] == ("stop failed", f"statement {JOIN}", "Flink did not answer.")


@pytest.mark.parametrize("moment", [f"stop {DEDUPLICATION}", f"stop {JOIN}"])
def test_a_stop_that_is_killed_leaves_what_counts_as_gone_and_a_resume_puts_right(
    cluster: Cluster, deployment: OpenSourceDeployment, moment: str
) -> None:
    cluster.dies_at = moment
    with pytest.raises(Killed):
        deployment.stop(JOIN)
    assert deployment.statements.stopped.names() == set(), "the supervisor brings it back"
    cluster.dies_at = ""
    deployment.resume(JOIN)
    assert states(deployment)[JOIN] == states(deployment)[DEDUPLICATION] == "RUNNING"


@pytest.mark.parametrize("moment", [f"start {JOIN} without payments", f"start {DEDUPLICATION}"])
def test_a_resume_that_is_killed_is_ended_by_the_next(
    cluster: Cluster, deployment: OpenSourceDeployment, moment: str
) -> None:
    deployment.stop(JOIN)
    cluster.dies_at = moment
    with pytest.raises(Killed):
        deployment.resume(JOIN)
    assert JOIN not in deployment.statements.stopped.names()
    cluster.dies_at = ""
    if DEDUPLICATION not in moment:
        deployment.resume(JOIN)
    assert states(deployment)[JOIN] == states(deployment)[DEDUPLICATION] == "RUNNING"
    assert not deployment.statements.hold.exists()


def test_on_other_clusters_nothing_is_kept_on_this_machine_and_flink_tells_what_was_stopped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployment_on(cluster, is_local=False)
    with pytest.raises(DeployError, match="Nothing says that we made the statement"):
        deployment.stop(REVENUE)
    ours = {one.id: one.digest for one in deployment.target.wanted()}
    monkeypatch.setattr(deployment.target._ledger, "entries", lambda: ours)
    deployment.stop(JOIN)
    (status,) = [one for one in deployment.statuses(deployment.statements.jobs()) if one.name == JOIN]
    assert status.trouble == f"somebody stopped it; `sales-trends resume {JOIN} --target here` lets it go on"
    deployment.resume(JOIN)
    assert cluster.did == [
        f"stop {DEDUPLICATION}",
        f"stop {JOIN}",
        f"start {JOIN}",
        "ask for the orders that are read",
        f"start {DEDUPLICATION}",
    ]
    assert not deployment.statements.hold.exists()
    assert deployment.statements.stopped.names() == set()


def test_where_the_payment_app_of_other_clusters_runs_is_not_known(cluster: Cluster) -> None:
    deployment = deployment_on(cluster, is_local=False)
    assert deployment.restart_command == ""
    with pytest.raises(DeployError, match="Nothing tells where the payment app of here runs") as caught:
        deployment.restart_app()
    assert "ecs_cluster" in caught.value.hint


def test_a_check_is_asked_with_a_limit_and_no_other_text_ever_is(
    cluster: Cluster, deployment: OpenSourceDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def execute(statement: str) -> Result:
        asked.append(statement)
        return Result(["n"], [[1], [2], [3]], None)

    monkeypatch.setattr(cluster, "execute", execute)
    monkeypatch.setattr(cluster, "session", lambda _properties: _given(cluster))
    found = deployment.check("duplicates-in-payments", limit=2)
    assert (found.columns, found.rows, found.more) == (["n"], [[1], [2]], True)
    assert asked[-1].endswith(") LIMIT 3")
    assert found.sql in asked[-1]
    asked.clear()
    with pytest.raises(DeployError, match="There is no check called"):
        deployment.check("SELECT 1")
    assert asked == []


@contextmanager
def _given(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
