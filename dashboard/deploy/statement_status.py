"""How a statement is, and what keeps it from running."""

from contextlib import suppress
from dataclasses import dataclass

from dashboard.deploy.bad_records import BadRecord, InputReader
from dashboard.errors import UnreachableError
from dashboard.remotes.flink import Flink, Job


@dataclass(frozen=True)
class StatementStatus:
    name: str
    state: str
    """Flink's word for the job's state, or `absent`."""
    reason: str = ""
    """Why it does not run, as far as Flink gives a reason."""
    bad_record: BadRecord | None = None
    """What it met on an input topic and cannot go past by itself."""

    @property
    def trouble(self) -> str:
        """What keeps it from running and what to do about it, in one line; empty when nothing is known."""
        bad = self.bad_record
        if bad is None:
            return self.reason
        return f"{bad}; `{bad.skip_command}` goes past it"


def statement_status(name: str, job: Job | None, flink: Flink, inputs: InputReader) -> StatementStatus:
    """Looks for a bad record only when Flink says that the statement failed."""
    if job is None or (job.running and not inputs.read_by(name)):
        return StatementStatus(name, job_state(job))
    reason = flink.job_failure(job.id)
    bad = None
    # Kafka or the registry may be what is missing
    with suppress(UnreachableError):
        bad = inputs.stopping(name) if reason else None
    if job.running:
        # between two failures Flink calls it RUNNING for a moment; what it failed of may also be long past
        return StatementStatus(name, "RESTARTING", reason, bad) if bad else StatementStatus(name, job_state(job))
    return StatementStatus(name, job_state(job), reason, bad)


def job_state(job: Job | None) -> str:
    """Flink's word, but for a job that it calls RUNNING before its tasks are; `absent` without one."""
    if job is None:
        return "absent"
    return "INITIALIZING" if job.state == "RUNNING" and not job.running else job.state
