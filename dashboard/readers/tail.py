"""The live end of one topic, read once for all who look: every record is counted, the newest are kept.

Source: Kafka. One thread reads; whoever looks takes what is there and waits for nothing, neither Kafka nor registry.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.readers.order_counts import OrderCounts, Second, Sums
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.kafka_live import LiveRecords
from dashboard.remotes.wire_format import HEADER_BYTES, Decoder, NotAskedFor, Undecodable

KEPT_RECORDS = 20_000
KEPT_BYTES = 32 * 1024 * 1024
LOOKED_BACK = timedelta(minutes=2)
"""So much of the past is read at the beginning, so that the first to look sees what has just been."""
_UNWATCHED_SECONDS = 60.0
"""After so long without anybody who looks, it ends."""
_WAITING_RECORDS = 100_000
_WAITING_BYTES = 32 * 1024 * 1024
"""Records that wait for their schema; what comes beyond them is counted and in no sum."""
_ASKED_AT_ONCE = 100
"""Schemas; a topic full of made-up ids must not keep the registry busy."""
_ASK_AGAIN_SECONDS = 2.0
_ASKS_SECONDS = 5.0
"""So long an answer of the registry may hold up the others."""
_WAIT_SECONDS = 0.01
_HEADER_BYTES = 150
_JOIN_SECONDS = 3.0
_FAILED_SECONDS = 10.0


@dataclass(frozen=True)
class TailView:
    """What a tail holds at one moment."""

    newest: int
    """The number of the newest record; the first one that came has 1."""
    oldest: int
    """The number of the oldest that is kept; above `newest` when none is."""
    sums: Sums
    """Of all that came, whether kept or not."""
    undecodable: int
    """Records whose value cannot be read."""
    waiting: int
    """Records whose schema is not known yet: in no sum so far."""
    began: datetime
    """When counting began, UTC; another time stands for another counting."""
    counted_from: datetime
    """The first moment of which every record is counted, by the records' own time; UTC."""
    anew: str
    """Why counting began anew then; empty for the first time."""
    newest_at: datetime | None
    """The end of the newest second with a record, by the records' own time; None without one."""
    is_live: bool
    """Whether the end of the topic has been reached since it was begun with."""
    behind: int
    """Offsets between what was read and the end."""
    fault: SalesTrendsError | None
    """Why nothing can be read now, which is tried again and again."""
    fault_since: datetime | None
    committed: bool
    """Whether only committed records are read."""
    schema_fault: SalesTrendsError | None
    """Why the schemas that records wait for cannot be asked for."""


