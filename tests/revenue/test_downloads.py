"""What is downloaded holds what the screen shows, to the cent, in every form; read back by other libraries."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard.errors import ReadError, SettingsError
from dashboard.readers.open_windows import OpenWindow
from dashboard.revenue.downloads import FORMATS, MOST_EXCEL_ROWS, download, rows_of, why_not
from dashboard.revenue.manifest import Manifest, manifest_of
from dashboard.shown_rows import buckets_as_rows, hours_as_rows
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES, Between
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.trends.world import (
    BERLIN,
    DAY,
    HOUR,
    NOON,
    SECONDS_5,
    UTC_ZONE,
    Rows,
    TableOf,
    every,
    found,
    partly_counted,
    table,
)

MADE_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 0, tzinfo=UTC)
"""In Berlin the clock is put back an hour later."""
HARD = ("0.01", "-0.10", "1234567.89", "9999999999999.99", "10000000000000.00", "999999999999999.99")
NIGHT: Rows = {
    **{AUTUMN + n * HOUR / 2: text for n, text in enumerate(HARD)},
    **{AUTUMN - DAY + n * HOUR: "3.33" for n in range(4)},
    AUTUMN - 9 * DAY: "1.00",
}


@pytest.fixture(scope="module")
def night() -> Trend:
    """By hour over the night in which Berlin has one twice, beside the day before, which has it once."""
    asked = Between(AUTUMN - HOUR, AUTUMN + 5 * HOUR)
    return found(NIGHT, asked, BERLIN, grain="hour", comparisons=("previous", "week"))


def manifest(answer: Trend, **more: Any) -> Manifest:
    return manifest_of(answer, **{"engine": "mirror", "target": "local", "currency": "EUR", "made_at": MADE_AT, **more})


def opened(form: str, rows: pa.Table, of: Manifest) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows and the manifest of a file, as a program that was not written for it reads them."""
    content = download(form, rows, of).content
    if form == "parquet":
        read = pq.read_table(BytesIO(content))
        facts = json.loads(read.schema.metadata[b"sales-trends"])
        return read.to_pylist(), {name.replace("_", " "): str(value) for name, value in facts.items()}
    if form == "xlsx":
        book = openpyxl.load_workbook(BytesIO(content))
        names, *cells = book["Rows"].iter_rows(values_only=True)
        told = {str(name): str(value) for name, value in book["About"].iter_rows(values_only=True)}
        return [dict(zip(names, row, strict=True)) for row in cells], told
    with ZipFile(BytesIO(content)) as archive:
        rows_file, about_file = archive.namelist()
        about = csv.DictReader(StringIO(archive.read(about_file).decode(), newline=""))
        read_rows = csv.DictReader(StringIO(archive.read(rows_file).decode(), newline=""))
        return list(read_rows), {row["fact"]: row["value"] for row in about}


def exact(value: Any) -> Decimal | None:
    """A float is the decimal that is shown of it, as spreadsheets do."""
    return None if value in (None, "") else Decimal(repr(value) if isinstance(value, float) else str(value))


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_holds_the_amounts_of_the_screen_to_the_cent_and_nothing_where_nothing_was_sold(
    form: str, night: Trend
) -> None:
    rows, _ = opened(form, rows_of(night), manifest(night))

    for column, shown in (("revenue", night.buckets["total"]), ("running", night.buckets["running"])):
        assert [exact(row[column]) for row in rows] == shown.to_pylist()
    for one in night.compared:
        assert one.rows is not None
        assert [exact(row[f"{one.comparison}_revenue"]) for row in rows] == one.rows["total"].to_pylist()
        assert [exact(row[f"{one.comparison}_running"]) for row in rows] == one.rows["running"].to_pylist()
    assert None in night.buckets["total"].to_pylist()
    assert sum(exact(row["revenue"]) or 0 for row in rows) == night.total.revenue


@pytest.mark.parametrize("form", FORMATS)
def test_the_hour_that_is_there_twice_is_two_rows_that_can_be_told_apart(form: str, night: Trend) -> None:
    rows, _ = opened(form, rows_of(night), manifest(night))

    twice = [row for row in rows if row["start"].startswith("2026-10-25 02:00:00")]
    assert [row["start"] for row in twice] == ["2026-10-25 02:00:00+02:00", "2026-10-25 02:00:00+01:00"]
    # a cell of Excel has no zone; its column's name says that it is UTC
    moments = [
        datetime.fromisoformat(one) if isinstance(one, str) else one.replace(tzinfo=UTC)
        for one in (row["start_utc"] for row in twice)
    ]
    assert moments == [AUTUMN, AUTUMN + HOUR]


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_says_of_what_state_and_on_whose_clock_it_is(form: str, night: Trend) -> None:
    _, facts = opened(form, rows_of(night), manifest(night, filters={"shop": "Berlin"}))

    assert (
        facts.items()
        >= {
            "series": "revenue by hour",
            "query": manifest(night).query,
            "target": "local",
            "engine": "mirror",
            "snapshot": "1",
            "zone": "Europe/Berlin",
            "week start": "Monday",
            "range": "2026-10-25 01:00:00+02:00 to 2026-10-25 06:00:00+01:00",
            "start": "2026-10-24T23:00:00Z",
            "end": "2026-10-25T05:00:00Z",
            "filters": "shop: Berlin",
            "currency": "EUR",
            "rows": "4",
            "total": str(night.total.revenue),
            "data as of": "2026-10-25T02:30:05Z",
            "made at": "2026-03-02T09:30:00Z",
        }.items()
    )


