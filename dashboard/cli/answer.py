"""An answer as a command gives it away: a table for people, CSV, JSON or Parquet for programs."""

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dashboard.errors import SettingsError
from dashboard.wording import iso, no_formula, printable

if TYPE_CHECKING:
    # half a second that no other command should wait for
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")
WIDTH = 80
_UTC = ZoneInfo("UTC")
_MODE = 0o666
"""Of a new file, before the umask."""
_MANIFEST = b"sales-trends"
"""The key of a Parquet file's metadata that holds what its rows are."""


@dataclass(frozen=True)
class Told:
    """Rows, and what they are."""

    manifest: Mapping[str, str | None]
    """All that somebody needs to get them again, by names that stay."""
    rows: "pa.Table"
    zone: ZoneInfo = _UTC
    """Whose clock people read them on; programs are given UTC."""


def format_of(form: str | None, output: Path | None) -> str:
    """The one that was asked for, else the one that the file's name ends with, else a table."""
    suffix = output.suffix.removeprefix(".").lower() if output else ""
    chosen = form or (suffix if suffix in FORMATS else FORMATS[0])
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is nothing for a terminal; name a file with --output.")
    return chosen


def check_output(output: Path | None) -> None:
    """Raises SettingsError where no file can be written, for that need not be found out with the answer in hand."""
    if output is None or _is_device(output):
        return
    folder = _place(output).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "may not be written into" if folder.is_dir() else "is no folder"
        raise SettingsError(f"{output} cannot be written: {folder} {why}.", "Name another with --output.")


def write(told: Told, form: str, output: Path | None) -> None:
    """To a file, which is whole or not there; to a device or a pipe as it is; or to stdout."""
    write_made(_MAKERS[form](told), output)


def write_made(made: bytes, output: Path | None) -> None:
    """The same of what is made already."""
    if output is None:
        click.echo(made, nl=False)
        return
    try:
        if _is_device(output):
            output.write_bytes(made)
        else:
            _replace(_place(output), made)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror}.", "Name another with --output.") from error


def _is_device(output: Path) -> bool:
    """Or a pipe: whatever exists and would be one no more if a file took its place."""
    return os.path.exists(output) and not os.path.isfile(output)


def _place(output: Path) -> Path:
    """The file itself where a link is named."""
    return Path(os.path.realpath(output))


def _replace(file: Path, made: bytes) -> None:
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else _MODE & ~_umask()
    with NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as part:
        try:
            part.write(made)
            part.flush()
            # that of temporary files lets nobody else read
            os.fchmod(part.fileno(), mode)
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise


def _umask() -> int:
    # it can only be read by setting it
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def lines_of(names: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """As lines for people, as wide as a terminal usually is; what is longer goes on below."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for place, name in enumerate(names):
        is_number = place in right
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(file=StringIO(), width=WIDTH, color_system=None, highlight=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _table(told: Told) -> bytes:
    rows = told.rows
    numbers = [place for place, value in enumerate(_first(rows)) if isinstance(value, (int, Decimal))]
    cells = [[_cell(value, told.zone) for value in row.values()] for row in rows.to_pylist()]
    return "".join(f"{line}\n" for line in lines_of(rows.schema.names, cells, numbers)).encode()


def _csv(told: Told) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(told.rows.schema.names)
    for row in told.rows.to_pylist():
        writer.writerow([no_formula(value) if isinstance(value, str) else _plain(value) for value in row.values()])
    return text.getvalue().encode()


def _json(told: Told) -> bytes:
    rows = [{name: _plain(value) for name, value in row.items()} for row in told.rows.to_pylist()]
    return f"{json.dumps({**told.manifest, 'rows': rows}, indent=2, ensure_ascii=False)}\n".encode()


def _parquet(told: Told) -> bytes:
    # Arrow, for which a table in JSON need not wait
    import pyarrow.parquet as pq

    rows = told.rows
    manifest = json.dumps({**told.manifest, "rows": len(rows)}).encode()
    sink = BytesIO()
    pq.write_table(rows.replace_schema_metadata({_MANIFEST: manifest}), sink)
    return sink.getvalue()


def _plain(value: Any) -> Any:
    """As CSV and JSON hold it: amounts exact, as text; times in UTC."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _cell(value: Any, zone: ZoneInfo) -> str:
    """For people: times on the clock they asked for."""
    if isinstance(value, datetime) and zone.key != "UTC":
        local = value.astimezone(zone)
        return local.isoformat(" ", "auto" if local.second or local.microsecond else "minutes")
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(_plain(value))


def _first(rows: Any) -> list[Any]:
    """Of each column the first value that there is."""
    return [next((value for value in column.to_pylist() if value is not None), None) for column in rows.columns]


_MAKERS: dict[str, Callable[[Told], bytes]] = {"table": _table, "csv": _csv, "json": _json, "parquet": _parquet}
