"""The orders of a mirror: how many each window summed up, and which came after it had closed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cachetools import LRUCache

from dashboard.readers.lake import ORDERS_TABLE, Lake
from dashboard.readers.lake_table import LakeTable, Range
from dashboard.readers.late_orders import Arrived, Verdict, lateness
from dashboard.readers.mirror_store import Crowded, MirroredState, MirrorStore
from dashboard.readers.order_counts import cents_of, is_amount

_COLUMNS = ("ts", "amount")
_PLACE = ("$$partition", "$$offset")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEW = timedelta(hours=1)
"""Windows this far before the newest are looked at again: orders and revenue are committed apart."""
_REMEMBERED = 10_000
_MOST_CROWDED = 200
"""So many windows are looked into at once; the rest the next time."""
_COUNTS = ("orders", "cents", "late_orders", "late_cents")


class OrderRefresh:
    """For one thread at a time."""

    def __init__(self, lake: Lake, store: MirrorStore) -> None:
        self._lake = lake
        self._store = store
        self._judged: LRUCache[Crowded, None] = LRUCache(_REMEMBERED)
        """Nothing more can be known of them."""

    def run(self, window: timedelta) -> None:
        """Brings the orders to the newest state of their table, one call to the catalog where nothing changed.

        `window` is how long a window is. Raises ReadError or UnreachableError; the orders are then as they were.
        """
        table = self._lake.table(ORDERS_TABLE)
        newest = None if table is None else table.newest
        if table is None or newest is None:
            return
        known = self._store.version().states.get(ORDERS_TABLE)
        state = MirroredState(ORDERS_TABLE, table.identity, newest, window)
        if known is not None and (known.identity, known.longest) == (table.identity, window):
            if known.snapshot.id == newest.id:
                self._look_for_late_ones(table, state, self._newest_ones())
                return
            added = table.added(_COLUMNS, known.snapshot.id, newest.id)
            if added is not None:
                rows = orders_by_window(added, window)
                self._store.add_orders(rows, state)
                came = [start.replace(tzinfo=UTC) for start in rows["window_start"][:1].to_pylist()]
                self._look_for_late_ones(table, state, min([self._newest_ones(), *came]))
                return
        self._store.load_orders(_each(table.batches(_COLUMNS, newest.id), window), state)
        self._look_for_late_ones(table, state, _EPOCH)

    def _newest_ones(self) -> datetime:
        ends = self._store.version().ends
        return ends - _NEW if ends > _EPOCH + _NEW else _EPOCH

    def _look_for_late_ones(self, table: LakeTable, state: MirroredState, first: datetime) -> None:
        """Among the windows from then on."""
        if not set(_PLACE) <= set(table.columns):
            return  # no offset tells which came first
        late = []
        for crowded in self._store.crowded(first, _MOST_CROWDED):
            if crowded not in self._judged:
                self._judged[crowded] = None
                late.append(self._late(table, state, crowded))
        if found := [one for one in late if one is not None]:
            self._store.add_orders(pa.concat_tables(found), state)

    def _late(self, table: LakeTable, state: MirroredState, crowded: Crowded) -> pa.Table | None:
        """What is known to be late of a window, and was not yet."""
        start, window = crowded.window_start, state.longest
        rows = table.read((*_COLUMNS, *_PLACE), Range("ts", start, start + window), state.snapshot.id)
        cents = _cents(rows["amount"])
        places = (rows[name].to_pylist() for name in _PLACE)
        arrived = [Arrived(*one) for one in zip(*places, cents, strict=True)]
        judged = lateness(crowded.revenue_cents, arrived)
        if judged.verdict is not Verdict.KNOWN or judged.late is None:
            return None
        more = (judged.late.orders - crowded.late_orders, judged.late.cents - crowded.late_cents)
        return None if more == (0, 0) else _counted([start], [0], [0], [more[0]], [more[1]])


def orders_by_window(rows: pa.Table, window: timedelta) -> pa.Table:
    """Columns: window_start (timestamp[us], UTC unsaid), orders and cents of each window; late_orders and late_cents 0.

    `rows` have ts and amount; an amount that is none counts as an order of nothing.
    """
    rows = rows.filter(pc.is_valid(rows["ts"]))
    length = window // _MICROSECOND
    times = rows["ts"].cast(pa.int64()).to_numpy()
    starts, places = np.unique(times - times % length, return_inverse=True)
    orders = np.bincount(places, minlength=len(starts)).astype(np.int64)
    cents = np.zeros(len(starts), np.int64)
    np.add.at(cents, places, np.array(_cents(rows["amount"]), np.int64))
    none = np.zeros(len(starts), np.int64)
    return _counted(starts, orders, cents, none, none)


def _each(batches: Iterable[pa.RecordBatch], window: timedelta) -> Iterator[pa.Table]:
    for batch in batches:
        yield orders_by_window(pa.Table.from_batches([batch]), window)


def _counted(starts: object, *counts: object) -> pa.Table:
    columns = [pa.array(starts, pa.timestamp("us")), *(pa.array(one, pa.int64()) for one in counts)]
    return pa.table(columns, names=["window_start", *_COUNTS])


def _cents(amounts: pa.ChunkedArray) -> list[int]:
    return cents_of([one if is_amount(one) else 0.0 for one in amounts.to_pylist()])
