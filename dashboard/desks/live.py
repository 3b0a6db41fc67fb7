"""What people see of topics while records come in: the functions behind the page of live orders.

Each takes who calls and checks that before anything else. Viewers see completed orders, ops every topic of the
pipeline; nobody sees a card number. However many look at a topic, it is read once.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cachetools import LRUCache, TTLCache

from dashboard.access import Caller, Role
from dashboard.clusters import kafka_and_registry, kind_of
from dashboard.current_settings import current_settings
from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import ReadError, SettingsError
from dashboard.pipeline_reading import reading_of, wants_schema
from dashboard.readers.condition import Condition
from dashboard.readers.matches import Found, Matches
from dashboard.readers.order_counts import Second
from dashboard.readers.readable import Readable, raw_text
from dashboard.readers.seek import Seek, SeekProgress, Start
from dashboard.readers.tail import LOOKED_BACK, Tail, TailView
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings, Settings, load_settings
from dashboard.targets import TargetKind, target_names, with_target

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDERS = "completed_orders"
AMOUNT, PAID = "amount", "ts"
"""Fields of a completed order."""
SHOWN_ROWS = 40
"""As many as people can follow; what is counted is all."""
HELD_ROWS = 200
BUCKET = timedelta(seconds=2)
SEEKS_AT_ONCE = 4
_MINUTE = timedelta(minutes=1)
_CHART_SECONDS = 1.0
_CONDITIONS = 32
"""At once; the one that nobody has asked for the longest is forgotten first."""
_SEEKS_KEPT = 64
_SEEK_SECONDS = 900
_NONE: Mapping[int, Readable] = MappingProxyType({})

Clusters = Callable[[Settings], tuple[Kafka, Registry]]


@dataclass(frozen=True)
class Chart:
    """How a topic moved in the last two minutes. Shared by all who look: never change it."""

    buckets: list[Second]
    """The oldest first."""
    until: datetime
    """How far the last one is known, UTC."""
    made_at: float
    """By the monotonic clock."""
    _figures: dict[str, "Figure"] = field(default_factory=dict, repr=False)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.made_at < _CHART_SECONDS

    def figure(self, zone: ZoneInfo) -> "Figure":
        """It in this zone, made once for all who look."""
        if zone.key not in self._figures:
            # Plotly takes a third of a second that other users of this module need not wait
            from dashboard.charts import live_bars

            self._figures[zone.key] = live_bars(self.buckets, until=self.until, bucket=BUCKET, zone=zone)
        return self._figures[zone.key]


@dataclass(frozen=True)
class Live:
    """A topic at one moment. Shared by all who look: never change it."""

    view: TailView
    rows: tuple[tuple[int, Readable], ...]
    """The newest with their numbers, the newest first."""
    last_minute: Second
    """The minute that ends with the newest record; with now when that one is older than two minutes."""
    until: datetime
    """Its end, UTC."""
    chart: Chart
    """May lack the last second: at many records a second it would else be another one at each look."""


@dataclass(frozen=True)
class Whole:
    """One record, all of it."""

    readable: Readable
    raw: str
    """Key and value as bytes; only how many, where the record hides anything."""


@dataclass(frozen=True)
class _Begun:
    """Somebody's look back."""

    by: str
    """The caller's name."""
    target: str
    topic: str
    seek: Seek


