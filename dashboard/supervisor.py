"""Brings back what dies (`python -m dashboard.supervisor`): programs that ended or hang, statements that are gone.

It looks every second, holds the stack's lock while it repairs, and says what it did in its log, one line an event.
The one rule that keeps the numbers right while parts come back is that of every start: payments are held back, by
cancelling the deduplication, whenever the join does not run, until the join has read the orders that came meanwhile.
What somebody stopped on purpose stays away (`deploy/stopped.py`).
"""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil
from filelock import Timeout

from dashboard.crash import save_trace
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import SalesTrendsError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.home import file_faults
from dashboard.local.jars import class_paths
from dashboard.local.preflight import LEAST_DISK_MB, free_mb
from dashboard.local.processes import Service
from dashboard.local.worker import Stop, run_process
from dashboard.narration import Narrator, Step
from dashboard.remotes.flink import Job
from dashboard.settings import Settings
from dashboard.topic_names import ORDERS_TOPIC

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_PROBE_SECONDS = 10.0
HUNG_SECONDS = 45.0
"""A program that runs and does not answer for this long is ended and started anew."""
_LONGEST_PAUSE_SECONDS = 60.0
_HALF_DEPLOYED = "does not run and is not deployed as described; `sales-trends plan` shows what it takes."


class Faults:
    """What went wrong in parts that must not keep each other from being tried."""

    def __init__(self) -> None:
        self._errors: list[SalesTrendsError] = []

    @property
    def messages(self) -> list[str]:
        return [str(error) for error in self._errors]

    def add(self, error: SalesTrendsError) -> None:
        self._errors.append(error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps what is raised inside; a fault of our own leaves its trace and is one sentence too."""
        try:
            yield
        except SalesTrendsError as error:
            self.add(error)
        except OSError:
            # the caller knows which files it works on
            raise
        except Exception as error:
            self.add(StackError(f"The supervisor failed: {type(error).__name__}; its trace is in {save_trace(error)}."))

    def raise_first(self) -> None:
        if self._errors:
            raise self._errors[0]


class Supervisor:
    """Watches one stack; `look` is one round."""

    def __init__(self, stack: LocalStack, stop: Stop) -> None:
        """`stop` ends a round between two statements: who set it waits for that."""
        self._stack = stack
        self._stop = stop
        self._processes = stack.processes
        settings = stack.settings
        # whoever started this process has just read every jar
        self._services = services.all_services(settings, class_paths(settings.local.cache))
        del self._services[services.SUPERVISOR]
        self._step = Step("", stack.narrator.console, None)
        self._silent_since: dict[str, float] = {}
        self._probed = time.monotonic()
        self._failures = 0
        self._not_before = 0.0
        self._orders_end: dict[int, int] | None = None
        """Where the join's reading must have come to before payments follow; None while the deduplication runs."""
        self._told: dict[str, str] = {}
        self._lost: dict[str, int] = {}
        self._short_of_room = False

    def look(self) -> None:
        """Repairs what needs it, unless a command is at work or the last repair failed a moment ago."""
        if time.monotonic() < self._not_before:
            return
        home = self._stack.settings.local.home
        faults = Faults()
        try:
            with file_faults(home), self._stack.lock.acquire(timeout=0):
                for part in (self._probe, self._bring_back_programs, self._bring_back_statements):
                    with faults.kept(), file_faults(home):
                        part()
        except Timeout:
            return
        except SalesTrendsError as error:
            faults.add(error)
        if not faults.messages:
            self._failures = 0
            return
        self._failures += 1
        pause = min(2.0**self._failures, _LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + pause
        for message in faults.messages:
            log.warning("%s Next try in %.0f s.", message, pause)

    def _probe(self) -> None:
        """What is too dear to ask every second."""
        now = time.monotonic()
        if now - self._probed >= _PROBE_SECONDS:
            self._probed = now
            self._end_hung(now)
            self._tell_of_room()
            self._tell_of_losses()

    def _tell_of_room(self) -> None:
        home = self._stack.settings.local.home
        free = free_mb(home)
        if free < LEAST_DISK_MB and not self._short_of_room:
            log.error("Only %d MB are free for %s: Kafka ends when there are none. Free space there.", free, home)
        self._short_of_room = free < LEAST_DISK_MB

    def _tell_of_losses(self) -> None:
        if self._processes.find("jobmanager") is None:
            return
        for name, lost in self._stack.deployment.lost_transactions().items():
            if lost > self._lost.get(name, 0):
                log.error(
                    "The statement %s lost %d transactions that Kafka gave up while it was away: windows of that time "
                    "are wrong. `sales-trends verify` lists them; `down --delete-data`, then `up`, builds all anew.",
                    name,
                    lost,
                )
            self._lost[name] = lost

    def _end_hung(self, now: float) -> None:
        """Ends programs that exist but do not answer, so that they are brought back like dead ones."""
        for name, service in self._services.items():
            process = self._processes.find(name)
            if process is None or not (reason := _silence(service, process)):
                self._silent_since.pop(name, None)
                continue
            since = self._silent_since.setdefault(name, now)
            if now - since >= HUNG_SECONDS:
                log.warning("%s does not answer since %.0f s (%s); it is ended.", service.title, now - since, reason)
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                psutil.wait_procs([process], timeout=10)
                self._silent_since.pop(name)

    def _bring_back_programs(self) -> None:
        died = [name for name in self._services if self._processes.died(name)]
        if not died:
            return
        for name in died:
            log.warning("Ended: %s. Its log ends: %s", self._services[name].title, self._processes.log_end(name))
        if "jobmanager" in died and "taskmanager" not in died:
            # it would look for its JobManager for up to half a minute, and hold tasks that nobody owns
            self._processes.end_all(["taskmanager"], 0)
            died.insert(died.index("jobmanager") + 1, "taskmanager")
        elif "taskmanager" in died and "jobmanager" not in died:
            self._hold_payments_back()
        # what was started and could not be noted would stand in the way
        self._processes.end_strays()
        faults = Faults()
        launched = []
        for name in died:
            with faults.kept():
                self._processes.launch(self._services[name])
                launched.append(name)
        for name in launched:
            if name not in services.SHOP:
                with faults.kept(), _timed(self._services[name].title):
                    self._processes.wait_ready(self._services[name], self._step)
        faults.raise_first()

    def _bring_back_statements(self) -> None:
        if self._processes.find("jobmanager") is None or self._processes.find("gateway") is None:
            return
        deployment = self._stack.deployment.statements
        for doubled in deployment.end_doubles():
            log.error("%s %s", doubled, doubled.hint)
        jobs = deployment.jobs()
        self._tell_of_troubles(jobs)
        join, deduplication = jobs.get(JOIN), jobs.get(DEDUPLICATION)
        if join is None or not join.running:
            self._orders_end = None
            if not _gone(deduplication):
                self._hold_payments_back()
        faults = Faults()
        stopped = deployment.stopped.names()
        wanted = [name for name in deployment.statement_names if name not in stopped]
        gone = self._to_bring_back([name for name in wanted if _gone(jobs.get(name))])
        for name in gone:
            if name != DEDUPLICATION and not self._stop.is_set():
                with faults.kept(), _timed(f"Statement {name}"):
                    self._stack.deployment.start(name)
        if join is not None and join.running and (DEDUPLICATION in gone or deployment.hold.exists()):
            self._let_payments_follow(stopped)
        faults.raise_first()

    def _to_bring_back(self, gone: list[str]) -> list[str]:
        """Those that were deployed as they are described: what a deployment has left half done is for the next one."""
        if not gone:
            return []
        whole = self._stack.deployment.target.whole()
        for name in gone:
            if name not in whole and self._told.get(name) != _HALF_DEPLOYED:
                self._told[name] = _HALF_DEPLOYED
                log.warning("The statement %s %s", name, _HALF_DEPLOYED)
        return [name for name in gone if name in whole]

    def _hold_payments_back(self) -> None:
        log.info("Payments are held back until the join has read the orders.")
        self._orders_end = None
        self._stack.deployment.statements.cancel(DEDUPLICATION)

    def _let_payments_follow(self, stopped: Collection[str]) -> None:
        if self._orders_end is None:
            self._orders_end = self._stack.kafka.end_offsets(ORDERS_TOPIC)
        if self._stack.deployment.orders_to_read(self._orders_end) == 0:
            self._stack.deployment.statements.hold.unlink(missing_ok=True)
            if DEDUPLICATION not in stopped:
                with _timed(f"Statement {DEDUPLICATION}"):
                    self._stack.deployment.start(DEDUPLICATION)
            self._orders_end = None

    def _tell_of_troubles(self, jobs: dict[str, Job]) -> None:
        """Says once why a statement fails, and once that it runs again."""
        for name, job in jobs.items():
            if job.running:
                if self._told.pop(name, None):
                    log.info("The statement %s runs.", name)
            elif job.state in ("RESTARTING", "FAILED", "FAILING"):
                reason = self._stack.deployment.statements.flink.job_failure(job.id)
                if self._told.get(name) != reason:
                    self._told[name] = reason
                    log.warning("The statement %s does not run: %s.", name, reason or f"it is {job.state}")


def _gone(job: Job | None) -> bool:
    return job is None or job.ended


def _silence(service: Service, process: psutil.Process) -> str:
    """What a program does not do; empty when it answers."""
    try:
        if process.status() == psutil.STATUS_STOPPED:
            return "it is stopped"
    except psutil.NoSuchProcess:
        return ""
    return (service.silence or service.ready)()


@contextmanager
def _timed(title: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    log.info("%s: back after %.1f s.", title, time.monotonic() - started)


def work(settings: Settings, stop: Stop) -> None:
    narrator = Narrator()
    narrator.go_quiet()
    supervisor = Supervisor(LocalStack(settings, narrator), stop)
    log.info("Watching the stack in %s.", settings.local.home)
    while not stop.is_set():
        supervisor.look()
        stop.wait(_LOOK_SECONDS)


def main() -> int:
    return run_process(services.SUPERVISOR, work)


if __name__ == "__main__":
    raise SystemExit(main())
