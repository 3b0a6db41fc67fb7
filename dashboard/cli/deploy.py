"""The commands that work on every target: by plan and apply, on one statement or the payment app, and what tells."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from dashboard.cli.options import json_option, lose_option, settings_for, target_option, window_option
from dashboard.deploy.differences import differences
from dashboard.deploy.lake_access import access
from dashboard.deploy.plan import FORMAT_VERSION, Action, Plan
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deployments import deployed, lake_address
from dashboard.errors import DeployError, ExitCode, SettingsError
from dashboard.narration import Narrator, aligned
from dashboard.wording import length

_SIGNS = {
    Action.CREATE: "+",
    Action.RESUME: "▸",
    Action.PAUSE: "▸",
    Action.RESTART: "▸",
    Action.REPLACE_KEEPING_OFFSETS: "~",
    Action.REPLACE_LOSING_STATE: "!",
    Action.CHANGE_CONTRACT: "~",
    Action.ADOPT: "?",
    Action.ORPHAN: "?",
    Action.DRIFTED: "?",
    Action.REMOVE: "-",
    Action.KEEP: "=",
}

_adopt_option = click.option("--adopt", multiple=True, metavar="NAME", help="What exists and shall count as ours.")
_prune_option = click.option("--prune", multiple=True, metavar="NAME", help="What no file describes and shall go.")


@click.command()
@target_option
@window_option
@json_option
@_adopt_option
@_prune_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also save the plan, for `apply FILE`.")
@click.pass_obj
def plan(
    narrator: Narrator, target: str, as_json: bool, adopt: tuple[str, ...], prune: tuple[str, ...], out: Path | None
) -> None:
    """Show what it takes to make the target as pipeline_sql/ describes it; changes nothing.

    Exit 0 when nothing is to be done, 2 when something is, 1 when it failed.
    """
    made = planned(narrator, partial(deployed(settings_for(target), narrator).plan, adopt=adopt, prune=prune))
    if out is not None:
        try:
            out.write_text(json.dumps(made.as_dict(), indent=2) + "\n")
        except OSError as error:
            raise SettingsError(
                f"The plan cannot be saved as {out}: {error.strerror}.", "Name another file."
            ) from error
    print_plan(made, as_json)
    if made.changes:
        raise click.exceptions.Exit(ExitCode.CHANGES)


@click.command()
@target_option
@window_option
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@lose_option
@_adopt_option
@_prune_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def apply(
    narrator: Narrator,
    target: str,
    file: Path | None,
    lose: tuple[str, ...],
    adopt: tuple[str, ...],
    prune: tuple[str, ...],
    yes: bool,
) -> None:
    """Make the target as pipeline_sql/ describes it.

    With FILE, a plan saved by `plan --out`: exactly that is done, or nothing when the target has changed since.
    """
    saved = _saved(file, target) if file is not None else None
    deployment = deployed(settings_for(target), narrator)
    if saved is not None:
        if adopt or prune:
            raise SettingsError(
                "A saved plan says itself what it adopts and prunes.", "Plan again with --adopt and --prune."
            )
        digest, adopt, prune = saved
    else:
        made = planned(narrator, partial(deployment.plan, adopt=adopt, prune=prune))
        digest = made.digest
        if made.changes:
            print_plan(made, as_json=False)
        if made.acts and not yes and not click.confirm("\nApply this?", err=True):
            narrator.say("Nothing was changed.")
            raise click.exceptions.Exit(ExitCode.FAILED)
    done = deployment.apply(digest, lose=lose, adopt=adopt, prune=prune)
    narrator.say(f"Applied: {plan_summary(done)}." if done.acts else "There was nothing to do.")


@click.command()
@target_option
@json_option
@click.option("--delete-data", "delete", multiple=True, metavar="NAME", help="Data that goes too: a topic or a table.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would go and what would stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def destroy(
    narrator: Narrator, target: str, as_json: bool, delete: tuple[str, ...], only_plan: bool, yes: bool
) -> None:
    """Remove the pipeline from the target: statements, and what else is ours; what others made stays.

    Topics, tables and keys stay too unless each is named with --delete-data. The audit log stays in any case.
    """
    deployment = deployed(settings_for(target), narrator)
    made = planned(narrator, partial(deployment.destroy_plan, delete=delete))
    if only_plan or not as_json:
        print_plan(made, as_json, named=delete)
    if only_plan:
        return
    if (
        made.acts
        and not yes
        and click.prompt(f"\nTo destroy this, type the target's name, {target}", err=True) != target
    ):
        narrator.say("Nothing was changed.")
        raise click.exceptions.Exit(ExitCode.FAILED)
    # also without acts: what an earlier one that was killed has left behind goes then
    done = deployment.destroy(made.digest, delete=delete)
    if as_json:
        print_plan(done, as_json)
    narrator.say(f"Destroyed: {plan_summary(done)}." if done.acts else "Nothing of ours runs here.")


@click.command()
@target_option
@json_option
@click.pass_obj
def drift(narrator: Narrator, target: str, as_json: bool) -> None:
    """Say what is not as the files describe it, whoever changed it; for a scheduler.

    Exit 0 when all is as described, 2 when something is not, 1 when it could not be found out.
    """
    made = planned(narrator, deployed(settings_for(target), narrator).plan)
    # what only makes room for another step is as described
    drifted = [step for step in made.changes if step.action is not Action.PAUSE]
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
    acts = deployed(settings_for(target), narrator).audit.acts()[-lines:]
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
@click.argument("name")
@click.pass_obj
def stop(narrator: Narrator, target: str, name: str) -> None:
    """Stop one running statement; it keeps what it knows, and `resume`, `apply` or `up` lets it go on.

    NAME is a statement that `status` shows, or tableflow-TOPIC for the copy of a topic where Flink makes that. The join
    takes the deduplication with it, since payments may only follow when it has read all orders.
    """
    narrator.say(deployed(settings_for(target), narrator).stop(name))


@click.command()
@target_option
@click.argument("name")
@click.pass_obj
def resume(narrator: Narrator, target: str, name: str) -> None:
    """Let a statement that was stopped go on from where it stopped, and wait until it runs.

    On open-source Flink the join and the deduplication are resumed together, in the order that keeps the numbers right.
    """
    narrator.say(deployed(settings_for(target), narrator).resume(name))


@click.command()
@target_option
@click.pass_obj
def restart_app(narrator: Narrator, target: str) -> None:
    """Restart the payment app, such as after a changed contract, which it reads when it begins."""
    narrator.say(deployed(settings_for(target), narrator).restart_app())


@click.command()
@target_option
@json_option
@click.option("--engine", metavar="NAME", help="Only this engine, such as duckdb.")
def tableflow(target: str, as_json: bool, engine: str | None) -> None:
    """Print what to paste into PyIceberg, DuckDB, Spark, Trino or Athena to read the Iceberg tables."""
    snippets = access(lake_address(settings_for(target)))
    names = list(dict.fromkeys(one.engine for one in snippets))
    if engine is not None and engine.lower() not in map(str.lower, names):
        raise SettingsError(f"There is no text for the engine {engine}.", f"Choose one of {', '.join(names)}.")
    shown = [one for one in snippets if engine is None or one.engine.lower() == engine.lower()]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in shown], indent=2))
        return
    for one in shown:
        click.echo(f"== {one.engine}: {one.title}\n\n{one.text.rstrip()}\n\n{one.note}\n")


DEPLOY_COMMANDS = (plan, apply, destroy, drift, stop, resume, restart_app, audit, tableflow)


def resource_lines(resources: Sequence[ResourceStatus]) -> list[str]:
    """A table of them; none for no resources."""
    now = datetime.now(UTC)
    rows = [
        [
            one.kind,
            one.name,
            one.state,
            one.phase,
            one.version,
            length(now - one.since) if one.since else "",
            "" if one.behind is None else f"{one.behind:,}",
            one.detail,
        ]
        for one in resources
    ]
    return aligned([["kind", "name", "state", "phase", "version", "age", "to read", ""], *rows]) if rows else []


def planned(narrator: Narrator, planning: Callable[[], Plan]) -> Plan:
    with narrator.step("Plan") as step:
        made = planning()
        step.result = f"{len(made.changes)} changes" if made.changes else "no change"
    return made


def _saved(file: Path, target: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The digest of a saved plan, what it adopts, and what it prunes.

    Raises SettingsError for a file that is no plan, DeployError for one of another target.
    """
    try:
        saved: dict[str, Any] = json.loads(file.read_text())
        version, its_target, digest = saved["format_version"], saved["target"], str(saved["digest"])
        adopts, prunes = (tuple(map(str, saved[key])) for key in ("adopts", "prunes"))
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
    return digest, adopts, prunes


def print_plan(made: Plan, as_json: bool, named: Collection[str] = ()) -> None:
    """`named` is what somebody has agreed to lose already."""
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=2))
        return
    for step in made.changes:
        click.echo(f"{_SIGNS[step.action]} {step.action.value}: {step.id}")
        click.echo(f"    why: {step.why}")
        click.echo(f"    costs: {step.cost}" + (f" ({step.loses})" if step.loses else ""))
        # of what is new or goes there is nothing to compare
        for line in differences(step.before, step.after) if step.before and step.after else ():
            click.echo(f"      {line}")
    click.echo(f"\n{plan_summary(made)}." if made.changes else "Nothing to do: everything is as described.")
    if open_losses := [name for name in made.losses if name not in named]:
        click.echo("To agree to what is dropped: " + " ".join(f"--lose {name}" for name in open_losses))


def plan_summary(made: Plan) -> str:
    counts = {action: sum(step.action is action for step in made.steps) for action in Action}
    return ", ".join(f"{count} {action.value}" for action, count in counts.items() if count)