class Tail:
    """Reads until nobody has looked for a minute, or until it is closed; then a new one is needed."""

    def __init__(
        self,
        kafka: Kafka,
        schema_text: Callable[[int], str | None],
        topic: str,
        *,
        committed: bool = True,
        wants_schema: bool = True,
        amount_field: str = "",
    ) -> None:
        """`amount_field` is summed; without one, records are only counted."""
        self.topic = topic
        self.decoded = Decoder(schema_text)
        self._kafka = kafka
        self._committed = committed
        self._wants_schema = wants_schema
        self._amount_field = amount_field
        self._lock = threading.Lock()
        self._kept: deque[Record] = deque()
        self._kept_bytes = 0
        self._newest = 0
        self._counts = OrderCounts()
        self._undecodable = 0
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._asking: threading.Thread | None = None
        self._ask_at = 0.0
        self._began = datetime.now(UTC)
        self._anew = ""
        self._is_live = False
        self._behind = 0
        self._fault: SalesTrendsError | None = None
        self._fault_since: datetime | None = None
        self._schema_fault: SalesTrendsError | None = None
        self._ending = threading.Event()
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"tail of {topic}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._ending.is_set() or not self._thread.is_alive()

    def close(self) -> None:
        """Ends it; returns when its consumer is closed, or after three seconds."""
        self._ending.set()
        self._thread.join(_JOIN_SECONDS)

    def look(self, *, keeps_going: bool = True) -> TailView:
        """What there is now; people who look keep it going."""
        if keeps_going:
            self._looked = time.monotonic()
        with self._lock:
            return TailView(
                newest=self._newest,
                oldest=self._newest - len(self._kept) + 1,
                sums=self._counts.sums,
                undecodable=self._undecodable,
                waiting=len(self._waiting),
                began=self._began,
                counted_from=self._began if self._anew else self._began - LOOKED_BACK,
                anew=self._anew,
                newest_at=self._counts.newest(),
                is_live=self._is_live,
                behind=self._behind,
                fault=self._fault,
                fault_since=self._fault_since,
                committed=self._committed,
                schema_fault=self._schema_fault if self._waiting else None,
            )

    def newest(self, most: int, *, after: int = 0) -> list[tuple[int, Record]]:
        """At most so many of the newest records that are kept with a higher number than `after`, the newest first."""
        with self._lock:
            count = min(most, len(self._kept), max(0, self._newest - after))
            records = list(islice(reversed(self._kept), count))
            return [(self._newest - place, record) for place, record in enumerate(records)]

    def following(self, after: int, most: int) -> list[tuple[int, Record]]:
        """At most so many of the oldest records that are kept with a higher number than `after`, the oldest first."""
        with self._lock:
            oldest = self._newest - len(self._kept) + 1
            first = max(after + 1, oldest)
            begin = first - oldest
            return list(enumerate(islice(self._kept, begin, begin + most), first))

    def record(self, partition: int, offset: int) -> Record | None:
        """One that is still kept."""
        with self._lock:
            found = (one for one in reversed(self._kept) if (one.partition, one.offset) == (partition, offset))
            return next(found, None)

    def seconds(self, span: timedelta, bucket: timedelta, until: datetime) -> list[Second]:
        """What each bucket of the span before `until` came to; see `OrderCounts.last`."""
        with self._lock:
            return self._counts.last(span, bucket, until, with_amounts=bool(self._amount_field))

    def _run(self) -> None:
        since = self._began - LOOKED_BACK
        live = LiveRecords(self._kafka, self.topic, since_ms=int(since.timestamp() * 1000), committed=self._committed)
        try:
            while not self._ending.is_set() and time.monotonic() - self._looked < _UNWATCHED_SECONDS:
                if self._should_wait():
                    self._ending.wait(_WAIT_SECONDS)
                    self._learn()
                    continue
                polled = live.poll()
                if polled.anew:
                    self._begin_anew(polled.anew)
                self._take(polled.records)
                self._learn()
                self._tell(live)
        except Exception as error:
            trace = save_trace(error)
            fault = ReadError(f"Reading {self.topic} ended by a fault of Sales Trends itself.", f"See {trace}.")
            with self._lock:
                self._fault, self._fault_since = fault, datetime.now(UTC)
            # long enough to be seen: the next who looks begins a new one
            self._ending.wait(_FAILED_SECONDS)
        finally:
            self._ending.set()
            live.close()
            with self._lock:
                self._kept.clear()
                self._waiting.clear()

    def _begin_anew(self, why: str) -> None:
        with self._lock:
            self._kept.clear()
            self._kept_bytes = 0
            self._waiting.clear()
            self._waiting_bytes = 0
            self._counts = OrderCounts()
            self._undecodable = 0
            self._began = datetime.now(UTC)
            self._anew = why

    def _take(self, records: Sequence[Record]) -> None:
        """Counts and keeps them all; those whose schema is not known yet also wait for it."""
        if not records:
            return
        read = self._read(records)
        with self._lock:
            self._counts.count([record.timestamp_ms // 1000 for record in records], now=time.time())
            self._settle(read)
            self._let_wait(read.waiting)
            self._newest += len(records)
            self._keep(records)

    def _read(self, records: Sequence[Record]) -> "_Read":
        seconds: list[int] = []
        amounts: list[object] = []
        waiting: list[Record] = []
        undecodable = 0
        plain, amount_field = self.decoded.plain, self._amount_field
        for record in records:
            wire = record.value
            if not self._wants_schema and not (wire or b"").startswith(b"\0"):
                continue
            try:
                value = plain(wire)
            except NotAskedFor:
                waiting.append(record)
            except Undecodable:
                undecodable += 1
            else:
                if amount_field:
                    seconds.append(record.timestamp_ms // 1000)
                    amounts.append(value.get(amount_field) if isinstance(value, dict) else None)
        return _Read(seconds, amounts, waiting, undecodable)

    def _settle(self, read: "_Read") -> None:
        if self._amount_field:
            self._counts.sum(read.seconds, read.amounts)
        self._undecodable += read.undecodable
        self._leave_out(read.undecodable)

    def _let_wait(self, records: Sequence[Record]) -> None:
        for place, record in enumerate(records):
            if len(self._waiting) >= _WAITING_RECORDS or self._waiting_bytes >= _WAITING_BYTES:
                self._leave_out(len(records) - place)
                return
            self._waiting.append(record)
            self._waiting_bytes += _size(record)

    def _leave_out(self, count: int) -> None:
        if self._amount_field:
            self._counts.leave_out(count)

    def _keep(self, records: Sequence[Record]) -> None:
        self._kept.extend(records)
        self._kept_bytes += sum(map(_size, records))
        while len(self._kept) > KEPT_RECORDS or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= _size(self._kept.popleft())

    def _should_wait(self) -> bool:
        """Whether too many wait for a schema that is being asked for; what stands in the topic can wait there."""
        asked_for = time.monotonic() - self._ask_at + _ASK_AGAIN_SECONDS
        many = len(self._waiting) > _WAITING_RECORDS // 2 or self._waiting_bytes > _WAITING_BYTES // 2
        return self._asking is not None and many and asked_for < _ASKS_SECONDS

    def _learn(self) -> None:
        """Asks for the schemas that records wait for, in a thread of its own: the others go on meanwhile."""
        if self._asking is not None and not self._asking.is_alive():
            self._asking = None
            with self._lock:
                asked, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
            read = self._read(asked)
            with self._lock:
                self._settle(read)
                self._let_wait(read.waiting)
        if self._waiting and self._asking is None and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK_AGAIN_SECONDS
            wires = {record.value[:HEADER_BYTES]: record.value for record in self._waiting if record.value}
            some = list(islice(wires.values(), _ASKED_AT_ONCE))
            self._asking = threading.Thread(target=self._ask, args=(some,), daemon=True)
            self._asking.start()

    def _ask(self, wires: Sequence[bytes]) -> None:
        fault = None
        try:
            for wire in wires:
                self.decoded.learn(wire)
        except SalesTrendsError as error:
            fault = error
        with self._lock:
            self._schema_fault = fault

    def _tell(self, live: LiveRecords) -> None:
        behind = live.behind()
        with self._lock:
            self._is_live, self._behind = live.is_live, behind
            if live.fault is None or self._fault is None:
                self._fault_since = None if live.fault is None else datetime.now(UTC)
            self._fault = live.fault


@dataclass(frozen=True)
class _Read:
    """What became of some records."""

    seconds: list[int]
    """Of those that are read and may have an amount."""
    amounts: list[object]
    waiting: list[Record]
    undecodable: int


def _size(record: Record) -> int:
    """Bytes, about: of a header also what holds it, for there may be a million of empty ones."""
    size = len(record.value or b"") + len(record.key or b"")
    if record.headers:
        size += sum(_HEADER_BYTES + len(name) + len(value or b"") for name, value in record.headers)
    return size
