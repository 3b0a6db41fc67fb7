"""What DuckDB raises, told as one of our errors: its first line, without anybody's secret."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import duckdb

from dashboard.errors import ReadError, SalesTrendsError, UnreachableError

_GONE = ("No such file", "404 (Not Found)", "NotFound_404")
_SILENT = (
    "Could not establish connection",
    "Could not connect",
    "Could not resolve",
    "Couldn't connect",
    "Connection refused",
    "Timeout was reached",
    "timed out",
)
_FORBIDDEN = ("403 (Forbidden)", "Forbidden_403", "401 (Unauthorized)", "Unauthorized_401")
_RIGHTS = "Check the key and what it may read; `sales-trends doctor` says more."
_TOO_BUSY = (429, 500, 502, 503, 504)


@contextmanager
def duckdb_translated(thing: str = "the tables", secrets: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """`secrets`, as they are when it fails, never stand in an error, wherever DuckDB or a server put them."""
    try:
        yield
    except duckdb.Error as error:
        text, hidden = str(error).strip(), sorted(secrets(), key=len, reverse=True)
        for secret in filter(None, hidden):
            text = text.replace(secret, "…")
        raise _told(error, text.partition("\n")[0], thing) from (None if hidden else error)


def _told(error: duckdb.Error, text: str, thing: str) -> SalesTrendsError:
    if isinstance(error, duckdb.InterruptException):
        return ReadError(f"Reading {thing} was interrupted.", "Ask again.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return ReadError(f"Reading {thing} took more memory than there is: {text}", "Ask about less time.")
    if any(sign in text for sign in _SILENT) or getattr(error, "status_code", None) in _TOO_BUSY:
        return UnreachableError(f"What holds {thing} does not answer: {text}", "Try again when it runs.")
    if any(sign in text for sign in _FORBIDDEN):
        return ReadError(f"{thing[:1].upper()}{thing[1:]} may not be read: {text}", _RIGHTS)
    if any(sign in text for sign in _GONE):
        return ReadError(f"A file of {thing} is gone: {text}", "It may just have been replaced; read again.")
    if isinstance(error, duckdb.BinderException):
        return ReadError(
            f"{thing[:1].upper()}{thing[1:]} and the question do not fit: {text}",
            "Check the table's columns; a snapshot is read with the columns that it was committed with.",
        )
    return ReadError(f"DuckDB cannot read {thing}: {text}", "Check the table's files and columns.")
