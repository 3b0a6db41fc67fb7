"""What is ahead of Iceberg's commit: windows that are in Kafka alone, and those that have not closed yet.

A window is committed (a row of the table), streamed (a record of `revenue_summary` that the table does not hold yet) or
open (orders in `completed_orders` that no window holds yet). Read once for all who look, for one target.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from cachetools import LRUCache

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.readers.committed import Committed
from dashboard.readers.decoded_records import Came, DecodedRecords, Start
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_TABLE
from dashboard.readers.open_windows import MOST_OPEN_WINDOWS, OpenWindow, OpenWindows
from dashboard.readers.streamed_windows import (
    MOST_WINDOWS,
    Span,
    StreamedWindows,
    Uncommitted,
    uncommitted,
    utc,
    window_in,
)
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.wire_format import Decoder

AMOUNT, PAID = "amount", "ts"
"""Fields of a completed order."""
_MARGIN = timedelta(minutes=1)
"""Records are stamped when their window ends or later; this much the clocks may differ."""
_STATES = 4
"""Of the table: so many may be looked from in turn without sorting all again."""
_UNWATCHED_SECONDS = 60.0
"""After so long without anybody who looks, it ends."""
_WAIT_SECONDS = 0.1
_JOIN_SECONDS = 3.0
_FAILED_SECONDS = 10.0


@dataclass(frozen=True)
class Ahead:
    """What is ahead of one state of the table. Shared by many: never change it."""

    streamed: pa.Table
    """window_start, window_end (timestamp[us], UTC) and total_revenue of windows that closed, oldest first; each once,
    and none that is committed. A total of NULL is a fault of the pipeline, and passed on."""
    open: tuple[OpenWindow, ...]
    """Those that have not closed, oldest first; not final."""
    doubled: tuple[Span, ...]
    """Windows that came twice, or share time with one that counts already: a fault. None is counted twice."""
    undecodable: int
    """Records of both topics that cannot be read, or are not what they should be: in none of these."""
    is_live: bool
    """Whether all is read that stood in both topics when it was begun with; before that, windows may be missing."""
    behind: int
    """Offsets between what was read and the ends."""
    anew: str
    """Why a topic was read from its beginning again the last time; empty if none was."""
    fault: SalesTrendsError | None
    """Why nothing more can be read now, which is tried again and again."""
    fault_since: datetime | None

    @property
    def is_known(self) -> bool:
        """Whether it can be shown: all is read, or nothing more can be for now, and this is what was read last."""
        return self.is_live or (self.fault is not None and self.streamed.num_rows > 0)


class Streamed:
    """One for a process and target; any thread may ask. Nothing is read while nobody asks."""

    def __init__(
        self, kafka: Kafka, schema_text: Callable[[int], str | None], window: timedelta, *, committed: bool = True
    ) -> None:
        """`window` is the length of windows as long as none has come; `committed` as for Kafka's transactions.

        Read without it, a record may come that never counts, and come again.
        """
        self._kafka = kafka
        self._schema_text = schema_text
        self._window = window
        self._committed = committed
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def ahead(self, of: Committed) -> Ahead:
        """What this state of the table does not hold; waits for nothing, so that at first `is_live` is False.

        A state from before what is held, as after a rollback, has it read again.
        """
        with self._lock:
            if self._reading is None or self._reading.ended or self._reading.lacks(of):
                if self._reading is not None:
                    self._reading.end()
                decoder = Decoder(self._schema_text)
                self._reading = _Reading(self._kafka, decoder, self._window, of, committed=self._committed)
            reading = self._reading
        return reading.ahead(of)

    def end(self) -> None:
        """Has it end soon, without waiting for that. It may be asked again."""
        with self._lock:
            if self._reading is not None:
                self._reading.end()

    def close(self) -> None:
        """Ends it; returns when its consumers are closed, or after three seconds. It may be asked again."""
        self.end()
        with self._lock:
            if self._reading is not None:
                self._reading.wait()


class _Reading:
    """Both topics from one state of the table on, in a thread of its own."""

    def __init__(self, kafka: Kafka, decoder: Decoder, window: timedelta, start: Committed, *, committed: bool) -> None:
        self._kafka = kafka
        self._decoder = decoder
        self._committed = committed
        self._start = start
        self._lock = threading.Lock()
        self._windows = StreamedWindows(start)
        self._open = OpenWindows(window)
        self._orders_since: datetime | None = None
        """Orders that were paid before are not read."""
        self._are_orders_read = False
        self._undecodable = 0
        self._is_live = False
        self._behind = 0
        self._anew = ""
        self._fault: SalesTrendsError | None = None
        self._fault_since: datetime | None = None
        self._judged: LRUCache[tuple[object, int], Uncommitted] = LRUCache(_STATES)
        self._ending = threading.Event()
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="windows ahead of the commit", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._ending.is_set() or not self._thread.is_alive()

    def end(self) -> None:
        self._ending.set()

    def wait(self) -> None:
        self._thread.join(_JOIN_SECONDS)

    def lacks(self, committed: Committed) -> bool:
        """Whether windows or orders that this state needs are not held."""
        with self._lock:
            return self._windows.lacks(committed) or self._lacks_orders(self._closed_until(committed))

    def ahead(self, committed: Committed) -> Ahead:
        self._looked = time.monotonic()
        with self._lock:
            key = (committed.state, self._windows.version)
            judged = self._judged.get(key)
            windows, twice = ((), frozenset[Span]()) if judged else self._windows.held()
            # at one moment with the windows: one that closes meanwhile would be in neither, or in both
            open_windows = self._open.after(self._closed_until(committed))
            undecodable, is_live, behind, anew = self._undecodable, self._is_live, self._behind, self._anew
            fault, fault_since = self._fault, self._fault_since
        if judged is None:
            judged = uncommitted(windows, twice, committed)
            with self._lock:
                self._judged[key] = judged
                self._windows.forget(judged.spare)
        return Ahead(judged.rows, open_windows, judged.doubled, undecodable, is_live, behind, anew, fault, fault_since)

    def _closed_until(self, committed: Committed) -> datetime | None:
        """All windows have closed that end by then."""
        newest = self._windows.newest
        return max((end for end in (newest and newest.end, committed.newest_end) if end), default=None)

    def _lacks_orders(self, closed_until: datetime | None) -> bool:
        since = self._orders_since
        return since is not None and (closed_until is None or closed_until < since)

    def _run(self) -> None:
        start = self._start
        offsets = {partition: offset + 1 for partition, offset in start.offsets.items()}
        windows = self._records(REVENUE_TABLE, Start(_since_ms(start.newest_end), offsets))
        orders: DecodedRecords | None = None
        try:
            while not self._ending.is_set() and time.monotonic() - self._looked < _UNWATCHED_SECONDS:
                if full := self._full():
                    self._ending.wait(_WAIT_SECONDS)
                if len(self._windows) < MOST_WINDOWS:
                    self._take_windows(windows.poll())
                if orders is not None and not self._are_orders_read:
                    orders.close()
                    orders = None
                if orders is None and windows.is_live:
                    # not before: what has closed by then need not be read
                    orders = self._records(ORDERS_TABLE, self._begin_orders())
                if orders is not None and len(self._open) < MOST_OPEN_WINDOWS:
                    self._take_orders(orders.poll())
                self._tell(windows, orders, full)
        except Exception as error:
            trace = save_trace(error)
            with self._lock:
                self._is_live = False
                self._fault_since = datetime.now(UTC)
                self._fault = ReadError(
                    "Reading ahead of the commit ended by a fault of Sales Trends itself.", f"See {trace}."
                )
            # long enough to be seen: the next who looks begins a new one
            self._ending.wait(_FAILED_SECONDS)
        finally:
            self._ending.set()
            windows.close()
            if orders is not None:
                orders.close()
            with self._lock:
                self._is_live = False
                self._windows.begin_anew()
                self._open = OpenWindows(self._open.length)

    def _records(self, topic: str, start: Start) -> DecodedRecords:
        return DecodedRecords(self._kafka, self._decoder, topic, start, committed=self._committed)

    def _take_windows(self, came: Came) -> None:
        with self._lock:
            if came.anew:
                self._windows.begin_anew()
                self._undecodable = 0
                self._anew = came.anew
                self._forget_orders(self._open.length)
            self._undecodable += came.undecodable
            for record, value in came.values:
                window = window_in(record.partition, record.offset, value)
                if window is None:
                    self._undecodable += 1
                else:
                    self._windows.take(window)
            newest = self._windows.newest
            if newest is None or not came.values:
                return
            if newest.end - newest.start != self._open.length:
                # the pipeline was rebuilt
                self._forget_orders(newest.end - newest.start)
            self._open.close(newest.end)

    def _forget_orders(self, length: timedelta) -> None:
        self._open = OpenWindows(length)
        self._orders_since, self._are_orders_read = None, False

    def _begin_orders(self) -> Start:
        with self._lock:
            self._orders_since, self._are_orders_read = self._closed_until(self._start), True
            return Start(_since_ms(self._orders_since))

    def _take_orders(self, came: Came) -> None:
        orders = [
            (paid, value.get(AMOUNT))
            for _, value in came.values
            if isinstance(value, dict) and (paid := utc(value.get(PAID))) is not None
        ]
        with self._lock:
            if came.anew:
                self._open = OpenWindows(self._open.length)
                self._anew = came.anew
            self._undecodable += came.undecodable + len(came.values) - len(orders)
            newest = self._windows.newest
            self._open.take(orders, newest and newest.end)

    def _full(self) -> ReadError | None:
        """Why nothing more is read, where too much is held."""
        if len(self._windows) >= MOST_WINDOWS:
            return ReadError(
                f"{len(self._windows):,} windows are in Kafka and not in Iceberg: more are not held.",
                "The rest is read when the table holds these; `sales-trends status` says whether it is written.",
            )
        if len(self._open) >= MOST_OPEN_WINDOWS:
            return ReadError(
                f"The orders of {len(self._open):,} windows wait for their revenue: more are not held.",
                "The rest is read when windows close; `sales-trends status` says how far the pipeline is.",
            )
        return None

    def _tell(self, windows: DecodedRecords, orders: DecodedRecords | None, full: ReadError | None) -> None:
        behind = windows.behind() + (0 if orders is None else orders.behind())
        fault = windows.fault or (orders and orders.fault) or full
        with self._lock:
            self._is_live = full is None and windows.is_live and orders is not None and orders.is_live
            self._behind = behind
            if fault is None or self._fault is None:
                self._fault_since = None if fault is None else datetime.now(UTC)
            self._fault = fault


def _since_ms(moment: datetime | None) -> int:
    return 0 if moment is None else max(0, int((moment - _MARGIN).timestamp() * 1000))
