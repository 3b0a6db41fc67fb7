"""The command `sales-trends`. Data goes to stdout, narration to stderr, the outcome into the exit code."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from dashboard import __version__
from dashboard.cli.checks import doctor, verify
from dashboard.cli.contracts import contracts
from dashboard.cli.deploy import DEPLOY_COMMANDS, resource_lines
from dashboard.cli.dlq import dlq
from dashboard.cli.freshness import FRESHNESS_COMMANDS
from dashboard.cli.options import (
    json_option,
    lose_option,
    setting_option,
    settings_for,
    target_option,
    unencrypted_option,
    window_option,
)
from dashboard.cli.query import query
from dashboard.cli.report import report
from dashboard.cli.tables import TABLE_COMMANDS
from dashboard.cli.tail import tail
from dashboard.cli.token import token
from dashboard.crash import save_trace
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.skipped import Place
from dashboard.deployments import Deployed, deployed
from dashboard.errors import ExitCode, SalesTrendsError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import log_file, services
from dashboard.local.service_status import ServiceStatus
from dashboard.narration import Narrator, aligned
from dashboard.settings import Settings, load_settings
from dashboard.targets import LOCAL
from dashboard.wording import length

_EXIT_CODES = """\b
Exit codes:
  0    ok
  1    failed
  2    changes, late or drift
  64   usage or settings
  69   something remote is unreachable
  130  interrupted
