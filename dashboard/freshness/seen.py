"""What one part of a look brought; all parts together are the readings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dashboard.freshness.readings import Silence, StatementReading, TableflowReading, TableReading, TopicReading


@dataclass(frozen=True)
class Seen:
    """As in `Readings`; what a part does not tell is left out."""

    topics: Mapping[str, TopicReading] = field(default_factory=dict)
    statements: Mapping[str, StatementReading] = field(default_factory=dict)
    tables: Mapping[str, TableReading] = field(default_factory=dict)
    page_age: timedelta | None = None
    page_frontier: datetime | None = None
    programs: Mapping[str, str] = field(default_factory=dict)
    clock_skew: timedelta | None = None
    silences: tuple[Silence, ...] = ()
    """Of parts that were needed and are away, though this one is not."""
    notes: tuple[str, ...] = ()
    tableflow: Mapping[str, TableflowReading] = field(default_factory=dict)
