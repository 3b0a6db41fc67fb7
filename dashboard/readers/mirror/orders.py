"""The orders of a mirror: how many each window summed up, and which came after it had closed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.lake import ORDERS_TABLE, Lake
from dashboard.readers.lake_table import TIMESTAMP, LakeTable, Range
from dashboard.readers.late_orders import Arrived, Verdict, lateness
from dashboard.readers.mirror.file import MOST_ADDED, MirroredState, came
from dashboard.readers.mirror.store import MirrorStore
from dashboard.readers.order_counts import cents_of, is_amount
from dashboard.readers.read_ahead import read_ahead

_COLUMNS = ("ts", "amount")
_PLACE = ("$$partition", "$$offset")
_MICROSECOND = timedelta(microseconds=1)
_AT_ONCE = 100
_FIRST, _LAST = (pa.scalar(datetime(year, 1, 1, tzinfo=UTC), TIMESTAMP) for year in (1970, 9000))
T = TypeVar("T")
_COUNTS = ("orders", "cents")


class OrderRefresh:
    """For one thread at a time."""

    def __init__(self, lake: Lake, store: MirrorStore, cancelled: Event) -> None:
        """Once `cancelled`, it ends between two pieces of its work with ReadError."""
        self._lake = lake
        self._store = store
        self._cancelled = cancelled

    def run(self, window: timedelta) -> None:
        """Brings the orders to the newest state of their table, one call to the catalog where nothing changed.

        `window` is how long a window is. Raises ReadError or UnreachableError; the orders are then as they were, or
        some of the late ones are still to be looked into.
        """
        table = self._lake.table(ORDERS_TABLE)
        newest = None if table is None else table.newest
        known = self._store.version().states.get(ORDERS_TABLE)
        if table is None or newest is None:
            if known is not None:
                self._store.forget_orders(ORDERS_TABLE)
            return
        state = MirroredState(ORDERS_TABLE, table.identity, newest, window, window)
        self._follow(table, state, known)
        self._judge(table, state)

    def _follow(self, table: LakeTable, state: MirroredState, known: MirroredState | None) -> None:
        if known is not None and (known.identity, known.newest) == (state.identity, state.newest):
            if known.snapshot.id == state.snapshot.id:
                return
            added = None
            if came(known.snapshot, state.snapshot) <= MOST_ADDED:
                added = table.added(_COLUMNS, known.snapshot.id, state.snapshot.id)
            if added is not None:
                self._store.add_orders(orders_by_window(added, state.newest), state)
                return
        batches = read_ahead(self._wanted(table.batches(_COLUMNS, state.snapshot.id)), _AT_ONCE)
        self._store.load_orders(_each(batches, state.newest), state)

    def _judge(self, table: LakeTable, state: MirroredState) -> None:
        """Looks into the windows that wait, the newest first; what is found of some counts if a later one fails."""
        if not set(_PLACE) <= set(table.columns):
            return  # no offset tells which came first
        while waiting := self._store.waiting(_AT_ONCE):
            judged: list[tuple[datetime, int, int]] = []
            try:
                for start in self._wanted(waiting):
                    judged.append(self._late(table, state, start))
            finally:
                if judged:
                    self._store.note_late(_counted(*zip(*judged, strict=True)))

    def _late(self, table: LakeTable, state: MirroredState, start: datetime) -> tuple[datetime, int, int]:
        """The window, and how many of its orders are known to be late, and their cents."""
        end = start + state.newest
        about = self._store.about(start, end)
        if about.windows > 1 or (about.windows and (not about.the_same or about.revenue_cents is None)):
            return start, 0, 0  # doubled, without an amount, or of another length: nothing tells
        rows = table.read((*_COLUMNS, *_PLACE), Range("ts", start, end), state.snapshot.id)
        places = (rows[name].to_pylist() for name in _PLACE)
        arrived = [Arrived(*one) for one in zip(*places, _cents(rows["amount"]), strict=True)]
        judged = lateness(about.revenue_cents, arrived)
        late = judged.late if judged.verdict is Verdict.KNOWN else None
        return (start, 0, 0) if late is None else (start, late.orders, late.cents)

    def _wanted(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self._cancelled.is_set():
                raise ReadError("The mirror was closed while it read the orders.", "Open it again.")
            yield item


def orders_by_window(rows: pa.Table, window: timedelta) -> pa.Table:
    """Columns: window_start (timestamp[us], UTC unsaid), orders and cents of each window.

    `rows` have ts and amount; an amount that is none counts as an order of nothing.
    """
    # what is no time that a window can have falls into none
    rows = rows.filter(pc.and_kleene(pc.greater_equal(rows["ts"], _FIRST), pc.less(rows["ts"], _LAST)))
    length = window // _MICROSECOND
    times = rows["ts"].cast(pa.int64()).to_numpy()
    starts, places = np.unique(times - times % length, return_inverse=True)
    orders = np.bincount(places, minlength=len(starts)).astype(np.int64)
    cents = np.zeros(len(starts), np.int64)
    np.add.at(cents, places, np.array(_cents(rows["amount"]), np.int64))
    return _counted(starts, orders, cents)


def _each(batches: Iterable[pa.RecordBatch], window: timedelta) -> Iterator[pa.Table]:
    for batch in batches:
        yield orders_by_window(pa.Table.from_batches([batch]), window)


def _counted(starts: object, *counts: object) -> pa.Table:
    columns = [pa.array(starts, pa.timestamp("us")), *(pa.array(one, pa.int64()) for one in counts)]
    return pa.table(columns, names=["window_start", *_COUNTS])


def _cents(amounts: pa.ChunkedArray) -> list[int]:
    return cents_of([one if is_amount(one) else 0.0 for one in amounts.to_pylist()])
