"""Brings a mirror to the newest state of its tables: by what was added, or, where that is not all, read anew."""

import time
from datetime import timedelta
from threading import Event

from dashboard.errors import ReadError
from dashboard.readers.engine import Progress
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE, Lake
from dashboard.readers.lake_table import LakeTable, Snapshot
from dashboard.readers.mirror.file import MOST_ADDED, MirroredState, came
from dashboard.readers.mirror.orders import OrderRefresh
from dashboard.readers.mirror.store import MirrorStore

_COLUMNS = REVENUE_SCHEMA.names
_ORDERS_AGAIN_SECONDS = 10.0


class Refresh:
    """For one thread at a time."""

    def __init__(self, lake: Lake, store: MirrorStore) -> None:
        self._lake = lake
        self._store = store
        self._cancelled = Event()
        self._orders = OrderRefresh(lake, store, self._cancelled)
        self._orders_at = 0.0
        self.progress: Progress | None = None
        """While a table is read whole."""

    def cancel(self) -> None:
        """What is being read whole is given up; `run` then raises ReadError."""
        self._cancelled.set()

    def run(self) -> None:
        """Afterwards the mirror is the newest state, as the catalog had it at the call.

        One call to the catalog where nothing changed. Raises ReadError or UnreachableError where the state cannot be
        had; the mirror is then as it was.
        """
        table = self._lake.table(REVENUE_TABLE)
        snapshot = None if table is None else table.newest
        if table is None or snapshot is None:
            if self._store.version().states:
                self._store.clear()
            return
        try:
            changed = self._follow(table, snapshot)
        except ReadError:
            # expired while it was read, perhaps: then there is a newer one
            again = self._lake.table(REVENUE_TABLE)
            newer = None if again is None else again.newest
            if again is None or newer is None or newer.id == snapshot.id:
                raise
            changed = self._follow(again, newer)
        self._follow_orders(changed=changed)

    def _follow_orders(self, *, changed: bool) -> None:
        """With each new state of the windows, and now and then without one: late orders come when they like."""
        window = self._store.version().states[REVENUE_TABLE].newest
        now = time.monotonic()
        if window and (changed or now >= self._orders_at):
            self._orders.run(window)
            self._orders_at = now + _ORDERS_AGAIN_SECONDS

    def _follow(self, table: LakeTable, newest: Snapshot) -> bool:
        """Whether anything changed."""
        known = self._store.version().states.get(REVENUE_TABLE)
        if known is not None and known.snapshot.id == newest.id:
            return False
        if known is not None and known.identity == _identity(table, newest):
            added = None
            if came(known.snapshot, newest) <= MOST_ADDED:
                added = table.added(_COLUMNS, known.snapshot.id, newest.id)
            if added is not None:
                reached = MirroredState(REVENUE_TABLE, known.identity, newest, known.longest, known.newest)
                self._store.add(added.sort_by("window_start"), reached)
                return True
        self._read_whole(table, newest)
        return True

    def _read_whole(self, table: LakeTable, newest: Snapshot) -> None:
        state = MirroredState(REVENUE_TABLE, _identity(table, newest), newest, timedelta(0), timedelta(0))
        self.progress = Progress(0, newest.rows)
        try:
            for rows in self._store.load(table.batches(_COLUMNS, newest.id), state):
                self.progress = Progress(rows, newest.rows)
                if self._cancelled.is_set():
                    raise ReadError("The mirror was closed while it read the table.", "Open it again.")
        finally:
            self.progress = None


def _identity(table: LakeTable, snapshot: Snapshot) -> str:
    """With the type of the amounts as committed: once it is a wider one, what is mirrored has no room for them."""
    types = {column.name: column.type for column in table.columns_at(snapshot.id)}
    return f"{table.identity} {types.get('total_revenue')}"
