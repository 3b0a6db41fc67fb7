from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from dashboard.deploy import statements
from dashboard.deploy.one_job import FIXED_JOB_ID, REFUSED_ID
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statements import DEDUPLICATION, JOIN, Deployment
from dashboard.deploy.stopped import StopList
from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink, Job, Result, Session
from dashboard.settings import PipelineSettings


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    nowhere = "http://127.0.0.1:1"
    return Deployment(
        Flink(nowhere, nowhere),
        load_pipeline(PipelineSettings()),
        PipelineSettings(),
        Addresses("127.0.0.1:1", nowhere, nowhere, "lkc-1", tmp_path.as_uri()),
        SkipList(tmp_path / "skipped.json"),
        tmp_path / "hold",
        StopList(tmp_path / "stopped.json"),
    )


@pytest.mark.parametrize(
    ("topic", "readers"),
    [
        ("payments", [DEDUPLICATION, "tableflow-payments"]),
        ("shiftleft.public.orders", [JOIN, "tableflow-shiftleft-public-orders"]),
        ("error-payments", []),
    ],
)
def test_a_topics_readers_are_the_statements_that_name_it(
    deployment: Deployment, topic: str, readers: list[str]
) -> None:
    assert deployment.readers(topic) == readers


class Submissions(Flink):
    """A cluster that takes each job id once, as Flink's Dispatcher does."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "http://127.0.0.1:1")
        self.taken: list[str] = []
        self.listed: list[Job] = []
        self.before_submission: Callable[[], None] = lambda: None

    def jobs(self) -> list[Job]:
        return list(self.listed)

    def cancel(self, job_id: str) -> None:
        self.listed = [replace(job, state="CANCELED") if job.id == job_id else job for job in self.listed]

    def completed_checkpoints(self, job_id: str) -> int:
        return 1

    @contextmanager
    def session(self, properties: Mapping[str, str]) -> Iterator[Session]:
        yield cast(Session, self)
        self.before_submission()
        self.submit(properties["pipeline.name"], properties[FIXED_JOB_ID])

    def execute(self, _statement: str) -> Result:
        return Result([], [], None)

    def submit(self, name: str, id_: str) -> None:
        if id_ in self.taken:
            raise DeployError(f"Flink refused: {REFUSED_ID}.")
        self.taken.append(id_)
        self.listed.insert(0, Job(id_, name, "RUNNING", 1, 1))


@pytest.fixture
def cluster(deployment: Deployment) -> tuple[Deployment, Submissions]:
    flink = Submissions()
    return replace(deployment, flink=flink), flink


def test_who_was_overtaken_by_an_earlier_submission_of_the_same_has_its_job(
    cluster: tuple[Deployment, Submissions],
) -> None:
    deployment, flink = cluster

    def overtake() -> None:
        flink.before_submission = lambda: None
        deployment.start(JOIN)

    flink.before_submission = overtake
    deployment.start(JOIN)
    assert [job.ended for job in flink.jobs()] == [False]


def test_a_job_that_is_known_and_not_yet_listed_is_waited_for(
    cluster: tuple[Deployment, Submissions], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, flink = cluster
    deployment.start(JOIN)
    (job,) = flink.listed
    looks: list[list[Job]] = [[], [], [], [], [job]]
    monkeypatch.setattr(flink, "jobs", lambda: looks.pop(0))
    deployment.start(JOIN)
    assert flink.taken == [job.id]
    assert not looks


@pytest.mark.parametrize("still_listed", [True, False])
def test_after_a_job_has_ended_the_next_gets_another_id(
    cluster: tuple[Deployment, Submissions], monkeypatch: pytest.MonkeyPatch, still_listed: bool
) -> None:
    deployment, flink = cluster
    monkeypatch.setattr(statements, "_LISTED_WITHIN_SECONDS", 0.0)
    monkeypatch.setattr(statements, "_POLL_SECONDS", 0.0)
    for _ in range(3):
        deployment.start(JOIN)
        deployment.cancel(JOIN)
        if not still_listed:
            flink.listed.clear()
    deployment.start(JOIN)
    assert len(set(flink.taken)) == 4


def test_another_refusal_is_told_at_once(cluster: tuple[Deployment, Submissions]) -> None:
    deployment, flink = cluster

    def refuse() -> None:
        raise DeployError("Flink refused: no such table.")

    flink.before_submission = refuse
    with pytest.raises(DeployError, match="no such table"):
        deployment.start(JOIN)


def test_two_live_jobs_that_both_wrote_are_ended_and_said_by_start_wait_and_stop(
    cluster: tuple[Deployment, Submissions],
) -> None:
    deployment, flink = cluster
    for act in (
        lambda: deployment.start(JOIN),
        lambda: deployment.wait_running([JOIN], lambda _text: None),
        lambda: deployment.stop(lambda _text: None),
    ):
        flink.listed = [Job("b", JOIN, "RUNNING", 1, 1), Job("a", JOIN, "RUNNING", 1, 1)]
        with pytest.raises(DeployError, match="holds records twice"):
            act()
        assert all(job.ended for job in flink.jobs())


def test_a_live_job_counts_before_a_younger_one_that_has_ended(cluster: tuple[Deployment, Submissions]) -> None:
    deployment, flink = cluster
    flink.listed = [Job("b", JOIN, "FAILED", 0, 1), Job("a", JOIN, "RUNNING", 1, 1)]
    assert deployment.jobs()[JOIN].id == "a"
