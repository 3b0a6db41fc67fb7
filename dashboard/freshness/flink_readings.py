"""How the statements on an open-source Flink are, and how far each has come."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

from cachetools import TTLCache

from dashboard.deploy.statement_status import StatementStatus, job_state
from dashboard.errors import DeployError
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.flink_tasks import Figures, Task, are_whole, figures_of, task_of
from dashboard.freshness.readings import StatementReading
from dashboard.freshness.seen import Seen
from dashboard.freshness.side_by_side import begun, side_by_side
from dashboard.remotes.flink import Job
from dashboard.remotes.flink_metrics import Checkpoints, FlinkMetrics, JobDetails, JobMeasured

Jobs = Mapping[str, Job]
Statuses = Callable[[Jobs], Sequence[StatementStatus]]

_EXPLAINED_WITHIN_SECONDS = 0.4
"""Why a statement fails may take looking at its input, which may be what is away."""
_EXPLAINED_FOR_SECONDS = 10.0
_MEASURED_WITHIN = timedelta(seconds=20)
"""Beyond the ten seconds between two collections."""
_OLD = "What its tasks measure is not collected: Flink waits for a TaskManager that is gone"
_TASKS_KEPT_SECONDS = 300
_PARTIAL_KEPT_SECONDS = 3
_JOBS_KEPT = 1_000
_COLLECTED_SECONDS = 0.1
_COLLECTED_TRIES = 4
"""The JobManager has nothing to tell before somebody asked it."""


@dataclass(frozen=True)
class _Looked:
    """What a job that has not ended tells of itself."""

    job: Job
    checkpoints: Checkpoints
    restarts: int | None = None
    figures: Figures = field(default_factory=Figures)
    warning: str = ""


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
        self._told: dict[str, StatementStatus] = {}
        self._told_of: dict[str, tuple[str, str]] = {}
        """By statement the job, and its state, that this was told of."""
        self._told_until = 0.0
        self._tasks: TTLCache[str, list[Task]] = TTLCache(_JOBS_KEPT, _TASKS_KEPT_SECONDS)
        """By job, those of which something is asked."""
        self._partial: TTLCache[str, list[Task]] = TTLCache(_JOBS_KEPT, _PARTIAL_KEPT_SECONDS)
        """The same of jobs of which not all has a name yet: a source's lag has none before it has read."""
        self._tasks_lock = Lock()

    def look(self) -> Seen:
        """Every statement. Raises UnreachableError when the JobManager does not answer."""
        jobs = self._jobs()
        self._explain(jobs)
        managers = begun("looks at Flink", self._metrics.task_managers)
        live = {name: job for name, job in jobs.items() if not job.ended}
        looked = dict(zip(live, side_by_side("looks at Flink", self._look_at, list(live.values())), strict=True))
        statuses = self._explained(jobs)
        no_managers = managers.result() == 0
        readings = {name: self._reading(statuses[name], looked.get(name), no_managers) for name in self._names}
        return Seen(statements=readings)

    def close(self) -> None:
        self._metrics.close()

    def _look_at(self, job: Job) -> _Looked | None:
        """None where Flink does not know the job any more, which has just ended."""
        try:
            # first: asking has the JobManager collect what the tasks measure
            details = self._metrics.details(job.id)
            checkpoints = self._metrics.checkpoints(job.id)
            if not job.running:
                return _Looked(job, checkpoints)
            figures = self._figures(job, details)
            measured = self._metrics.of_job(job.id)
        except DeployError:
            return None
        if _is_old(details, measured):
            return _Looked(job, checkpoints, warning=_OLD)
        return _Looked(job, checkpoints, measured.restarts, figures)

    def _figures(self, job: Job, details: JobDetails) -> Figures:
        tasks = self._tasks_of(job, details)
        return figures_of(tasks, {one.id: self._metrics.measured(job.id, one.id, one.metrics) for one in tasks})

    def _tasks_of(self, job: Job, details: JobDetails) -> list[Task]:
        with self._tasks_lock:
            known: list[Task] | None = self._tasks.get(job.id) or self._partial.get(job.id)
        if known is not None:
            return known
        for _ in range(_COLLECTED_TRIES):
            names = {id_: self._metrics.names(job.id, id_) for id_ in details.tasks}
            if any(names.values()):
                break
            time.sleep(_COLLECTED_SECONDS)
        tasks = [task for id_, each in names.items() if (task := task_of(id_, each)).metrics]
        is_whole = all(names.values()) and are_whole(tasks)
        with self._tasks_lock:
            (self._tasks if is_whole else self._partial)[job.id] = tasks
        return tasks

    def _explain(self, jobs: Jobs) -> None:
        """Asks how the statements are, unless nothing changed since that was told a moment ago."""
        is_known = self._told_of == _states(jobs) and time.monotonic() < self._told_until
        if self._explaining is None and not is_known:
            self._explaining = jobs, begun("asks how statements are", partial(self._statuses, jobs))

    def _explained(self, jobs: Jobs) -> dict[str, StatementStatus]:
        """How every statement is; in fewer words while its reason is looked for."""
        if self._explaining is not None:
            about, future = self._explaining
            wait([future], _EXPLAINED_WITHIN_SECONDS)
            if future.done():
                self._explaining = None
                self._told = {one.name: one for one in future.result()}
                self._told_of, self._told_until = _states(about), time.monotonic() + _EXPLAINED_FOR_SECONDS
        states = _states(jobs)
        return {
            name: self._told[name]
            if name in self._told and self._told_of.get(name) == states.get(name)
            else StatementStatus(name, job_state(jobs.get(name)))
            for name in self._names
        }

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
            warnings=_warnings(looked),
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


def _states(jobs: Jobs) -> dict[str, tuple[str, str]]:
    return {name: (job.id, job_state(job)) for name, job in jobs.items()}


def _is_old(details: JobDetails, measured: JobMeasured) -> bool:
    """Whether what was measured is of a time long past, or of before the job was restarted."""
    if measured.uptime is None:
        return False
    return not -_MEASURED_WITHIN <= details.running_for - measured.uptime <= _MEASURED_WITHIN


def _warnings(looked: _Looked) -> tuple[str, ...]:
    found = [looked.warning] if looked.warning else []
    completed, failed = looked.checkpoints.completed_at, looked.checkpoints.failed_at
    if failed is not None and (completed is None or failed > completed):
        found.append(f"Its newest checkpoint failed: {looked.checkpoints.failure or 'Flink gives no reason'}")
    return tuple(found)
