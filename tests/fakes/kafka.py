"""A Kafka cluster in memory: topics and what is appended to them, as much as a deployment asks of one."""

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime

from dashboard.remotes.kafka import Kafka, Record, Topic


class FakeKafka(Kafka):
    """`on_write` hears of every write before it is done, and may raise."""

    def __init__(self) -> None:
        super().__init__("nowhere:0")
        self.topics: dict[str, int] = {}
        self.appended: dict[str, list[bytes]] = {}
        self.empty: set[str] = set()
        """Topics without a record; every other one holds some."""
        self.retention_ms: dict[str, str] = {}
        """Of topics that were made with one."""
        self.oldest: dict[str, datetime] = {}
        """Topics whose first records are gone, with the time of the oldest that is left in every partition."""
        self.on_write: Callable[[], None] = lambda: None

    def partitions(self, timeout_seconds: float = 0) -> dict[str, int]:
        return dict(self.topics)

    def create_topics(self, topics: Iterable[Topic]) -> list[str]:
        new = [topic for topic in topics if topic.name not in self.topics]
        if new:
            self.on_write()
        self.topics |= {topic.name: topic.partitions for topic in new}
        self.retention_ms |= {
            topic.name: topic.config["retention.ms"] for topic in new if "retention.ms" in topic.config
        }
        return [topic.name for topic in new]

    def delete_topics(self, names: Iterable[str], within_seconds: float = 0) -> None:
        self.on_write()
        self._forget(names)

    def mirror(self, created: str | None, deleted: str | None) -> None:
        """What Flink does to the topics of its tables."""
        if created:
            self.topics[created] = 6
        if deleted:
            self._forget([deleted])

    def end_offsets(self, topic: str) -> dict[int, int]:
        if self.topics[topic] == 1 and topic not in self.empty:
            return {0: max(1, len(self.appended.get(topic, [])))}
        return dict.fromkeys(range(self.topics[topic]), 0 if topic in self.empty else 1)

    def start_offsets(self, topic: str) -> dict[int, int]:
        # one that is gone by now has no partitions
        return dict.fromkeys(range(self.topics.get(topic, 0)), 1 if topic in self.oldest else 0)

    def oldest_timestamps_ms(self, topic: str) -> dict[int, int]:
        left = dict.fromkeys(range(self.topics[topic]), 1_000 * int(self.oldest[topic].timestamp()))
        return {} if topic in self.empty else left

    def records(
        self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], *, committed: bool = True
    ) -> Generator[Record, None, None]:
        """Of a topic of one partition."""
        for offset, value in enumerate(self.appended.get(topic, [])):
            if starts[0] <= offset < ends[0]:
                yield Record(0, offset, 0, value)

    def append(self, topic: str, records: Iterable[tuple[str | None, str]]) -> None:
        self.on_write()
        self.appended.setdefault(topic, []).extend(value.encode() for _, value in records)

    def values(self, topic: str) -> list[bytes]:
        return list(self.appended.get(topic, []))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.topics.pop(name, None)
            self.appended.pop(name, None)
            self.retention_ms.pop(name, None)
            self.oldest.pop(name, None)
