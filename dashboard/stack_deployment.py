"""The pipeline on the local stack: deploys it by plan and apply, starts its statements, says how they are.

The order matters for the numbers. The join emits a payment's order at once, so a payment that had to wait for its
order would come out after younger ones, behind the watermark, and its window would miss it. Therefore payments are
held back, by starting the deduplication last, until the join has read every order that exists.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from dashboard.deploy.apply import Application, plan_for
from dashboard.deploy.audit import AuditedReport, AuditLog
from dashboard.deploy.bad_records import InputReader
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.open_source_target import OpenSourceTarget
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.plan import Plan
from dashboard.deploy.resources import Id
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statement_status import StatementStatus, statement_status
from dashboard.deploy.statements import DEDUPLICATION, JOIN, ORDERS_TOPIC, PAYMENTS_TOPIC, Deployment
from dashboard.errors import DeployError
from dashboard.local.broker import CLUSTER_ID
from dashboard.narration import Narrator
from dashboard.remotes.flink import Flink, Job
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import Settings

SKIPPED = "skipped.json"
_HELD_BACK = Id("statement", DEDUPLICATION)
_CATCH_UP_SECONDS = 600

WaitUntil = Callable[[str, Callable[[], str], float], None]


class StackDeployment:
    """What runs inside the Kafka and the Flink of one local stack."""

    def __init__(self, settings: Settings, narrator: Callable[[], Narrator], wait_until: WaitUntil) -> None:
        local = settings.local
        self._narrator = narrator
        self._wait_until = wait_until
        self.kafka = Kafka(f"127.0.0.1:{local.kafka_port}")
        self.registry = Registry(f"http://127.0.0.1:{local.registry_port}")
        self.catalog = f"{self.registry.url}/iceberg"
        self.pipeline = load_pipeline(settings.pipeline)
        self.statements = Deployment(
            Flink(f"http://127.0.0.1:{local.flink_port}", f"http://127.0.0.1:{local.gateway_port}"),
            self.pipeline,
            settings.pipeline,
            Addresses(
                bootstrap=self.kafka.bootstrap,
                registry=self.registry.url,
                catalog=self.catalog,
                namespace=CLUSTER_ID,
                state=(local.home / "flink" / "state").as_uri(),
            ),
            SkipList(local.home / SKIPPED),
            local.home / "run" / "join-waits-for-orders",
        )
        self.inputs = InputReader(self.statements, self.kafka, self.registry)
        self.target = OpenSourceTarget(
            settings.target, self.statements, self.kafka, self.registry, self.start, self.stuck
        )
        self.audit = AuditLog(self.kafka, settings.target)

    def plan(self) -> Plan:
        """What it takes to make the running stack as pipeline_sql/ describes it; Flink has checked what is new.

        Raises DeployError, ContractError, UnreachableError.
        """
        # all in this stack's own folder is ours, also what was made before there was a ledger
        return plan_for(self.target, adopt=lambda _id, _found: self.target.ledger_is_empty)

    def apply(
        self,
        *,
        planned: str | None = None,
        lose: Collection[str] = (),
        when_removed: Callable[[], None] = lambda: None,
        when_topics_exist: Callable[[], None] = lambda: None,
        before_payments: Callable[[], None] = lambda: None,
    ) -> Plan:
        """Makes the stack as pipeline_sql/ describes it, in the order that keeps the numbers right.

        `planned` is the digest of a plan that was agreed to; DeployError when the stack is another by now. `lose`
        names what may be dropped and filled again; DeployError when the plan drops more.
        """
        narrator = self._narrator()
        with self.audit.only_writer() as writer:
            with narrator.step("Plan") as step:
                plan = self.plan()
                if planned is not None and planned != plan.digest:
                    raise DeployError(
                        "The stack is not as it was when that plan was made, so nothing was changed.",
                        "`sales-trends plan` shows what it takes now.",
                    )
                step.result = f"{len(plan.acts)} of {len(plan.steps)} to make or resume" if plan.acts else "no change"
            report = AuditedReport(self.audit, writer, plan)
            run = Application(plan, self.target, report, lose=lose)
            self.audit.write(plan.digest, "apply begins")
            with narrator.step("Topics and contracts") as step:
                report.tell = step.waits_for
                run.remove_replaced()
                when_removed()
                run.make(lambda id_: id_.kind in ("topic", "contract"))
            when_topics_exist()
            with narrator.step("Flink statements") as step:
                report.tell = step.waits_for
                run.make(lambda id_: id_ != _HELD_BACK)
            before_payments()
            self.wait_for_orders()
            with narrator.step(f"Statement {DEDUPLICATION}") as step:
                report.tell = step.waits_for
                run.make()
            self.audit.write(plan.digest, "apply ended")
        return plan

    def start(self, name: str) -> None:
        """Submits one statement unless it lives; the deduplication remembers for as long as it is behind."""
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
        read = self.kafka.committed_offsets(JOIN, ORDERS_TOPIC)
        return sum(max(end - read.get(partition, 0), 0) for partition, end in ends.items())

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

    def _status(self, name: str, jobs: Mapping[str, Job]) -> StatementStatus:
        job, join = jobs.get(name), jobs.get(JOIN)
        if name == JOIN and job is not None and job.running and self.statements.hold.exists():
            # what held them was interrupted, or is still at work
            return StatementStatus(name, "HELD", "gets no payments until all orders are read")
        held = name == DEDUPLICATION and (job is None or job.ended or job.state == "CANCELLING")
        if held and join is not None and not join.ended:
            return StatementStatus(name, "HELD", f"waits until {JOIN} runs and has read the orders")
        return statement_status(name, job, self.statements.flink, self.inputs)
