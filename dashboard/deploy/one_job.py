"""Keeps a statement from having two live jobs, each of which would write all that it reads: docs/decisions/0016."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink, Job

FIXED_JOB_ID = "$internal.pipeline.job-id"
"""The id that Flink gives a job instead of a random one. It has no page in Flink's manual; the only public way to
choose an id is to upload a jar. Source: PipelineOptionsInternal and PipelineExecutorUtils of Flink 2.1."""

REFUSED_ID = "Job has already been submitted"
"""Flink's words for an id that it knows, of DuplicateJobSubmissionException."""


@dataclass(frozen=True)
class Doubled:
    """A statement that had several live jobs, all of which were cancelled."""

    name: str
    jobs: tuple[str, ...]
    """Their ids."""
    wrote: tuple[str, ...]
    """Those among them that had completed a checkpoint, and with it committed what they wrote."""

    @property
    def doubles(self) -> bool:
        """What two wrote since the snapshot that both began from is in the outputs twice."""
        return len(self.wrote) > 1

    @property
    def hint(self) -> str:
        again = "`sales-trends up` or the supervisor starts it again from its newest checkpoint"
        if not self.doubles:
            return f"{again}."
        return (
            f"{again}; `sales-trends verify` lists windows that are wrong; `down --delete-data`, then `up`, builds all "
            "anew."
        )

    def __str__(self) -> str:
        text = f"The statement {self.name} had {len(self.jobs)} live jobs, and all were cancelled"
        if not self.doubles:
            return f"{text}; at most one had committed anything, so no record is doubled."
        return (
            f"{text}; {len(self.wrote)} of them had committed what they wrote, so what {self.name} writes holds "
            "records twice."
        )


def job_ids(statement: str, identity: str, snapshot: str | None) -> Iterator[str]:
    """The ids for a job of a statement that begins from this snapshot, to be tried in this order.

    Whoever sees the same state gets the same ids, so two submissions are two with one id, and Flink refuses the second.
    It also refuses the id of a job that has ended: the next one is for the job after that. `identity` changes when the
    state is removed: an id never comes back with other data, which Iceberg's sink would take for committed.
    """
    for attempt in count():
        yield hashlib.sha256("\n".join([statement, identity, snapshot or "", str(attempt)]).encode()).hexdigest()[:32]


def live_jobs(flink: Flink, names: Iterable[str]) -> dict[str, list[Job]]:
    """The jobs that have not ended of each of these statements that has some, newest first."""
    wanted = set(names)
    live: dict[str, list[Job]] = {}
    for job in flink.jobs():
        if job.name in wanted and not job.ended:
            live.setdefault(job.name, []).append(job)
    return live


def end_doubles(flink: Flink, names: Iterable[str], cancel: Callable[[str], None]) -> list[Doubled]:
    """Ends every job of the statements that have more than one; `cancel` ends all of one statement.

    None is kept: each aborts the transactions of the other when it starts, so neither is whole, and who wrote is only
    certain when nobody writes any more. The newest snapshot is of one that committed, if any did.
    """
    found = []
    for name, jobs in live_jobs(flink, names).items():
        if len(jobs) > 1:
            cancel(name)
            wrote = tuple(job.id for job in jobs if _committed(flink, job))
            found.append(Doubled(name, tuple(job.id for job in jobs), wrote))
    return found


def _committed(flink: Flink, job: Job) -> bool:
    # one that was ended before it had tasks has no checkpoints to tell of
    with suppress(DeployError):
        return flink.completed_checkpoints(job.id) > 0
    return False
