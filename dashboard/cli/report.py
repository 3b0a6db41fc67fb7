"""The command that writes the page's figures as a document, for a scheduler to mail."""

import calendar
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from dashboard.cli.answer import check_output, write_made
from dashboard.cli.asking import CALLER, desk_of, interruptible, tell_progress
from dashboard.cli.options import settings_for, target_option, zone_option
from dashboard.errors import ReadError
from dashboard.narration import Narrator
from dashboard.settings import Settings

if TYPE_CHECKING:
    # these bring Arrow, DuckDB and PyIceberg, for which no other command should wait
    from dashboard.desks.lake import LakeDesk
    from dashboard.readers.engine import Limits
    from dashboard.revenue.report import Report
    from dashboard.trends.calendars import Calendar
    from dashboard.trends.trend import Asked, Trend

_ENDINGS = {".html": "html", ".htm": "html", ".md": "markdown"}
_WEEKDAYS = [name.lower() for name in calendar.day_name]
_NOTHING = "nothing"
_UNREADABLE = "How fresh these figures are is not known: the last look at the pipeline cannot be read."


@click.command()
@target_option
@click.option(
    "--engine",
    default="",
    show_default="SALES_LAKE__ENGINE",
    help="mirror, duckdb, pyiceberg or athena.",
    metavar="NAME",
)
@click.option(
    "--range",
    "range_name",
    default="7d",
    show_default=True,
    metavar="RANGE",
    help="As the page has it: 24h, last-week.",
)
@click.option("--grain", metavar="GRAIN", help="Such as hour or day.  [the finest that fits a mail]")
@click.option(
    "--compare",
    "compared",
    multiple=True,
    metavar="WITH",
    help="previous, week, year, several, or nothing.  [previous]",
)
@zone_option
@click.option(
    "--week-start",
    show_default="SALES_VIEW__WEEK_START",
    metavar="DAY",
    type=click.Choice(_WEEKDAYS),
    help="Of weeks.",
)
@click.option(
    "--format", "form", type=click.Choice(("markdown", "html")), help="By default as FILE ends, else markdown."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of stdout.")
@click.pass_obj
def report(
    narrator: Narrator,
    target: str,
    engine: str,
    range_name: str,
    grain: str | None,
    compared: tuple[str, ...],
    zone: ZoneInfo,
    week_start: str | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Write the figures of a range, as the page shows them, as one document to be mailed.

    HTML needs nothing beside itself and runs nothing. Exit 1 when a window makes a sum wrong: then nothing is written.
    Such as: sales-trends report --range last-week --zone Europe/Berlin --output week.html
    """
    from dashboard.trends.calendars import Calendar

    check_output(output)
    settings = settings_for(target)
    weeks = week_start or settings.view.week_start
    by = Calendar(zone, _WEEKDAYS.index(weeks), settings.view.fiscal_year_start)
    wanted = _asked(range_name, grain, compared, by)
    desk = desk_of(settings)
    answer = interruptible(lambda limits: _answer(desk, wanted, engine, limits), partial(tell_progress, narrator, desk))
    made = _report(answer, settings, engine, narrator)
    chosen = form or (_ENDINGS.get(output.suffix.lower()) if output else None) or "markdown"
    narrator.say(f"Data as of {made.data_as_of}; snapshot {made.manifest.snapshot}.")
    write_made(_document(made, chosen).encode(), output)


def _asked(range_name: str, grain: str | None, compared: tuple[str, ...], by: "Calendar") -> "Asked":
    """Raises click.BadParameter for what there is not."""
    from dashboard.revenue.report import MOST_ROWS
    from dashboard.trends.comparisons import COMPARISONS, PREVIOUS
    from dashboard.trends.ranges import RANGES
    from dashboard.trends.trend import Asked

    ranges = {_plain(name): one for name, one in RANGES.items()}
    if _plain(range_name) not in ranges:
        known = ", ".join(name.lower().replace(" ", "" if name[0].isdigit() else "-") for name in RANGES)
        raise click.BadParameter(f"--range {range_name!r} is none of {known}.")
    names = compared or (PREVIOUS,)
    if unknown := [name for name in names if name not in (*COMPARISONS, _NOTHING)]:
        raise click.BadParameter(f"--compare {unknown[0]!r} is none of {', '.join((*COMPARISONS, _NOTHING))}.")
    names = tuple(name for name in names if name != _NOTHING)
    today = by.day(datetime.now(UTC))
    return Asked(ranges[_plain(range_name)], by, grain, names, wide=MOST_ROWS, today=today)


def _answer(desk: "LakeDesk", asked: "Asked", engine: str, limits: "Limits") -> "Trend":
    try:
        answer = desk.trend(CALLER, asked, engine, limits=limits)
    finally:
        desk.close()
    if answer is None:
        raise ReadError(
            "No window of revenue has closed yet, so there is nothing to report.",
            "`sales-trends status` says what the pipeline waits for.",
        )
    return answer


def _report(answer: "Trend", settings: Settings, engine: str, narrator: Narrator) -> "Report":
    from dashboard.desks.freshness import FreshnessDesk, watch_of
    from dashboard.revenue.manifest import manifest_of
    from dashboard.revenue.report import report_of

    manifest = manifest_of(
        answer,
        engine=engine or settings.lake.engine,
        target=settings.target,
        currency=settings.view.currency,
        made_at=datetime.now(UTC).replace(microsecond=0),
    )
    try:
        verdict = FreshnessDesk(settings, watch_of(settings, "report")).verdict(CALLER)
    except ReadError as error:
        # it names a file, and whoever is mailed the report may be anybody
        narrator.say(str(error))
        made = report_of(answer, manifest)
        return replace(made, notes=(*made.notes, _UNREADABLE))
    return report_of(answer, manifest, "" if verdict is None else verdict.headline(answer.asked.calendar.zone))


def _document(made: "Report", form: str) -> str:
    from dashboard.revenue.report import as_html, as_markdown_document

    return as_html(made) if form == "html" else as_markdown_document(made)


def _plain(name: str) -> str:
    """However people write it: `7d`, `7 d`, `last-week`, `Last week`."""
    return "".join(one for one in name.casefold() if one.isalnum())