class LiveDesk:
    """One for a process; any thread may call."""

    def __init__(self, clusters: Clusters = kafka_and_registry) -> None:
        self._clusters = clusters
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._seeks: TTLCache[str, _Begun] = TTLCache(_SEEKS_KEPT, _SEEK_SECONDS)

    def targets(self, caller: Caller) -> list[str]:
        """What may be chosen; whoever is no admin sees the one that this dashboard shows."""
        caller.require(Role.VIEWER, "Live orders")
        settings = current_settings()
        return target_names(settings) if caller.may(Role.ADMIN) else [settings.target]

    def kind(self, caller: Caller, target: str) -> TargetKind:
        caller.require(Role.VIEWER, "Live orders")
        return kind_of(target)

    def topics(self, caller: Caller) -> list[str]:
        """Those that this caller may see, completed orders first."""
        caller.require(Role.VIEWER, "Live orders")
        return list(_topics(current_settings().pipeline)) if caller.may(Role.OPS) else [ORDERS]

    def look(self, caller: Caller, target: str, topic: str) -> Live:
        """What there is now; waits for nothing."""
        return self._at(caller, target, topic).look()

    def kept(self, caller: Caller, target: str, topic: str) -> tuple[tuple[int, Readable], ...]:
        """More of the newest with their numbers than `look` gives: time to read while a list is held still."""
        return self._at(caller, target, topic).kept(HELD_ROWS)

    def find(self, caller: Caller, target: str, topic: str, where: str) -> Found:
        """What a condition has found so far; raises SettingsError for what is none."""
        return self._at(caller, target, topic).find(where)

    def record(self, caller: Caller, target: str, topic: str, id_: str) -> Whole:
        """The record at `partition:offset`, with its bytes; raises ReadError when it is not there."""
        return self._at(caller, target, topic).whole(id_)

    def seek(self, caller: Caller, target: str, topic: str, start: Start, where: str = "") -> str:
        """Begins to look back, and gives the name under which it can be watched and cancelled by the same caller.

        Raises SettingsError for a wrong condition, ReadError when four others are at work.
        """
        watched = self._at(caller, target, topic)
        condition = Condition(where) if where.strip() else None
        with self._at_one_time():
            if sum(not begun.seek.progress.is_done for begun in self._seeks.values()) >= SEEKS_AT_ONCE:
                raise ReadError(
                    f"{SEEKS_AT_ONCE} people look back into topics already.", "Try again when one of them is done."
                )
            name = uuid.uuid4().hex
            self._seeks[name] = _Begun(caller.name, target, topic, watched.seek(start, condition))
        return name

    def sought(self, caller: Caller, name: str) -> SeekProgress:
        """How far it is; raises ReadError for one that is forgotten or somebody else's."""
        return self._sought(caller, name).progress

    def cancel(self, caller: Caller, name: str) -> None:
        self._sought(caller, name).cancel()

    def close(self) -> None:
        """Ends all reading; for the end of the process."""
        with self._at_one_time():
            for begun in self._seeks.values():
                begun.seek.cancel()
            for watched in self._watched.values():
                watched.close()

    def _sought(self, caller: Caller, name: str) -> Seek:
        caller.require(Role.VIEWER, "Looking back")
        with self._at_one_time():
            begun = self._seeks.get(name)
        if begun is None or begun.by != caller.name:
            raise ReadError("What was found there is kept no more.", "Look back again.")
        self.require(caller, begun.target, begun.topic)
        return begun.seek

    @contextmanager
    def _at_one_time(self) -> Iterator[None]:
        # the cache's `get` and `values` look twice, and between the two something may expire
        with self._lock, self._seeks.timer:
            yield

    def require(self, caller: Caller, target: str, topic: str) -> None:
        """Raises what keeps this caller from seeing that topic now: AccessError, or SettingsError where it is none."""
        caller.require(Role.VIEWER if topic == ORDERS else Role.OPS, f"Seeing the topic {topic}")
        settings = current_settings()
        topics = _topics(settings.pipeline)
        if topic not in topics:
            raise SettingsError(f"{topic} is no topic of the pipeline.", f"Wanted {', '.join(topics)}.")
        if target != settings.target:
            caller.require(Role.ADMIN, f"Seeing the target {target}")

    def _at(self, caller: Caller, target: str, topic: str) -> "_Watched":
        self.require(caller, target, topic)
        with self._lock:
            watched = self._watched.get((target, topic))
            if watched is None or watched.tail.ended:
                watched = self._watched[target, topic] = self._begun(target, topic)
            return watched

    def _begun(self, target: str, topic: str) -> "_Watched":
        settings = with_target(load_settings(target=target))
        return _Watched(settings, topic, *self._clusters(settings))


@cache
def _topics(pipeline: PipelineSettings) -> tuple[str, ...]:
    described = load_pipeline(pipeline)
    names = [topic.name for topic in described.topics] + list(described.created_tables)
    return (ORDERS, *(name for name in names if name != ORDERS))


