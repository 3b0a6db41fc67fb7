"""How records of the pipeline's topics are made readable: by what its files say of topics and secrets."""

from collections.abc import Callable
from typing import Any

from dashboard.deploy.pipeline import load_pipeline
from dashboard.readers.readable import Reading
from dashboard.settings import PipelineSettings


def reading_of(pipeline: PipelineSettings, topic: str, decoded: Callable[[bytes | None], Any]) -> Reading:
    """Of a topic, whatever it is; without the fields that any contract of the pipeline calls secret."""
    secret = {name for names in load_pipeline(pipeline).secret_fields.values() for name in names}
    return Reading(decoded, secret, wants_schema=wants_schema(pipeline, topic))


def wants_schema(pipeline: PipelineSettings, topic: str) -> bool:
    """Whether a value without a schema is a fault: on the pipeline's topics, but for those that hold text."""
    described = load_pipeline(pipeline)
    with_schema = [one.name for one in described.topics if one.value is not None]
    return topic in [*with_schema, *described.created_tables]
