"""Looking back into a topic: a read with an end, which its asker can watch and cancel."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.readers.condition import Condition, Unanswerable
from dashboard.readers.readable import Readable
from dashboard.remotes.kafka import Kafka, Record

MOST_ROWS = 500
MOST_READ = 1_000_000
"""Records that one seek reads at most; then it says where it got to."""
MOST_BYTES = 64 * 1024 * 1024
"""Of values that one seek finds, as they stand in the topic; of each partition its part of it."""
_TOLD_EVERY = 500


@dataclass(frozen=True)
class Last:
    """The newest so many, the newest first."""

    count: int


@dataclass(frozen=True)
class Since:
    """From the first record with this timestamp on, the oldest first."""

    at: datetime
    """UTC."""


@dataclass(frozen=True)
class FromOffset:
    """From one place of one partition on, the oldest first."""

    partition: int
    offset: int


Start = Last | Since | FromOffset


@dataclass(frozen=True)
class SeekProgress:
    """How far a seek is; never changes, a later look gives another one."""

    rows: tuple[Readable, ...] = ()
    """What was found in the partitions that are read, in the order that its start says."""
    read: int = 0
    """Records that were read."""
    to_read: int = 0
    """Offsets there are between its start and the end as it was; some hold no record."""
    unanswered: int = 0
    """Records that the condition has no answer for."""
    why: str = ""
    """Why it had none for the first of them."""
    is_done: bool = False
    is_cancelled: bool = False
    is_complete: bool = True
    """Whether all was read that was to be read; not when enough was found before, or when there was too much."""
    fault: SalesTrendsError | None = None


class Seek:
    """Reads in a thread of its own, with a consumer of its own that joins no group."""

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        start: Start,
        readable: Callable[[Record], Readable],
        condition: Condition | None = None,
        *,
        committed: bool = True,
    ) -> None:
        self.topic = topic
        self.start = start
        self._kafka = kafka
        self._readable = readable
        self._condition = condition
        self._committed = committed
        self._cancelled = threading.Event()
        self._progress = SeekProgress()
        self._read = 0
        self._thread = threading.Thread(target=self._run, name=f"seek in {topic}", daemon=True)
        self._thread.start()

    @property
    def progress(self) -> SeekProgress:
        return self._progress

    def cancel(self) -> None:
        """What was found until now stays."""
        self._cancelled.set()

    def wait(self) -> SeekProgress:
        """Returns when it is done."""
        self._thread.join()
        return self._progress

    def _run(self) -> None:
        try:
            if isinstance(self.start, Last):
                self._read_backwards(self.start.count)
            else:
                self._read_on(*self._first(self.start))
        except SalesTrendsError as fault:
            self._tell(fault=fault)
        except Exception as error:
            trace = save_trace(error)
            self._tell(fault=ReadError(f"Reading {self.topic} ended by a fault of Sales Trends.", f"See {trace}."))
        self._tell(read=self._read, is_done=True, is_cancelled=self._cancelled.is_set())

    def _first(self, start: Since | FromOffset) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """The first offsets to be read, and the ends."""
        ends = self._ends()
        if isinstance(start, Since):
            starts = self._kafka.offsets_since(self.topic, int(start.at.astimezone(UTC).timestamp() * 1000))
            return starts, ends
        if start.partition not in ends:
            raise ReadError(f"{self.topic} has no partition {start.partition}.", f"It has 0 to {max(ends, default=0)}.")
        first, end = self._kafka.start_offsets(self.topic)[start.partition], ends[start.partition]
        if not first <= start.offset <= end:
            raise ReadError(
                f"Partition {start.partition} of {self.topic} has no offset {start.offset:,}.",
                f"It holds {first:,} to {end - 1:,}." if end > first else "It is empty.",
            )
        return {start.partition: start.offset}, {start.partition: end}

    def _ends(self) -> dict[int, int]:
        ends = self._kafka.end_offsets(self.topic)
        if not ends:
            raise ReadError(f"There is no topic {self.topic}.", "`sales-trends apply` makes it.")
        return ends

    def _read_on(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Each partition for itself: the first of all are among the first of each."""
        self._tell(to_read=sum(max(0, ends[partition] - start) for partition, start in starts.items()))
        found: list[Readable] = []
        for partition, start in sorted(starts.items()):
            its = bytes_ = 0
            for record in self._records({partition: start}, {partition: ends[partition]}):
                if (wanted := self._asked(record)) is not None:
                    found.append(wanted)
                    its, bytes_ = its + 1, bytes_ + wanted.size
                if its >= MOST_ROWS or bytes_ >= MOST_BYTES // len(starts):
                    self._tell(is_complete=False)
                    break
            self._tell(rows=tuple(sorted(found, key=_by_time)[:MOST_ROWS]))
        if len(found) > MOST_ROWS:
            self._tell(is_complete=False)

    def _read_backwards(self, count: int) -> None:
        """Each partition from its end, in steps that grow: offsets may hold no record, and records may not match."""
        ends, firsts = self._ends(), self._kafka.start_offsets(self.topic)
        self._tell(to_read=sum(ends[partition] - firsts[partition] for partition in ends))
        found: list[Readable] = []
        for partition, end in sorted(ends.items()):
            its: list[Readable] = []
            step, room = 2 * count + 10, MOST_BYTES // len(ends)
            while end > firsts[partition] and len(its) < count and room > 0 and self._goes_on():
                start = max(firsts[partition], end - step)
                newer, room = self._newest_within(room, {partition: start}, {partition: end})
                its = [*newer, *its]
                end, step = start, 4 * step
            # what lies before is older, and enough was found
            found += sorted(its, key=_by_time)[-count:]
            self._tell(rows=tuple(sorted(found, key=_by_time, reverse=True)[:count]))

    def _newest_within(
        self, room: int, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> tuple[list[Readable], int]:
        """What is wanted there, without the oldest where all of it has too many bytes; and how many are left."""
        wanted: deque[Readable] = deque()
        for record in self._records(starts, ends):
            if (found := self._asked(record)) is None:
                continue
            wanted.append(found)
            room -= found.size
            while room < 0 and len(wanted) > 1:
                room += wanted.popleft().size
                self._tell(is_complete=False)
        if not self._progress.is_complete:
            return list(wanted), 0
        return list(wanted), room

    def _records(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Record]:
        with closing(self._kafka.records(self.topic, starts, ends, committed=self._committed)) as records:
            for record in records:
                if not self._goes_on():
                    return
                self._read += 1
                if self._read % _TOLD_EVERY == 0:
                    self._tell(read=self._read)
                yield record
        self._tell(read=self._read)

    def _goes_on(self) -> bool:
        if self._read >= MOST_READ:
            self._tell(is_complete=False)
        return self._read < MOST_READ and not self._cancelled.is_set()

    def _asked(self, record: Record) -> Readable | None:
        readable = self._readable(record)
        if self._condition is None:
            return readable
        try:
            return readable if self._condition.matches(readable) else None
        except Unanswerable as error:
            self._tell(unanswered=self._progress.unanswered + 1, why=self._progress.why or str(error))
            return None

    def _tell(self, **changed: object) -> None:
        # by this thread alone
        self._progress = replace(self._progress, **changed)  # type: ignore[arg-type]


def _by_time(row: Readable) -> tuple[datetime, int, int]:
    return row.at, row.partition, row.offset
