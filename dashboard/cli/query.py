"""The command that asks the questions of queries/ of the Iceberg tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from dashboard.cli.answer import FORMATS, Told, check_output, format_of, lines_of, write
from dashboard.cli.asking import CALLER, desk_of, interruptible, tell_progress
from dashboard.cli.options import settings_for, target_option, zone_option
from dashboard.errors import ReadError
from dashboard.narration import Narrator
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.setting_kinds import parse_duration
from dashboard.settings import Settings
from dashboard.wording import iso

if TYPE_CHECKING:
    # these bring Arrow, DuckDB and PyIceberg, for which no other command should wait
    from dashboard.desks.lake import Asked, LakeDesk
    from dashboard.readers.engine import Limits
    from dashboard.readers.inquiry import Inquiry

_SPAN = timedelta(hours=24)
_ROWS_ARE_WINDOWS = ("revenue_windows", "revenue_faults")
"""Their rows are no sums, and are printed with what is wrong in them."""
_LARGEST_ID = 2**63


def _bucket(_context: click.Context, _parameter: click.Parameter, text: str | None) -> timedelta | None:
    span = None if text is None else _span(text)
    if text is not None and (span is None or span < timedelta(seconds=1) or span % timedelta(seconds=1)):
        raise click.BadParameter(f"{text!r} is no length of a bucket in whole seconds, such as 1h.")
    return span


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--list", "listed", is_flag=True, help="Print the questions and what each asks.")
@target_option
@click.option(
    "--engine",
    default="",
    show_default="SALES_LAKE__ENGINE",
    help="mirror, duckdb, pyiceberg or athena.",
    metavar="NAME",
)
@click.option("--from", "begin", metavar="TIME", help="Inclusive: 2026-11-22T12:00, or 2h before the end.  [24h]")
@click.option("--to", "end", metavar="TIME", help="Exclusive; or 2h before now.  [the newest window's end]")
@zone_option
@click.option("--bucket", callback=_bucket, metavar="LENGTH", help="Of revenue_by_bucket, such as 1h.")
@click.option("--at", metavar="SNAPSHOT|TIME", help="As the table was then; `tables NAME --snapshots` lists them.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="By default as FILE ends, else table.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of stdout.")
@click.pass_obj
def query(
    narrator: Narrator,
    name: str | None,
    listed: bool,
    target: str,
    engine: str,
    begin: str | None,
    end: str | None,
    zone: ZoneInfo,
    bucket: timedelta | None,
    at: str | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Ask a question of queries/ of the Iceberg tables; exit 1 when a window makes the answer wrong.

    Amounts are exact; in CSV and JSON they are text. Times in both are UTC.
    Such as: sales-trends query revenue_by_day --from 7d --zone Europe/Berlin --format csv
    """
    if listed:
        _say_questions()
        return
    if name is None:
        raise click.UsageError("Name a question; --list prints them.")
    chosen = format_of(form, output)
    check_output(output)
    given = _Given(name, engine, _bound("--from", begin, zone), _bound("--to", end, zone), zone, bucket, _at(at, zone))
    settings = settings_for(target)
    desk = desk_of(settings)
    asked, inquiry, wrong = interruptible(
        lambda limits: _ask(desk, settings, given, limits), partial(tell_progress, narrator, desk)
    )
    answer = asked.answer
    manifest = {
        "question": name,
        "engine": answer.engine,
        # text: many readers of JSON round a number of so many digits
        "snapshot": None if answer.snapshot is None else str(answer.snapshot.id),
        "from": iso(inquiry.start),
        "to": iso(inquiry.end),
        "zone": zone.key,
    }
    narrator.say(asked.as_of.told if asked.as_of else f"From {iso(inquiry.start)} to {iso(inquiry.end)}.")
    narrator.say(_source(asked))
    if wrong and name not in _ROWS_ARE_WINDOWS:
        raise wrong
    write(Told(manifest, answer.rows, zone), chosen, output)
    if wrong:
        raise wrong


@dataclass(frozen=True)
class _Given:
    """What the command was given, read but not yet filled in."""

    question: str
    engine: str
    begin: datetime | timedelta | None
    end: datetime | timedelta | None
    zone: ZoneInfo
    bucket: timedelta | None
    at: int | datetime | None


def _ask(
    desk: "LakeDesk", settings: Settings, given: _Given, limits: "Limits"
) -> "tuple[Asked, Inquiry, ReadError | None]":
    """The answer, what was asked in the end, and what is wrong with it."""
    try:
        inquiry = _inquiry(desk, settings, given, limits)
        asked = desk.ask(CALLER, inquiry, given.engine, given.at, limits)
        return asked, inquiry, _wrong(desk, given, inquiry, asked, limits) if asked.faults else None
    finally:
        desk.close()