class _Watched:
    """One topic that is read."""

    def __init__(self, settings: Settings, topic: str, kafka: Kafka, registry: Registry) -> None:
        self._kafka = kafka
        self._committed = not settings.live.read_uncommitted
        self.tail = Tail(
            kafka,
            registry.schema,
            topic,
            committed=self._committed,
            wants_schema=wants_schema(settings.pipeline, topic),
            amount_field=AMOUNT if topic == ORDERS else "",
        )
        # in the thread of whoever looks nothing is asked of the registry
        self._readable = reading_of(settings.pipeline, topic, self.tail.decoded.known)
        self._sought = reading_of(settings.pipeline, topic, self.tail.decoded)
        self._lock = threading.Lock()
        self._matches: LRUCache[str, Matches] = LRUCache(_CONDITIONS)
        self._live: tuple[tuple[object, ...], Live] | None = None
        self._charted: tuple[tuple[object, ...], Chart] | None = None

    def look(self) -> Live:
        """Made once for each state and second, whoever looks."""
        view = self.tail.look()
        now = datetime.now(UTC).replace(microsecond=0)
        recent = view.newest_at is not None and now - view.newest_at < LOOKED_BACK
        until = view.newest_at if recent and view.newest_at else now
        state = (view.began, view.newest, view.sums, until)
        with self._lock:
            if self._live is None or self._live[0] != state:
                [minute] = self.tail.seconds(_MINUTE, _MINUTE, until)
                before = self._live[1] if self._live and self._live[1].view.began == view.began else None
                made = {number: row for number, row in before.rows if not row.fault} if before else _NONE
                self._live = (state, Live(view, self.kept(SHOWN_ROWS, made), minute, until, self._chart(state, until)))
            # its faults and what it waits for change without a record
            return replace(self._live[1], view=view, chart=self._chart(state, until))

    def _chart(self, state: tuple[object, ...], until: datetime) -> Chart:
        """Of this state, or of one before in the same counting that is less than a second old."""
        held = self._charted
        if held is None or (held[0] != state and not (held[0][0] == state[0] and held[1].is_fresh)):
            end = until + timedelta(seconds=-until.timestamp() % BUCKET.total_seconds())
            buckets = self.tail.seconds(LOOKED_BACK, BUCKET, end)
            # the newest second may get more
            held = self._charted = (state, Chart(buckets, until - timedelta(seconds=1), time.monotonic()))
        return held[1]

    def kept(self, most: int, made: Mapping[int, Readable] = _NONE) -> tuple[tuple[int, Readable], ...]:
        """The newest so many; those that were made readable before, by number, are not made again."""
        return tuple((number, made.get(number) or self._readable(record)) for number, record in self.tail.newest(most))

    def find(self, where: str) -> Found:
        with self._lock:
            matches = self._matches.get(where)
            if matches is None or matches.ended:
                condition = Condition(where)
                if len(self._matches) == _CONDITIONS and where not in self._matches:
                    self._matches.popitem()[1].end()
                matches = self._matches[where] = Matches(self.tail, condition, self._readable)
        return matches.look()

    def whole(self, id_: str) -> Whole:
        partition, offset = _place(id_)
        record = self.tail.record(partition, offset)
        if record is None and offset < self._kafka.end_offsets(self.tail.topic).get(partition, 0):
            starts, ends = {partition: offset}, {partition: offset + 1}
            with closing(self._kafka.records(self.tail.topic, starts, ends, committed=self._committed)) as records:
                record = next((one for one in records if one.offset == offset), None)
        if record is None:
            raise ReadError(f"{self.tail.topic} has no record {id_}.", "It may have expired; look at newer ones.")
        readable = self._sought(record)
        return Whole(readable, raw_text(record, readable))

    def seek(self, start: Start, condition: Condition | None) -> Seek:
        return Seek(self._kafka, self.tail.topic, start, self._sought, condition, committed=self._committed)

    def close(self) -> None:
        with self._lock:
            for matches in self._matches.values():
                matches.end()
        self.tail.close()


def _place(id_: str) -> tuple[int, int]:
    partition, _, offset = id_.partition(":")
    if not (partition.isdecimal() and offset.isdecimal() and len(partition) < 10 and len(offset) < 19):
        raise SettingsError(f"{id_[:40]!r} is no place of a record.", "Wanted partition:offset, such as 0:42.")
    return int(partition), int(offset)
