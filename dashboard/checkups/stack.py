"""Asks each part of a running stack whether it does what it is there for, and says what to do when it does not."""

from collections.abc import Callable, Iterator

from dashboard.errors import SalesTrendsError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.doctor import Finding
from dashboard.local.home import recorded_kind

_TIMEOUT_SECONDS = 3
_RESTART = "`sales-trends down`, then `sales-trends up`; nothing is lost."


def examine_stack(stack: LocalStack) -> list[Finding]:
    """Every finding about the stack of this home; one that says so when nothing of it runs. Changes nothing."""
    home = stack.settings.local.home
    try:
        kind = recorded_kind(home)
    except SalesTrendsError as error:
        return [Finding("Stack on disk", False, error.message, error.hint)]
    died = [name for name in services.NAMES if stack.processes.died(name)]
    running = [name for name in services.NAMES if stack.processes.find(name)]
    if not running and not died:
        made = f"one with windows of {kind.window} waits in {home}" if kind else f"there is none in {home} yet"
        return [Finding("Stack", True, f"nothing runs; {made}, `sales-trends up` starts it")]
    return [*_programs(stack, running, died), *_answers(stack, running)]


def _programs(stack: LocalStack, running: list[str], died: list[str]) -> Iterator[Finding]:
    for name in services.NAMES:
        if name in running:
            yield Finding(f"Program {name}", True, "runs")
        elif name in died:
            detail = f"ended by itself: {stack.processes.log_end(name)}"
            remedy = f"`sales-trends logs {name}` shows why; `sales-trends up` starts it again."
            yield Finding(f"Program {name}", False, detail, remedy)
        elif name in (*services.PLATFORM, services.SUPERVISOR):
            yield Finding(f"Program {name}", False, "does not run", "`sales-trends up` starts it.")
        else:
            yield Finding(f"Program {name}", True, "was not started")


def _answers(stack: LocalStack, running: list[str]) -> Iterator[Finding]:
    """What the running programs answer; nothing is asked of one that does not run."""
    if "kafka" in running:
        yield _asked("Kafka", lambda: _kafka(stack))
        yield _asked("Topics", lambda: _topics(stack))
    if "registry" in running:
        yield _asked("Registry", lambda: _health(f"{stack.deployment.registry.url}/health", "registry"))
        yield _asked("Catalog", lambda: _catalog(stack))
    if "gateway" in running:
        yield _asked("SQL gateway", lambda: _gateway(stack))
    if services.DASHBOARD in running:
        web = stack.settings.web
        yield _asked("Dashboard", lambda: _health(f"{web.url}/_stcore/health", "dashboard"))
    if "jobmanager" in running:
        yield _asked("Flink", lambda: _flink(stack))
        yield from _statements(stack)


def _asked(name: str, ask: Callable[[], str]) -> Finding:
    return Finding.of(name, ask, otherwise=_RESTART)


def _kafka(stack: LocalStack) -> str:
    bootstrap = stack.kafka.bootstrap
    cluster_id = stack.kafka.cluster_id(_TIMEOUT_SECONDS)
    if cluster_id is None:
        raise _silent(bootstrap, "kafka")
    if cluster_id != CLUSTER_ID:
        raise StackError(
            f"{bootstrap} is answered by the Kafka cluster {cluster_id}, ours is {CLUSTER_ID}.",
            "End that broker, or set SALES_LOCAL__KAFKA_PORT to the port of ours.",
        )
    return f"cluster {cluster_id} at {bootstrap}"


def _topics(stack: LocalStack) -> str:
    wanted = {topic.name for topic in stack.deployment.pipeline.topics} | set(stack.deployment.pipeline.created_tables)
    if missing := sorted(wanted - stack.kafka.topic_names(_TIMEOUT_SECONDS)):
        raise StackError(f"Missing: {', '.join(missing)}.", "`sales-trends up` creates them.")
    return f"all {len(wanted)} are there"


def _catalog(stack: LocalStack) -> str:
    return f"{stack.revenue_rows():,} windows of revenue at {stack.lake.uri}"


def _flink(stack: LocalStack) -> str:
    slots = stack.deployment.statements.flink.slots()
    if slots is None:
        raise _silent(stack.deployment.statements.flink.rest, "jobmanager")
    if not slots:
        raise StackError("No TaskManager is registered.", "`sales-trends up` starts it.")
    return f"{slots} slots at {stack.deployment.statements.flink.rest}"


def _gateway(stack: LocalStack) -> str:
    version = stack.deployment.statements.flink.gateway_version()
    if not version:
        raise _silent(stack.deployment.statements.flink.gateway, "gateway")
    return f"version {version} at {stack.deployment.statements.flink.gateway}"


def _statements(stack: LocalStack) -> Iterator[Finding]:
    wanted = stack.deployment.statements.statement_names
    try:
        troubled = stack.deployment.troubled()
        jobs = stack.deployment.statements.jobs()
        absent = set(wanted) - set(jobs)
        stopped = {one.name for one in stack.deployment.statuses(jobs) if one.state == "STOPPED"}
    except SalesTrendsError as error:
        yield Finding("Statements", False, error.message, error.hint or _RESTART)
        return
    for name in wanted:
        if name in stopped:
            remedy = f"`sales-trends resume {name}` lets it go on."
            yield Finding(f"Statement {name}", False, "somebody stopped it", remedy)
        elif name in troubled:
            remedy = f"`sales-trends logs taskmanager` shows more. When it does not recover: {_RESTART}"
            yield Finding(f"Statement {name}", False, troubled[name], remedy)
        elif name in absent:
            yield Finding(f"Statement {name}", False, "It was not started.", "`sales-trends up` starts it.")
    if not troubled and not absent:
        yield Finding("Statements", True, f"all {len(wanted)} run")


def _health(url: str, service: str) -> str:
    if not services.answers(url, _TIMEOUT_SECONDS):
        raise _silent(url, service)
    return url


def _silent(address: str, service: str) -> StackError:
    return StackError(f"No answer from {address}.", f"`sales-trends logs {service}` shows why. Then: {_RESTART}")