def test_excel_is_given_numbers_up_to_fifteen_digits_and_text_beyond_and_says_how_many() -> None:
    amounts = [Decimal(text) for text in (*HARD, "99999999999999999999999999999999999.99")]
    rows = pa.table(
        {"revenue": pa.array(amounts, pa.decimal128(38, 2)), "orders": pa.array([10**15 - 1, 10**15] + [1] * 5)}
    )

    read, facts = opened("xlsx", rows, manifest(found({NOON: "1.00"}, RANGES["1 h"])))

    assert [exact(row["revenue"]) for row in read] == amounts
    assert [type(row["revenue"]) is str for row in read] == [False] * 4 + [True] * 3
    assert [row["orders"] for row in read[:2]] == [10**15 - 1, str(10**15)]
    assert facts["numbers as text"].startswith("4:")


def test_every_cell_of_fifteen_digits_comes_back_from_excel_as_it_was() -> None:
    cents = [10**15 - 1 - step * 7_919_777_123 for step in range(500)] + [2**k - 1 for k in range(1, 49)]
    amounts = [Decimal(one).scaleb(-2) for one in cents]

    read, facts = opened("xlsx", pa.table({"a": amounts}), manifest(found({NOON: "1.00"}, RANGES["1 h"])))

    assert [exact(row["a"]) for row in read] == amounts
    assert facts["numbers as text"] == "none"


def test_a_sheet_shows_two_decimals_and_moments_as_such(night: Trend) -> None:
    book = openpyxl.load_workbook(BytesIO(download("xlsx", rows_of(night), manifest(night)).content))
    first = dict(zip((cell.value for cell in book["Rows"][1]), book["Rows"][3], strict=True))

    assert first["revenue"].number_format == "#,##0.00"
    assert first["start_utc"].number_format == "yyyy-mm-dd hh:mm:ss"


def test_what_is_too_much_for_a_sheet_is_refused_with_a_sentence_and_no_file_is_cut_off() -> None:
    of = manifest(found({NOON: "1.00"}, RANGES["1 h"]))
    rows = pa.table({"n": pa.nulls(MOST_EXCEL_ROWS + 1, pa.int64())})

    with pytest.raises(SettingsError, match="1,048,576 rows are more than the 1,048,575") as refused:
        download("xlsx", rows, of)

    assert "Parquet" in refused.value.hint
    assert why_not("xlsx", MOST_EXCEL_ROWS) == why_not("csv", len(rows)) == why_not("parquet", len(rows)) == ""
    assert pq.read_metadata(BytesIO(download("parquet", rows, of).content)).num_rows == len(rows)


EVIL = ("=1+1", " =HYPERLINK(1)", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "https://example.com/=1", 'a"b,c\nd')


@pytest.mark.parametrize("form", FORMATS)
def test_no_text_of_anybody_becomes_a_formula_or_a_link(form: str) -> None:
    rows = pa.table({"=name": list(EVIL)})
    answer = found({NOON: "1.00"}, RANGES["1 h"])
    of = manifest(answer, target="=cmd|'/c calc'!A0", filters={"@who": "=1"})

    read, facts = opened(form, rows, of)

    if form == "csv":
        assert all(not one["'=name"].lstrip().startswith(("=", "+", "-", "@")) for one in read)
        assert facts["target"] == "'=cmd|'/c calc'!A0"
    if form == "xlsx":
        with ZipFile(BytesIO(download(form, rows, of).content)) as archive:
            inside = "".join(archive.read(name).decode() for name in archive.namelist() if "sheet" in name)
        assert "<f>" not in inside
        assert "hyperlink" not in inside.replace("HYPERLINK", "")
        assert {
            cell.data_type for cell in openpyxl.load_workbook(BytesIO(download(form, rows, of).content))["Rows"]["A"]
        } <= {
            "s",
            "inlineStr",
        }


def test_what_is_streamed_and_open_has_columns_of_its_own_and_the_total_says_how_much_is_not_saved() -> None:
    later = NOON + SECONDS_5
    ahead = Ahead(table({later: "2.00"}), (OpenWindow(later + SECONDS_5, later + 2 * SECONDS_5, 1, Decimal("0.50")),))
    answer = trend(TableOf(table({NOON: "1.00"})), Asked(RANGES["1 h"], Calendar(UTC_ZONE), "1 min"), ahead=ahead)
    assert answer is not None

    last = rows_of(answer).to_pylist()[-1]

    assert [last[name] for name in ("revenue", "streamed", "open", "windows", "state")] == [
        Decimal("3.00"),
        Decimal("2.00"),
        Decimal("0.50"),
        2,
        "open",
    ]
    assert (manifest(answer).total, manifest(answer).not_committed) == ("3.00", "2.00")


