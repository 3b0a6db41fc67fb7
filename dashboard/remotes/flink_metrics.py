"""What a Flink cluster measures of its jobs, through the JobManager's REST interface.

The JobManager collects what tasks measure while somebody asks, at most every `metrics.fetcher.update-interval` (10 s
unless set otherwise), and answers with what it collected before: figures of tasks are that old, those of checkpoints
are not. While it waits for a TaskManager that was lost, for `web.timeout` (10 min unless set otherwise), it collects
nothing at all.

Source: nightlies.apache.org/flink/flink-docs-release-2.1, pages "REST API" and "Metrics".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from dashboard.addresses import is_encrypted, silence_hint
from dashboard.errors import DeployError, UnreachableError

_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Measured:
    """One metric of all subtasks of a task."""

    min: float
    max: float
    sum: float


@dataclass(frozen=True)
class JobDetails:
    """As it is, whenever anything was collected."""

    tasks: list[str]
    """Their ids, in the order of the flow."""
    running_for: timedelta
    """Since it was last RUNNING, by the JobManager's clock; that does not tell that all of its tasks are."""


@dataclass(frozen=True)
class JobMeasured:
    """None before it was collected."""

    restarts: int | None
    """How often Flink itself has restarted the job since it was submitted."""
    uptime: timedelta | None
    """How long it had been RUNNING when this, and all that its tasks measure, was collected."""


@dataclass(frozen=True)
class Checkpoints:
    """How a job's state was last kept; times are UTC."""

    completed_at: datetime | None
    """The newest checkpoint or savepoint; None before the first."""
    failed_at: datetime | None
    failure: str
    """Why the newest that failed did, in one line."""


class FlinkMetrics:
    """One cluster by its JobManager's address; any thread may ask. Connections are kept until it is closed.

    Every call raises UnreachableError when the JobManager does not answer, DeployError when it refuses, as for a job
    or task that it does not know any more.
    """

    def __init__(self, rest: str, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` takes the place of the network in tests."""
        self.rest = rest
        self._client = httpx.Client(
            base_url=rest,
            timeout=_TIMEOUT_SECONDS,
            # no proxy leads to one's own cluster
            trust_env=False,
            verify=is_encrypted(rest),
            transport=transport,
        )

    def close(self) -> None:
        self._client.close()

    def task_managers(self) -> int:
        """How many are registered."""
        return int(self._get("/overview")["taskmanagers"])

    def details(self, job_id: str) -> JobDetails:
        told = self._get(f"/jobs/{job_id}")
        running_for = timedelta(milliseconds=told["now"] - told["timestamps"]["RUNNING"])
        return JobDetails([str(one["id"]) for one in told["vertices"]], running_for)

    def names(self, job_id: str, task_id: str) -> list[str]:
        """What is measured of a task; an operator's metrics begin with its name. Empty before it was collected."""
        return [str(one["id"]) for one in self._get(f"/jobs/{job_id}/vertices/{task_id}/subtasks/metrics")]

    def measured(self, job_id: str, task_id: str, names: Iterable[str]) -> dict[str, Measured]:
        """These metrics of a task, without those that are not there."""
        asked = {"get": ",".join(names), "agg": "min,max,sum"}
        answers = self._get(f"/jobs/{job_id}/vertices/{task_id}/subtasks/metrics", asked)
        return {one["id"]: Measured(one["min"], one["max"], one["sum"]) for one in answers}

    def of_job(self, job_id: str) -> JobMeasured:
        """Of a job as a whole."""
        answers = self._get(f"/jobs/{job_id}/metrics", {"get": "numRestarts,uptime"})
        values = {one["id"]: int(one["value"]) for one in answers}
        uptime = values.get("uptime")
        return JobMeasured(values.get("numRestarts"), None if uptime is None else timedelta(milliseconds=uptime))

    def checkpoints(self, job_id: str) -> Checkpoints:
        latest = self._get(f"/jobs/{job_id}/checkpoints")["latest"]
        completed = [one["latest_ack_timestamp"] for one in (latest["completed"], latest["savepoint"]) if one]
        failed = latest["failed"] or {}
        return Checkpoints(
            _utc(max(completed)) if completed else None,
            _utc(failed["failure_timestamp"]) if failed else None,
            str(failed.get("failure_message") or "").partition("\n")[0],
        )

    def _get(self, path: str, asked: dict[str, str] | None = None) -> Any:
        try:
            answer = self._client.get(path, params=asked)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"Flink at {self.rest} did not answer: {type(error).__name__}.",
                silence_hint(self._client.base_url.host),
            ) from error
        if not answer.is_success:
            raise DeployError(f"Flink at {self.rest} refused {path}: {answer.status_code}.")
        return answer.json()


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
