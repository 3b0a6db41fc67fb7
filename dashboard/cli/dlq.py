"""The commands on dead letters: what there is, one of them in full, and sending them again as payments.

Whatever comes out of a letter was written by strangers: no card number is printed, and nothing that steers a terminal.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from dashboard.cli.options import json_option, settings_for, since, target_option
from dashboard.dead_letter_queue import MOST_AT_ONCE, DeadLetterQueue
from dashboard.dead_letters.letters import Letter, Shown, shown
from dashboard.dead_letters.reading import Group, Wanted
from dashboard.dead_letters.redrive import Choices, Planned, RedrivePlan
from dashboard.errors import ExitCode, SettingsError
from dashboard.narration import Narrator, aligned
from dashboard.wording import amount, printable

_CELL = 60
"""Characters of a stranger's text in a table."""
_WARNING = "! Letters marked ! hold a card number in the clear, which everybody can see who reads the topic."


@click.group()
def dlq() -> None:
    """Payments that broke a rule of their contract: list them, look at one, send them again."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--since", callback=since, metavar="TIME", help="From then on: 2026-11-22T12:00 (UTC), or 2h ago."
        ),
        click.option("--order", "order_id", type=int, metavar="ID", help="Only of this order."),
        click.option("--reason", default="", metavar="TEXT", help="Only with this in the reason."),
        click.option("--rule", default="", metavar="NAME", help="Only those that this rule refused."),
    ):
        command = option(command)
    return command


@dlq.command("list")
@target_option
@json_option
@_filters
@click.option("--redriven/--not-redriven", default=None, help="Only those that were sent again, or were not.")
@click.option("-n", "--limit", type=click.IntRange(1, MOST_AT_ONCE), default=50, show_default=True, help="How many.")
@click.option("--groups", "grouped", is_flag=True, help="Count them by rule and reason instead.")
@click.pass_obj
def list_letters(
    narrator: Narrator,
    target: str,
    as_json: bool,
    rule: str,
    reason: str,
    order_id: int | None,
    since: datetime | None,
    redriven: bool | None,
    limit: int,
    grouped: bool,
) -> None:
    """List dead letters, the newest first."""
    queue = DeadLetterQueue(settings_for(target))
    wanted = Wanted(rule, reason, order_id, since, redriven=redriven)
    if grouped:
        _print_groups(narrator, queue.groups(wanted), as_json)
        return
    found = queue.letters(limit, wanted)
    rows = [(letter, shown(letter), letter.id in found.redriven) for letter in found.letters]
    if as_json:
        click.echo(json.dumps([_as_dict(*row) for row in rows], indent=2))
        return
    if not rows:
        narrator.say("There are no such dead letters.")
        return
    head = ["letter", "when (UTC)", "rule", "order", "amount", "redriven", "reason"]
    for line in aligned([head, *(_cells(*row) for row in rows)]):
        click.echo(line)
    if any(told.clear_card for _, told, _ in rows):
        narrator.say(_WARNING, "bold")
    if not found.complete:
        narrator.say(f"The newest {len(rows):,}; there may be more.")


@dlq.command()
@target_option
@json_option
@click.argument("letter")
@click.option("--headers", is_flag=True, help="Also its headers.")
@click.pass_obj
def show(narrator: Narrator, target: str, as_json: bool, letter: str, headers: bool) -> None:
    """Show one dead letter, such as 0:42; a card number in it is never shown."""
    queue = DeadLetterQueue(settings_for(target))
    found = queue.letter(letter)
    told = shown(found)
    sent = queue.redriven().get(found.id)
    if as_json:
        made = _as_dict(found, told, sent is not None)
        click.echo(json.dumps(made | ({"headers": told.headers} if headers else {}), indent=2))
    else:
        rows = [["letter", found.id], ["when (UTC)", _time(found.at)], ["rule", told.rule], ["reason", told.reason]]
        rows += [["key", told.key], *([["fault", found.fault]] if found.fault else [])]
        if sent is not None:
            rows.append(["redriven", f"{sent.at} by {sent.by}"])
        rows += [[f"  {name}", str(value)] for name, value in told.fields.items()]
        rows += [[f"  {name}:", value] for name, value in told.headers] if headers else []
        for line in aligned([[printable(cell) for cell in row] for row in rows]):
            click.echo(line)
    if told.clear_card:
        narrator.say("It holds a card number in the clear, which everybody can see who reads the topic.", "bold")


@dlq.command()
@target_option
@json_option
@click.argument("ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that were not redriven yet.")
@_filters
@click.option("--set", "corrections", multiple=True, metavar="FIELD=VALUE", help="Correct a field, of all of them.")
@click.option("--now/--own-time", "now", default=True, help="Count as paid now (default), or at their own time: late.")
@click.option("--without-card", is_flag=True, help="Also where the card number is blacked out, and stays lost.")
@click.option("--again", is_flag=True, help="Also what was refused after it was sent again.")
@click.option("--orderless", is_flag=True, help="Also those without an order, which count nowhere.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def redrive(
    narrator: Narrator,
    target: str,
    as_json: bool,
    ids: tuple[str, ...],
    every: bool,
    rule: str,
    reason: str,
    order_id: int | None,
    since: datetime | None,
    corrections: tuple[str, ...],
    now: bool,
    without_card: bool,
    again: bool,
    orderless: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send dead letters again as payments, each once; shows first what becomes of each.

    Name letters by their IDS such as 0:42, or choose them with --all, --rule, --reason, --order and --since. The
    letters themselves stay where they are. Exit 2 when a letter is left.
    """
    filtered = bool(rule or reason or order_id is not None or since)
    if bool(ids) == (every or filtered):
        raise SettingsError("Nothing says which letters.", "Name them by their ids, or choose with --all or --rule ….")
    queue = DeadLetterQueue(settings_for(target))
    chosen = ids or Wanted(rule, reason, order_id, since, redriven=False)
    choices = Choices(
        corrections=_corrections(corrections),
        when="now" if now else "own",
        without_card=without_card,
        again=again,
        including_orderless=orderless,
    )
    with narrator.step("Plan") as step:
        plan = queue.plan(chosen, choices)
        step.result = f"{len(plan.sent):,} of {len(plan.letters):,} letters"
    _print_plan(plan, as_json)
    if not dry_run and plan.sent:
        if not yes and not click.confirm("\nSend them?", err=True):
            narrator.say("Nothing was sent.")
            raise click.exceptions.Exit(ExitCode.FAILED)
        with narrator.step("Redrive") as step:
            sent = queue.redrive(plan, lambda count: step.waits_for(f"{count:,} of {len(plan.sent):,}"))
            step.result = f"{len(sent.markers):,} payments"
    if len(plan.sent) < len(plan.letters):
        raise click.exceptions.Exit(ExitCode.CHANGES)


