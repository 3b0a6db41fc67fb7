"""The commands that show the Iceberg tables and their past: columns, snapshots, what changed between them."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli.answer import FORMATS, Told, check_output, format_of, lines_of, write
from dashboard.cli.asking import CALLER, interruptible
from dashboard.cli.options import json_option, settings_for, target_option
from dashboard.errors import ReadError
from dashboard.narration import Narrator
from dashboard.settings import Settings
from dashboard.wording import iso

if TYPE_CHECKING:
    import pyarrow as pa

    # these bring Arrow, DuckDB and PyIceberg, for which no other command should wait
    from dashboard.desks.lake import LakeDesk, TableFacts
    from dashboard.readers.history import Commit, Page

_SNAPSHOT = click.IntRange(min=0, max=2**63 - 1)


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@target_option
@json_option
@click.option("--snapshots", is_flag=True, help="Its snapshots, the newest first.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Which of their pages.")
@click.pass_obj
def tables(narrator: Narrator, name: str | None, target: str, as_json: bool, snapshots: bool, page: int) -> None:
    """Show the Iceberg tables, one with its columns, or its snapshots. Columns with secrets are left out."""
    if snapshots and name is None:
        raise click.UsageError("Name the table whose snapshots you want to see.")
    settings = settings_for(target)
    if snapshots and name is not None:
        found = interruptible(lambda _limits: _desk(settings).history(CALLER, name, page))
        _print_snapshots(narrator, name, found, as_json=as_json)
        return
    facts = interruptible(lambda _limits: _desk(settings).tables(CALLER))
    if name is not None:
        facts = [one for one in facts if one.name == name]
        if not facts:
            raise ReadError(f"There is no table {name}.", "`sales-trends tables` lists those that there are.")
    _print_tables(narrator, facts, is_one=name is not None, as_json=as_json)


def _desk(settings: Settings) -> "LakeDesk":
    from dashboard.desks.lake import LakeDesk

    return LakeDesk(settings)


def _print_tables(narrator: Narrator, facts: "list[TableFacts]", *, is_one: bool, as_json: bool) -> None:
    if as_json:
        told = [_table_as_dict(one) for one in facts]
        click.echo(json.dumps(told[0] if is_one else told, indent=2))
        return
    if not facts:
        narrator.say("There is no table yet; `sales-trends up` starts the pipeline that makes them.")
        return
    rows = [
        [
            one.name,
            "not known" if one.rows is None else f"{one.rows:,}",
            str(len(one.columns)),
            str(one.newest.id) if one.newest else "none",
            _second(one.newest.committed_at) if one.newest else "",
        ]
        for one in facts
    ]
    for line in lines_of(["table", "rows", "columns", "newest snapshot", "committed"], rows, right=(1, 2)):
        click.echo(line)
    if is_one:
        click.echo("")
        for line in lines_of(["column", "type"], [list(column) for column in facts[0].columns]):
            click.echo(line)
    if hidden := sum(one.withheld for one in facts):
        narrator.say(f"Columns that are secret or hold whole records are left out: {hidden}.")


def _print_snapshots(narrator: Narrator, name: str, found: "Page", *, as_json: bool) -> None:
    if as_json:
        told = {"table": name, "page": found.number, "pages": found.pages, "total": found.total}
        click.echo(json.dumps({**told, "snapshots": [_commit_as_dict(one) for one in found.commits]}, indent=2))
        return
    rows = [
        [
            str(one.snapshot.id),
            _second(one.snapshot.committed_at),
            one.operation,
            "?" if one.rows_added is None else f"+{one.rows_added:,}",
            "?" if one.rows_removed is None else f"-{one.rows_removed:,}",
            "" if one.is_current else one.branch or "rolled back",
        ]
        for one in found.commits
    ]
    for line in lines_of(["snapshot", "committed", "operation", "rows", "", ""], rows, right=(3, 4)):
        click.echo(line)
    narrator.say(f"Page {found.number} of {found.pages}, {found.total:,} snapshots.")


def _table_as_dict(facts: "TableFacts") -> dict[str, Any]:
    return {
        "name": facts.name,
        "rows": facts.rows,
        # text: many readers of JSON round a number of so many digits
        "snapshot": str(facts.newest.id) if facts.newest else None,
        "committed_at": iso(facts.newest.committed_at) if facts.newest else None,
        "columns": [{"name": name, "type": type_} for name, type_ in facts.columns],
        "withheld": facts.withheld,
    }


def _commit_as_dict(commit: "Commit") -> dict[str, Any]:
    return {
        "id": str(commit.snapshot.id),
        "parent_id": None if commit.parent_id is None else str(commit.parent_id),
        "committed_at": iso(commit.snapshot.committed_at),
        "operation": commit.operation,
        "rows": commit.snapshot.rows,
        "rows_added": commit.rows_added,
        "rows_removed": commit.rows_removed,
        "files_added": commit.files_added,
        "files_removed": commit.files_removed,
        "branch": commit.branch,
        "is_current": commit.is_current,
    }


def _second(at: datetime) -> str:
    return iso(at.replace(microsecond=0))


@click.command()
@target_option
@click.option("--snapshot", type=_SNAPSHOT, metavar="ID", help="What this one changed.")
@click.option("--from", "before", type=_SNAPSHOT, metavar="ID", help="With --to: what is otherwise in that one.")
@click.option("--to", "after", type=_SNAPSHOT, metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), help="By default as FILE ends, else table.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of stdout.")
@click.pass_obj
def changes(
    narrator: Narrator,
    target: str,
    snapshot: int | None,
    before: int | None,
    after: int | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Show which windows of revenue were revised, or how two snapshots differ; `tables NAME --snapshots` lists them."""
    if (before is None) != (after is None) or (snapshot is not None and before is not None):
        raise click.UsageError("Give --snapshot alone, or --from and --to together, or none of them.")
    chosen = format_of(form, output)
    check_output(output)
    manifest, rows, note = interruptible(lambda _limits: _changes(settings_for(target), snapshot, before, after))
    narrator.say(note)
    write(Told({"question": "changes", **manifest}, rows), chosen, output)


def _changes(
    settings: Settings, snapshot: int | None, before: int | None, after: int | None
) -> "tuple[dict[str, str], pa.Table, str]":
    """What it is, window by window, and in a sentence."""
    desk = _desk(settings)
    if snapshot is not None:
        rows = desk.added(CALLER, snapshot)
        return {"snapshot": str(snapshot)}, rows, f"{len(rows):,} windows changed with snapshot {snapshot}."
    if before is not None and after is not None:
        rows = desk.difference(CALLER, before, after)
        said = f"{len(rows):,} windows are otherwise in snapshot {after} than in {before}."
        return {"from_snapshot": str(before), "to_snapshot": str(after)}, rows, said
    found = desk.revised(CALLER)
    if found.since is None:
        return {}, found.rows, "No window was revised: nothing was committed yet."
    said = f"{len(found.rows):,} windows were revised since {_second(found.since)}; what was before is not known."
    return {"known_since": iso(found.since)}, found.rows, said


TABLE_COMMANDS = (tables, changes)
