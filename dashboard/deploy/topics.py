"""The topics of the pipeline as they are made on a cluster of one's own."""

from dashboard.deploy.pipeline import InputTopic
from dashboard.remotes.kafka import Topic

_KEEP_FOR_EVER = {"retention.ms": "-1"}
"""History has past timestamps: any retention would delete it."""


def input_topic(topic: InputTopic) -> Topic:
    """As many partitions as on Confluent Cloud."""
    return Topic(topic.name, topic.partitions, _KEEP_FOR_EVER)


def created_topic(table: str) -> Topic:
    """One partition, written in order by one task, so that no slow one holds the watermark of the next statement."""
    return Topic(table, 1, _KEEP_FOR_EVER)
