"""How far both ends of a way are, and how far the start lets the other end come."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from dashboard.freshness.hops import Way
from dashboard.freshness.readings import PartitionReading, Readings, TopicReading
from dashboard.freshness.verdict import Stage

IDLE_AFTER = 20
"""A partition is idle when all of its topic together got so many records for each partition, and it got none: of
partitions that are chosen by a key's hash, that is one silence in 500 million, at any rate."""
_NO_OTHERS: Mapping[int, int] = {}


def ends_of(way: Way, readings: Readings) -> tuple[datetime | None, datetime | None]:
    """The frontiers of its start and of its end; None where there is none yet, or none to see.

    Of a table that tells no event time: when its topic got its newest record, and when the table was committed.
    """
    if way.stage is Stage.PAGE:
        tables = [readings.tables[name].frontier for name in way.upstream if name in readings.tables]
        return _oldest(tables), readings.page_frontier
    topics = [readings.topics.get(name) for name in way.upstream]
    start = _oldest([_not_ahead(topic, readings) for topic in topics])
    if way.stage is Stage.COMMIT:
        table = readings.tables.get(way.downstream)
        if table is None or table.snapshot_id is None:
            return start, None
        if table.frontier is not None and start is not None:
            return start, table.frontier
        return _oldest([topic.newest_at if topic else None for topic in topics]), table.committed_at
    end = readings.topics.get(way.downstream)
    return start, end.frontier if end else None


def _not_ahead(topic: TopicReading | None, readings: Readings) -> datetime | None:
    """One record with a time to come must not seem to be what everything else waits for."""
    if topic is None or topic.frontier is None:
        return None
    return min(topic.frontier, readings.latest_now)


def reach_of(way: Way, readings: Readings, others: Mapping[str, Mapping[int, int]]) -> datetime | None:
    """Up to when the event time of its start is complete: where the slowest partition of all inputs stands.

    Idle partitions do not count: what waits for them waits too long. None while one that does has never had a record.
    """
    if way.stage is not Stage.WATERMARK:
        return ends_of(way, readings)[0]
    topics = [readings.topics[name] for name in way.upstream if name in readings.topics]
    idle = {(topic.name, one.number) for topic in topics for one in idle_partitions(topic, others)}
    return _oldest(
        [one.frontier for topic in topics for one in topic.partitions if (topic.name, one.number) not in idle]
    )


def idle_partitions(topic: TopicReading, others: Mapping[str, Mapping[int, int]]) -> list[PartitionReading]:
    """Those that get nothing while the others of the topic do; `others` counts by topic and partition."""
    least = IDLE_AFTER * len(topic.partitions)
    counted = others.get(topic.name, _NO_OTHERS)
    return [one for one in topic.partitions if counted.get(one.number, 0) >= least]


def spacing(topic: TopicReading, at: datetime) -> timedelta:
    """About how far its events are apart, as far as one look tells: the second largest of the gaps between what its
    partitions got last, for the largest may be a partition that stands still."""
    newest = sorted(one.newest_at for one in topic.partitions if one.newest_at is not None)
    gaps = sorted(later - earlier for earlier, later in pairwise([*newest, max([at, *newest])]))
    return gaps[-2] if len(gaps) > 1 else gaps[0] if gaps else timedelta(0)


def _oldest(times: list[datetime | None]) -> datetime | None:
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None