def _corrections(given: tuple[str, ...]) -> dict[str, str]:
    made = {}
    for one in given:
        name, is_pair, value = one.partition("=")
        if not is_pair:
            # not repeated: it may be a card number
            raise SettingsError("--set wants FIELD=VALUE.", "Such as --set confirmation_code=AB12CD34.")
        made[name.strip()] = value
    return made


def _print_groups(narrator: Narrator, found: list[Group], as_json: bool) -> None:
    if as_json:
        told = [
            asdict(one)
            | {"amount": str(one.amount), "oldest": one.oldest.isoformat(), "newest": one.newest.isoformat()}
            for one in found
        ]
        click.echo(json.dumps(told, indent=2))
        return
    if not found:
        narrator.say("There are no such dead letters.")
        return
    rows = [
        [
            f"{one.count:,}",
            amount(one.amount),
            _time(one.oldest),
            _time(one.newest),
            printable(one.rule, _CELL),
            printable(one.reason, _CELL),
        ]
        for one in found
    ]
    for line in aligned([["letters", "amount", "oldest (UTC)", "newest (UTC)", "rule", "reason"], *rows]):
        click.echo(line)


def _print_plan(plan: RedrivePlan, as_json: bool) -> None:
    if as_json:
        told = {
            "target": plan.target,
            "digest": plan.digest,
            "clock": plan.clock.isoformat(),
            "letters": [_planned_dict(one) for one in plan.letters],
            "booked": str(plan.booked),
            "summary": plan.summary,
        }
        click.echo(json.dumps(told, indent=2))
        return
    rows = [
        [
            one.letter.id,
            "" if one.order_id is None else str(one.order_id),
            "" if one.amount is None else amount(one.amount),
            ("sent: " if one.sent else "not sent: ") + one.outcome,
            printable(_detail(one), _CELL),
        ]
        for one in plan.letters
    ]
    if rows:
        for line in aligned([["letter", "order", "amount", "outcome", ""], *rows]):
            click.echo(line)
    click.echo(f"\nThe stream's clock is {_time(plan.clock)} UTC. {plan.summary}")


def _detail(one: Planned) -> str:
    if one.window_start is not None:
        return f"in the window from {_time(one.window_start)}"
    return f"from {_time(one.not_before)} on" if one.not_before is not None else one.detail


def _planned_dict(one: Planned) -> dict[str, object]:
    return {
        "letter": one.letter.id,
        "order_id": one.order_id,
        "amount": None if one.amount is None else str(one.amount),
        "outcome": one.outcome,
        "detail": one.detail,
        "window_start": one.window_start.isoformat() if one.window_start else None,
        "not_before": one.not_before.isoformat() if one.not_before else None,
        "sent": one.sent,
    }


def _as_dict(letter: Letter, told: Shown, redriven: bool) -> dict[str, object]:
    return {
        "letter": letter.id,
        "at": letter.at.isoformat(),
        "rule": told.rule,
        "reason": told.reason,
        "key": told.key,
        "fields": dict(told.fields),
        "fault": letter.fault,
        "redriven": redriven,
        "card_in_clear": told.clear_card,
    }


def _cells(letter: Letter, told: Shown, redriven: bool) -> list[str]:
    return [
        letter.id + (" !" if told.clear_card else ""),
        _time(letter.at),
        printable(told.rule, _CELL),
        "" if letter.order_id is None else str(letter.order_id),
        "" if letter.amount is None else amount(letter.amount),
        "yes" if redriven else "",
        printable(letter.fault or told.reason, _CELL),
    ]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
