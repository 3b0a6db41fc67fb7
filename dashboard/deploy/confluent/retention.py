"""How far back the pipeline's topics reach, and so how much of what is made anew can be filled again."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from dashboard.deploy.pipeline import Pipeline
from dashboard.deploy.resources import Id
from dashboard.remotes.cloud_statement import Table
from dashboard.remotes.kafka import Kafka

_OPTION = "kafka.retention.time"
_FOR_EVER = ("0 ms", "0", "")


class Retention:
    """Of topics that others make and of those of tables as well as of our own."""

    def __init__(self, pipeline: Pipeline, kafka: Kafka) -> None:
        self._kafka = kafka
        self._written = {Id("statement", one.name): one.filled_table for one in pipeline.statements if one.filled_table}
        self.topics = frozenset({*(one.name for one in pipeline.topics), *pipeline.created_tables})
        self._since: dict[str, str] = {}

    def look(self, topic: str) -> None:
        """Asks a topic that is there whether records of it are gone, whatever it is to keep from now on."""
        self._since.pop(topic, None)
        starts = self._kafka.start_offsets(topic)
        cut = {partition for partition, offset in starts.items() if offset > 0}
        if cut:
            now_ms = int(time.time() * 1000)
            oldest = self._kafka.oldest_timestamps_ms(topic)
            # from then on every partition is whole; an empty one does not tell
            since_ms = min(max((oldest[one] for one in cut & oldest.keys()), default=now_ms), now_ms)
            self._since[topic] = f"{datetime.fromtimestamp(since_ms / 1000, UTC):%Y-%m-%d}"

    def keeps_for(self, id_: Id, tables: Mapping[str, Table]) -> str:
        """Of a topic, or of a statement the topic that it fills: since when or for how long, and where.

        Empty where no record is gone and none will be.
        """
        topic = id_.name if id_.kind == "topic" else self._written.get(id_, "")
        option = tables[topic].options.get(_OPTION, "") if topic in tables else ""
        # the option first: with it the day moves on, and a plan of yesterday would be another one today
        kept = self._since.get(topic, "") if option in _FOR_EVER else option
        return f"{kept} in {topic}" if kept else ""
