"""One query of Athena: started, waited for, stopped when it is no longer wanted, and read exactly."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import pyarrow as pa
from pyathena.cursor import Cursor
from pyathena.error import Error as PyAthenaError
from pyathena.model import AthenaQueryExecution
from pyathena.util import stop_retries_on

from dashboard.errors import ReadError
from dashboard.readers.athena.access import QUERY_RETRIES, AthenaSession
from dashboard.readers.athena.errors import failed_query, translated
from dashboard.readers.engine import Parameter
from dashboard.readers.first_rows import first_rows
from dashboard.readers.lake_table import TIMESTAMP
from dashboard.readers.shared_work import StoppedError

_FIRST_WAIT_SECONDS, _LAST_WAIT_SECONDS, _WAIT_GROWS = 0.1, 2.0, 1.5
_PAGE_ROWS = 1000
"""The most that one request gives."""
_MOST_ROWS = 200_000
"""Of one answer: what comes in pages of a thousand takes minutes beyond it, and memory."""
_TYPES = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "char": pa.string(),
    "varchar": pa.string(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
    "timestamp with time zone": TIMESTAMP,
}


@dataclass(frozen=True)
class Found:
    rows: pa.Table
    scanned_bytes: int
    is_cut: bool = False
    """Whether there are more rows than the bytes that were wanted hold."""


class _Unwanted(Exception):
    """Ends the wait; nobody sees it."""


class _Watch:
    """Called by PyAthena between two questions for the query's state; the wait between them grows."""

    def __init__(self, stop: Event) -> None:
        self.execution: AthenaQueryExecution | None = None
        self._stop = stop
        self._seconds = _FIRST_WAIT_SECONDS

    def __call__(self, execution: Any) -> None:
        self.execution = execution
        if execution.state in AthenaQueryExecution.TERMINAL_STATES:
            return
        if self._stop.wait(self._seconds):
            raise _Unwanted
        self._seconds = min(self._seconds * _WAIT_GROWS, _LAST_WAIT_SECONDS)


def run(
    session: AthenaSession,
    text: str,
    parameters: Mapping[str, Parameter],
    stop: Event,
    thing: str,
    most_bytes: int | None = None,
) -> Found:
    """The rows of one SELECT whose `%(name)s` are the parameters, times of theirs in UTC without a zone.

    All of them, or the first that have no more than `most_bytes`.

    PyAthena makes literals of them: `?` of Athena's own may stand in WHERE alone (AWS's manual, "Use parameterized
    queries"). Raises SettingsError, ReadError or UnreachableError; StoppedError when `stop` ended the query.
    """
    with stop_retries_on(stop), translated(session.access, thing):
        watch = _Watch(stop)
        cursor = session.clients().athena.cursor(
            Cursor,
            poll_interval=0,
            on_poll=watch,
            arraysize=_PAGE_ROWS,
            kill_on_interrupt=False,
            retry_config=QUERY_RETRIES,
        )
        try:
            with _stopped_at_an_error(cursor, watch):
                cursor.execute(text, dict(parameters))
                rows, is_cut = _rows(cursor, stop, thing, most_bytes)
        except _Unwanted as unwanted:
            raise StoppedError(f"The query for {thing} was stopped in Athena.", "Ask again.") from unwanted
        except PyAthenaError as error:
            ended = watch.execution
            if ended is not None and ended.state in (
                AthenaQueryExecution.STATE_FAILED,
                AthenaQueryExecution.STATE_CANCELLED,
            ):
                raise failed_query(ended, session.access, thing) from error
            raise
        return Found(rows, cursor.data_scanned_in_bytes or 0, is_cut)


@contextmanager
def _stopped_at_an_error(cursor: Cursor, watch: _Watch) -> Iterator[None]:
    """A query goes on and is paid for when its state cannot be asked for any more: it is stopped."""
    try:
        yield
    except _Unwanted:
        cursor.cancel()
        raise
    except Exception as error:
        ended = watch.execution is not None and watch.execution.state in AthenaQueryExecution.TERMINAL_STATES
        if cursor.query_id is not None and not ended:
            try:
                cursor.cancel()
            except PyAthenaError:
                error.add_note(f"The query {cursor.query_id} could not be stopped.")
        raise


def _rows(cursor: Cursor, stop: Event, thing: str, most_bytes: int | None) -> tuple[pa.Table, bool]:
    """Those wanted, and whether there are more.

    From the pages of GetQueryResults, which tell precision and scale of a decimal and NULL apart from empty
    text.
    """
    schema = pa.schema([_field(one, thing) for one in cursor.description or ()])
    batches: list[pa.RecordBatch] = []
    count = size = 0
    while page := cursor.fetchmany(_PAGE_ROWS):
        count += len(page)
        if count > _MOST_ROWS:
            raise ReadError(
                f"{thing} has more than {_MOST_ROWS:,} rows, which Athena hands out by the thousand.",
                "Ask for a shorter stretch of time.",
            )
        if stop.is_set():
            raise _Unwanted
        columns = zip(*page, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        batch = pa.record_batch(arrays, schema=schema)
        fitting = batch if most_bytes is None else first_rows(batch, most_bytes - size)
        batches.append(fitting)
        size += fitting.nbytes
        if len(fitting) < len(batch):
            return pa.Table.from_batches(batches, schema), True
    return pa.Table.from_batches(batches, schema), False


def _field(column: tuple[Any, ...], thing: str) -> pa.Field:
    name, kind, _, _, precision, scale, _ = column
    if kind == "decimal":
        return pa.field(name, pa.decimal128(precision, scale))
    if kind not in _TYPES:
        raise ReadError(f"{thing} has a column {name} of the type {kind}.", "No question has one; ask another.")
    return pa.field(name, _TYPES[kind])
