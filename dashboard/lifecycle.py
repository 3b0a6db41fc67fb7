"""The local stack from nothing to running, and back: composes the programs of local/ with the statements of deploy/.

The order matters for the numbers. The join emits a payment's order at once, so a payment that had to wait for its
order would come out after younger ones, behind the watermark, and its window would miss it. Therefore payments are
held back, by starting the deduplication last, until the join has read every order that exists.
"""

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dashboard import admin_token
from dashboard.deploy.bad_records import BadRecord
from dashboard.deploy.plan import Plan
from dashboard.deploy.skipped import Place
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import DeployError, SettingsError, StackError, UnreachableError
from dashboard.local import services, stack_lock
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.home import RECORD, StackKind, check_kind, file_faults, record_kind, recorded_kind
from dashboard.local.jars import fetch_jars
from dashboard.local.kms import KMS_SECRET, make_local_kms_secret
from dashboard.local.payment_restart import restart_payment_app
from dashboard.local.preflight import check_before_start
from dashboard.local.processes import ProcessTable, Service
from dashboard.local.service_status import ServiceStatus, State, service_statuses
from dashboard.local.shop.progress import read_progress
from dashboard.login_provider import admin_fault
from dashboard.narration import Narrator
from dashboard.open_source_deployment import SKIPPED, STOPPED
from dashboard.remotes.kafka import Kafka
from dashboard.settings import Settings
from dashboard.stack_deployment import StackDeployment
from dashboard.stack_status import StackStatus
from dashboard.targets import LOCAL

if TYPE_CHECKING:
    from dashboard.readers.lake import Lake

_KEPT_ON_DISK = ("kafka", "registry", "warehouse", "flink", "shop", "run", "logs", SKIPPED, STOPPED, KMS_SECRET, RECORD)
_POLL_SECONDS = 0.2
_SUPERVISOR_ENDS_SECONDS = 60


