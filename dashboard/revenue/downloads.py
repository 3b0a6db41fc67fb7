"""What is on the screen as a file that can be downloaded: CSV, Excel or Parquet, each with its manifest inside."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xlsxwriter

from dashboard.errors import SettingsError
from dashboard.revenue.manifest import Manifest, local_text
from dashboard.shown_rows import hours_as_rows
from dashboard.trends.periods import COMPARED
from dashboard.trends.sales import orders_of
from dashboard.trends.trend import Trend
from dashboard.wording import iso, no_formula

MOST_EXCEL_ROWS = 1_048_575
"""Under the header. Source: Excel's specifications and limits, 1,048,576 rows a sheet."""
_EXCEL_DIGITS = 15
"""What a number in Excel keeps. Source: the same."""
_MANIFEST = b"sales-trends"
"""The key of a Parquet file's metadata that holds the manifest, as in `sales-trends query`."""
_AMOUNT = "#,##0.00"
_MOMENT = "yyyy-mm-dd hh:mm:ss"
_COLUMN_WIDTH = 19
_ROWS_AT_ONCE = 10_000
_FIRST_ZIP_YEAR = 1980


@dataclass(frozen=True)
class Download:
    name: str
    mime: str
    content: bytes


def rows_of(answer: Trend) -> pa.Table:
    """The chart's buckets as its table view and every file have them, oldest first; of a heat map its `hours_as_rows`.

    start and end are text by the reader's clock with its offset, start_utc and end_utc the same moments. revenue and
    windows are of all that has closed, streamed is how much of it stands in no snapshot yet, open what is not final and
    in no sum; orders are those of all of these windows, and empty where some are not known. Of each comparison two more
    columns: its revenue beside the bucket and running up to there; of a band low, expected and high. Empty is where
    nothing was sold or nothing is known, which is not 0.
    """
    if answer.asked.heat:
        return hours_as_rows(answer)
    buckets, zone = answer.buckets, answer.asked.calendar.zone
    columns: dict[str, Any] = {
        "start": _local(buckets["bucket_start"], zone),
        "end": _local(buckets["bucket_end"], zone),
        "revenue": buckets["total"],
        "orders": orders_of(buckets),
        "windows": _closed_windows(buckets),
        "running": buckets["running"],
        "state": buckets["state"],
        "streamed": buckets["streamed"],
        "open": buckets["open"],
    }
    for one in answer.compared:
        rows = one.rows if one.rows is not None else _nothing(len(buckets))
        columns |= {f"{one.comparison}_revenue": rows["total"], f"{one.comparison}_running": rows["running"]}
    if answer.band is not None and answer.band.rows is not None:
        columns |= {name: answer.band.rows[name] for name in ("low", "expected", "high")}
    return pa.table({**columns, "start_utc": buckets["bucket_start"], "end_utc": buckets["bucket_end"]})


def why_not(form: str, rows: int) -> str:
    """Why so many rows cannot be had in that form, in a sentence for a button that is off; empty if they can."""
    if form == "xlsx" and rows > MOST_EXCEL_ROWS:
        return f"{rows:,} rows are more than the {MOST_EXCEL_ROWS:,} that a sheet of Excel holds under its header."
    return ""


def download(form: str, rows: pa.Table, manifest: Manifest) -> Download:
    """The file; `form` is one of FORMATS.

    Raises SettingsError where the rows do not fit: no file is ever cut off.
    """
    if form not in FORMATS:
        raise SettingsError(f"There is no download as {form!r}.", f"Choose of {', '.join(FORMATS)}.")
    if why := why_not(form, len(rows)):
        raise SettingsError(why, "Download CSV or Parquet, or choose a coarser grain.")
    make, ending, mime = FORMATS[form]
    return Download(f"{_stem(manifest)}.{ending}", mime, make(rows, manifest))


def _csv(rows: pa.Table, manifest: Manifest) -> bytes:
    stem, sink = _stem(manifest), BytesIO()
    files = {
        f"{stem}.csv": _csv_text(rows.schema.names, _values(rows)),
        f"{stem}-about.csv": _csv_text(["fact", "value"], _facts(rows, manifest)),
    }
    made_at = datetime.fromisoformat(manifest.made_at)
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = ZipInfo(name, (max(made_at.year, _FIRST_ZIP_YEAR), *made_at.timetuple()[1:6]))
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, text)
    return sink.getvalue()


