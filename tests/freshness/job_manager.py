"""A JobManager's REST interface to look at, as Flink 2.1 answers: jobs of one task that reads a topic and writes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from dashboard.remotes.flink import Job

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = "cbc357cc"
READER, WRITER = "Source__payments[1]", "unique_payments[2]__Writer"


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@dataclass
class FakeJob:
    """What it tells; RUNNING with all tasks unless said otherwise."""

    id: str
    name: str
    state: str = "RUNNING"
    started: datetime = NOW - timedelta(hours=1)
    running_for: timedelta = timedelta(hours=1)
    uptime: timedelta = timedelta(hours=1)
    """When the JobManager last collected."""
    restarts: int = 0
    completed: datetime | None = NOW - timedelta(seconds=1)
    savepoint: datetime | None = None
    failed: datetime | None = None
    failure: str = ""
    measured: dict[str, float] = field(
        default_factory=lambda: {
            f"{READER}.currentOutputWatermark": ms(NOW - timedelta(seconds=7)),
            f"{READER}.numRecordsIn": 100,
            f"{READER}.pendingRecords": 0,
            f"{READER}.KafkaSourceReader.topic.payments.partition.0.currentOffset": 99,
            f"{WRITER}.currentInputWatermark": ms(NOW - timedelta(seconds=7)),
            f"{WRITER}.numRecordsIn": 90,
            "Deduplicate[1].numLateRecordsDropped": 2,
        }
    )

    more: dict[str, dict[str, float]] = field(default_factory=dict)
    """What further tasks measure, by their ids."""

    @property
    def job(self) -> Job:
        running = 1 if self.state == "RUNNING" else 0
        return Job(self.id, self.name, self.state, running, 1, self.started)

    def latest(self) -> dict[str, Any]:
        failed = self.failed and {"failure_timestamp": ms(self.failed), "failure_message": self.failure}
        completed, savepoint = (
            moment and {"latest_ack_timestamp": ms(moment)} for moment in (self.completed, self.savepoint)
        )
        return {"completed": completed, "savepoint": savepoint, "failed": failed, "restored": None}


class JobManager:
    """Change its jobs at will."""

    def __init__(self, *jobs: FakeJob) -> None:
        self.by_id = {one.id: one for one in jobs}
        self.task_managers = 1
        self.answers_empty = 0
        """So many times it has nothing measured to tell."""
        self.requests: list[str] = []
        self.before_answering: Callable[[], None] = lambda: None
        self.transport = httpx.MockTransport(self._answer)

    def jobs(self) -> dict[str, Job]:
        return {one.name: one.job for one in self.by_id.values()}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.before_answering()
        path = request.url.path
        self.requests.append(path)
        if path == "/overview":
            return httpx.Response(200, json={"taskmanagers": self.task_managers})
        job = self.by_id.get(path.split("/")[2])
        if job is None:
            return httpx.Response(404, json={"errors": ["Job could not be found."]})
        return httpx.Response(200, json=self._told(job, path, request.url.params.get("get")))

    def _told(self, job: FakeJob, path: str, get: str | None) -> Any:
        if path.endswith("/checkpoints"):
            return {"latest": job.latest()}
        if path.endswith("/subtasks/metrics") and get is None:
            if self.answers_empty:
                self.answers_empty -= 1
                return []
            task = path.split("/")[4]
            return [{"id": name} for name in (job.measured if task == TASK else job.more[task])]
        if path.endswith("/subtasks/metrics"):
            task = path.split("/")[4]
            measured = job.measured if task == TASK else job.more[task]
            values = [(name, measured[name]) for name in str(get).split(",") if name in measured]
            return [{"id": name, "min": value, "max": value, "sum": value} for name, value in values]
        if path.endswith("/metrics"):
            told = {"numRestarts": job.restarts, "uptime": job.uptime // timedelta(milliseconds=1)}
            return [{"id": name, "value": str(value)} for name, value in told.items()]
        at = ms(NOW)
        times = {"now": at, "timestamps": {"RUNNING": at - job.running_for // timedelta(milliseconds=1)}}
        return times | {"vertices": [{"id": one} for one in (TASK, *job.more)]}
