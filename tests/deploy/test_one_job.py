from itertools import islice

import httpx
import pytest

from dashboard.deploy.one_job import Doubled, end_doubles, job_ids, live_jobs
from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink, Job


def first(statement: str = "join", identity: str = "i", snapshot: str | None = None) -> str:
    return next(job_ids(statement, identity, snapshot))


def test_two_who_see_the_same_state_choose_the_same_ids() -> None:
    assert list(islice(job_ids("join", "i", "s3://b/chk-1"), 5)) == list(
        islice(job_ids("join", "i", "s3://b/chk-1"), 5)
    )


def test_another_statement_snapshot_state_or_attempt_has_another_id() -> None:
    ids = [
        *islice(job_ids("join", "i", None), 20),
        first("other"),
        first(identity="j"),
        first(snapshot="s3://b/chk-1"),
        first(snapshot="s3://b/chk-2"),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids), "Flink wants 32 hexadecimal digits"


class FakeFlink(Flink):
    """Answers what a JobManager with these jobs would; none is behind it."""

    def __init__(self, jobs: list[Job], checkpoints: dict[str, int]) -> None:
        super().__init__("http://127.0.0.1:1", "http://127.0.0.1:1")
        self.shown = jobs
        self.checkpoints = checkpoints

    def jobs(self) -> list[Job]:
        return self.shown

    def completed_checkpoints(self, job_id: str) -> int:
        if job_id not in self.checkpoints:
            raise DeployError("Flink refused: it knows no checkpoints of it.")
        return self.checkpoints[job_id]


def job(id_: str, name: str = "join", state: str = "RUNNING") -> Job:
    return Job(id_, name, state, 1, 1)


@pytest.mark.parametrize(
    ("checkpoints", "wrote", "doubles"),
    [
        ({"a": 3, "b": 1}, ("b", "a"), True),
        ({"a": 3, "b": 0}, ("a",), False),
        ({"a": 3}, ("a",), False),
        ({}, (), False),
    ],
)
def test_of_two_live_jobs_none_is_kept_and_it_is_told_whether_records_are_doubled(
    checkpoints: dict[str, int], wrote: tuple[str, ...], doubles: bool
) -> None:
    flink = FakeFlink([job("b"), job("a"), job("old", state="CANCELED"), job("c", "other")], checkpoints)
    cancelled: list[str] = []
    (found,) = end_doubles(flink, ["join", "other"], cancelled.append)
    assert cancelled == ["join"]
    assert found == Doubled("join", ("b", "a"), wrote)
    assert found.doubles is doubles


def test_ended_jobs_and_those_of_others_are_not_live() -> None:
    flink = FakeFlink([job("a"), job("b", state="FAILED"), job("c", "not ours")], {})
    assert live_jobs(flink, ["join"]) == {"join": [job("a")]}


def test_flink_counts_a_jobs_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    flink = Flink("http://127.0.0.1:1", "http://127.0.0.1:1")
    answer = {"counts": {"restored": 1, "total": 9, "in_progress": 1, "completed": 7, "failed": 1}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    monkeypatch.setattr(flink, "_rest", httpx.Client(base_url="http://127.0.0.1:1", transport=transport))
    assert flink.completed_checkpoints("a") == 7