class LocalStack:
    """The local stack of one home folder."""

    def __init__(self, settings: Settings, narrator: Narrator, who: str | None = None) -> None:
        """`who` is told to others as the one who acts; this process by default."""
        if settings.target != LOCAL:
            raise SettingsError(
                f"This works on the local stack alone, not on the target {settings.target}.",
                "Leave --target and SALES_TARGET out.",
            )
        local = settings.local
        self.settings = settings
        self.narrator = narrator
        self.processes = ProcessTable(local.home)
        self.lock = FileLock(local.home / ".lock")
        """Held by whoever starts or stops parts of the stack."""
        self._launched: list[str] = []
        self.deployment = StackDeployment(settings, lambda: self.narrator, self.wait_until, who)

    @property
    def kafka(self) -> Kafka:
        return self.deployment.kafka

    @property
    def _kind(self) -> StackKind:
        return StackKind(self.settings.pipeline.window_size, self.settings.pipeline.encrypt_fields)

    @cached_property
    def lake(self) -> "Lake":
        """The tables of this stack's Iceberg catalog."""
        # PyIceberg and Arrow take 60 MB, which the supervisor, who never reads a table, need not hold
        from dashboard.readers.lake import Lake

        return Lake(self.deployment.catalog, CLUSTER_ID)

    def up(self, *, shop: bool = True, page: bool = True, lose: Collection[str] = ()) -> None:
        """Starts whatever does not run. Raises StackError, DeployError, UnreachableError.

        `lose` names data that may be dropped where the pipeline is not as it was described when it last ran.
        """
        with self._without_supervisor("up"), self._all_or_nothing():
            check_before_start(self.settings, page=page)
            self._record_new()
            self._launched.clear()
            every = services.all_services(self.settings, fetch_jars(self.settings.local.cache, self.narrator))
            if self.processes.find("jobmanager") and not self.processes.find("taskmanager"):
                # before Flink brings it back by itself: after a longer pause payments must wait for the orders
                self.deployment.statements.cancel(DEDUPLICATION)
            flink = [every[name] for name in services.FLINK]
            # side by side: on two cores the programs start faster together than one after the other
            self._launch(flink)
            self._start([every[name] for name in services.STORAGE])
            self._wait_ready(flink)
            feed = [every[services.ORDER_FEED]] if shop else []
            self.deployment.apply(
                lose=lose, when_topics_exist=lambda: self._launch(feed), before_payments=lambda: self._wait_ready(feed)
            )
            # after the statements, whose planning needs both cores
            rest = [every[services.PAYMENT_APP]] if shop else []
            rest += [every[services.DASHBOARD]] if page else []
            is_new = page and self.processes.find(services.DASHBOARD) is None
            self._start(rest)
            self.supervise()
            if is_new:
                self._renew_admin_token()
            for name, trouble in self.deployment.troubled().items():
                self.narrator.say(f"The statement {name} does not run: {trouble}.", "bold")

    def apply(
        self,
        planned: str | None = None,
        *,
        lose: Collection[str] = (),
        adopt: Collection[str] = (),
        prune: Collection[str] = (),
    ) -> Plan:
        """Makes the running stack as pipeline_sql/ describes it; see `TargetDeployment.apply`."""
        with self._without_supervisor("apply") as before:
            plan = self.deployment.apply(
                planned,
                lose=lose,
                adopt=adopt,
                prune=prune,
                # before the first statement with it runs, so that whatever goes on from here uses it too
                when_removed=lambda: record_kind(self.settings.local.home, self._kind),
            )
            # also when there was none: after `destroy` what was applied again is to be brought back again
            self.supervise(services.but_for_pipeline(before or {}))
            return plan

    def apply_contracts(self, planned: str | None = None) -> Plan:
        """Makes its contracts as they are described; see `TargetDeployment.apply_contracts`."""
        home = self.settings.local.home
        with self._beside_supervisor("contracts"):
            # whoever is killed in between leaves a stack that the next start makes encrypt, whichever way this goes
            if self._kind.encrypts:
                record_kind(home, self._kind)
            plan = self.deployment.apply_contracts(planned)
            record_kind(home, self._kind)
            return plan

    def destroy(self, planned: str | None = None, *, delete: Collection[str] = ()) -> Plan:
        """Removes the pipeline from the running stack; see `TargetDeployment.destroy`.

        The programs go on, but for the supervisor, which would bring the statements back.
        """
        with self._without_supervisor("destroy"):
            plan = self.deployment.destroy(planned, delete=delete)
            self.deployment.statements.stopped.clear()
            self.processes.stop(services.SUPERVISOR, 0)
            return plan

    def stop(self, name: str) -> str:
        """Stops one statement, which then stays away until `resume`, `apply` or `up`; see `TargetDeployment.stop`."""
        with self._beside_supervisor("stop"):
            return self.deployment.stop(name)

    def resume(self, name: str) -> str:
        """Lets one that was stopped go on; see `TargetDeployment.resume`."""
        with self._beside_supervisor("resume"):
            return self.deployment.resume(name)

    def restart_app(self) -> str:
        """Ends the shop's payment app and starts it again; its journal sees to it that no payment is lost or doubled.

        Says what happened. Raises StackError where no payment app was started.
        """
        with (
            self._beside_supervisor("restart-app"),
            self.deployment.acting("restart", services.PAYMENT_APP),
            self.narrator.step("Restart the payment app") as step,
        ):
            restart_payment_app(self.settings, self.processes, step)
        return "The payment app was restarted."

    def supervise(self, before: Mapping[str, str] | None = None) -> None:
        """Starts the supervisor, which from now on brings back what dies: as it is, whatever a command asked for.

        `before` are the variables of the one that ran before, if they are to go on.
        """
        kind = recorded_kind(self.settings.local.home) or self._kind
        settings = self.settings.with_pipeline(window_size=kind.window, encrypt_fields=kind.encrypts is not False)
        self.processes.launch(services.supervisor_service(settings, before))

    def bring_back_supervisor(self) -> None:
        """Starts the supervisor if it was killed and no command is at work, which would have stopped it on purpose."""
        with suppress(Timeout), self.lock.acquire(timeout=0):
            if self.processes.died(services.SUPERVISOR):
                self.supervise()

    def skip(self, place: Place) -> BadRecord:
        """Makes every statement go past one bad record of an input topic, now and at every later start.

        What reads the topic starts again from its newest checkpoint. The join gets its payments back only when it has
        read every order: those that came meanwhile wait for it. Raises ContractError when the record is not bad.
        """
        with self._without_supervisor("skip") as before:
            bad = self.deployment.inputs.judged(place)
            self.deployment.statements.skipped.add(place)
            if bad.stops_statements and self.processes.find("taskmanager"):
                stopped = self.deployment.statements.stopped.names()
                readers = [one for one in self.deployment.statements.readers(place.topic) if one not in stopped]
                if JOIN in readers:
                    self.deployment.statements.hold.touch()
                with self.narrator.step(f"Stop what reads {place.topic}"):
                    for name in readers:
                        self.deployment.statements.cancel(name)
                self.deployment.start_all([name for name in readers if name != DEDUPLICATION])
                if JOIN not in stopped:
                    self.deployment.wait_for_orders()
                if DEDUPLICATION not in stopped and not self.deployment.stuck(JOIN):
                    self.deployment.start_all([DEDUPLICATION])
            # also when whoever was killed had ended it
            if self.processes.died(services.SUPERVISOR):
                self.supervise(before)
            return bad

    def down(self, *, delete_data: bool = False) -> None:
        """Stops everything in order; `delete_data` also removes all but the downloaded jars."""
        with self._without_supervisor("down") as before:
            if delete_data:
                self._check_is_ours()
            self.processes.stop(services.SUPERVISOR, 0)
            if before is None and not any(map(self.processes.find, services.NAMES)):
                self.narrator.say("Nothing was running.")
            self._stop("Stop the shop and the dashboard", (services.DASHBOARD, *services.SHOP))
            try:
                if self.processes.find("jobmanager") and self.processes.find("taskmanager"):
                    with self.narrator.step("Statements stop with a savepoint") as step:
                        stopped, cancelled = self.deployment.statements.stop(step.waits_for)
                        step.result = f"{len(stopped)} stopped"
                        if cancelled:
                            step.result += f"; from their newest checkpoint resume {', '.join(cancelled)}"
            except (UnreachableError, DeployError) as error:
                self.narrator.say(f"{error.message} The statements resume from their newest checkpoints.")
            finally:
                self._stop("Stop Flink", tuple(reversed(services.FLINK)))
                self._stop("Stop Kafka, registry and catalog", services.STORAGE)
            if delete_data:
                for name in _KEPT_ON_DISK:
                    path = self.settings.local.home / name
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends every program at once; the next `up` resumes from the newest checkpoints."""
        self.processes.stop_all(services.STOP_ORDER, 0)
        self.processes.end_strays()

    def status(self) -> StackStatus:
        statuses = self._services()
        jobs = {}
        if any(one.name == "jobmanager" and one.state == "running" for one in statuses):
            try:
                jobs = self.deployment.statements.jobs()
            except (UnreachableError, DeployError):
                jobs = {}
        return StackStatus(statuses, self.deployment.statuses(jobs))

    def wait_until(self, title: str, waits_for: Callable[[], str], within_seconds: float) -> None:
        """Shows a step until `waits_for` answers with an empty text; raises StackError when that takes too long."""
        deadline = time.monotonic() + within_seconds
        with self.narrator.step(title) as step:
            while text := waits_for():
                if time.monotonic() > deadline:
                    raise StackError(f"{title}: not reached within {within_seconds:.0f} s, still waiting for {text}.")
                supervised = self.processes.find(services.SUPERVISOR) is not None
                if not supervised and (dead := [one for one in self._launched if self.processes.died(one)]):
                    raise StackError(
                        f"{title}: {dead[0]} ended meanwhile. Its log ends: {self.processes.log_end(dead[0])}",
                        f"Its log is {self.processes.log_file(dead[0])}; `sales-trends logs {dead[0]}` shows its end.",
                    )
                step.waits_for(text)
                time.sleep(_POLL_SECONDS)

    def history_waits_for(self) -> str:
        """What the shop's past still lacks; empty when it is live."""
        progress = read_progress(self.settings.local.home)
        return "" if progress.payments_live_since else f"{progress.payments_sent:,} past payments sent"

    def revenue_rows(self) -> int:
        """How many windows the revenue table in Iceberg holds; 0 before its first commit."""
        snapshot = self.lake.snapshot()
        return snapshot.rows or 0 if snapshot else 0

    def _renew_admin_token(self) -> None:
        """Tells the new one on a terminal alone: anything else may be a log that others read."""
        told = admin_fault(self.settings)
        if not told:
            token = admin_token.renew(self.settings.local.home)
            shown = token if self.narrator.console.file.isatty() else "`sales-trends token` prints it"
            told = f"Admin token of the dashboard: {shown}"
        self.narrator.say(told)

    def _end_begun(self, names: list[str], before: Mapping[str, State], within_seconds: float) -> None:
        """What had ended before counts as ended again, so that a supervisor goes on trying."""
        self.processes.end_all([name for name in names if before[name] == "ended"], within_seconds)
        self.processes.stop_all([name for name in names if before[name] != "ended"], within_seconds)

    def _services(self) -> list[ServiceStatus]:
        return service_statuses(self.settings, self.processes)

    def _start(self, wanted: list[Service]) -> None:
        self._launch(wanted)
        self._wait_ready(wanted)

    def _launch(self, wanted: list[Service]) -> None:
        for service in wanted:
            self.processes.launch(service)
            self._launched.append(service.name)

    def _wait_ready(self, wanted: list[Service]) -> None:
        for service in wanted:
            with self.narrator.step(service.title) as step:
                self.processes.wait_ready(service, step)
                step.result = service.address

    def _stop(self, title: str, names: tuple[str, ...]) -> None:
        running = [name for name in names if self.processes.find(name)]
        if running:
            with self.narrator.step(title):
                self.processes.stop_all(running, 20)

    def _record_new(self) -> None:
        """A key is made with the stack and never again: another one could not read what this one wrote."""
        home = self.settings.local.home
        if check_kind(home, self._kind):
            make_local_kms_secret(home)
            record_kind(home, self._kind)

    def _check_is_ours(self) -> None:
        home = self.settings.local.home
        if not (home / RECORD).exists():
            raise StackError(f"{home} holds no stack of Sales Trends, so nothing in it is deleted.")

    @contextmanager
    def _without_supervisor(self, what: str) -> Iterator[dict[str, str] | None]:
        """Ends it before the lock is taken, which it may hold for a repair; a failure leaves it as it was.

        It counts as died: when whoever does this is killed, the demo or the next of them brings it back. Gives the
        variables that it ran with, None when it did not run.
        """
        before = self.processes.settings_of(services.SUPERVISOR)
        try:
            self._end_supervisor()
            with self._only_one(what):
                # the demo may have brought it back before the lock was taken
                self._end_supervisor()
                yield before
        except BaseException:
            if before is not None and any(map(self.processes.is_noted, services.PLATFORM)):
                self.processes.end_all([services.SUPERVISOR], 0)  # one that is still ending watches nothing
                self.supervise(before)
            raise

    def _end_supervisor(self) -> None:
        # it ends between two statements, and Flink may take its time to plan one
        self.processes.end_all([services.SUPERVISOR], _SUPERVISOR_ENDS_SECONDS)

    @contextmanager
    def _only_one(self, what: str, within_seconds: float = 0) -> Iterator[None]:
        home = self.settings.local.home
        with file_faults(home):
            home.mkdir(parents=True, exist_ok=True)
            with stack_lock.held(self.lock, home, what, self.deployment.audit.who, within_seconds):
                self.processes.end_strays()
                yield

    @contextmanager
    def _beside_supervisor(self, what: str) -> Iterator[None]:
        """For what changes one thing: whoever is killed in the middle leaves a stack that is watched."""
        supervised = self.processes.find(services.SUPERVISOR) is not None
        with self._only_one(what, _SUPERVISOR_ENDS_SECONDS if supervised else 0):
            yield

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Ends what was started inside when something fails, so that nothing half-started is left behind."""
        before = {one.name: one.state for one in self._services()}
        try:
            yield
        except BaseException:
            begun = [name for name in services.STOP_ORDER if before[name] != "running"]
            try:
                self._end_begun(begun, before, 10)
            except BaseException:
                # whoever does not want to wait must not leave anything behind either
                self._end_begun(begun, before, 0)
                raise
            finally:
                self.processes.end_strays()
            raise