def test_orders_are_empty_where_those_of_some_windows_are_not_known_in_the_table_and_in_the_file() -> None:
    answer = partly_counted()

    assert rows_of(answer)["orders"].to_pylist() == [2, None, None]
    assert buckets_as_rows(answer)["orders"].to_pylist() == [None, None, 2]


BAND = ("low", "expected", "high")


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_to_be_expected_is_in_every_file_as_in_the_table_and_in_none_without_it(form: str) -> None:
    rows = every(HOUR, NOON - 70 * DAY, NOON, "10.00") | {NOON - SECONDS_5: "0.00"}
    answer = found(rows, RANGES["7 d"], BERLIN, grain="hour", band=True)

    read, _ = opened(form, rows_of(answer), manifest(answer))

    shown = buckets_as_rows(answer)[::-1].to_pylist()
    assert [[exact(row[name]) for name in BAND] for row in read] == [[row[name] for name in BAND] for row in shown]
    assert shown[0]["expected"] == Decimal("10.00")
    assert not set(BAND) & set(rows_of(found(rows, RANGES["7 d"], BERLIN, grain="hour")).column_names)


@pytest.mark.parametrize("form", FORMATS)
def test_of_a_heat_map_every_file_has_the_hours_of_the_table_and_says_so(form: str) -> None:
    rows = every(HOUR, NOON - 14 * DAY, NOON, "10.00")
    answer = found(rows, RANGES["7 d"], BERLIN, grain="day", heat=True, comparisons=("week",))

    read, facts = opened(form, rows_of(answer), manifest(answer))

    shown = hours_as_rows(answer).to_pylist()
    assert shown[0]["weekday"] == "Monday"
    assert [
        (row["weekday"], *(exact(row[name]) for name in ("hour", "average", "revenue", "hours"))) for row in read
    ] == [(row["weekday"], *(row[name] for name in ("hour", "average", "revenue", "hours"))) for row in shown]
    assert (facts["series"], facts["grain"]) == ("revenue by weekday and hour", "hour")
    assert (facts["compared with"], facts["rows"]) == ("nothing", str(len(shown)))


def test_the_manifest_has_a_command_that_asks_again(night: Trend) -> None:
    assert manifest(night).query == (
        "sales-trends query revenue_by_bucket --target local --from 2026-10-24T23:00:00Z --to 2026-10-25T02:30:05Z "
        "--zone Europe/Berlin --bucket 3600s --at 1"
    )
    assert "--target 'a b; rm'" in manifest(night, target="a b; rm").query
    days = found(NIGHT, RANGES["7 d"], BERLIN, grain="day")
    assert manifest(days).query.startswith("sales-trends query revenue_by_day --target local --from ")
    assert "--bucket" not in manifest(days).query


def test_while_a_window_is_at_fault_nothing_leaves_the_page() -> None:
    answer = found({NOON: "1.00", NOON + SECONDS_5: None}, RANGES["1 h"])

    with pytest.raises(ReadError, match="1 windows are doubled or have no amount"):
        manifest(answer)


def test_a_comparison_without_data_keeps_its_columns() -> None:
    answer = found({NOON: "1.00"}, RANGES["1 h"], comparisons=("year",))

    rows = rows_of(answer)

    assert rows["year_revenue"].null_count == len(rows) > 0


@pytest.mark.parametrize(("name", "grain"), [("7 d", "hour"), ("This fiscal year", "fiscal year"), ("1 h", "15 s")])
def test_a_files_name_is_plain_on_every_system(name: str, grain: str) -> None:
    rows: Mapping[datetime, str | None] = {NOON: "1.00"}
    answer = found(rows, RANGES[name], grain=grain)

    names = [download(form, rows_of(answer), manifest(answer)).name for form in FORMATS]

    assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for one in names)
    assert [one.rpartition(".")[2] for one in names] == ["zip", "xlsx", "parquet"]


def test_a_form_that_there_is_not_is_refused(night: Trend) -> None:
    with pytest.raises(SettingsError, match="There is no download as 'pdf'"):
        download("pdf", rows_of(night), manifest(night))


def test_a_manifest_before_1980_still_makes_a_zip(night: Trend) -> None:
    early = replace(manifest(night), made_at="1970-01-01T00:00:00Z")

    assert opened("csv", rows_of(night), early)[1]["made at"] == "1970-01-01T00:00:00Z"


def test_windows_that_nobody_bought_in_are_empty_and_not_zero() -> None:
    answer = found({NOON - timedelta(minutes=30): "0.00", NOON: "1.00"}, RANGES["1 h"], grain="1 min")

    revenue = rows_of(answer)["revenue"].to_pylist()

    assert {None, Decimal("0.00"), Decimal("1.00")} == set(revenue)
