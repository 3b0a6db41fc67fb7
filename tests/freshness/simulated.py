"""A pipeline on paper, second by second, and what a look at it would read: by the rules of Flink, without any."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.tableflow import statement_name
from dashboard.freshness.hops import Way, ways_of
from dashboard.freshness.judgement import judge
from dashboard.freshness.memory import Memory
from dashboard.freshness.readings import (
    Part,
    PartitionReading,
    Readings,
    Silence,
    StatementReading,
    TableReading,
    TopicReading,
)
from dashboard.freshness.thresholds import Thresholds, default_thresholds
from dashboard.freshness.verdict import Verdict
from dashboard.settings import PipelineSettings
from dashboard.targets import TargetKind

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
PAYMENTS, ORDERS, UNIQUE, COMPLETED, REVENUE = (
    "payments",
    "shiftleft.public.orders",
    "unique_payments",
    "completed_orders",
    "revenue_summary",
)
LETTERS = "error-payments"
DEDUPLICATION, JOIN, SUMS = (
    "unique-payments-maintenance",
    "completed-orders-materializer",
    "revenue-summary-materializer",
)
WATERMARK_S = 5.0


@dataclass
class Topic:
    """Records in event time, seconds since the beginning."""

    partitions: int
    ends: list[int] = field(default_factory=list)
    newest_at: list[float | None] = field(default_factory=list)
    frontiers: list[float | None] = field(default_factory=list)
    lateness: float = 0.0
    unread: list[tuple[int, float, bool]] = field(default_factory=list)
    """Partition, event time, whether it goes further than the next statement; not read yet."""

    def __post_init__(self) -> None:
        self.ends = [0] * self.partitions
        self.newest_at = [None] * self.partitions
        self.frontiers = [None] * self.partitions

    def add(self, partition: int, event: float, now: float, *, counts: bool = True) -> None:
        self.ends[partition] += 1
        self.newest_at[partition] = now
        self.frontiers[partition] = max(event, self.frontiers[partition] or event)
        self.lateness = now - event
        self.unread.append((partition, event, counts))

    def reading(self, name: str) -> TopicReading:
        return TopicReading(
            name,
            tuple(
                PartitionReading(number, self.ends[number], at(self.newest_at[number]), at(self.frontiers[number]))
                for number in range(self.partitions)
            ),
            timedelta(seconds=self.lateness),
        )


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


class Simulated:
    """Payments at random, 6 partitions, one in ten sent twice, at once or later, and one in thirty without an order."""

    def __init__(
        self,
        rate: float,
        window: float = 5,
        commit: float = 10,
        checkpoint: float = 1,
        *,
        kind: TargetKind = "local",
        seed: int = 7,
    ) -> None:
        self._random = random.Random(seed)
        self.rate = rate
        self.window, self.commit, self.checkpoint = window, commit, checkpoint
        self.now = 0.0
        self.topics = {PAYMENTS: Topic(6), ORDERS: Topic(6), LETTERS: Topic(1)}
        self.topics |= {name: Topic(1) for name in (UNIQUE, COMPLETED, REVENUE)}
        self._read: list[float | None] = [None] * 6
        self._waiting: list[tuple[float, bool]] = []
        self._open: dict[float, int] = {}
        self._completed: float | None = None
        self._due = {name: self._random.uniform(0, checkpoint) for name in (DEDUPLICATION, JOIN, SUMS)}
        self._due["commit"] = self._random.uniform(0, commit)
        self.table: float | None = None
        self.committed_at: float | None = None
        self.page: float | None = None
        self.page_at = 0.0
        self._next = {PAYMENTS: 0.0, ORDERS: 0.0}
        self.heal()
        settings = PipelineSettings(
            window_size=timedelta(seconds=window),
            checkpoint_interval=timedelta(seconds=checkpoint),
            commit_interval=timedelta(seconds=commit),
        )
        self.ways: tuple[Way, ...] = ways_of(load_pipeline(settings), settings, kind)
        self.thresholds = Thresholds(default_thresholds(self.ways, settings.window_size))
        self.memory = Memory()
        self.verdict: Verdict | None = None

    def step(self) -> None:
        """One second goes by."""
        for source in (PAYMENTS, ORDERS):
            while self._next[source] < self.now + 1:
                if source not in self.silent:
                    self._sell(source, self._next[source])
                self._next[source] += self._random.expovariate(self.rate)
        self.now += 1
        for _ in range(self.letters):
            self.topics[LETTERS].add(0, self.now, self.now)
        for name, work in ((DEDUPLICATION, self._deduplicate), (JOIN, self._join), (SUMS, self._sum)):
            if self._is_due(name, self.checkpoint) and self._does(name):
                work()
        copies = statement_name(REVENUE)
        if self._is_due("commit", self.commit) and self._does(copies) and Part.CATALOG not in self.silences:
            self.table, self.committed_at = self.topics[REVENUE].frontiers[0], self.now
        if Part.CATALOG not in self.silences and self.asks:
            self.page, self.page_at = self.table, self.now

    @property
    def statements(self) -> list[str]:
        return [DEDUPLICATION, JOIN, SUMS, *(statement_name(topic) for topic in self.topics if topic != LETTERS)]

    def heal(self) -> None:
        """Nothing is wrong with it, or no longer."""
        self.silent: set[str] = set()
        """Sources that nothing comes into."""
        self.shut: set[int] = set()
        """Partitions of payments that get nothing."""
        self.late_by = 0.0
        self.letters = 0
        self.stuck: set[str] = set()
        """Statements that do nothing, whatever they say of themselves."""
        self.phases: dict[str, str] = {}
        self.stopped: set[str] = set()
        self.silences: dict[Part, str] = {}
        self.programs: dict[str, str] = {}
        self.skew = 0.0
        """Seconds that the clock of who looks is behind everybody else's."""
        self.asks = True
        """The page does, for the newest state."""
        # as when topics are made anew: no frontier lies ahead of the clock
        for topic in self.topics.values():
            topic.frontiers = [None if one is None else min(one, self.now) for one in topic.frontiers]
        self._read = [None if one is None else min(one, self.now) for one in self._read]
        self._waiting = [(min(event, self.now), counts) for event, counts in self._waiting]

    def stop_program(self, source: str, program: str) -> None:
        """Who writes this source."""
        self.silent.add(source)
        self.programs[program] = "stopped"

    def run(self, seconds: int, every: int = 1) -> Iterator[Verdict]:
        """The verdict of a look every so many seconds."""
        for second in range(seconds):
            self.step()
            if second % every == 0:
                yield self.look()

    def look(self) -> Verdict:
        readings = self.readings()
        self.memory = self.memory.after(readings, self.ways)
        self.verdict = judge(readings, self.ways, self.thresholds, self.verdict, self.memory)
        return self.verdict

    def readings(self) -> Readings:
        is_away = Part.KAFKA in self.silences
        tables = {
            topic: TableReading(topic, 1, at(self.committed_at if topic == REVENUE else self.now))
            for topic in self.topics
            if topic != LETTERS
        }
        if self.table is not None:
            tables[REVENUE] = TableReading(REVENUE, 2, at(self.committed_at), 3, at(self.table))
        return Readings(
            START + timedelta(seconds=self.now - self.skew),
            timedelta(milliseconds=200),
            {} if is_away else {name: topic.reading(name) for name, topic in self.topics.items()},
            {}
            if Part.FLINK in self.silences
            else {
                name: StatementReading(
                    name, self.phases.get(name, "RUNNING"), is_stopped=name in self.stopped, pending=0
                )
                for name in self.statements
            },
            {} if Part.CATALOG in self.silences else tables,
            timedelta(seconds=self.now - self.page_at),
            at(self.page),
            self.programs,
            timedelta(seconds=self.skew),
            tuple(Silence(part, message) for part, message in self.silences.items()),
        )

    def _sell(self, source: str, when: float) -> None:
        open_ = [one for one in range(6) if source != PAYMENTS or one not in self.shut]
        partition = self._random.choice(open_)
        topic = self.topics[source]
        topic.add(partition, when - self.late_by, when)
        again = self._random.random()
        if source == PAYMENTS and again < 0.1:
            # half of them for an order of before, at the time when that was paid first
            paid = when - self.late_by + (0.001 if again < 0.05 else -600)
            topic.add(self._random.choice(open_) if again >= 0.05 else partition, paid, when, counts=False)

    def _is_due(self, name: str, every: float) -> bool:
        if self.now < self._due[name]:
            return False
        self._due[name] += every
        return True

    def _does(self, name: str) -> bool:
        return name not in self.stuck and name not in self.stopped and self.phases.get(name, "RUNNING") == "RUNNING"

    def _deduplicate(self) -> None:
        for partition, event, counts in self.topics[PAYMENTS].unread:
            self._read[partition] = max(event, self._read[partition] or event)
            self._waiting.append((event, counts))
        self.topics[PAYMENTS].unread.clear()
        if any(one is None for one in self._read):
            return
        watermark = min(one for one in self._read if one is not None) - WATERMARK_S
        for event, counts in sorted(self._waiting):
            if event <= watermark and counts:
                self.topics[UNIQUE].add(0, event, self.now)
        self._waiting = [one for one in self._waiting if one[0] > watermark]

    def _join(self) -> None:
        self.topics[ORDERS].unread.clear()
        for _, event, _ in self.topics[UNIQUE].unread:
            if self._random.random() > 1 / 30:
                self.topics[COMPLETED].add(0, event, self.now)
        self.topics[UNIQUE].unread.clear()

    def _sum(self) -> None:
        for _, event, _ in self.topics[COMPLETED].unread:
            self._completed = max(event, self._completed or event)
            end = (event // self.window + 1) * self.window
            self._open[end] = self._open.get(end, 0) + 1
        self.topics[COMPLETED].unread.clear()
        closed = [end for end in self._open if self._completed is not None and end <= self._completed - WATERMARK_S]
        for end in sorted(closed):
            del self._open[end]
            self.topics[REVENUE].add(0, end, self.now)
        self.topics[REVENUE].unread.clear()


def seconds_until(pipeline: Simulated, found: Callable[[Verdict], bool], within: int) -> int:
    """After how many seconds `found(verdict)` is true; fails when it does not become so."""
    for second in count(1):
        pipeline.step()
        verdict = pipeline.look()
        if found(verdict):
            return second
        assert second < within, f"not within {within} s: {verdict.headline()} {verdict.held_at}"
    raise AssertionError
