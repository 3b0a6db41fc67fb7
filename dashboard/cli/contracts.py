"""The commands about contracts: what they promise, what a change takes, and changing them."""

import json
from dataclasses import asdict

import click

from dashboard.cli.deploy import plan_summary, planned, print_plan
from dashboard.cli.options import encryption_option, json_option, settings_for, target_option
from dashboard.deploy.contract import rule_words, type_words
from dashboard.deploy.contracts import ContractView
from dashboard.deployments import deployed
from dashboard.enforcement.outcomes import CACHE_SECONDS
from dashboard.errors import ExitCode
from dashboard.narration import Narrator, aligned
from dashboard.targets import LOCAL


@click.group()
def contracts() -> None:
    """What a topic promises beside its schema: rules, tags, the key that encrypts."""


@contracts.command()
@target_option
@json_option
@click.pass_obj
def show(narrator: Narrator, target: str, as_json: bool) -> None:
    """Show each contract as the registry holds it, and where the files describe it otherwise."""
    found = deployed(settings_for(target), narrator).contracts()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        for line in contract_lines(one):
            click.echo(line)


@contracts.command()
@target_option
@encryption_option
@json_option
@click.pass_obj
def plan(narrator: Narrator, target: str, as_json: bool) -> None:
    """Show what it takes to make the contracts as the files describe them; changes nothing.

    Exit 0 when nothing is to be done, 2 when something is, 1 when it failed.
    """
    made = planned(narrator, deployed(settings_for(target), narrator).contracts_plan)
    print_plan(made, as_json)
    if made.changes:
        raise click.exceptions.Exit(ExitCode.CHANGES)


@contracts.command()
@target_option
@encryption_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def apply(narrator: Narrator, target: str, yes: bool) -> None:
    """Make the contracts, their keys and dead-letter topics as the files describe them, and nothing else."""
    deployment = deployed(settings_for(target), narrator)
    made = planned(narrator, deployment.contracts_plan)
    if made.changes:
        print_plan(made, as_json=False)
    if made.acts and not yes and not click.confirm("\nApply this?", err=True):
        narrator.say("Nothing was changed.")
        raise click.exceptions.Exit(ExitCode.FAILED)
    done = deployment.apply_contracts(made.digest)
    if not done.acts:
        narrator.say("There was nothing to do.")
        return
    narrator.say(f"Applied: {plan_summary(done)}.")
    if target == LOCAL:
        narrator.say(
            f"The payment app follows within {CACHE_SECONDS:.0f} seconds, or at once: sales-trends restart-app"
        )
    elif deployment.restart_command:
        narrator.say(f"The payment app writes by it from its next start on: {deployment.restart_command}")


def contract_lines(contract: ContractView) -> list[str]:
    """A contract for people."""
    facts = [
        ["version", str(contract.version or "not registered, or a schema alone")],
        ["compatibility", contract.compatibility or "that of the whole registry"],
        ["key", contract.key or "none: nothing is encrypted"],
        ["dead letters", ", ".join(contract.dead_letter_topics) or "none"],
    ]
    fields = [[f"  {one['name']}", type_words(one["type"]), " ".join(one["tags"])] for one in contract.fields]
    lines = [contract.subject, *aligned([[f"  {name}", text] for name, text in facts])]
    lines += ["", *aligned([["  field", "type", "tags"], *fields])] if fields else []
    for rule in contract.rules:
        lines += ["", f"  rule {rule['name']}: {rule_words(rule)}"]
    lines += [f"  differs from the files: {part}: {how}" for part, how in contract.differences.items()]
    return lines