def _csv_text(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(no_formula, names))
    writer.writerows([_plain(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _plain(value: Any) -> Any:
    """Amounts exact, moments in UTC, and no text that a spreadsheet would reckon with."""
    if isinstance(value, datetime):
        return iso(value)
    return no_formula(value) if isinstance(value, str) else value


def _xlsx(rows: pa.Table, manifest: Manifest) -> bytes:
    sink = BytesIO()
    # without constant_memory a million rows would be held as objects; every kind of cell is named, none is guessed
    with xlsxwriter.Workbook(sink, {"constant_memory": True}) as book:
        book.set_properties({"title": f"Sales Trends: {manifest.series}", "created": _naive(manifest.made_at)})
        bold, amount = book.add_format({"bold": True}), book.add_format({"num_format": _AMOUNT})
        count, moment = book.add_format({"num_format": "#,##0"}), book.add_format({"num_format": _MOMENT})
        right = book.add_format({"align": "right"})
        sheet = book.add_worksheet("Rows")
        sheet.set_column(0, max(0, rows.num_columns - 1), _COLUMN_WIDTH)
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(rows.schema.names):
            sheet.write_string(0, place, name, bold)
        as_text = 0
        for number, row in enumerate(_values(rows), start=1):
            for place, value in enumerate(row):
                if value is None:
                    continue
                if isinstance(value, datetime):
                    # a cell has no zone: its column's name says that it is UTC
                    sheet.write_datetime(number, place, value.replace(tzinfo=None), moment)
                elif isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif isinstance(value, (int, float, Decimal)) and _fits(value):
                    sheet.write_number(number, place, value, amount if isinstance(value, Decimal) else count)
                elif isinstance(value, str):
                    sheet.write_string(number, place, value)
                else:
                    as_text += 1
                    sheet.write_string(number, place, str(value), right)
        about = book.add_worksheet("About")
        about.set_column(0, 1, 2 * _COLUMN_WIDTH)
        for number, (name, told) in enumerate([*_facts(rows, manifest), ("numbers as text", _as_text(as_text))]):
            about.write_string(number, 0, name, bold)
            about.write_string(number, 1, told)
    return sink.getvalue()


def _fits(value: float | Decimal) -> bool:
    """Whether Excel keeps every digit of it."""
    return isinstance(value, float) or len(Decimal(value).as_tuple().digits) <= _EXCEL_DIGITS


def _as_text(cells: int) -> str:
    if not cells:
        return "none"
    return f"{cells:,}: a number in Excel keeps {_EXCEL_DIGITS} digits, and these have more"


def _parquet(rows: pa.Table, manifest: Manifest) -> bytes:
    sink = BytesIO()
    told = json.dumps({**manifest.facts, "rows": len(rows)}).encode()
    pq.write_table(rows.replace_schema_metadata({_MANIFEST: told}), sink)
    return sink.getvalue()


FORMATS: dict[str, tuple[Callable[[pa.Table, Manifest], bytes], str, str]] = {
    "csv": (_csv, "zip", "application/zip"),
    "xlsx": (_xlsx, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": (_parquet, "parquet", "application/vnd.apache.parquet"),
}
"""By name: what makes it, how its file's name ends and its media type."""


def _values(rows: pa.Table) -> Iterator[Iterable[Any]]:
    """Of each row; of a million only some at a time are objects."""
    for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _facts(rows: pa.Table, manifest: Manifest) -> list[tuple[str, str]]:
    return [*manifest.lines, ("rows", str(len(rows)))]


def _stem(manifest: Manifest) -> str:
    """Plain letters, for the file system of whoever downloads it."""
    start, end = (one[:10] for one in (manifest.start, manifest.end))
    return f"{manifest.series} {start} to {end}".replace(" ", "-")


def _naive(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=None)


def _local(moments: pa.ChunkedArray, zone: ZoneInfo) -> pa.Array:
    return pa.array([local_text(at, zone) for at in moments.to_pylist()], pa.string())


def _closed_windows(buckets: pa.Table) -> pa.ChunkedArray:
    committed, streamed = buckets["windows"], buckets["streamed_windows"]
    both = pc.add(pc.fill_null(committed, 0), pc.fill_null(streamed, 0))
    return pc.if_else(pc.and_(pc.is_null(committed), pc.is_null(streamed)), None, both)


def _nothing(rows: int) -> pa.Table:
    return pa.table([pa.nulls(rows, field.type) for field in COMPARED], schema=COMPARED)
