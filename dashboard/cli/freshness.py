"""The commands about freshness: how late the pipeline is and where, watching it, and quieting alerts."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli.answer import lines_of
from dashboard.cli.asking import CALLER
from dashboard.cli.options import json_option, settings_for, since, target_option
from dashboard.errors import ExitCode, ReadError, SettingsError
from dashboard.freshness.verdict import Hop, State, Verdict
from dashboard.narration import Narrator
from dashboard.setting_kinds import parse_duration
from dashboard.settings import Settings
from dashboard.wording import iso, length, printable

if TYPE_CHECKING:
    # these bring PyIceberg and Kafka's client, for which no other command should wait
    from dashboard.desks.freshness import FreshnessDesk, OpenAlert
    from dashboard.freshness.overview import Overview

_CODES = {State.LATE: ExitCode.CHANGES, State.STALE: ExitCode.CHANGES, State.UNKNOWN: ExitCode.FAILED}
_LOOK_SECONDS = 1.0


@click.command()
@target_option
@json_option
@click.option("--at", "moment", callback=since, metavar="TIME", help="How it was then: 2026-11-22T09:00, or 2h ago.")
@click.pass_obj
def freshness(narrator: Narrator, target: str, as_json: bool, moment: datetime | None) -> None:
    """Say how late the numbers are, and at which hop they are held.

    Exit 0 when fresh or waiting for input, 2 when late or stale, 1 when it cannot be told.
    """
    settings = settings_for(target)
    overview = None
    if moment is not None:
        verdict = _desk(settings).was(CALLER, moment)
        if verdict is None:
            raise ReadError(
                f"Nobody looked at the pipeline at {iso(moment)}.",
                "The dashboard looks while it runs; `sales-trends watch` where none does.",
            )
    else:
        overview = _now(settings, narrator)
        verdict = overview.verdict
    if as_json:
        click.echo(json.dumps(_as_dict(verdict, overview), indent=2))
    else:
        _print(narrator, verdict, overview)
    if code := _CODES.get(verdict.state):
        raise click.exceptions.Exit(code)


@click.command()
@target_option
@click.pass_obj
def watch(narrator: Narrator, target: str) -> None:
    """Look at the pipeline until Ctrl-C: keep its history, run its checks, send alerts; for where no dashboard runs."""
    from dashboard.desks.freshness import watch_of

    settings = settings_for(target)
    told, fault = "", ""
    with watch_of(settings, "watch") as watching:
        narrator.say(f"Watching {target}; Ctrl-C ends it. What is seen is kept in {watching.folder}.")
        while True:
            overview, broken = None, ""
            try:
                overview = watching.newest()
            except ReadError as damaged:
                # the first look writes it anew
                broken = str(damaged)
            line = (
                ""
                if overview is None
                else f"{_looker(overview, mine=overview.watcher == watching.who)}{overview.verdict.headline()}."
            )
            state = "" if overview is None else f"{overview.watcher} {_state(overview.verdict)}"
            if state and state != told:
                narrator.say(f"{iso(datetime.now(UTC).replace(microsecond=0))} {printable(line)}")
                told = state
            now = "; ".join(map(str, filter(None, [broken, watching.fault, *watching.told])))
            if now and now != fault:
                narrator.say(printable(now), "bold")
            fault = now
            watching.wait(_LOOK_SECONDS)


@click.group()
def alerts() -> None:
    """Alerts on freshness: which are open, quieting them, and whether messages arrive."""


@alerts.command("list")
@target_option
@json_option
@click.pass_obj
def list_alerts(narrator: Narrator, target: str, as_json: bool) -> None:
    """Show open alerts with who was told and who refused, snoozes, and messages that could not be told yet."""
    found = _desk(settings_for(target)).alerts(CALLER)
    if as_json:
        told = {
            "open": [_alert(one) for one in found.open],
            "snoozes": [{"subject": one.subject, "until": iso(one.until), "who": one.who} for one in found.snoozes],
            "waiting": found.waiting,
            "faults": found.faults,
        }
        click.echo(json.dumps(told, indent=2))
        return
    for one in found.open:
        click.echo(printable(f"{one.subject}, since {iso(one.since)}: {one.sentence} {one.hint}".rstrip()))
        for delivery in one.deliveries:
            click.echo(printable(f"  {delivery.sentence(iso)}"))
        if not one.deliveries:
            click.echo("  Nobody was told.")
    for snooze in found.snoozes:
        narrator.say(f"{snooze.subject} is snoozed until {iso(snooze.until)} by {snooze.who}.")
    if found.waiting:
        narrator.say(f"{found.waiting:,} messages wait to be told. {' '.join(found.faults)}".rstrip())
    if not found.open:
        narrator.say("No alert is open.")


@alerts.command()
@target_option
@click.argument("subject", default="pipeline", metavar="[SUBJECT]")
@click.option("--for", "span", default="2h", show_default=True, metavar="LENGTH", help="How long, such as 2h.")
@click.pass_obj
def snooze(narrator: Narrator, target: str, subject: str, span: str) -> None:
    """Tell nobody of SUBJECT for a while; `pipeline` by default, `everything` for all. `list` shows subjects."""
    try:
        how_long = parse_duration(span)
    except ValueError as error:
        raise click.BadParameter(f"{span!r} is no length of time such as 2h.") from error
    if not isinstance(how_long, timedelta):
        raise click.BadParameter(f"{span!r} is no length of time such as 2h.")
    until = datetime.now(UTC) + min(how_long, timedelta(days=3650))
    _desk(settings_for(target)).snooze(CALLER, subject, until)
    narrator.say(f"Nobody is told of {subject} until {iso(until.replace(microsecond=0))}.")


@alerts.command()
@target_option
@click.argument("subject", default="pipeline", metavar="[SUBJECT]")
@click.pass_obj
def wake(narrator: Narrator, target: str, subject: str) -> None:
    """End a snooze."""
    was = _desk(settings_for(target)).wake(CALLER, subject)
    narrator.say(f"{subject} is told of again." if was else f"{subject} was not snoozed.")


@alerts.command("try")
@target_option
@click.pass_obj
def try_out(narrator: Narrator, target: str) -> None:
    """Send a message in every way that settings name, and say who took it."""
    from dashboard.freshness.telling import try_ways, ways_of

    ways = ways_of(settings_for(target).alerts)
    if not ways:
        raise SettingsError(
            "Nobody is told of alerts.",
            "Set SALES_ALERTS__WEBHOOK_URL or SALES_ALERTS__MAIL_TO; docs/alerts.md says how.",
        )
    faults = try_ways(ways)
    for name, fault in faults.items():
        narrator.say(f"✗ {name}: {fault}" if fault else f"✓ {name}")
    if codes := [fault.exit_code for fault in faults.values() if fault]:
        raise click.exceptions.Exit(max(codes))


def _desk(settings: Settings) -> "FreshnessDesk":
    from dashboard.desks.freshness import FreshnessDesk, watch_of

    return FreshnessDesk(settings, watch_of(settings, "command"))


def _now(settings: Settings, narrator: Narrator) -> "Overview":
    """What whoever watches saw a moment ago; where nobody does, what there is to see now."""
    desk = _desk(settings)
    overview = desk.overview(CALLER)
    if overview is not None and not desk.watch.is_old(overview):
        return overview
    with narrator.step("Looking at the pipeline"):
        return desk.watch.look_once()


def _state(verdict: Verdict) -> str:
    return f"{verdict.state} {verdict.held_at.name if verdict.held_at else ''}"


def _looker(overview: "Overview", *, mine: bool) -> str:
    return "" if mine else f"[{overview.watcher}] "


def _print(narrator: Narrator, verdict: Verdict, overview: "Overview | None") -> None:
    click.echo(f"{printable(verdict.headline())}.")
    if verdict.held_at and verdict.held_at.reason:
        click.echo(printable(f"{verdict.held_at.reason} {verdict.held_at.hint}".rstrip()))
    click.echo("")
    rows = [[hop.title, _delay(hop.delay), _delay(hop.normal), hop.state.value] for hop in verdict.hops]
    for line in lines_of(["hop", "delay", "normal", "state"], rows, right=(1, 2)):
        click.echo(line)
    for note in verdict.notes:
        click.echo(printable(note))
    if overview is not None:
        took = overview.readings.took.total_seconds()
        narrator.say(f"Seen {length(overview.age)} ago by {overview.watcher}, in {took:.2f} s. Times are UTC.")


def _delay(span: timedelta | None) -> str:
    return "?" if span is None else length(span)


def _as_dict(verdict: Verdict, overview: "Overview | None") -> dict[str, Any]:
    """Complete and stable; lengths in seconds, times in UTC."""
    told: dict[str, Any] = {
        "at": iso(verdict.at),
        "state": verdict.state.value,
        "as_of": iso(verdict.as_of) if verdict.as_of else None,
        "behind_seconds": _seconds(verdict.behind),
        "overdue_seconds": _seconds(verdict.overdue),
        "headline": verdict.headline(),
        "held_at": verdict.held_at.name if verdict.held_at else None,
        "reason": verdict.held_at.reason if verdict.held_at else "",
        "hint": verdict.held_at.hint if verdict.held_at else "",
        "hops": [_hop(hop) for hop in verdict.hops],
        "notes": list(verdict.notes),
        "concerns": [{"name": one.name, "sentence": one.sentence} for one in verdict.concerns],
    }
    if overview is not None:
        told["took_seconds"] = overview.readings.took.total_seconds()
        told["watcher"] = overview.watcher
        told["quality"] = [
            {"name": one.name, "outcome": one.outcome.value, "told": one.told, "ran_at": iso(one.ran_at)}
            for one in overview.quality
        ]
    return told


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "name": hop.name,
        "stage": hop.stage.value,
        "title": hop.title,
        "delay_seconds": _seconds(hop.delay),
        "normal_seconds": _seconds(hop.normal),
        "state": hop.state.value,
        "reason": hop.reason,
        "records": hop.records,
    }


def _alert(one: "OpenAlert") -> dict[str, Any]:
    deliveries = [
        {
            "way": delivery.way,
            "fate": delivery.fate.name.lower(),
            "told_at": iso(delivery.told_at) if delivery.told_at else None,
            "fault": delivery.fault,
        }
        for delivery in one.deliveries
    ]
    return {"subject": one.subject, "since": iso(one.since), "sentence": one.sentence, "deliveries": deliveries}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


FRESHNESS_COMMANDS = (freshness, watch, alerts)
