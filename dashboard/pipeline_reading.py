"""How records of the pipeline's topics are made readable: by what its files say of topics and secrets."""

from collections.abc import Callable
from typing import Any

from dashboard.deploy.pipeline import load_pipeline
from dashboard.readers.readable import Reading
from dashboard.settings import PipelineSettings

_PERSONAL = frozenset({"pii", "private", "sensitive"})
"""Tags that Confluent Cloud has from the start, beside PUBLIC."""


def reading_of(pipeline: PipelineSettings, topic: str, decoded: Callable[[bytes | None], Any]) -> Reading:
    """Of a topic, whatever it is; without the fields that any contract of the pipeline calls secret or personal."""
    return Reading(decoded, secret_names(pipeline), wants_schema=wants_schema(pipeline, topic))


def secret_names(pipeline: PipelineSettings) -> frozenset[str]:
    """Names of fields and columns, in small letters, that only admins may see, in whatever table they stand.

    Those that a contract encrypts, would if nobody had turned that off, or tags as personal.
    """
    described = load_pipeline(pipeline.model_copy(update={"encrypt_fields": True}))
    contracts = [topic.contract for topic in described.topics if topic.contract]
    tagged = {
        name
        for contract in contracts
        for name, tags in (contract.tags or {}).items()
        if any(tag.casefold() in _PERSONAL for tag in tags)
    }
    encrypted = {name for contract in contracts for name in contract.secret_fields}
    return frozenset(name.casefold() for name in tagged | encrypted)


def wants_schema(pipeline: PipelineSettings, topic: str) -> bool:
    """Whether a value without a schema is a fault: on the pipeline's topics, but for those that hold text."""
    described = load_pipeline(pipeline)
    with_schema = [one.name for one in described.topics if one.value is not None]
    return topic in [*with_schema, *described.created_tables]
