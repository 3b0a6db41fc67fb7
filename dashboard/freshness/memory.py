"""What earlier looks add to a look: which events are due at the end of a way, and how fast things come.

A mark is an event that was seen at the start of a way. It is *due* at its end once event time has gone on by the way's
`lag` and the `work` had its time. That something due has not come tells that it is late, and for how long, at any rate
and length of window: what merely waits for the next event is not due.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dashboard.freshness.frontiers import ends_of, reach_of, spacing
from dashboard.freshness.hops import Way
from dashboard.freshness.readings import Part, Readings, TopicReading
from dashboard.freshness.verdict import Stage

FORGOTTEN_AFTER = timedelta(minutes=5)
"""So long without a look, and nothing is known of what was between."""
_MOST_MARKS = 64
_MARKS_A_WAY = 32
_LEAST_BETWEEN_MARKS = timedelta(seconds=1)
_SEEDS = 4
_FEWEST_RECORDS = 4
"""A few may be left out for good, such as payments that were sent twice: only more of them in a row are late."""
_SAMPLED_EVERY = timedelta(seconds=5)
_SAMPLED_FOR = timedelta(minutes=1)
_WEIGHT = 0.05
"""Of one record in the mean gap: about the last twenty count."""
_GENEROUS = 20


@dataclass(frozen=True)
class Mark:
    frontier: datetime
    seen_at: datetime
    records: int
    """That the inputs had ever had by then."""
    due_at: datetime | None = None


@dataclass(frozen=True)
class TopicMemory:
    """What is remembered of a topic."""

    frontier: datetime | None
    newest_at: datetime | None
    came_at: datetime | None
    """When records last came, as looks saw it; None before the first."""
    ends: Mapping[int, int]
    others: Mapping[int, int]
    """By partition: records that its topic got since it got one itself."""
    gap: timedelta
    """Mean time between its records."""
    stood: int = 0
    """Records that came since its frontier went on."""
    pace: float = 0.0
    """How many times as fast as the clock the frontier went on when it last did; 0 while it stands and records come."""


@dataclass(frozen=True)
class Sample:
    """Counters at one moment."""

    at: datetime
    counts: Mapping[str, int]
    counted_since: Mapping[str, datetime] = field(default_factory=dict)
    """Of counters that a target counts from a beginning that moves on."""


@dataclass(frozen=True)
class Memory:
    """Of all looks so far; bounded however long they go on."""

    since: datetime | None = None
    at: datetime | None = None
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    """By the name of the way, the oldest first; those that have not come to its end. Without a way until both of its
    ends could be seen."""
    topics: Mapping[str, TopicMemory] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    silent_since: Mapping[Part, datetime] = field(default_factory=dict)
    """Of each part that did not answer the last look: since when it does not."""

    def after(self, readings: Readings, ways: Iterable[Way]) -> "Memory":
        """With one more look; anew after a long time without any."""
        then = self
        if self.at is None or not timedelta(0) <= readings.at - self.at <= FORGOTTEN_AFTER:
            then = Memory(since=readings.at)
        topics = {name: _topic(then.topics.get(name), one, readings.at) for name, one in readings.topics.items()}
        now = replace(
            then,
            at=readings.at,
            topics=dict(then.topics) | topics,
            samples=_sampled(then, readings),
            silent_since={one.part: then.silent_since.get(one.part, readings.at) for one in readings.silences},
        )
        marked = {way.name: _marks(way, then, now, readings) for way in ways if way.stage in _MARKED}
        return replace(now, marks={name: marks for name, marks in marked.items() if marks is not None})

    @property
    def others(self) -> dict[str, Mapping[int, int]]:
        return {name: topic.others for name, topic in self.topics.items()}

    @property
    def is_first(self) -> bool:
        """Whether one look is all there is."""
        return self.since == self.at

    def overdue(self, way: Way) -> timedelta:
        """For how long something has been due at the end of a way and has not come.

        Of a statement: since when more have been due than one that it may leave out.
        """
        fewest = _FEWEST_RECORDS if way.stage is Stage.WATERMARK else 1
        due = [(one.due_at, one.records) for one in self.marks.get(way.name, ()) if one.due_at is not None]
        since = (at for at, records in due if records - due[0][1] + 1 >= fewest)
        return max(timedelta(0), self.at - at) if self.at and (at := next(since, None)) else timedelta(0)

    def grown(self, count: str, within: timedelta = timedelta(minutes=1)) -> tuple[int, timedelta]:
        """By how much a counter has grown in about so long, a minute at most, and in how long exactly."""
        samples = [one for one in self.samples if self.at is not None and self.at - one.at <= within]
        known = [sample for sample in samples if count in sample.counts]
        if len(known) < 2:
            return 0, timedelta(0)
        first, last = known[0], known[-1]
        if first.counted_since.get(count) != last.counted_since.get(count):
            return 0, timedelta(0)
        fell = last.counts[count] < first.counts[count]  # it began anew
        return last.counts[count] - (0 if fell else first.counts[count]), last.at - first.at


_MARKED = (Stage.WATERMARK, Stage.COMMIT, Stage.PAGE)


def _topic(before: TopicMemory | None, now: TopicReading, at: datetime) -> TopicMemory:
    ends = {one.number: one.end for one in now.partitions}
    if before is None or ends.keys() != before.ends.keys() or any(ends[one] < before.ends[one] for one in ends):
        came_at = min(now.newest_at, at) if now.newest_at else None
        return TopicMemory(now.frontier, now.newest_at, came_at, ends, dict.fromkeys(ends, 0), spacing(now, at))
    grown = {number: end - before.ends[number] for number, end in ends.items()}
    came = sum(grown.values())
    others = {number: 0 if grown[number] else before.others[number] + came for number in ends}
    gained = now.frontier - before.frontier if now.frontier and before.frontier else timedelta(0)
    moved = now.frontier is not None and (before.frontier is None or gained > timedelta(0))
    gap, came_at, pace = before.gap, before.came_at, before.pace
    if came:
        mean = max(timedelta(0), at - (came_at or at)) / came
        gap += (mean - gap) * (1 - (1 - _WEIGHT) ** came)
        came_at = at
        pace = gained / (at - before.came_at) if moved and before.came_at and at > before.came_at else 0.0
    stood = 0 if moved else before.stood + came
    return TopicMemory(now.frontier, now.newest_at, came_at, ends, others, gap, stood, pace)


def _sampled(before: Memory, readings: Readings) -> tuple[Sample, ...]:
    late = {name: one.late_records for name, one in readings.statements.items() if one.late_records is not None}
    counts = {name: topic.end for name, topic in readings.topics.items()} | late
    since = {name: one.counted_since for name, one in readings.statements.items() if one.counted_since is not None}
    samples = before.samples
    if len(samples) > 1 and samples[-1].at - samples[-2].at < _SAMPLED_EVERY:
        samples = samples[:-1]  # the newest one is always this look's
    kept = [sample for sample in samples if readings.at - sample.at <= _SAMPLED_FOR]
    return (*kept, Sample(readings.at, counts, since))


def _marks(way: Way, before: Memory, now: Memory, readings: Readings) -> tuple[Mark, ...] | None:
    """None while it is not known how far its ends are: what is late since before the first look must not seem new."""
    start, end = ends_of(way, readings)
    reach = reach_of(way, readings, now.others)
    marks = before.marks.get(way.name)
    if marks is None:
        if start is None or (end is None and readings.silences):
            return None
        marks = _seeds(way, start, end, readings)
    if start is None:
        return marks
    if marks and start < marks[-1].frontier:
        marks = ()  # a topic that was made anew begins from before
    marks = tuple(mark for mark in marks if end is None or mark.frontier > end)
    mark = Mark(start, readings.at, sum(readings.topics[name].end for name in way.upstream if name in readings.topics))
    between = max(_LEAST_BETWEEN_MARKS, way.normal / _MARKS_A_WAY)
    if (end is None or start > end) and (not marks or start > marks[-1].frontier):
        if len(marks) >= _MOST_MARKS:
            marks = (*marks[:-1], mark)
        elif not marks or readings.at - marks[-1].seen_at >= between:
            marks = (*marks, mark)
    return tuple(
        replace(one, due_at=readings.at + way.work)
        if one.due_at is None and reach is not None and reach - way.lag >= one.frontier
        else one
        for one in marks
    )


def _seeds(way: Way, start: datetime, end: datetime | None, readings: Readings) -> tuple[Mark, ...]:
    """What the first look at both ends has instead of marks: as if events had come evenly between both ends.

    Generously, for how far events are really apart is hardly known, and nothing waits for what has not come.
    """
    if end is None:
        return ()
    several = [topic for topic in readings.topics.values() if len(topic.partitions) > 1]
    apart = max((spacing(topic, readings.at) for topic in several or readings.topics.values()), default=timedelta(0))
    late = start - end - way.normal - apart * _GENEROUS
    if late <= timedelta(0):
        return ()
    return tuple(
        Mark(
            end + late * place / _SEEDS + timedelta(milliseconds=1),
            readings.at,
            place * _FEWEST_RECORDS,
            readings.at - late * (_SEEDS - place) / _SEEDS,
        )
        for place in range(_SEEDS)
    )