def _inquiry(desk: "LakeDesk", settings: Settings, given: _Given, limits: "Limits") -> "Inquiry":
    from dashboard.readers.inquiry import Inquiry

    now = datetime.now(UTC)
    window = settings.pipeline.window_size
    # what is missing or too much is told before anything is asked
    Inquiry(given.question, now, now + window, given.zone, given.bucket).parts()
    end = _back("--to", now, given.end) if isinstance(given.end, timedelta) else given.end
    end = end or desk.newest_end(CALLER, given.engine, given.at, limits) or now
    begin = _SPAN if given.begin is None else given.begin
    begin = _back("--from", end, begin) if isinstance(begin, timedelta) else begin
    if begin >= end:
        raise click.UsageError(f"--from {iso(begin)} is not before --to {iso(end)}.")
    return Inquiry(given.question, begin, end, given.zone, given.bucket, window)


def _wrong(desk: "LakeDesk", given: _Given, inquiry: "Inquiry", asked: "Asked", limits: "Limits") -> ReadError:
    """Which windows make the answer wrong."""
    from dashboard.readers.inquiry import FAULTS, Inquiry

    bounds = [parameters[name] for parameters in inquiry.parts() for name in ("start", "end")]
    start, end = (iso(one) for one in (bounds[0], bounds[-1]) if isinstance(one, datetime))
    within = Inquiry(FAULTS, datetime.fromisoformat(start), datetime.fromisoformat(end))
    snapshot = asked.answer.snapshot
    # of the state that was answered from, also where the table has gone on meanwhile
    at = snapshot.id if snapshot and not isinstance(given.at, datetime) else given.at
    found = desk.ask(CALLER, within, given.engine, at, limits).answer.rows.to_pylist()
    first = f"; the first, {iso(found[0]['window_start'])}, is at fault: {found[0]['fault']}" if found else ""
    then = f" --at {at}" if isinstance(given.at, int) else ""
    return ReadError(
        f"{asked.faults} windows are doubled or have no amount, so no sum is right{first}.",
        f"`sales-trends query {FAULTS} --from {start} --to {end}{then}` lists them.",
    )


def _source(asked: "Asked") -> str:
    answer = asked.answer
    if answer.snapshot is None:
        return f"There is no revenue table yet, or nothing in it; asked by {answer.engine}."
    scanned = "" if answer.scanned_bytes is None else f", {answer.scanned_bytes:,} bytes scanned"
    return (
        f"{len(answer.rows):,} rows by {answer.engine} from snapshot {answer.snapshot.id}, committed "
        f"{iso(answer.snapshot.committed_at)}, in {answer.took_seconds:.3f} s{scanned}."
    )


def _say_questions() -> None:
    from dashboard.readers.questions import asks, question_names

    for line in lines_of(["question", "asks"], [[name, asks(name)] for name in question_names()]):
        click.echo(line)


def _span(text: str) -> timedelta | None:
    try:
        span = parse_duration(text)
    except ValueError:
        return None
    return span if isinstance(span, timedelta) else None


def _bound(option: str, text: str | None, zone: ZoneInfo) -> datetime | timedelta | None:
    """A time, in the zone unless it says its own, or a span."""
    if text is None:
        return None
    span = _span(text)
    if span is not None and span >= timedelta(0):
        return span
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError as error:
        raise click.UsageError(
            f"{option} {text!r} is neither a time such as 2026-11-22T12:00 nor a span such as 2h."
        ) from error
    except OverflowError as error:
        raise _out_of_bounds(option, text) from error
    if not EARLIEST <= at <= LATEST:
        raise _out_of_bounds(option, text)
    return at


def _back(option: str, end: datetime, span: timedelta) -> datetime:
    if span > end - EARLIEST:
        raise _out_of_bounds(option, f"{span.days:,} days before {iso(end)}")
    return end - span


def _out_of_bounds(option: str, told: str) -> click.UsageError:
    return click.UsageError(f"{option} {told} is out of bounds; wanted a time from {EARLIEST.year} to {LATEST.year}.")


def _at(text: str | None, zone: ZoneInfo) -> int | datetime | None:
    if text is not None and text.isascii() and text.isdecimal() and len(text) != len("20261122"):
        if int(text) >= _LARGEST_ID:
            raise click.UsageError(f"--at {text} is no id of a snapshot.")
        return int(text)
    found = _bound("--at", text, zone)
    return _back("--at", datetime.now(UTC), found) if isinstance(found, timedelta) else found
