"""The pipeline on open-source Flink: deploys it by plan and apply, starts its statements, says how they are.

The order matters for the numbers. The join emits a payment's order at once, so a payment that had to wait for its
order would come out after younger ones, behind the watermark, and its window would miss it. Therefore payments are
held back, by starting the deduplication last, until the join has read every order that exists.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.deploy import tableflow
from dashboard.deploy.audit import Writer
from dashboard.deploy.bad_records import InputReader
from dashboard.deploy.checks import CheckResult
from dashboard.deploy.deployment import TargetDeployment
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.open_source_target import OpenSourceTarget, Rules, statement_name
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.plan import Plan
from dashboard.deploy.raw_records import RawRecords
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Id
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statement_status import StatementStatus, statement_status
from dashboard.deploy.statements import DEDUPLICATION, JOIN, Deployment
from dashboard.deploy.stoppable import told
from dashboard.deploy.stopped import StopList
from dashboard.errors import DeployError
from dashboard.narration import Narrator
from dashboard.remotes.flink import Flink, Job
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

SKIPPED = "skipped.json"
STOPPED = "stopped.json"
_JOIN = Id("statement", JOIN)
_HELD_BACK = Id("statement", DEDUPLICATION)
_CATCH_UP_SECONDS = 600

WaitUntil = Callable[[str, Callable[[], str], float], None]


@dataclass(frozen=True)
class Clusters:
    """The systems that one deployment works on."""

    kafka: Kafka
    registry: Registry
    flink: Flink
    addresses: Addresses
    """How Flink itself reaches the others."""
    rules: Rules | None = None
    """For contracts with rules; without it only their schemas are deployed."""


class OpenSourceDeployment(TargetDeployment):
    """What runs inside one Kafka cluster and one Flink cluster."""

    target: OpenSourceTarget

    def __init__(
        self,
        name: str,
        settings: PipelineSettings,
        clusters: Clusters,
        narrator: Callable[[], Narrator],
        wait_until: WaitUntil,
        notes: Path,
        *,
        is_local: bool = False,
        who: str | None = None,
    ) -> None:
        """`notes` is the folder of what is remembered on this machine: bad records to skip, a join to hold back, what
        was stopped on purpose.

        The first two need our interceptors in Flink, which only the local stack has, the last is for its supervisor;
        elsewhere the folder need not exist. Only there, too, are the topics made that elsewhere a connector makes.
        """
        self._is_local = is_local
        self._wait_until = wait_until
        self.registry = clusters.registry
        self.catalog = clusters.addresses.catalog
        self.pipeline = load_pipeline(settings)
        self.statements = Deployment(
            clusters.flink,
            self.pipeline,
            settings,
            clusters.addresses,
            SkipList(notes / SKIPPED),
            notes / "run" / "join-waits-for-orders",
            StopList(notes / STOPPED),
        )
        self.inputs = InputReader(self.statements, clusters.kafka, self.registry)
        target = OpenSourceTarget(
            name,
            self.statements,
            clusters.kafka,
            self.registry,
            self.start,
            self.stuck,
            makes_given=is_local,
            holds_back=is_local,
            rules=clusters.rules,
        )
        records = RawRecords(clusters.kafka, self.registry, self.pipeline.secret_fields)
        super().__init__(target, clusters.kafka, records, narrator, who)

    def apply(
        self,
        planned: str | None = None,
        *,
        lose: Collection[str] = (),
        adopt: Collection[str] = (),
        prune: Collection[str] = (),
        when_removed: Callable[[], None] = lambda: None,
        when_topics_exist: Callable[[], None] = lambda: None,
        before_payments: Callable[[], None] = lambda: None,
    ) -> Plan:
        """In the order that keeps the numbers right; what is given is called in between."""
        narrator = self._narrator()
        with self._changing("apply", lambda: self.plan(adopt=adopt, prune=prune), planned, lose) as change:
            run, report = change.run, change.report
            # whoever applies wants all of it to run
            self.statements.stopped.clear()
            with narrator.step("Topics and contracts") as step:
                report.tell = step.waits_for
                run.remove()
                when_removed()
                run.make(lambda id_: id_.kind in ("topic", "key", "contract"))
            when_topics_exist()
            if any(step.id == _JOIN for step in change.plan.acts):
                self._hold_back()
            with narrator.step("Flink statements") as step:
                report.tell = step.waits_for
                run.make(lambda id_: id_ != _HELD_BACK)
            before_payments()
            self.wait_for_orders()
            with narrator.step(f"Statement {DEDUPLICATION}") as step:
                report.tell = step.waits_for
                run.make()
        return change.plan

    def resources(self) -> list[ResourceStatus]:
        """As everywhere, and of a statement also that it is held back or has met a bad record."""
        statuses = {one.name: one for one in self.statuses(self.statements.jobs())}

        def told(row: ResourceStatus) -> ResourceStatus:
            name = tableflow.statement_name(row.name) if row.kind == "tableflow" else row.name
            status = statuses.get(name) if row.kind in ("statement", "tableflow") else None
            return replace(row, phase=status.state, detail=status.trouble or row.detail) if status else row

        return [told(row) for row in super().resources()]

    def start(self, name: str) -> None:
        """Submits one statement unless it lives; the deduplication remembers for as long as it is behind.

        Raises DeployError when what it knew is gone, so that it would write everything again.
        """
        job = self.statements.jobs().get(name)
        if (job is None or job.ended) and self.target.lost_state(name):
            raise DeployError(
                f"The state of the statement {name} is gone, and it had written already.",
                "`sales-trends plan` shows what it takes to make it and all that comes from it anew.",
            )
        unread = self.kafka.oldest_unread(name, PAYMENTS_TOPIC) if name == DEDUPLICATION else None
        self.statements.start(name, datetime.now(UTC) - unread if unread else timedelta(0))

    def start_all(self, names: list[str]) -> None:
        """Submits these statements and waits until they run, but for one that a bad record keeps from it."""
        title = f"Statement {names[0]}" if len(names) == 1 else f"{len(names)} Flink statements"
        with self._narrator().step(title) as step, ThreadPoolExecutor(max_workers=3) as pool:
            for number, _ in enumerate(pool.map(self.start, names)):
                step.waits_for(f"{number + 1} of {len(names)} submitted")
            self.statements.wait_running(names, step.waits_for, stuck=self.stuck)

    def orders_to_read(self, ends: Mapping[int, int]) -> int:
        """How many orders the join still has to read up to these ends of the topic's partitions."""
        return self.kafka.unread(ORDERS_TOPIC, self.kafka.committed_offsets(JOIN, ORDERS_TOPIC), ends)

    def wait_for_orders(self) -> None:
        """Until the join has read every order that exists now; payments may follow then."""
        ends = self.kafka.end_offsets(ORDERS_TOPIC)

        def waits_for() -> str:
            left = self.orders_to_read(ends)
            # one that has met a bad record reads no further, and a stack that ended now could not be helped
            return "" if not left or self.stuck(JOIN) else f"{left:,} orders to read"

        self._wait_until("The join reads the orders first", waits_for, _CATCH_UP_SECONDS)
        if not self.stuck(JOIN):
            self.statements.hold.unlink(missing_ok=True)

    @property
    def checks(self) -> Mapping[str, str]:
        """The text of each check by its name."""
        return self.pipeline.checks

    def check(self, name: str, limit: int = 100) -> CheckResult:
        """What a check finds in the topics as they are now; DeployError for a name that is no check."""
        return self.statements.check(name, limit)

    @property
    def restart_command(self) -> str:
        """What restarts the payment app in a shell; empty, for where it runs is its owner's to know."""
        return ""

    def restart_app(self) -> str:
        """Raises DeployError: nothing tells where it runs."""
        raise DeployError(
            f"Nothing tells where the payment app of {self.target.name} runs.",
            "Restart it there. Only targets on Confluent Cloud have settings for that: ecs_cluster, ecs_service and "
            "ecs_region.",
        )

    def stuck(self, name: str) -> bool:
        """A bad record keeps the statement from running."""
        return self._status(name, self.statements.jobs()).bad_record is not None

    def statuses(self, jobs: Mapping[str, Job]) -> list[StatementStatus]:
        """How every statement of the pipeline is, given the jobs that there are."""
        return [self._status(name, jobs) for name in self.statements.statement_names]

    def troubled(self) -> dict[str, str]:
        """Statements that have a job and do not run, each with the reason as far as there is one."""
        jobs = self.statements.jobs()
        statuses = [self._status(name, jobs) for name in jobs]
        return {one.name: one.trouble or f"it is {one.state}" for one in statuses if one.state != "RUNNING"}

    def lost_transactions(self) -> dict[str, int]:
        """Of each running statement of the pipeline: how many prepared transactions it could not commit."""
        ours, jobs = {one.name for one in self.pipeline.statements}, self.statements.jobs()
        flink = self.statements.flink
        return {name: flink.failed_commits(job.id) for name, job in jobs.items() if name in ours and job.running}

    def _stop(self, id_: Id, writer: Writer) -> str:
        """With a savepoint; before the join the deduplication, for payments follow only when it has read all orders."""
        jobs, also = self.statements.jobs(), ""
        if id_ == _JOIN and _lives(jobs.get(JOIN)) and _lives(jobs.get(DEDUPLICATION)):
            super()._stop(_HELD_BACK, writer)
            self.audit.write("", "stop", str(_HELD_BACK))
            also = f" {DEDUPLICATION} was stopped first: no payment may come before its order."
        said = super()._stop(id_, writer) + also
        if self._is_local:
            for one in (_HELD_BACK, _JOIN) if id_ == _JOIN else (id_,):
                self.statements.stopped.add(statement_name(one))
        return said

    def _resume(self, id_: Id, writer: Writer) -> str:
        """Join, all orders, deduplication: in this order, whichever of the two somebody names."""
        paired = id_ in (_JOIN, _HELD_BACK)
        names = [JOIN, DEDUPLICATION] if paired else [statement_name(id_)]
        self._check_resumable(id_, names)
        stopped = self.statements.stopped
        if not paired:
            # first: whoever is killed after it leaves one that is brought back
            stopped.remove(names[0])
            return super()._resume(id_, writer)
        jobs = self.statements.jobs()
        unnamed = [one for one in (_JOIN, _HELD_BACK) if one != id_ and not _lives(jobs.get(one.name))]
        if not _lives(jobs.get(JOIN)):
            self._hold_back()
        stopped.remove(JOIN)
        super()._resume(_JOIN, writer)
        if _JOIN in unnamed:
            self.audit.write("", "resume", str(_JOIN))
        self.wait_for_orders()
        # from here on it follows the join as after every start
        stopped.remove(DEDUPLICATION)
        if self.stuck(JOIN):
            return f"{JOIN} was resumed and cannot read every order; {DEDUPLICATION} waits until it can."
        super()._resume(_HELD_BACK, writer)
        if _HELD_BACK in unnamed:
            self.audit.write("", "resume", str(_HELD_BACK))
        return f"{JOIN} runs and has read every order, and {DEDUPLICATION} runs."

    def _check_resumable(self, id_: Id, names: list[str]) -> None:
        """Raises DeployError unless one of these rests, and all are what the files say: Flink knows no other text."""
        jobs, stopped, whole = self.statements.jobs(), self.statements.stopped.names(), self.target.whole()
        held = JOIN in names and self.statements.hold.exists()
        if not held and not any(name in stopped or not _lives(jobs.get(name)) for name in names):
            raise DeployError(f"{told(id_)} is not stopped, so there is nothing to resume.")
        if changed := [name for name in names if name not in whole]:
            raise DeployError(
                f"Not deployed as the files describe it now: {', '.join(changed)}.",
                "`sales-trends plan` shows what it takes.",
            )

    def _hold_back(self) -> None:
        """Payments are there already when the deduplication has run before."""
        if self._is_local:
            self.statements.hold.parent.mkdir(parents=True, exist_ok=True)
            self.statements.hold.touch()

    def _status(self, name: str, jobs: Mapping[str, Job]) -> StatementStatus:
        job, join = jobs.get(name), jobs.get(JOIN)
        if not _lives(job) and self._was_stopped(name, job):
            where = "" if self._is_local else f" --target {self.target.name}"
            again = f"`sales-trends resume {name}{where}` lets it go on"
            return StatementStatus(name, "STOPPED", f"somebody stopped it; {again}")
        if name == JOIN and job is not None and job.running and self.statements.hold.exists():
            # what held them was interrupted, or is still at work
            return StatementStatus(name, "HELD", "gets no payments until all orders are read")
        held = name == DEDUPLICATION and (job is None or job.ended or job.state == "CANCELLING")
        if held and join is not None and not join.ended:
            return StatementStatus(name, "HELD", f"waits until {JOIN} runs and has read the orders")
        return statement_status(name, job, self.statements.flink, self.inputs)

    def _was_stopped(self, name: str, job: Job | None) -> bool:
        """Elsewhere than on the local stack, nobody but people ends a job that could go on."""
        if self._is_local:
            return name in self.statements.stopped.names()
        return job is not None and job.state in ("FINISHED", "CANCELED")


def _lives(job: Job | None) -> bool:
    return job is not None and not job.ended