"""

_WATCH_SECONDS = 2
_SHORT_WINDOW = timedelta(minutes=1)
"""Of windows up to this size the demo waits for the first to close before it says that it is ready."""


def main() -> NoReturn:
    """Runs the command and ends the process with its exit code."""
    # a closed terminal or a service manager's stop is answered like Ctrl-C: everything ends in order; Ctrl-C itself is
    # named too, because a shell that starts a command in the background makes it ignore that
    for number in _ends():
        # nohup has a closed terminal ignored
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    # no proxy leads to this machine's own loopback address; children take this over
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(filter(None, (os.environ.get(variable), "127.0.0.1", "localhost")))
    narrator = Narrator()
    try:
        code = commands.main(standalone_mode=False, obj=narrator)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.UsageError as error:
        error.show()
        code = ExitCode.USAGE
    except (click.exceptions.Abort, KeyboardInterrupt):
        narrator.say("Interrupted.")
        _end_now(ExitCode.INTERRUPTED)
    except SalesTrendsError as error:
        narrator.say(error.message, "bold")
        if error.hint:
            narrator.say(error.hint)
        code = error.exit_code
    except BrokenPipeError:
        # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    except Exception as error:
        _say_unforeseen(narrator, error)
        code = ExitCode.FAILED
    sys.exit(code or 0)


def _ends() -> list[signal.Signals]:
    """The signals that end a command; a system that has not all of them is refused later, in words."""
    return [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]


def _end_now(code: ExitCode) -> NoReturn:
    """Without waiting for threads that read or download, and without taking away beneath them what they work with."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _say_unforeseen(narrator: Narrator, error: Exception) -> None:
    """One sentence and where the trace is, for an error that no part of the program has words for."""
    trace = save_trace(error)
    if isinstance(error, OSError) and error.filename:
        narrator.say(f"{error.filename} cannot be used: {error.strerror}.", "bold")
        narrator.say(f"`sales-trends doctor` checks the machine; the details are in {trace}.")
    else:
        narrator.say(f"This is a fault of Sales Trends itself: {type(error).__name__}.", "bold")
        narrator.say(f"Please report it with {trace}; `sales-trends status` shows what runs.")


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _shop_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that set the shop and the window for this one run."""
    history = "How much past the shop writes on first start, such as 14d; 0s for none."
    for option in (
        setting_option("--history", "SALES_SHOP__HISTORY", history),
        setting_option("--rate", "SALES_SHOP__RATE", "Payments per second once the shop is live."),
        window_option,
    ):
        command = option(command)
    return command


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sales-trends")
def commands() -> None:
    """Sales trends on a real streaming pipeline: Kafka, Flink SQL, Iceberg and a dashboard."""


@commands.command()
@target_option
@_shop_options
@unencrypted_option
@lose_option
@click.pass_obj
def demo(narrator: Narrator, target: str, lose: tuple[str, ...]) -> None:
    """Start everything, fill it, show it; Ctrl-C stops all of it again."""
    settings = settings_for(target)
    stack = LocalStack(settings, narrator)
    started = time.monotonic()
    narrator.say("Sales Trends on your machine: Kafka, Flink, Iceberg and the dashboard. Ctrl-C stops all of it.\n")
    stack.up(lose=lose)
    code = ExitCode.INTERRUPTED
    try:
        stack.wait_until("The shop's past is sent", stack.history_waits_for, 600)
        if settings.pipeline.window_size <= _SHORT_WINDOW:
            before = stack.revenue_rows()
            stack.wait_until(
                "New revenue in Iceberg", lambda: "" if stack.revenue_rows() > before else "the next window", 300
            )
        # as this one was started, for `make demo` puts nothing on the path
        own = sys.argv[0] if os.sep in sys.argv[0] and shutil.which("sales-trends") is None else "sales-trends"
        narrator.say(
            f"\nReady after {time.monotonic() - started:.0f} s: {settings.web.url} shows revenue per window.\n"
            f"In another terminal: `{own} verify` proves the numbers, `{own} status` shows the parts.\n"
            "Ctrl-C stops everything; nothing is lost, the next `make demo` goes on from here.",
            "bold",
        )
        code = ExitCode.OK
        _watch(stack)
    except KeyboardInterrupt:
        narrator.say("\nStopping. Ctrl-C again ends everything at once; nothing is lost then either.")
    finally:
        _stop(stack)
    raise click.exceptions.Exit(code)


def _watch(stack: LocalStack) -> NoReturn:
    """Passes on what the supervisor says, and brings back the supervisor itself."""
    with stack.processes.log_file(services.SUPERVISOR).open() as said:
        said.seek(0, os.SEEK_END)
        while True:
            if stack.processes.died(services.SUPERVISOR):
                stack.bring_back_supervisor()
            elif stack.processes.find("kafka") is None and not stack.processes.died("kafka"):
                raise StackError("The stack was stopped by another command.", "`make demo` starts it again.")
            for line in said:
                stack.narrator.say(line.rstrip())
            time.sleep(_WATCH_SECONDS)


@commands.command()
@target_option
@_shop_options
@unencrypted_option
@click.option("--shop/--no-shop", default=True, show_default=True, help="Start the made-up shop too.")
@click.option("--page/--no-page", default=True, show_default=True, help="Start the dashboard too.")
@lose_option
@click.pass_obj
def up(narrator: Narrator, target: str, shop: bool, page: bool, lose: tuple[str, ...]) -> None:
    """Start whatever does not run, and leave it running."""
    LocalStack(settings_for(target), narrator).up(shop=shop, page=page, lose=lose)


@commands.command()
@target_option
@click.option("--delete-data", is_flag=True, help="Also delete its topics, tables, state and journals.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.pass_obj
def down(narrator: Narrator, target: str, delete_data: bool, yes: bool) -> None:
    """Stop everything; `up` goes on from there."""
    settings = settings_for(target)
    if delete_data and not yes:
        home = settings.local.home
        narrator.say(
            f"This deletes every topic, Iceberg table, checkpoint and journal in {home}. There is no way back."
        )
        if click.prompt(f"Type {target} to delete them", default="", show_default=False, err=True) != target:
            narrator.say("Nothing was deleted, and everything is as it was.")
            raise click.exceptions.Exit(ExitCode.FAILED)
    LocalStack(settings, narrator).down(delete_data=delete_data)
    if delete_data:
        narrator.say(f"Deleted what was in {settings.local.home}.")


@commands.command()
@target_option
@json_option
@click.pass_obj
def status(narrator: Narrator, target: str, as_json: bool) -> None:
    """Show each program and each thing of the pipeline; exit 0 when all of it is as it should be, else 1."""
    settings = settings_for(target)
    if target != LOCAL:
        _remote_status(deployed(settings, narrator), as_json)
        return
    found = LocalStack(settings, narrator).status()
    resources, unknown = _resources(settings, narrator) if found.platform_runs else ([], "")
    if as_json:
        told = {**found.as_dict(), "resources": [one.as_dict() for one in resources]}
        click.echo(json.dumps(told, indent=2))
    else:
        for line in aligned([_SERVICE_COLUMNS, *map(_service_cells, found.services)]):
            click.echo(line)
        click.echo(f"\nLogs are in {Path(found.services[0].log).parent}; `sales-trends logs SERVICE` shows one.\n")
        for statement in found.statements if not resources else ():
            click.echo(f"{statement.name:<40} {statement.state:<12} {statement.trouble}".rstrip())
        for line in resource_lines(resources):
            click.echo(line)
    if unknown:
        narrator.say(unknown)
    if not found.running:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _remote_status(deployment: Deployed, as_json: bool) -> None:
    """Of a target whose programs are somebody else's."""
    resources = deployment.resources()
    if as_json:
        click.echo(json.dumps({"resources": [one.as_dict() for one in resources]}, indent=2))
    for line in () if as_json else resource_lines(resources):
        click.echo(line)
    if any(one.state != "ready" for one in resources):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _resources(settings: Settings, narrator: Narrator) -> tuple[list[ResourceStatus], str]:
    """Each thing of the pipeline; none, and why, when a part that would tell does not answer."""
    try:
        return deployed(settings, narrator).resources(), ""
    except SalesTrendsError as error:
        return [], f"Topics and tables are not known: {error.message}"


