"""A changed statement without state goes on where the old one stopped; also when an apply is killed anywhere."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.open_source_target import OpenSourceTarget
from dashboard.deploy.pipeline import InputTopic, Pipeline, Statement
from dashboard.deploy.plan import Action
from dashboard.deploy.savepoint_offsets import source_offsets
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statements import Deployment
from dashboard.deploy.stopped import StopList
from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink, Job
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import carried_out
from tests.fakes.kafka import FakeKafka

NAME = "filter"
READ = {0: 42, 1: 7}


def metadata(offsets: Mapping[int, int]) -> bytes:
    splits = (struct.pack(">H3siqq", 3, b"raw", partition, at, -(2**63)) for partition, at in offsets.items())
    return b"\x00flink" + b"\x01".join(splits) + struct.pack(">H3si", 3, b"raw", 0) + bytes(20)


def test_a_savepoint_tells_the_offsets_of_its_topic_and_of_no_other() -> None:
    assert source_offsets(metadata(READ), "raw") == READ
    assert source_offsets(metadata(READ), "aw") == {}
    assert source_offsets(metadata(READ) + metadata({0: 43}), "raw") == {}


class Killed(BaseException):
    """As `kill -9`."""


class Cluster(Flink, FakeKafka):
    """Flink's jobs and Kafka's groups; `left` is how many changes are let through."""

    def __init__(self, state: Path) -> None:
        FakeKafka.__init__(self)
        self.state = state
        self.listed: list[Job] = []
        self.committed: dict[str, dict[int, int]] = {}
        self.began_at: list[dict[int, int]] = []
        self.readable = True
        self.left = 1_000
        self.on_write = self.step

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def jobs(self) -> list[Job]:
        return list(self.listed)

    def job_failure(self, _job_id: str) -> str:
        return "no reason"

    def stop_with_savepoint(self, job_id: str, _folder: str, _within_seconds: float) -> str:
        self.step()
        folder = self.state / NAME / f"savepoint-{job_id}"
        folder.mkdir(parents=True)
        (folder / "_metadata").write_bytes(metadata(READ) if self.readable else b"of another Flink")
        self.listed = [replace(one, state="FINISHED") for one in self.listed]
        self.step()
        return folder.as_uri()

    def commit_offsets(self, group: str, _topic: str, offsets: Mapping[int, int]) -> None:
        self.step()
        self.committed[group] = dict(offsets)
        self.step()

    def committed_offsets(self, group: str, _topic: str) -> dict[int, int]:
        return self.committed.get(group, {})

    def delete_group(self, group: str) -> None:
        self.committed.pop(group, None)

    def start(self, name: str) -> None:
        """As Deployment.start, which begins at a snapshot if there is one."""
        self.step()
        if all(one.ended for one in self.listed):
            at = READ if (self.state / name).exists() else self.committed.get(name, {})
            self.began_at.append(dict(at))
            self.listed.insert(0, Job(f"job-{len(self.listed)}", name, "RUNNING", 1, 1))
        self.step()


class NoRegistry(Registry):
    def latest(self, _subject: str) -> None:
        return None

    def delete(self, _subject: str) -> None: ...


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def target_of(cluster: Cluster, condition: str) -> OpenSourceTarget:
    table = Statement("few", "CREATE TABLE few (\n    id INT\n)", {})
    insert = Statement(NAME, f"INSERT INTO few\nSELECT id\nFROM raw\nWHERE {condition}", {})
    pipeline = Pipeline([InputTopic("raw", 2, None, None)], [table, insert], [], {})
    nowhere = "http://127.0.0.1:1"
    addresses = Addresses("127.0.0.1:1", nowhere, nowhere, "lkc-1", cluster.state.as_uri())
    skipped, stopped = SkipList(cluster.state / "skipped.json"), StopList(cluster.state / "stopped.json")
    deployment = Deployment(cluster, pipeline, PipelineSettings(), addresses, skipped, cluster.state / "hold", stopped)
    target = OpenSourceTarget(
        "here",
        deployment,
        cluster,
        NoRegistry(nowhere),
        cluster.start,
        lambda _name: False,
        makes_given=True,
        holds_back=True,
    )
    target._check_statement = lambda _name: None  # type: ignore[assignment, method-assign]
    return target


def apply(cluster: Cluster, condition: str) -> list[Action]:
    target = target_of(cluster, condition)
    plan = plan_for(target)
    carried_out(target, plan)
    return [step.action for step in plan.acts]


def test_a_changed_filter_goes_on_at_the_offsets_of_the_old_one(cluster: Cluster) -> None:
    apply(cluster, "id > 1")
    assert apply(cluster, "id > 2") == [Action.REPLACE_KEEPING_OFFSETS]
    assert cluster.began_at == [{}, READ]
    assert not (cluster.state / NAME).exists()
    assert plan_for(target_of(cluster, "id > 2")).changes == []


def test_killed_anywhere_it_goes_on_at_the_same_offsets_after_the_next_apply(cluster: Cluster) -> None:
    apply(cluster, "id > 0")
    for steps in range(30):
        wanted = f"id > {steps + 1}"
        cluster.left = steps
        try:
            apply(cluster, wanted)
            break
        except Killed:
            cluster.left = 1_000
            apply(cluster, wanted)
        assert [one.ended for one in cluster.listed].count(False) == 1
        assert plan_for(target_of(cluster, wanted)).changes == []
    assert 3 < steps < 29
    assert {tuple(at.items()) for at in cluster.began_at[1:]} == {tuple(READ.items())}


def test_one_that_takes_no_savepoint_is_refused_and_nothing_is_forgotten(cluster: Cluster) -> None:
    apply(cluster, "id > 1")
    (cluster.state / NAME / "job-0" / "chk-1").mkdir(parents=True)
    (cluster.state / NAME / "job-0" / "chk-1" / "_metadata").write_bytes(b"")
    cluster.listed = [replace(one, state="FAILED") for one in cluster.listed]
    with pytest.raises(DeployError, match="has no savepoint"):
        apply(cluster, "id > 2")
    assert apply(cluster, "id > 1") == [Action.RESTART]


def test_a_savepoint_that_cannot_be_read_is_refused_and_nothing_is_forgotten(cluster: Cluster) -> None:
    apply(cluster, "id > 1")
    cluster.readable = False
    with pytest.raises(DeployError, match="its savepoint does not tell how far it had read raw"):
        apply(cluster, "id > 2")
    assert apply(cluster, "id > 1") == [Action.RESUME]


def test_a_statement_whose_state_somebody_deleted_is_made_anew_with_all_that_comes_from_it(cluster: Cluster) -> None:
    """Started again from the first record, it would write everything a second time."""
    distinct = "id > 1\nGROUP BY id"
    apply(cluster, distinct)
    cluster.committed[NAME] = dict(READ)
    cluster.listed = [replace(one, state="CANCELED") for one in cluster.listed]
    plan = plan_for(target_of(cluster, distinct))
    assert plan.losses == ["few"]
    assert "its state is gone" in next(step.why for step in plan.acts if step.id.name == NAME)
