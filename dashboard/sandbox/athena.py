"""SQL of people asked of Amazon Athena, over views that hold only what they may see; it is paid by what it scans."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from threading import Event

from dashboard.errors import ReadError
from dashboard.readers.athena.access import AthenaAccess, AthenaSession
from dashboard.readers.athena.query import run
from dashboard.readers.athena.tables import AthenaTables, TableState
from dashboard.readers.deadline import Stop, within
from dashboard.readers.engine import WITHOUT_HASTE, Limits
from dashboard.readers.lake_table import Column, Snapshot, columns_of
from dashboard.sandbox.athena_text import AthenaView, athena_text
from dashboard.sandbox.limits import ANSWER_BYTES
from dashboard.sandbox.places import NO_PLACE
from dashboard.sandbox.process import Found

Permitted = Callable[[str, list[Column]], tuple[str, list[Column]]]
"""The table of a name as SQL has it, and which of its columns may be seen; raises for a table that may not be."""
_LOOK_EVERY = timedelta(seconds=5)
_TEXT = "string"


class AthenaSandbox:
    """Of one Glue database; any thread may call."""

    def __init__(self, access: AthenaAccess, tables: Collection[str]) -> None:
        """`tables` are the names of all that the pipeline has, whoever may see them."""
        self._names = tables
        self._session = AthenaSession(access)
        self._tables = AthenaTables(self._session, _LOOK_EVERY)

    def run(
        self,
        sql: str,
        permitted: Permitted,
        most_rows: int,
        limits: Limits,
        place: AbstractContextManager[None] = NO_PLACE,
    ) -> Found:
        """The first rows of one SELECT; the work is inside of `place`, also where it goes on after its time.

        Raises StatementError for what is none, and what Athena's engine raises.
        """
        begun = time.monotonic()
        snapshots: dict[str, Snapshot] = {}

        def views(names: Sequence[str]) -> list[AthenaView]:
            return [self._view(name, permitted, snapshots) for name in names]

        text = athena_text(sql, self._session.access.database, self._names, views, most_rows + 1)

        def work(stop: Stop) -> Found:
            unwanted = Event()
            with place, stop.interrupting(unwanted.set):
                # PyAthena puts parameters in the place of per cent signs
                found = run(self._session, text.replace("%", "%%"), {}, unwanted, "the statement", ANSWER_BYTES)
            took = time.monotonic() - begun
            rows, is_cut = found.rows.slice(0, most_rows), found.is_cut or len(found.rows) > most_rows
            return Found(rows, is_cut, snapshots, took, "athena", found.scanned_bytes)

        return within(limits, work)

    def close(self) -> None:
        self._tables.close()
        self._session.close()

    def _view(self, name: str, permitted: Permitted, snapshots: dict[str, Snapshot]) -> AthenaView:
        # whether it may be seen at all comes before whether there is one
        known, _ = permitted(name, [])
        state = self._tables.look(known, WITHOUT_HASTE)
        if state is None or state.newest is None:
            raise ReadError(
                f"There is nothing in {known} yet.", "`sales-trends status` says what the pipeline waits for."
            )
        _, columns = permitted(name, _columns(state, state.newest))
        if not columns:
            raise ReadError(f"{known} has no column that you may see here.", "Ask about another table.")
        snapshots[known] = state.newest
        texts = frozenset(one.name for one in columns if one.type == _TEXT)
        return AthenaView(known, [one.name for one in columns], texts, state.newest.id)


def _columns(state: TableState, snapshot: Snapshot) -> list[Column]:
    """What a state holds that can be told in rows; nested and binary values cannot."""
    found = state.metadata.snapshot_by_id(snapshot.id)
    wanted = state.metadata.current_schema_id if found is None or found.schema_id is None else found.schema_id
    schema = next(one for one in state.metadata.schemas if one.schema_id == wanted)
    return [one for one in columns_of(state.metadata, schema) if not one.type.startswith(_NOT_TOLD)]


_NOT_TOLD = ("struct", "list", "map", "binary", "fixed")
