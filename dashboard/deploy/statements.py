"""Starts, finds and stops the pipeline's statements on open-source Flink."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from dashboard.deploy import one_job, open_source, tableflow
from dashboard.deploy.checks import CheckResult, check_result, checked_sql, first_rows
from dashboard.deploy.one_job import Doubled
from dashboard.deploy.open_source import Addresses, flink_duration
from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.skipped import SkipList, held_while
from dashboard.deploy.snapshots import Snapshots
from dashboard.deploy.stopped import StopList
from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink, Job, Session
from dashboard.settings import PipelineSettings

DEDUPLICATION = "unique-payments-maintenance"
JOIN = "completed-orders-materializer"
_STATE_TTL = "sql.state-ttl"
_POLL_SECONDS = 0.2
_SUBMISSION_TRIES = 20
"""Each passes over the id of one job that has ended and that Flink's list no longer has."""
_LISTED_WITHIN_SECONDS = 5.0


@dataclass(frozen=True)
class Deployment:
    """The pipeline on one open-source Flink cluster."""

    flink: Flink
    pipeline: Pipeline
    settings: PipelineSettings
    addresses: Addresses
    skipped: SkipList
    hold: Path
    """A join that is started while this file exists is given no payments until it is gone."""
    stopped: StopList
    """Empty but on the local stack."""

    @cached_property
    def snapshots(self) -> Snapshots:
        """What Flink keeps of the statements, under `addresses.state`."""
        return Snapshots(self.addresses.state)

    @property
    def statement_names(self) -> list[str]:
        """Every statement that runs, in dependency order: the pipeline's, then Tableflow's stand-ins."""
        names = [statement.name for statement in self.pipeline.statements if statement.runs]
        return names + [tableflow.statement_name(topic) for topic in self.pipeline.tableflow_topics]

    def readers(self, topic: str) -> list[str]:
        """Names of the statements that read an input topic, in dependency order."""
        names = [one.name for one in self.pipeline.statements if one.runs and one.names(topic)]
        return names + [tableflow.statement_name(one) for one in self.pipeline.tableflow_topics if one == topic]

    def jobs(self) -> dict[str, Job]:
        """The newest job of each of our statements that has one; a live one before one that has ended."""
        ours = set(self.statement_names)
        newest: dict[str, Job] = {}
        # stable: newest first also among those that have ended
        for job in sorted(self.flink.jobs(), key=lambda job: job.ended):
            if job.name in ours:
                newest.setdefault(job.name, job)
        return newest

    def end_doubles(self, names: list[str] | None = None) -> list[Doubled]:
        """Ends those of our statements, or of these, that have more than one live job, and tells which."""
        return one_job.end_doubles(self.flink, self.statement_names if names is None else names, self.cancel)

    def start(self, name: str, behind: timedelta = timedelta(0)) -> None:
        """Submits a statement that has no live job, from its newest savepoint or checkpoint if it has one.

        `behind` is the age of the oldest record it has not read. State is forgotten by the clock, also while nothing
        runs: what is resumed is kept that much longer, so that the statement still knows what it knew then. Whoever
        submits at the same time, or did so and was killed, gets the same job.
        """
        for doubled in self.end_doubles([name]):
            if doubled.doubles:
                # which starting it again does not mend
                raise DeployError(str(doubled), doubled.hint)
        job = self.jobs().get(name)
        if job is not None and not job.ended:
            return
        topic = self._tableflow_topic(name)
        statement = next((one for one in self.pipeline.statements if one.name == name), None)
        self.snapshots.forget_old(name)
        snapshot = self.snapshots.newest(name)
        properties = self._properties(statement, topic, snapshot, behind)
        known = {one.id for one in self.flink.jobs() if one.ended}
        ids = (one for one in one_job.job_ids(name, self.snapshots.identity(name), snapshot) if one not in known)
        for tries_left, job_id in zip(reversed(range(_SUBMISSION_TRIES)), ids, strict=False):
            try:
                self._submit(name, statement, topic, {**properties, one_job.FIXED_JOB_ID: job_id})
                return
            except DeployError as error:
                if one_job.REFUSED_ID not in error.message:
                    raise
                if self._lives(job_id):
                    # submitted by somebody who was killed before the answer came
                    return
                if not tries_left:
                    raise

    def _lives(self, job_id: str) -> bool:
        """Whether a job whose id Flink knows has not ended. One that was submitted just now may not be listed yet."""
        deadline = time.monotonic() + _LISTED_WITHIN_SECONDS
        while True:
            for job in self.flink.jobs():
                if job.id == job_id:
                    return not job.ended
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)

    def _properties(
        self, statement: Statement | None, tableflow_topic: str | None, snapshot: str | None, behind: timedelta
    ) -> dict[str, str]:
        properties = {"execution.checkpointing.interval": _milliseconds(self.settings.checkpoint_interval)}
        if tableflow_topic is not None:
            properties["execution.checkpointing.interval"] = _milliseconds(self.settings.commit_interval)
            # nothing to keep but offsets: no need for a state backend with files of its own
            properties["state.backend.type"] = "hashmap"
            properties |= tableflow.SESSION_PROPERTIES
        if snapshot is not None:
            properties["execution.state-recovery.path"] = snapshot
        properties |= statement.properties if statement else {}
        if snapshot is not None and _STATE_TTL in properties:
            properties[_STATE_TTL] = _longer(properties[_STATE_TTL], behind)
        return properties

    def _submit(
        self, name: str, statement: Statement | None, tableflow_topic: str | None, properties: Mapping[str, str]
    ) -> None:
        with self.flink.session(open_source.session_properties(name, properties, self.addresses)) as session:
            self._create_tables(session, name)
            if tableflow_topic is not None:
                self._start_tableflow(session, tableflow_topic)
            elif statement is not None:
                session.execute(open_source.running_statement(statement))

    def explain(self, name: str) -> str:
        """Flink's plan of a statement, as text."""
        statement = next(one for one in self.pipeline.statements if one.name == name)
        with self.flink.session(open_source.session_properties(name, statement.properties, self.addresses)) as session:
            self._create_tables(session, name)
            return str(session.execute(f"EXPLAIN {open_source.running_statement(statement)}").rows[0][0])

    def check(self, name: str, limit: int) -> CheckResult:
        """What pipeline_sql/checks/<name>.sql finds in the topics as they are now, `limit` rows at most."""
        sql = checked_sql(self.pipeline.checks, name)
        properties = open_source.session_properties(name, {"execution.runtime-mode": "batch"}, self.addresses)
        with self.flink.session(properties) as session:
            self._create_tables(session, name, bounded=True)
            result = session.execute(first_rows(sql, limit))
        return check_result(sql, result.columns, result.rows, limit)

    def wait_running(
        self,
        names: list[str],
        waits_for: Callable[[str], None],
        within_seconds: float = 90,
        stuck: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """Returns when every task of these statements runs; raises DeployError with Flink's reason when one fails.

        One that is `stuck` is not waited for.
        """
        deadline = time.monotonic() + within_seconds
        while True:
            if doubled := self.end_doubles(names):
                raise DeployError(" ".join(map(str, doubled)), max(doubled, key=lambda one: one.doubles).hint)
            jobs = self.jobs()
            for name in names:
                if name in jobs and jobs[name].ended:
                    raise DeployError(
                        f"The statement {name} ended as {jobs[name].state}: "
                        f"{self.flink.job_failure(jobs[name].id) or 'Flink gives no reason'}.",
                        "Its tasks' log is `taskmanager.log`.",
                    )
            open_names = [name for name in names if name not in jobs or not (jobs[name].running or stuck(name))]
            if not open_names:
                return
            if time.monotonic() > deadline:
                reasons = [self.flink.job_failure(jobs[name].id) for name in open_names if name in jobs]
                raise DeployError(
                    f"Not running after {within_seconds:.0f} s: {', '.join(open_names)}. "
                    f"{next((reason for reason in reasons if reason), '')}"
                )
            waits_for(f"{len(names) - len(open_names)} of {len(names)} run")
            time.sleep(_POLL_SECONDS)

    def stop(self, waits_for: Callable[[str], None], within_seconds: float = 60) -> tuple[list[str], list[str]]:
        """Stops every live statement with a savepoint; returns the names of those, and of those it had to cancel.

        One that cannot take a savepoint is cancelled: it resumes from its newest checkpoint. Raises DeployError when
        all are stopped and one of them had run twice.
        """
        doubled = self.end_doubles()
        live = {name: job for name, job in self.jobs().items() if not job.ended}
        stopped: list[str] = []
        cancelled = [one.name for one in doubled]
        for number, name in enumerate(live):
            waits_for(f"savepoint of {name}, {number + 1} of {len(live)}")
            (stopped if self.stop_one(name, within_seconds) else cancelled).append(name)
        if told := [one for one in doubled if one.doubles]:
            raise DeployError(" ".join(map(str, told)), told[0].hint)
        return stopped, cancelled

    def stop_one(self, name: str, within_seconds: float = 60) -> bool:
        """Stops one statement, if it lives, with a savepoint; False when it had to be cancelled."""
        job = self.jobs().get(name)
        if job is None or job.ended:
            return True
        try:
            if not job.running:
                raise DeployError(f"The statement {name} is {job.state}, so it can take no savepoint.")
            self.flink.stop_with_savepoint(job.id, f"{self.addresses.state}/{name}", within_seconds)
        except DeployError:
            self.cancel(name)
            return False
        return True

    def stop_at_offsets(self, name: str, within_seconds: float = 60) -> bytes | None:
        """Stops one statement and returns what its savepoint tells; None for one that never had a snapshot.

        Raises DeployError when there is no savepoint to be had; one that runs then goes on.
        """
        job = self.jobs().get(name)
        if job is not None and not job.ended:
            if not job.running:
                raise DeployError(
                    f"The statement {name} is {job.state}, so where it stands cannot be told.", "Wait until it runs."
                )
            self.flink.stop_with_savepoint(job.id, f"{self.addresses.state}/{name}", within_seconds)
        savepoint = self.snapshots.savepoint(name)
        if savepoint is None and self.has_state(name):
            raise DeployError(
                f"The statement {name} does not run and has no savepoint, so what it has written cannot be told.",
                "Apply it once more as it was before: it goes on from its newest checkpoint and can then be changed.",
            )
        return savepoint

    def cancel(self, name: str, within_seconds: float = 30) -> None:
        """Ends every job of a statement without a savepoint, if one lives, and waits until they have ended."""
        deadline = time.monotonic() + within_seconds
        asked: set[str] = set()
        while live := one_job.live_jobs(self.flink, [name]).get(name):
            for job in live:
                if job.id not in asked:
                    # refused when it has just ended by itself, which the next look shows
                    with contextlib.suppress(DeployError):
                        self.flink.cancel(job.id)
                    asked.add(job.id)
            if time.monotonic() > deadline:
                raise DeployError(f"The statement {name} did not end within {within_seconds:.0f} s of being cancelled.")
            time.sleep(_POLL_SECONDS)

    def has_state(self, name: str) -> bool:
        """Whether there is a snapshot that a statement would resume from."""
        return self.snapshots.has_any(name)

    def remove(self, name: str) -> None:
        """Ends a statement and forgets its state."""
        self.cancel(name)
        self.snapshots.remove(name)

    def copies(self) -> set[str]:
        """Names of the Iceberg tables that there are, whoever made them."""
        with self.flink.session({}) as session:
            return tableflow.tables(session, self.addresses)

    def drop_copy(self, topic: str) -> None:
        """Drops the Iceberg table of a topic with its files; one that does not exist is no error."""
        with self.flink.session({}) as session:
            tableflow.use_catalog(session, self.addresses)
            tableflow.drop_table(session, topic, self.addresses)

    def _create_tables(self, session: Session, user: str, *, bounded: bool = False) -> None:
        """Every table of the pipeline, as tables of this session; bounded ones end with the newest record."""
        stateless = any(one.name == user and one.is_stateless for one in self.pipeline.statements)
        begins = open_source.AT_GROUP_OFFSETS if stateless and not bounded else {}
        for topic in self.pipeline.topics:
            if topic.value is not None:
                columns = open_source.input_columns(topic)
                skips = {**self.skipped.table_options(topic.name), **begins}
                session.execute(
                    open_source.kafka_table(columns, topic.name, user, self.addresses, bounded=bounded, more=skips)
                )
        for table, statement in self.pipeline.created_tables.items():
            columns = open_source.created_columns(statement)
            held = user == JOIN and statement.name == DEDUPLICATION and self.hold.exists()
            more = held_while(self.hold) if held else begins
            session.execute(open_source.kafka_table(columns, table, user, self.addresses, bounded=bounded, more=more))
        for statement in self.pipeline.statements:
            if statement.kind == "alter table" and (text := open_source.altering_statement(statement)):
                session.execute(text)

    def _start_tableflow(self, session: Session, topic: str) -> None:
        columns = self._shape(topic)
        tableflow.use_catalog(session, self.addresses)
        tableflow.create_table(session, topic, columns, self.addresses)
        session.execute(tableflow.copying_statement(topic, columns, self.addresses))

    def _shape(self, topic: str) -> list[tuple[str, str]]:
        """Names and canonical types of a topic's columns, as Flink reads them out of the table's definition."""
        created = self.pipeline.created_tables.get(topic)
        if created is not None:
            columns = open_source.created_columns(created)
        else:
            columns = open_source.input_columns(next(one for one in self.pipeline.topics if one.name == topic))
        with self.flink.session({}) as session:
            session.execute(open_source.shape_table(columns))
            rows = session.execute(f"DESCRIBE `{topic}`").rows
        return [(name, _type(type_, nullable)) for name, type_, nullable, *_ in rows]

    def _tableflow_topic(self, name: str) -> str | None:
        topics = {tableflow.statement_name(topic): topic for topic in self.pipeline.tableflow_topics}
        return topics.get(name)


def _type(type_: str, nullable: object) -> str:
    plain = type_.replace(" *ROWTIME*", "").replace(" NOT NULL", "")
    return plain if nullable in (True, "TRUE") else f"{plain} NOT NULL"


def _longer(duration: str, by: timedelta) -> str:
    """A duration as Flink writes them, such as `1 h` or `1 hour`, made longer."""
    return _milliseconds(flink_duration(duration) + by)


def _milliseconds(duration: timedelta) -> str:
    return f"{int(duration.total_seconds() * 1000)} ms"
