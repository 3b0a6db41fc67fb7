"""What every engine that answers questions has in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol, runtime_checkable

import pyarrow as pa

from dashboard.readers.lake_table import Snapshot

Parameter = datetime | int
"""A datetime is aware; engines turn it into UTC."""


@dataclass(frozen=True)
class Limits:
    """When an engine gives up."""

    timeout: timedelta = timedelta(seconds=30)
    cancelled: Event | None = None
    """Set by whoever no longer wants the answer; it then ends with a ReadError within a second."""


WITHOUT_HASTE = Limits()
NOW = timedelta(0)


@dataclass(frozen=True)
class Answer:
    """What a question came to, all of it read from one state of the table. Shared by many: never change it."""

    rows: pa.Table
    """The columns that the question's file names; times are timestamp[us] in UTC, amounts decimals."""
    snapshot: Snapshot | None
    """Of revenue_summary; None where there is no table, or nothing in it."""
    engine: str
    took_seconds: float
    scanned_bytes: int | None = None
    """What a metered engine counted."""


@dataclass(frozen=True)
class Progress:
    """Of reading a table whole."""

    rows: int
    of: int | None
    """How many there are, as far as their writer says."""

    @property
    def told(self) -> str:
        """As a sentence."""
        of = "" if self.of is None else f" of {self.of:,}"
        return f"Reading the revenue table whole: {self.rows:,}{of} windows so far."


class Engine(Protocol):
    """Asks the questions of queries/ of the tables of one namespace; any thread may call."""

    @property
    def name(self) -> str: ...

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        """The newest state of revenue_summary, by one question to the catalog at most.

        By none where an engine that keeps a state looked for a newer one `at_most_old` ago: whoever can wait leaves
        the turn to pages, for which each that somebody else took is the time of a refresh.
        """

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        """The answer as of a snapshot of revenue_summary, the newest one without an id.

        A table that does not exist has no rows. Raises ReadError for an unknown question, a parameter too many or too
        few, a snapshot that is gone, a time limit; UnreachableError where catalog, files or engine do not answer.
        """

    def close(self) -> None:
        """Ends what it holds open; it is not asked again."""


@runtime_checkable
class Prepared(Protocol):
    """An engine that answers from what it has read before."""

    @property
    def progress(self) -> Progress | None:
        """While a table is read whole; answers come from the state before, if there is one."""

    def first_read(self, patience: timedelta) -> Progress | None:
        """How far the tables are read, after `patience` at most; None once nothing has to wait for that any more."""
