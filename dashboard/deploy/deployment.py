"""One target as commands and pages work on it: planned, applied, destroyed, looked at.

One writer at a time, and every act in the audit log; see `audit.py` for both.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from dashboard.deploy.apply import Application, Target, destroy_plan_for, plan_for
from dashboard.deploy.audit import AuditedReport, AuditLog, Writer
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Plan
from dashboard.deploy.raw_records import RawRecord, RawRecords
from dashboard.deploy.resource_status import ResourceStatus, resource_statuses
from dashboard.deploy.resources import Id, Wanted
from dashboard.deploy.stoppable import told
from dashboard.errors import DeployError, SalesTrendsError
from dashboard.narration import Narrator
from dashboard.remotes.kafka import Kafka


@dataclass(frozen=True)
class Change:
    """A plan that is being carried out by the only writer."""

    plan: Plan
    run: Application
    report: AuditedReport


class TargetDeployment:
    """The pipeline on one target."""

    def __init__(
        self,
        target: Target,
        kafka: Kafka,
        records: RawRecords,
        narrator: Callable[[], Narrator],
        who: str | None = None,
    ) -> None:
        """`who` is told to others as the one who acts; this process by default."""
        self.target = target
        self.kafka = kafka
        self._records = records
        self.audit = AuditLog(kafka, target.name, who)
        self._narrator = narrator

    def plan(self, *, adopt: Collection[str] = (), prune: Collection[str] = ()) -> Plan:
        """What it takes to make the target as pipeline_sql/ describes it, which the target itself has checked.

        `adopt` and `prune` are names of what is to count as ours, and of orphans to remove. Raises DeployError,
        ContractError, UnreachableError.
        """
        made = plan_for(self.target, adopt=lambda id_: id_.name in adopt, prune=lambda id_: id_.name in prune)
        self._all_known("adopt", adopt, {id_.name for id_ in made.adopts})
        self._all_known("prune", prune, {id_.name for id_ in made.prunes})
        return made

    def destroy_plan(self, *, delete: Collection[str] = ()) -> Plan:
        """What it takes to remove all that is ours; data only where `delete` names it."""
        return destroy_plan_for(self.target, delete=delete)

    def apply(
        self,
        planned: str | None = None,
        *,
        lose: Collection[str] = (),
        adopt: Collection[str] = (),
        prune: Collection[str] = (),
    ) -> Plan:
        """Makes the target as pipeline_sql/ describes it.

        `planned` is the digest of a plan that was agreed to; DeployError when the target is another by now. `lose`
        names what may be dropped; DeployError when the plan drops more.
        """
        planning = partial(self.plan, adopt=adopt, prune=prune)
        with self._changing("apply", planning, planned, lose) as change, self._narrator().step("Apply") as step:
            change.report.tell = step.waits_for
            self._carry_out(change)
        return change.plan

    def contracts_plan(self) -> Plan:
        """What it takes to make the contracts as they are described, with their keys and dead-letter topics alone."""
        return plan_for(self.target, adopt=self._adopts_unknown, part=self._contract_parts().__contains__)

    def apply_contracts(self, planned: str | None = None) -> Plan:
        """Makes them so; whoever writes by them follows when its copy has expired, or when it is restarted.

        `planned` as in `apply`.
        """
        changing = self._changing("apply contracts", self.contracts_plan, planned, ())
        with changing as change, self._narrator().step("Contracts") as step:
            change.report.tell = step.waits_for
            change.run.run()
        return change.plan

    def destroy(self, planned: str | None = None, *, delete: Collection[str] = ()) -> Plan:
        """Removes all that is ours, data only where `delete` names it. The audit log stays."""
        planning = partial(self.destroy_plan, delete=delete)
        with self._changing("destroy", planning, planned, delete) as change, self._narrator().step("Destroy") as step:
            change.report.tell = step.waits_for
            change.run.run()
            self.target.forget()
        return change.plan

    def stop(self, name: str) -> str:
        """Stops one running statement so that it can go on later with what it knows; says what happened.

        `name` is a statement's, or of the statement that copies a topic to Iceberg, where the target has those. Raises
        DeployError for another name, and for a statement that does not run.
        """
        id_ = self.target.stoppable(name)
        with self.acting("stop", str(id_)) as writer:
            return self._stop(id_, writer)

    def resume(self, name: str) -> str:
        """Lets a stopped statement go on from where it stopped, and waits until it runs; says what happened.

        Raises DeployError as `stop` does, and for a statement that runs or that can only be made anew.
        """
        id_ = self.target.stoppable(name)
        with self.acting("resume", str(id_)) as writer:
            return self._resume(id_, writer)

    @contextmanager
    def acting(self, what: str, thing: str) -> Iterator[Writer]:
        """One act without a plan, by the only writer; the audit log tells how it ended."""
        with self.audit.only_writer() as writer, self._audited("", what, thing):
            yield writer

    def contracts(self) -> list[ContractView]:
        """The contracts of our topics as the registry holds them."""
        return self.target.contracts()

    def newest_records(self, topic: str, count: int = 10) -> list[RawRecord]:
        """The newest records of a topic as they are on the wire, secrets in the clear left out."""
        return self._records.newest(topic, count)

    def uncover_record(self, topic: str, partition: int, offset: int) -> RawRecord:
        """One record with all that stands in it; the audit log tells who asked. Raises ContractError."""
        self.audit.write("", "uncover", f"record {topic} {partition}:{offset}")
        return self._records.uncovered(topic, partition, offset)

    def wanted(self) -> list[Wanted]:
        """Everything that the files describe for this target, and how it depends."""
        return self.target.wanted()

    def resources(self) -> list[ResourceStatus]:
        """Each thing of the pipeline as it is now, what is missing included."""
        return resource_statuses(self.target, self.kafka)

    @contextmanager
    def _changing(
        self, what: str, planning: Callable[[], Plan], planned: str | None, agreed: Collection[str]
    ) -> Iterator[Change]:
        """Plans as the only writer and gives what carries the plan out; the audit log tells how that ended."""
        with self.audit.only_writer() as writer:
            with self._narrator().step("Plan") as step:
                plan = planning()
                if planned is not None and planned != plan.digest:
                    raise DeployError(
                        f"{self.target.name} is not as it was when that plan was made, so nothing was changed.",
                        f"`sales-trends plan --target {self.target.name}` shows what it takes now.",
                    )
                step.result = f"{len(plan.acts)} of {len(plan.steps)} to do" if plan.acts else "no change"
            report = AuditedReport(self.audit, writer, plan)
            change = Change(plan, Application(plan, self.target, report, lose=agreed), report)
            with self._audited(plan.digest, what):
                yield change

    @contextmanager
    def _audited(self, plan: str, what: str, thing: str = "") -> Iterator[None]:
        self.audit.write(plan, f"{what} begins", thing)
        try:
            yield
        except BaseException as error:
            reason = error.message if isinstance(error, SalesTrendsError) else type(error).__name__
            # what went wrong is what to tell, also when the log is out of reach for the same reason
            with suppress(SalesTrendsError):
                self.audit.write(plan, f"{what} failed", thing, reason)
            raise
        self.audit.write(plan, f"{what} ended", thing)

    def _carry_out(self, change: Change) -> None:
        change.run.run()

    def _stop(self, id_: Id, writer: Writer) -> str:
        with self._narrator().step(f"Stop {id_.name}") as step:
            writer.check()
            step.result = self.target.stop(id_, step.waits_for)
        return f"{told(id_)} was {step.result}."

    def _resume(self, id_: Id, writer: Writer) -> str:
        with self._narrator().step(f"Resume {id_.name}") as step:
            writer.check()
            self.target.resume(id_, step.waits_for)
        return f"{told(id_)} runs again."

    def _contract_parts(self) -> set[Id]:
        wanted = {one.id: one for one in self.target.wanted()}
        contracts = {id_ for id_ in wanted if id_.kind == "contract"}
        needed = {need for id_ in contracts for need in wanted[id_].needs}
        return contracts | {id_ for id_ in needed if id_.kind in ("key", "topic")}

    def _adopts_unknown(self, _id: Id) -> bool:
        """Of what exists and nothing says whose it is: whether that may be taken for ours without asking."""
        return False

    def _all_known(self, what: str, names: Collection[str], known: Collection[str]) -> None:
        if strangers := sorted(set(names) - set(known)):
            raise DeployError(
                f"There is nothing to {what} on {self.target.name} that is called {', '.join(strangers)}.",
                f"`sales-trends plan --target {self.target.name}` shows what waits for a decision.",
            )
