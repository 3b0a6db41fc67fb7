"""The report says what the page says, to the cent, and nothing that is put into it can act in a reader's mail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt

from dashboard.revenue.manifest import manifest_of
from dashboard.revenue.report import MOST_ROWS, Figure, Report, as_html, as_markdown_document, report_of
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from dashboard.wording import amount
from tests.queries.rows import orders
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, TableOf, every, found, partly_counted, table

MADE_AT = datetime(2026, 3, 2, 6, tzinfo=UTC)
EVIL = "</td><script>alert(1)</script>\"'`|*_[x](javascript:alert(1)) <img src=x onerror=alert(1)> https://evil.example/?a=1"


def reported(answer: Trend, freshness: str = "", **more: Any) -> Report:
    of = manifest_of(answer, **{"engine": "mirror", "target": "local", "currency": "EUR", "made_at": MADE_AT, **more})
    return report_of(answer, of, freshness)


@pytest.fixture(scope="module")
def week() -> Report:
    rows = every(HOUR, NOON - 16 * DAY, NOON, "1234.56")
    placed = pa.concat_tables([orders((start, 1234.56), offset=n) for n, start in enumerate(rows)])
    asked = Asked(RANGES["7 d"], Calendar(BERLIN), comparisons=("previous", "year"), wide=MOST_ROWS)
    answer = trend(TableOf(table(rows), placed), asked)
    assert answer is not None
    return reported(answer, "Data as of 12:55:05, fresh")


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.cells = [one.strip() for one in self.cells]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def shown(document: str) -> list[list[str]]:
    """The cells of each row of each table of a Markdown document, as a reader sees them."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(document):
        if token.type in ("tr_open", "table_close"):
            rows.append([])
        if token.type == "inline" and rows:
            rows[-1].append("".join(one.content for one in token.children or []))
    return rows


def test_markdown_and_html_say_the_same_figures_and_the_same_rows(week: Report) -> None:
    cells = Page(as_html(week)).cells
    rows = shown(as_markdown_document(week))

    for figure in week.figures:
        assert {figure.name, figure.value, *figure.changes} <= set(cells)
        assert [figure.name, figure.value, "; ".join(figure.changes)] in rows
    for row in week.rows:
        assert row.label in cells
        assert [row.label, *row.cells, row.state] in rows
    assert list(week.columns) in rows


def test_the_rows_add_up_to_the_revenue_and_a_week_is_told_by_day(week: Report) -> None:
    revenue = [Decimal(row.cells[0].replace(",", "")) for row in week.rows if row.cells[0]]

    assert week.figures[0].name == "Revenue"
    assert week.figures[0].value == amount(sum(revenue, Decimal(0)))
    assert week.manifest.grain == "day"
    assert week.columns == ("day", "revenue", "the period before", "a year before", "orders", "state")


def test_changes_are_like_for_like_and_in_words(week: Report) -> None:
    assert [one.partition(" until")[0] for one in week.figures[0].changes] == [
        "no change on the 7 days before",
        "no data of the same time 364 days before",
    ]


def test_the_best_day_is_told_once_where_a_bar_is_a_day(week: Report) -> None:
    assert [one.name for one in week.figures if one.name.startswith("Best")] == ["Best day"]


def test_it_says_how_new_it_is_and_what_it_stands_on(week: Report) -> None:
    for document in (as_html(week), as_markdown_document(week)):
        assert "Data as of 2026-03-01 12:00:05+01:00" in document.replace("\\", "")
        assert "Europe/Berlin" in document
        assert "Freshness: Data as of 12:55:05, fresh." in document
        assert "snapshot committed at" in document


def test_html_needs_nothing_beside_itself_and_runs_nothing(week: Report) -> None:
    page = Page(as_html(week))
    names = {tag for tag, _ in page.tags}

    assert not names & {"script", "iframe", "object", "embed", "link", "img", "form", "a", "base"}
    assert not {name for _, given in page.tags for name in given if name.startswith("on") or name in ("src", "href")}
    assert any("default-src 'none'" in (given.get("content") or "") for _, given in page.tags)
    assert "prefers-color-scheme: dark" in as_html(week)
    assert "url(" not in as_html(week)
    assert "@import" not in as_html(week)


@pytest.mark.parametrize("place", ["target", "freshness", "note", "figure", "filters"])
def test_whatever_is_put_into_it_is_shown_and_never_acts(week: Report, place: str) -> None:
    evil = {
        "target": lambda: replace(week, manifest=replace(week.manifest, target=EVIL)),
        "filters": lambda: replace(week, manifest=replace(week.manifest, filters=f"name: {EVIL}")),
        "freshness": lambda: replace(week, freshness=EVIL),
        "note": lambda: replace(week, notes=(EVIL,)),
        "figure": lambda: replace(week, figures=(Figure(EVIL, EVIL, (EVIL,)),)),
    }[place]()

    page, tokens = Page(as_html(evil)), MarkdownIt("commonmark").enable("table").parse(as_markdown_document(evil))

    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Page(as_html(week)).tags}
    assert any(EVIL in cell for cell in page.cells)
    inside = [one for token in tokens for one in (token, *(token.children or []))]
    assert not {one.type for one in inside} & {"html_block", "html_inline", "link_open", "image", "em_open"}


def test_plain_figures_are_plain_in_markdown_too(week: Report) -> None:
    assert f"| Revenue | {week.figures[0].value} |" in as_markdown_document(week)


def test_nothing_sold_is_an_empty_cell_and_no_bar() -> None:
    rows = {NOON - 2 * DAY: "5.00", NOON: "10.00"}

    made = reported(found(rows, RANGES["7 d"], grain="day"))

    assert [(row.cells[0], row.width) for row in made.rows[-3:]] == [("5.00", 50), ("", 0), ("10.00", 100)]


def test_orders_are_empty_in_a_row_where_those_of_some_windows_are_not_known() -> None:
    made = reported(partly_counted())

    assert [row.cells for row in made.rows] == [("10.00", "2"), ("20.00", ""), ("11.00", "")]


def test_what_is_not_final_is_said_beside_the_sums() -> None:
    ahead = Ahead(table({NOON + SECONDS_5: "2.00"}))
    answer = trend(TableOf(table({NOON: "1.00"})), Asked(RANGES["1 h"], Calendar(BERLIN)), ahead=ahead)
    assert answer is not None

    made = reported(answer)

    assert made.figures[0].value == "3.00"
    assert "2.00 of the revenue has closed and is not saved in a snapshot yet." in made.notes
    assert made.freshness == ""


def test_a_range_of_years_still_fits_a_mail() -> None:
    answer = found(
        every(DAY, NOON - 700 * DAY, NOON), RANGES["All"], BERLIN, wide=MOST_ROWS, window=timedelta(minutes=1)
    )

    assert len(reported(answer).rows) <= MOST_ROWS
