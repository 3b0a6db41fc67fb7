"""Tags inside a schema: added to and removed from the records and fields that a path names.

Source: AvroSchema.java and AvroSchemaUtils.java of Confluent Schema Registry @794611bd.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dashboard.local.registry.refusals import SchemaInvalid

_TAGS = "confluent:tags"


@dataclass(frozen=True)
class EntityTags:
    """Tags of one record or field."""

    path: str
    """`Sale` or `Sale.cc_number`, or either with the namespace before it."""
    kind: Literal["sr_record", "sr_field"]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class TagChange:
    """What becomes of a version: its tags, and with them the metadata and rules of the version that this makes."""

    add: Sequence[EntityTags] = ()
    remove: Sequence[EntityTags] = ()
    metadata: dict[str, Any] | None = None
    """None means: as the version has it."""
    rule_set: dict[str, Any] | None = None
    """In the place of all rules; None means: as the latest version has them."""
    rules_to_merge: dict[str, Any] | None = None
    """Added to those of the latest version, in the place of those with the same names."""
    rules_to_remove: Sequence[str] = ()
    new_version: int | None = None
    """Which version the caller expects to make."""


def retagged(text: str, change: TagChange) -> str:
    """The schema with tags added, then removed. Raises SchemaInvalid naming a path that leads nowhere."""
    schema = json.loads(text)
    for entity in change.add:
        node = _found(schema, entity)
        node[_TAGS] = list(dict.fromkeys([*_tags(node), *entity.tags]))
    for entity in change.remove:
        node = _found(schema, entity)
        kept = [tag for tag in _tags(node) if tag not in entity.tags]
        node.pop(_TAGS, None)
        if kept:
            node[_TAGS] = kept
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def _tags(node: dict[str, Any]) -> list[Any]:
    tags = node.get(_TAGS, [])
    if not isinstance(tags, list):
        raise SchemaInvalid(f"{_TAGS} of {node['name']} is a list, got {tags!r}")
    return tags


def _found(schema: Any, entity: EntityTags) -> dict[str, Any]:
    path = entity.path.removeprefix(".")
    record, _, field = path.rpartition(".") if entity.kind == "sr_field" else (path, "", "")
    for full_name, node in _records(schema):
        if record not in (full_name, full_name.rpartition(".")[2]):
            continue
        if entity.kind == "sr_record":
            return node
        for one in node["fields"]:
            if one["name"] == field:
                return cast("dict[str, Any]", one)
    raise SchemaInvalid(f"No matching path '{entity.path}' found in the schema")


def _records(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record by its full name, the outer ones first."""
    waiting = deque([(schema, "")])
    while waiting:
        node, namespace = waiting.popleft()
        if isinstance(node, list):
            waiting.extend((one, namespace) for one in node)
        elif isinstance(node, dict):
            if node["type"] in ("record", "error"):
                name = node["name"] if "." in node["name"] else f"{node.get('namespace', namespace)}.{node['name']}"
                name = name.removeprefix(".")
                yield name, node
                waiting.extend((field["type"], name.rpartition(".")[0]) for field in node["fields"])
            else:
                waiting.extend((part, namespace) for part in _parts(node))


def _parts(node: dict[str, Any]) -> Iterable[Any]:
    return (node[key] for key in ("items", "values", "type") if key in node)