_SERVICE_COLUMNS = ["service", "state", "pid", "memory", "version", "address", "up for", "log"]


def _service_cells(service: ServiceStatus) -> list[str]:
    running = service.since is not None
    return [
        service.name,
        service.state,
        str(service.pid) if running else "",
        f"{service.memory_mb} MB" if running else "",
        service.version,
        service.address,
        length(datetime.now(UTC) - datetime.fromisoformat(service.since)) if service.since else "",
        Path(service.log).name,
    ]


@commands.command()
@target_option
@click.argument("service", type=click.Choice(services.NAMES), metavar="SERVICE")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.pass_obj
def logs(narrator: Narrator, target: str, service: str, lines: int, follow: bool) -> None:
    """Show the end of the log of one program.

    SERVICE is kafka, registry, jobmanager, taskmanager, gateway, order-feed, payment-app, dashboard or supervisor.
    """
    path = LocalStack(load_settings(target=target), narrator).processes.log_file(service)
    try:
        with log_file.opened(path) as log:
            for line in log.last_lines(lines):
                click.echo(line)
            for text in log.followed() if follow else ():
                click.echo(text, nl=False)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StackError(
            f"{service} has no log yet: {path} does not exist.", "A log begins when `sales-trends up` starts it."
        ) from error


@commands.command()
@target_option
@click.argument("topic")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@click.pass_obj
def skip(narrator: Narrator, target: str, topic: str, partition: int, offset: int) -> None:
    """Go past one bad record for good; `status` names it. A good record is refused.

    The record stays in its topic. What reads the topic starts again from its newest checkpoint, so nothing else is
    lost and nothing is counted twice.
    """
    stack = LocalStack(settings_for(target), narrator)
    bad = stack.skip(Place(topic, partition, offset))
    narrator.say(f"Skipped from now on: {bad}.")
    for name, trouble in stack.deployment.troubled().items():
        narrator.say(f"The statement {name} does not run yet: {trouble}.", "bold")


def _stop(stack: LocalStack) -> None:
    try:
        stack.down()
    except KeyboardInterrupt:
        for number in _ends():
            signal.signal(number, signal.SIG_IGN)
        stack.kill()


for _command in (
    *DEPLOY_COMMANDS,
    *FRESHNESS_COMMANDS,
    *TABLE_COMMANDS,
    contracts,
    dlq,
    doctor,
    query,
    report,
    tail,
    token,
    verify,
):
    commands.add_command(_command)
