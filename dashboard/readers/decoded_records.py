"""The values of one topic as they come, from where a reader needs them; none is passed over while the registry is away.

Source: Kafka, and the registry for each schema once.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.errors import SalesTrendsError
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.kafka_live import LiveRecords
from dashboard.remotes.wire_format import Decoder, Undecodable

_ASK_AGAIN_SECONDS = 2.0
_WAIT_SECONDS = 0.05


@dataclass(frozen=True)
class Start:
    """Where reading begins: at the earlier of the two, in each partition."""

    since_ms: int = 0
    """The first record with this timestamp or a later one."""
    offsets: Mapping[int, int] = field(default_factory=dict)
    """By partition, where they are known."""


@dataclass(frozen=True)
class Came:
    """What came since the last time."""

    values: list[tuple[Record, Any]]
    """In order within a partition."""
    undecodable: int = 0
    anew: str = ""
    """Why the topic is read from its beginning again, in which case what came before is not a part of it."""


class DecodedRecords:
    """One topic's values; for one thread alone."""

    def __init__(self, kafka: Kafka, decoder: Decoder, topic: str, start: Start, *, committed: bool = True) -> None:
        """`committed`: without the records of transactions that are still open or were aborted."""
        self._decoder = decoder
        self._live = _Records(kafka, topic, start, committed=committed)
        self._waiting: deque[Record] = deque()
        """Those that came and are not decoded: the next one's schema could not be asked for."""
        self._ask_at = 0.0
        self._schema_fault: SalesTrendsError | None = None

    @property
    def is_live(self) -> bool:
        """Whether all that stood in the topic when it was begun with is read."""
        return self._live.is_live and not self._waiting

    @property
    def fault(self) -> SalesTrendsError | None:
        """Why nothing can be read now; it is tried again and again."""
        return self._schema_fault or self._live.fault

    def behind(self) -> int:
        """Offsets between what was read and the end."""
        return self._live.behind() + len(self._waiting)

    def poll(self) -> Came:
        """What has come; waits a moment where nothing has."""
        anew = ""
        if not self._waiting:
            polled = self._live.poll()
            anew = polled.anew
            self._waiting.extend(polled.records)
        elif time.monotonic() < self._ask_at:
            time.sleep(_WAIT_SECONDS)
            return Came([])
        values: list[tuple[Record, Any]] = []
        undecodable = 0
        while self._waiting:
            try:
                values.append((self._waiting[0], self._decoder(self._waiting[0].value)))
            except Undecodable:
                undecodable += 1
            except SalesTrendsError as fault:
                self._schema_fault, self._ask_at = fault, time.monotonic() + _ASK_AGAIN_SECONDS
                break
            self._schema_fault = None
            self._waiting.popleft()
        return Came(values, undecodable, anew)

    def close(self) -> None:
        self._live.close()


class _Records(LiveRecords):
    """From given offsets on."""

    def __init__(self, kafka: Kafka, topic: str, start: Start, *, committed: bool) -> None:
        super().__init__(kafka, topic, since_ms=start.since_ms, committed=committed)
        self._given = start.offsets

    def _first_offsets(self, seen: Any) -> dict[int, int]:
        # what is given may be of a topic that this one has replaced, which only its records' times tell
        by_time = super()._first_offsets(seen)
        return {partition: min(offset, self._given.get(partition, offset)) for partition, offset in by_time.items()}
