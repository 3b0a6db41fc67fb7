"""The commands that change a target by plan and apply: `plan`, `apply`, `drift`, `audit`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dashboard.cli_options import json_option, settings_for, target_option, window_option
from dashboard.deploy.lake_access import LakeAddress, access
from dashboard.deploy.plan import FORMAT_VERSION, Action, Plan
from dashboard.errors import DeployError, ExitCode, SettingsError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.broker import CLUSTER_ID
from dashboard.narration import Narrator, aligned

_SIGNS = {
    Action.CREATE: "+",
    Action.RESUME: "▸",
    Action.RESTART: "▸",
    Action.REPLACE_KEEPING_OFFSETS: "~",
    Action.REPLACE_LOSING_STATE: "!",
    Action.CHANGE_CONTRACT: "~",
    Action.ADOPT: "?",
    Action.ORPHAN: "?",
    Action.DRIFTED: "?",
}
_FOUND_BY_DRIFT = frozenset({Action.RESUME, Action.RESTART, Action.DRIFTED, Action.ORPHAN, Action.ADOPT})


@click.command()
@target_option
@window_option
@json_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also save the plan, for `apply FILE`.")
@click.pass_obj
def plan(narrator: Narrator, target: str, as_json: bool, out: Path | None) -> None:
    """Show what it takes to make the target as pipeline_sql/ describes it; changes nothing.

    Exit 0 when nothing is to be done, 2 when something is, 1 when it failed.
    """
    made = _planned(_running_stack(narrator, target))
    if out is not None:
        try:
            out.write_text(json.dumps(made.as_dict(), indent=2) + "\n")
        except OSError as error:
            raise SettingsError(
                f"The plan cannot be saved as {out}: {error.strerror}.", "Name another file."
            ) from error
    _print(made, as_json)
    if made.changes:
        raise click.exceptions.Exit(ExitCode.CHANGES)


@click.command()
@target_option
@window_option
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--lose", multiple=True, metavar="NAME", help="What may be dropped and filled again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def apply(narrator: Narrator, target: str, file: Path | None, lose: tuple[str, ...], yes: bool) -> None:
    """Make the target as pipeline_sql/ describes it.

    With FILE, a plan saved by `plan --out`: exactly that is done, or nothing when the target has changed since.
    """
    digest = _saved_digest(file, target) if file is not None else None
    stack = _running_stack(narrator, target)
    if digest is None:
        made = _planned(stack)
        digest = made.digest
        if made.changes:
            _print(made, as_json=False)
        if made.acts and not yes and not click.confirm("\nApply this?", err=True):
            narrator.say("Nothing was changed.")
            raise click.exceptions.Exit(ExitCode.FAILED)
    done = stack.apply(digest, lose=lose)
    narrator.say(f"Applied: {_summary(done)}." if done.acts else "There was nothing to do.")


@click.command()
@target_option
@json_option
@click.pass_obj
def drift(narrator: Narrator, target: str, as_json: bool) -> None:
    """Say what somebody or something changed since the last apply; for a scheduler.

    Exit 0 when all is as it was deployed, 2 when something is not, 1 when it could not be found out.
    """
    made = _planned(_running_stack(narrator, target))
    drifted = [step for step in made.steps if step.action in _FOUND_BY_DRIFT]
    if as_json:
        told = made.as_dict()
        names = {str(step.id) for step in drifted}
        told["steps"] = [one for one in told["steps"] if f"{one['id']['kind']} {one['id']['name']}" in names]
        click.echo(json.dumps(told | {"changes": len(drifted)}, indent=2))
    for step in () if as_json else drifted:
        click.echo(f"? {step.id}: {step.why}")
    if drifted:
        raise click.exceptions.Exit(ExitCode.CHANGES)
    narrator.say("Everything is as it was deployed.")


@click.command()
@target_option
@json_option
@click.option("-n", "--lines", type=click.IntRange(min=1), default=50, show_default=True, help="How many acts.")
@click.pass_obj
def audit(narrator: Narrator, target: str, as_json: bool, lines: int) -> None:
    """Show who changed what on the target and when, the newest last."""
    acts = _running_stack(narrator, target).deployment.audit.acts()[-lines:]
    if as_json:
        click.echo(json.dumps([asdict(act) for act in acts], indent=2))
        return
    rows = [[act.at, act.who, act.plan[:8], act.what, act.thing, act.result] for act in acts]
    for line in aligned([["when (UTC)", "who", "plan", "act", "on", "result"], *rows]) if rows else ():
        click.echo(line)
    if not rows:
        narrator.say("Nothing was deployed here yet.")


@click.command()
@target_option
@json_option
@click.option("--engine", metavar="NAME", help="Only this engine, such as duckdb.")
def tableflow(target: str, as_json: bool, engine: str | None) -> None:
    """Print what to paste into PyIceberg, DuckDB, Spark, Trino or Athena to read the Iceberg tables."""
    deployment = LocalStack(settings_for(target), Narrator()).deployment
    address = LakeAddress(
        catalog_uri=deployment.catalog,
        token_uri=None,
        namespace=CLUSTER_ID,
        topics=deployment.pipeline.tableflow_topics,
        region=None,
        managed_storage=False,
        needs_credentials=False,
    )
    snippets = access(address)
    names = list(dict.fromkeys(one.engine for one in snippets))
    if engine is not None and engine.lower() not in map(str.lower, names):
        raise SettingsError(f"There is no text for the engine {engine}.", f"Choose one of {', '.join(names)}.")
    shown = [one for one in snippets if engine is None or one.engine.lower() == engine.lower()]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in shown], indent=2))
        return
    for one in shown:
        click.echo(f"== {one.engine}: {one.title}\n\n{one.text.rstrip()}\n\n{one.note}\n")


def _running_stack(narrator: Narrator, target: str) -> LocalStack:
    stack = LocalStack(settings_for(target), narrator)
    if missing := [name for name in services.PLATFORM if stack.processes.find(name) is None]:
        raise StackError(
            f"The local stack does not run: {', '.join(missing)} is missing.",
            "`sales-trends up` starts it.",
        )
    return stack


def _planned(stack: LocalStack) -> Plan:
    with stack.narrator.step("Plan") as step:
        made = stack.deployment.plan()
        step.result = f"{len(made.changes)} changes" if made.changes else "no change"
    return made


def _saved_digest(file: Path, target: str) -> str:
    """Raises SettingsError for a file that is no plan for this target."""
    try:
        saved: dict[str, Any] = json.loads(file.read_text())
        version, its_target, digest = saved["format_version"], saved["target"], str(saved["digest"])
    except OSError as error:
        raise SettingsError(
            f"The plan {file} cannot be read: {error.strerror}.", "Name the file of `plan --out`."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{file} is not a saved plan.", "`sales-trends plan --out FILE` saves one.") from error
    if version != FORMAT_VERSION:
        raise SettingsError(f"The plan {file} has format {version}, this version has {FORMAT_VERSION}.", "Plan again.")
    if its_target != target:
        raise DeployError(f"The plan {file} is for the target {its_target}, not for {target}.", "Plan again.")
    return digest


def _print(made: Plan, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=2))
        return
    for step in made.changes:
        click.echo(f"{_SIGNS[step.action]} {step.action.value}: {step.id}")
        click.echo(f"    why: {step.why}")
        click.echo(f"    costs: {step.cost}" + (f" ({step.loses})" if step.loses else ""))
    click.echo(f"\n{_summary(made)}." if made.changes else "Nothing to do: everything is as described.")
    if made.losses:
        click.echo(
            "To agree to what is dropped and filled again: " + " ".join(f"--lose {name}" for name in made.losses)
        )


def _summary(made: Plan) -> str:
    counts = {action: sum(step.action is action for step in made.steps) for action in Action}
    return ", ".join(f"{count} {action.value}" for action, count in counts.items() if count)
