"""The commands that say whether all is right: the numbers, and each part."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from dashboard import verify as verification
from dashboard.checkups.stack import examine_stack
from dashboard.cli.options import json_option, settings_for, target_option
from dashboard.errors import ExitCode, SalesTrendsError
from dashboard.lifecycle import LocalStack
from dashboard.local.doctor import Finding, examine
from dashboard.narration import Narrator
from dashboard.settings import Settings
from dashboard.targets import LOCAL
from dashboard.wording import printable

_BAD_RECORDS_SHOWN = 10


@click.command()
@target_option
@json_option
@click.pass_obj
def verify(narrator: Narrator, target: str, as_json: bool) -> None:
    """Compare every closed window in Iceberg with the shop's journal; exit 0 only when all are right."""
    settings = settings_for(target)
    with narrator.step("Every closed window against the journal"):
        found = verification.verify(settings, LocalStack(settings, narrator).lake)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        for line in found.lines():
            click.echo(line)
    if not found.ok:
        raise click.exceptions.Exit(ExitCode.FAILED)


@click.command()
@target_option
@json_option
@click.pass_obj
def doctor(narrator: Narrator, target: str, as_json: bool) -> None:
    """Check each part and the way to the Iceberg tables, and say what to do about each fault.

    Of the local stack also the machine and the records. Exit 0 without a fault, else 1.
    """
    settings = settings_for(target)
    findings = _local_findings(settings, narrator) if target == LOCAL else _target_findings(settings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(printable(f"{'✓' if finding.ok else '✗'} {finding.name:<22} {finding.detail}"))
            if finding.remedy:
                click.echo(printable(f"  {finding.remedy}"))
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _local_findings(settings: Settings, narrator: Narrator) -> list[Finding]:
    # PyIceberg takes half a second that no other command waits for
    from dashboard.checkups.lake import examine_lake
    from dashboard.lake_connections import catalog_access_of

    stack = LocalStack(settings, narrator)
    # one that does not run is named by the stack's own findings
    lake = examine_lake(catalog_access_of(settings)) if stack.processes.find("registry") else []
    return [*examine(settings), *examine_stack(stack), *lake, *_record_findings(stack)]


def _target_findings(settings: Settings) -> list[Finding]:
    from dashboard.checkups.target import examine_target

    return examine_target(settings)


def _record_findings(stack: LocalStack) -> Iterator[Finding]:
    """What is wrong with the records of the input topics, read from their beginning; nothing for a stopped stack."""
    if not (stack.processes.find("kafka") and stack.processes.find("registry")):
        return
    try:
        with stack.narrator.step("Every record of the input topics"):
            all_bad = stack.deployment.inputs.all_bad()
    except SalesTrendsError as error:
        yield Finding("Records", False, error.message, error.hint or "`sales-trends status` shows what runs.")
        return
    for bad in all_bad[:_BAD_RECORDS_SHOWN]:
        does = "Statements that meet it stop" if bad.stops_statements else "Flink goes past it and says nothing"
        yield Finding(
            "Bad record", False, str(bad), f"{does}; `{bad.skip_command}` settles it, if nothing can be made of it."
        )
    if len(all_bad) > _BAD_RECORDS_SHOWN:
        yield Finding("Bad records", False, f"{len(all_bad) - _BAD_RECORDS_SHOWN} more", "Settle those above first.")
    if not all_bad:
        yield Finding("Records", True, "every record of the input topics can be read, or its skip was decided")
