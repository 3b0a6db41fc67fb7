"""How far each topic of the pipeline has come, from the newest records of its partitions.

Of a record only its time is kept, and the one field that tells when what it is about happened.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.errors import SalesTrendsError
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.readings import Part, PartitionReading, Silence, TopicReading
from dashboard.freshness.seen import Seen
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_TABLE
from dashboard.readers.streamed_windows import utc
from dashboard.remotes.kafka import Kafka, Record
from dashboard.remotes.kafka_newest import NewestRecords, Tail, TopicTail
from dashboard.remotes.wire_format import Decoder, Undecodable
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

EVENT_TIMES = {
    PAYMENTS_TOPIC: "ts",
    ORDERS_TOPIC: "orderdate",
    "unique_payments": "ts",
    ORDERS_TABLE: "ts",
    REVENUE_TABLE: "window_end",
}
"""By topic: the field that says when it happened."""
_MOST = 100
"""So many of a partition's last offsets are looked at; records are a little out of order."""


@dataclass(frozen=True)
class _Times:
    """Of one record; UTC. None for what no clock shows: anybody may write any number."""

    record: datetime | None
    event: datetime | None


class TopicReadings:
    """Looks at topics again and again, and remembers their frontiers; one look at a time."""

    def __init__(
        self,
        kafka: Kafka,
        schema_text: Callable[[int], str | None],
        topics: Sequence[str],
        backlog: Backlog,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`schema_text` gives the registry's schemas by id; into `backlog` goes when which ends were seen."""
        self._newest = NewestRecords(kafka)
        self._decoder = Decoder(schema_text)
        self._topics = topics
        self._backlog = backlog
        self._now = now
        self._tails: dict[str, TopicTail] = {}
        """As they were, without records."""
        self._is_decoded = True
        self._readings: dict[str, TopicReading] = {}

    def look(self) -> Seen:
        """Topics, and how far Kafka's clock is ahead; with a silence of the registry where it is needed and away.

        Raises UnreachableError, SettingsError and ReadError as `NewestRecords.look`.
        """
        tails = self._newest.look(self._topics, _MOST, self._tails if self._is_decoded else {})
        at = self._now()
        times, fault = self._times(tails)
        readings = {}
        for name, tail in tails.items():
            before = self._readings.get(name) if self._is_same(name, tail) else None
            readings[name] = _reading(name, tail, times[name], before)
            self._backlog.note(name, readings[name].end, at)
        self._tails = {name: tail.without_records() for name, tail in tails.items()}
        # what could not be decoded is looked at again, as if it had not been seen
        self._is_decoded = fault is None
        self._readings = readings
        silences = () if fault is None else (Silence(Part.REGISTRY, fault.message, fault.hint),)
        return Seen(topics=readings, clock_skew=_skew(times, at), silences=silences)

    def close(self) -> None:
        self._newest.close()

    def _is_same(self, name: str, tail: TopicTail) -> bool:
        """Not one that was made anew, or lost what was in it."""
        known = self._tails.get(name)
        if known is None or known.id != tail.id:
            return False
        now = tail.partitions
        return all(number in now and one.end <= now[number].end for number, one in known.partitions.items())

    def _times(
        self, tails: Mapping[str, TopicTail]
    ) -> tuple[dict[str, dict[int, list[_Times]]], SalesTrendsError | None]:
        """Of all records; and why the registry did not give a schema, after which no event time is known."""
        fault: SalesTrendsError | None = None

        def event(record: Record, field: str | None) -> datetime | None:
            nonlocal fault
            if field is None or fault is not None:
                return None
            try:
                value = self._decoder(record.value)
            except Undecodable:
                return None
            except SalesTrendsError as error:
                fault = error
                return None
            return utc(value.get(field)) if isinstance(value, dict) else None

        def times(tail: Tail, field: str | None) -> list[_Times]:
            return [_Times(_moment(record.timestamp_ms), event(record, field)) for record in tail.records]

        found = {
            name: {number: times(tail, EVENT_TIMES.get(name)) for number, tail in one.partitions.items()}
            for name, one in tails.items()
        }
        return found, fault


def _reading(
    name: str, tail: TopicTail, times: Mapping[int, Sequence[_Times]], before: TopicReading | None
) -> TopicReading:
    known = {one.number: one for one in before.partitions} if before else {}
    partitions = []
    for number, one in tail.partitions.items():
        last = known.get(number)
        records = [each.record for each in times[number] if each.record is not None]
        newest_at = max(records, default=last.newest_at if last else None)
        events = [each.event for each in times[number] if each.event is not None]
        if last is not None and last.frontier is not None:
            events.append(last.frontier)
        partitions.append(PartitionReading(number, one.end, newest_at, max(events, default=None)))
    # of the one with the newest event: those that are late by themselves do not count for the others
    came = [(each.event, each.record) for some in times.values() for each in some if each.event and each.record]
    newest = max(came, default=None)
    lateness = newest[1] - newest[0] if newest else before.lateness if before else None
    return TopicReading(name, tuple(partitions), lateness)


def _skew(times: Mapping[str, Mapping[int, Sequence[_Times]]], at: datetime) -> timedelta | None:
    """A record that was there when it was looked for was not written later; what came shows no more than that."""
    records = [one.record for some in times.values() for each in some.values() for one in each if one.record]
    newest = max(records, default=None)
    return None if newest is None else max(newest - at, timedelta(0))


def _moment(ms: int) -> datetime | None:
    try:
        return utc(datetime.fromtimestamp(ms / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
