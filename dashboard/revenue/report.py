"""The page's figures as one document to be mailed: Markdown, or HTML that needs nothing beside itself and runs nothing.

Whatever is put into a document is escaped on its way in, whoever it came from.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.revenue.manifest import Manifest
from dashboard.trends.comparisons import COMPARISONS
from dashboard.trends.sales import orders_of
from dashboard.trends.totals import Best
from dashboard.trends.trend import Trend
from dashboard.wording import amount, as_markdown

FORMATS = ("markdown", "html")
MOST_ROWS = 62
"""Buckets of a report: two months by day, and what a mail can be read with."""
_TEMPLATES = FileSystemLoader(Path(__file__).with_name("report_templates"))
_PLAIN = re.compile(r"[A-Za-z0-9 ,.:;%+/()'-]*")
"""Signs that mean nothing in the middle of a line of Markdown."""
_DAY = timedelta(days=1)
_UNKNOWN = "not known"


@dataclass(frozen=True)
class Figure:
    """One of the large numbers."""

    name: str
    value: str
    """Exact."""
    changes: tuple[str, ...] = ()
    """In words, one for each comparison: `up 12.4% on last Tuesday until 14:05`."""


@dataclass(frozen=True)
class Row:
    """One bucket."""

    label: str
    cells: tuple[str, ...]
    """By the report's columns but the first."""
    state: str
    width: int
    """Of its bar, in percent of the longest."""


@dataclass(frozen=True)
class Report:
    title: str
    manifest: Manifest
    data_as_of: str
    """On the reader's clock."""
    freshness: str
    """The verdict's headline; empty where nobody looks."""
    figures: tuple[Figure, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def report_of(answer: Trend, manifest: Manifest, freshness: str = "") -> Report:
    """Of an answer that has no fault, which its manifest stands for."""
    grid, zone = answer.periods.grid, answer.asked.calendar.zone
    until = answer.extent.until.astimezone(zone)
    buckets = answer.buckets.to_pylist()
    beside = [
        one.rows["total"].to_pylist() if one.rows is not None else [None] * len(buckets) for one in answer.compared
    ]
    longest = max((row["total"] or Decimal(0) for row in buckets), default=Decimal(0))
    orders = orders_of(answer.buckets).to_pylist()
    rows = tuple(
        Row(
            grid.label(row["bucket_start"], row["bucket_end"], answer.extent.until),
            (*map(_money, [row["total"], *(column[place] for column in beside)]), _count(orders[place])),
            row["state"],
            round(100 * max(Decimal(0), row["total"] or Decimal(0)) / longest) if longest > 0 else 0,
        )
        for place, row in enumerate(buckets)
    )
    names = tuple(COMPARISONS[one.comparison].partition(" (")[0].lower() for one in answer.compared)
    return Report(
        title=f"Sales, {manifest.range}",
        manifest=manifest,
        data_as_of=until.isoformat(" "),
        freshness=freshness,
        figures=_figures(answer),
        columns=(manifest.grain, "revenue", *names, "orders", "state"),
        rows=rows,
        notes=_notes(answer),
    )


def as_html(report: Report) -> str:
    environment = Environment(loader=_TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("report.html").render(report=report)


def as_markdown_document(report: Report) -> str:
    # what is filled in is escaped for Markdown instead: HTML's signs would be shown as they stand
    environment = Environment(
        loader=_TEMPLATES,
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_escaped,
    )
    return environment.get_template("report.md").render(report=report)


def _figures(answer: Trend) -> tuple[Figure, ...]:
    total, compared = answer.total, answer.compared
    orders, average = total.counted_orders, total.average_order
    found = [
        Figure("Revenue", amount(total.revenue), tuple(one.revenue.text for one in compared)),
        Figure("Orders", _UNKNOWN if orders is None else _count(orders), tuple(one.orders.text for one in compared)),
        Figure("Average order", _known(average), tuple(one.average_order.text for one in compared)),
        Figure("Average per day", _known(answer.average_per(_DAY))),
    ]
    # of bars that are days both are the same
    best = {"Best day": answer.best_day, f"Best {answer.choice.grain.name}": answer.best_bucket}
    return (*found, *(_best(name, one, answer) for name, one in best.items() if one is not None))


def _best(name: str, best: Best, answer: Trend) -> Figure:
    label = answer.periods.grid.label(best.start, best.end, answer.extent.until)
    return Figure(name, amount(best.revenue), (label,))


def _notes(answer: Trend) -> tuple[str, ...]:
    total, notes = answer.total, list(answer.notes)
    if total.streamed_windows:
        notes.append(f"{amount(total.streamed)} of the revenue has closed and is not saved in a snapshot yet.")
    if total.open:
        notes.append(f"{amount(total.open)} more is open: not final, and in no sum.")
    if total.uncounted:
        notes.append(f"Of {total.uncounted:,} windows the orders are not known.")
    return tuple(notes)


def _money(value: Decimal | None) -> str:
    """Nothing where nothing was sold: that is not 0.00."""
    return "" if value is None else amount(value)


def _known(value: Decimal | None) -> str:
    return _UNKNOWN if value is None else amount(value)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    escaped = as_markdown(value)
    # an address, which Markdown makes a link of, has become code
    return value if _PLAIN.fullmatch(value) and "`" not in escaped else escaped
