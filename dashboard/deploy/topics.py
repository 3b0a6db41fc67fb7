"""Makes what the statements stand on: the topics and their contracts. Both are safe to repeat."""

from dashboard.deploy.pipeline import Pipeline
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.registry import Registry

_KEEP_FOR_EVER = {"retention.ms": "-1"}
"""History has past timestamps: any retention would delete it."""


def create_topics(pipeline: Pipeline, kafka: Kafka) -> list[str]:
    """Creates every topic that is missing and returns their names.

    The tables' topics have one partition, written in order by one task, so that no slow partition holds the
    watermark of the next statement; the input topics have as many as on Confluent Cloud.
    """
    wanted = [Topic(topic.name, topic.partitions, _KEEP_FOR_EVER) for topic in pipeline.topics]
    wanted += [Topic(table, 1, _KEEP_FOR_EVER) for table in pipeline.created_tables]
    return kafka.create_topics(wanted)


def register_contracts(pipeline: Pipeline, registry: Registry) -> None:
    """Registers the schemas of the input topics; raises ContractError when one breaks compatibility."""
    for topic in pipeline.topics:
        for part, schema in (("key", topic.key), ("value", topic.value)):
            if schema is not None:
                registry.register(f"{topic.name}-{part}", schema)
