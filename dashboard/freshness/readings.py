"""What was seen of a pipeline at one moment: topics, statements and tables as they are, judged by nobody yet.

All times are UTC. An *event time* is when something happened in the shop, as its record tells; a *record time* is when
Kafka was given the record. The frontier of a topic or table is the newest event time that has reached it: what lies
between the frontiers of two neighbours is held up between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Part(StrEnum):
    """The systems that are looked at; each can be away on its own."""

    KAFKA = "Kafka"
    REGISTRY = "schema registry"
    FLINK = "Flink"
    METRICS = "metrics"
    CATALOG = "catalog"
    TABLEFLOW = "Tableflow"
    READERS = "dashboard's readers"


@dataclass(frozen=True)
class PartitionReading:
    number: int
    end: int
    """The offset after its newest record."""
    newest_at: datetime | None
    """Record time of its newest record; None without one."""
    frontier: datetime | None
    """Newest event time among its newest records."""


@dataclass(frozen=True)
class TopicReading:
    name: str
    partitions: tuple[PartitionReading, ...]
    lateness: timedelta | None = None
    """By how much the newest record was given to Kafka after its event; None where no event time can be read."""

    @property
    def newest_at(self) -> datetime | None:
        return max((one.newest_at for one in self.partitions if one.newest_at), default=None)

    @property
    def frontier(self) -> datetime | None:
        return max((one.frontier for one in self.partitions if one.frontier), default=None)

    @property
    def end(self) -> int:
        """Of all partitions together: how many records it ever had, marks of transactions included."""
        return sum(one.end for one in self.partitions)


@dataclass(frozen=True)
class StatementReading:
    """A statement; what a target does not tell is None."""

    name: str
    phase: str
    """The target's word: RUNNING, PENDING, DEGRADED, FAILED, STOPPED, RESTARTING, … or `absent`."""
    detail: str = ""
    """Why it is not running, in one line."""
    warnings: tuple[str, ...] = ()
    is_stopped: bool = False
    """By somebody, on purpose."""
    input_watermark: datetime | None = None
    """Up to this event time its input is complete; the smallest of all tasks. None before the first."""
    output_watermark: datetime | None = None
    records_in: int | None = None
    """Since it was started, as `records_out`, `late_records` and `restarts`."""
    records_out: int | None = None
    late_records: int | None = None
    """That came after their window had closed, and were left out."""
    pending: int | None = None
    """Records of its input that it has not read yet."""
    pending_for: timedelta | None = None
    """How long ago the oldest of them came, as far as that was watched."""
    restarts: int | None = None
    checkpoint_age: timedelta | None = None
    scaling: str = ""
    """Confluent Cloud's word for whether it has the compute that it needs."""
    measured_at: datetime | None = None
    """When watermarks and pending records were so; None where it was when the look was taken."""
    counted_since: datetime | None = None
    """Since when records in, out and late are counted, where that is not its start."""

    @property
    def runs(self) -> bool:
        return self.phase == "RUNNING"


@dataclass(frozen=True)
class TableReading:
    name: str
    snapshot_id: int | None
    """None before the first commit."""
    committed_at: datetime | None
    rows: int | None = None
    frontier: datetime | None = None
    """Of `revenue_summary`: when its newest window ends."""


@dataclass(frozen=True)
class TableflowReading:
    """What Confluent Cloud says of the copying of a topic to its table."""

    name: str
    phase: str
    """Its word: PENDING, RUNNING, FAILED, … or `absent`."""
    detail: str = ""
    """What is wrong, in one line."""
    is_suspended: bool = False
    """It copies no more until it is told to go on."""


@dataclass(frozen=True)
class Silence:
    """A part that could not be looked at: what it would tell is not known."""

    part: Part
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Readings:
    """One look at everything. Shared by all who look: never change it."""

    at: datetime
    """When the look began."""
    took: timedelta
    topics: Mapping[str, TopicReading] = field(default_factory=dict)
    """By name; those of the pipeline that exist."""
    statements: Mapping[str, StatementReading] = field(default_factory=dict)
    """By name; all that the pipeline has, in dependency order."""
    tables: Mapping[str, TableReading] = field(default_factory=dict)
    """By name; those of the pipeline that exist."""
    page_age: timedelta | None = None
    """How long ago the dashboard's readers last saw the newest state of revenue; None where no page asks."""
    page_frontier: datetime | None = None
    """When the newest window ends that its answers hold."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Of the local stack: what does not run though it was started, and how it is."""
    clock_skew: timedelta | None = None
    """How far Kafka's clock is ahead of ours."""
    silences: tuple[Silence, ...] = ()
    notes: tuple[str, ...] = ()
    """What is to be known of the look itself, such as metrics that are old, a sentence each."""
    tableflow: Mapping[str, TableflowReading] = field(default_factory=dict)
    """By topic; all that the pipeline has. Of Confluent Cloud alone."""
    looked_at: tuple[Part, ...] = ()
    """All that were asked, silent ones too; what such a part needs of another one is no look at that."""

    @property
    def latest_now(self) -> datetime:
        """By whichever clock is ahead, ours or Kafka's: no event lies beyond it."""
        return self.at + max(timedelta(0), self.clock_skew or timedelta(0))

    @property
    def parts_told(self) -> tuple[Part, ...]:
        """Those of which something is known: that were looked at, or were needed and silent."""
        return tuple(part for part in Part if part in self.looked_at or self.silence(part))

    def silence(self, part: Part) -> Silence | None:
        return next((one for one in self.silences if one.part is part), None)
