"""How the statements on an open-source Flink are, and how far each has come."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

from cachetools import TTLCache

from dashboard.deploy.statement_status import StatementStatus, job_state
from dashboard.errors import DeployError
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.flink_tasks import Figures, Task, figures_of, task_of
from dashboard.freshness.readings import StatementReading
from dashboard.freshness.seen import Seen
from dashboard.freshness.side_by_side import begun, side_by_side
from dashboard.remotes.flink import Job
from dashboard.remotes.flink_metrics import Checkpoints, FlinkMetrics

Jobs = Mapping[str, Job]
Statuses = Callable[[Jobs], Sequence[StatementStatus]]

_EXPLAINED_WITHIN_SECONDS = 0.4
"""Why a statement fails may take looking at its input, which may be what is away."""
_SETTLED = timedelta(seconds=30)
"""So long after a job began, all that will be measured of it has a name."""
_TASKS_KEPT_SECONDS = 300
_JOBS_KEPT = 1_000
_COLLECTED_SECONDS = 0.1
_COLLECTED_TRIES = 4
"""The JobManager has nothing to tell before somebody asked it."""


@dataclass(frozen=True)
class _Looked:
    """What a job that has not ended tells of itself."""

    job: Job
    checkpoints: Checkpoints
    restarts: int | None
    figures: Figures


class FlinkReadings:
    """Looks at all statements of a pipeline again and again; one look at a time."""

    def __init__(
        self,
        metrics: FlinkMetrics,
        names: Sequence[str],
        jobs: Callable[[], Jobs],
        statuses: Statuses,
        backlog: Backlog,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`names` are all statements in dependency order, `jobs` gives their newest jobs.

        `statuses` says how they are, given their jobs, and may take its time where one fails: until then, what it said
        of the same job in the same state before counts. `backlog` is told by whoever looks at the topics.
        """
        self._metrics = metrics
        self._names = names
        self._jobs = jobs
        self._statuses = statuses
        self._backlog = backlog
        self._now = now
        self._explaining: tuple[Jobs, Future[Sequence[StatementStatus]]] | None = None
        self._explained: dict[tuple[str, str, str], StatementStatus] = {}
        """By statement, job and its state."""
        self._tasks: TTLCache[str, list[Task]] = TTLCache(_JOBS_KEPT, _TASKS_KEPT_SECONDS)
        """By job, those of which something is asked."""
        self._tasks_lock = Lock()

    def look(self) -> Seen:
        """Every statement. Raises UnreachableError when the JobManager does not answer."""
        jobs = self._jobs()
        explaining = self._explain(jobs)
        managers = begun("looks at Flink", self._metrics.task_managers)
        live = {name: job for name, job in jobs.items() if not job.ended}
        looked = dict(zip(live, side_by_side("looks at Flink", self._look_at, list(live.values())), strict=True))
        statuses = self._told(jobs, explaining)
        no_managers = managers.result() == 0
        readings = {name: self._reading(statuses[name], looked.get(name), no_managers) for name in self._names}
        return Seen(statements=readings)

    def close(self) -> None:
        self._metrics.close()

    def _look_at(self, job: Job) -> _Looked | None:
        """None where Flink does not know the job any more, which has just ended."""
        try:
            # first: asking has the JobManager collect what the tasks measure
            restarts = self._metrics.restarts(job.id)
            checkpoints = self._metrics.checkpoints(job.id)
            tasks = self._tasks_of(job)
            measured = {one.id: self._metrics.measured(job.id, one.id, one.metrics) for one in tasks}
        except DeployError:
            return None
        return _Looked(job, checkpoints, restarts, figures_of(tasks, measured))

    def _tasks_of(self, job: Job) -> list[Task]:
        with self._tasks_lock:
            known: list[Task] | None = self._tasks.get(job.id)
        if known is not None:
            return known
        ids = self._metrics.tasks(job.id)
        for _ in range(_COLLECTED_TRIES if job.running else 1):
            names = {id_: self._metrics.names(job.id, id_) for id_ in ids}
            if any(names.values()):
                break
            time.sleep(_COLLECTED_SECONDS)
        tasks = [task for id_, each in names.items() if (task := task_of(id_, each)).metrics]
        if job.running and job.started is not None and self._now() - job.started > _SETTLED:
            with self._tasks_lock:
                self._tasks[job.id] = tasks
        return tasks

    def _explain(self, jobs: Jobs) -> tuple[Jobs, Future[Sequence[StatementStatus]]]:
        """The answer that is under way, or one about these jobs."""
        if self._explaining is None:
            self._explaining = jobs, begun("asks why statements fail", partial(self._statuses, jobs))
        return self._explaining

    def _told(
        self, jobs: Jobs, explaining: tuple[Jobs, Future[Sequence[StatementStatus]]]
    ) -> dict[str, StatementStatus]:
        about, future = explaining
        try:
            told = future.result(_EXPLAINED_WITHIN_SECONDS)
        except TookTooLong:
            told = ()
        finally:
            if future.done():
                self._explaining = None
        if told:
            self._explained = {_key(one.name, about.get(one.name)): one for one in told}
        plain = {name: StatementStatus(name, job_state(jobs.get(name))) for name in self._names}
        return {name: self._explained.get(_key(name, jobs.get(name)), one) for name, one in plain.items()}

    def _reading(self, status: StatementStatus, looked: _Looked | None, no_managers: bool) -> StatementReading:
        detail = status.trouble
        if no_managers and status.state not in ("STOPPED", "absent"):
            detail = f"No TaskManager is registered at Flink. {detail}".strip()
        reading = StatementReading(status.name, status.state, detail, is_stopped=status.state == "STOPPED")
        if looked is None:
            return reading
        kept = looked.checkpoints.completed_at or looked.job.started
        figures = looked.figures
        return replace(
            reading,
            warnings=_warnings(looked.checkpoints),
            input_watermark=figures.input_watermark,
            output_watermark=figures.output_watermark,
            records_in=figures.records_in,
            records_out=figures.records_out,
            late_records=figures.late_records,
            pending=None if figures.pending is None else sum(figures.pending.values()),
            pending_for=self._waited(figures.pending),
            restarts=looked.restarts,
            checkpoint_age=None if kept is None else max(self._now() - kept, timedelta(0)),
        )

    def _waited(self, pending: Mapping[str, int] | None) -> timedelta | None:
        """As long as the oldest of all topics; None where that is not known of one that has some."""
        names = {topic.replace(".", "_"): topic for topic in self._backlog.topics()}
        ages = [self._backlog.waited(names.get(topic, topic), count) for topic, count in (pending or {}).items()]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None


def _key(name: str, job: Job | None) -> tuple[str, str, str]:
    return name, job.id if job else "", job_state(job)


def _warnings(checkpoints: Checkpoints) -> tuple[str, ...]:
    completed, failed = checkpoints.completed_at, checkpoints.failed_at
    if failed is None or (completed is not None and failed < completed):
        return ()
    return (f"Its newest checkpoint failed: {checkpoints.failure or 'Flink gives no reason'}",)
