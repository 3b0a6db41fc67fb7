"""What a contract's schema says of the tags of its fields, within its text and beside it."""

import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.wildcard_matcher import wildcard_match


def record_name(record: Mapping[str, Any]) -> str:
    """The full name of an Avro record, with its namespace if it has one."""
    return ".".join(filter(None, (record.get("namespace"), record.get("name"))))


def tags_within(field: Mapping[str, Any]) -> set[str]:
    """Those that stand at an Avro field itself."""
    return set(field.get("confluent:tags") or ())


def tags_beside(schema: Schema | None) -> dict[str, list[str]]:
    """Those in the schema's metadata, by a pattern for the full names of fields."""
    metadata = schema.metadata if schema else None
    return metadata.tags.tags if metadata and metadata.tags else {}


def own_tags(schema: Schema) -> dict[str, set[str]]:
    """All tags of the record's own fields, by their own names."""
    record = json.loads(schema.schema_str or "{}")
    found: dict[str, set[str]] = {}
    for field in record.get("fields", []):
        found[field["name"]] = tags_within(field)
        for pattern, tags in tags_beside(schema).items():
            if wildcard_match(f"{record_name(record)}.{field['name']}", pattern):
                found[field["name"]] |= set(tags)
    return found
