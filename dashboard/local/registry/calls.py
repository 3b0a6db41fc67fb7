"""One request to the registry: its decoded path, its query and its JSON body, each asked for by meaning.

Raises BadRequest for a body that is not what the API describes, TooLarge for one beyond the limit, SchemaInvalid for a
schema type other than Avro: JSON Schema and Protobuf are refused, never answered 'compatible'.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.requests import Request

from dashboard.local.registry.refusals import BadRequest, NotPermitted, RuleSetInvalid, SchemaInvalid, TooLarge
from dashboard.local.registry.subjects import Candidate
from dashboard.local.registry.tags import EntityTags, TagChange

LARGEST_BODY_BYTES = 8 * 2**20
_UNKNOWN_HERE = ("schemaTagsToAdd", "schemaTagsToRemove", "propagateSchemaTags")

T = TypeVar("T")


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body; one beyond the limit is read to its end and thrown away, so that the client hears why."""
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit_bytes:
            body += chunk
    if size > limit_bytes:
        raise TooLarge(limit_bytes)
    return bytes(body)


class Call:
    """What the caller wants."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.query = request.query_params
        self._path = {name: unquote(part) for name, part in request.path_params.items()}
        self._body = body

    def part(self, name: str) -> str:
        """A part of the path; empty where the path has none, such as the subject of the global settings."""
        return self._path.get(name, "")

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def wants(self, *, deleted: bool) -> bool:
        """Whether a list shows a thing that is, or is not, soft deleted."""
        if self.flag("deletedOnly") or self.flag("deleted_only"):  # the second is how the Python client spells it
            return deleted
        return self.flag("deleted") or not deleted

    def page(self, items: Sequence[T]) -> list[T]:
        """The part of a list between `offset` and `limit`; a limit below one means no limit."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        return list(items[max(offset, 0) :][: limit if limit > 0 else None])

    def content(self) -> dict[str, Any]:
        """The JSON object in the body."""
        try:
            content = json.loads(self._body)
        except (ValueError, RecursionError) as exc:
            raise BadRequest(f"The body is not JSON: {exc}") from exc
        if not isinstance(content, dict):
            raise BadRequest(f"The body is a JSON object, got {type(content).__name__}.")
        return content

    def candidate(self) -> Candidate:
        """The schema in the body."""
        content = self.content()
        schema_type = content.get("schemaType") or "AVRO"
        if schema_type != "AVRO":
            raise SchemaInvalid(f"Schema type {schema_type!r} is not supported by this registry; it knows AVRO only.")
        for field in _UNKNOWN_HERE:
            if content.get(field):
                raise NotPermitted(f"{field} is not supported by this registry; send the tags in the schema.")
        if (content.get("id") or -1) != -1:
            raise NotPermitted("This registry has no import mode; it gives the ids itself.")
        return Candidate(
            text=_typed(content, "schema", str) or "",
            references=_references(content),
            metadata=_typed(content, "metadata", dict),
            rule_set=_typed(content, "ruleSet", dict),
            normalize=self.flag("normalize"),
        )

    def tag_change(self) -> TagChange:
        """What is to become of the tags of a version, of its metadata and its rules."""
        content = self.content()
        merge, remove = _typed(content, "rulesToMerge", dict), _typed(content, "rulesToRemove", list)
        rule_set = _typed(content, "ruleSet", dict)
        if rule_set is not None and (merge is not None or remove is not None):
            raise RuleSetInvalid("ruleSet should be omitted if specifying rulesToMerge or rulesToRemove")
        return TagChange(
            add=_entities(content, "tagsToAdd"),
            remove=_entities(content, "tagsToRemove"),
            metadata=_typed(content, "metadata", dict),
            rule_set=rule_set,
            rules_to_merge=merge,
            rules_to_remove=[str(name) for name in remove or []],
            new_version=_typed(content, "newVersion", int),
        )

    def level(self) -> str:
        """The compatibility level in the body; what else a configuration may hold is refused, not dropped."""
        content = {key: value for key, value in self.content().items() if value is not None}
        unknown = sorted(content.keys() - {"compatibility", "compatibilityLevel"})
        if unknown:
            raise NotPermitted(f"{', '.join(unknown)} cannot be configured in this registry.")
        return str(content.get("compatibility") or content.get("compatibilityLevel") or "").upper()

    def mode(self) -> str:
        return str(self.content().get("mode") or "").upper()

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name)
        try:
            return default if text is None else int(text)
        except ValueError as exc:
            raise BadRequest(f"{name} is a whole number, got {text!r}.") from exc


def _typed(content: dict[str, Any], field: str, kind: type[T]) -> T | None:
    value = content.get(field)
    if value is not None and not isinstance(value, kind):
        raise BadRequest(f"{field} is of type {kind.__name__}, got {type(value).__name__}.")
    return value


def _references(content: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    references = _typed(content, "references", list) or []
    for reference in references:
        if not isinstance(reference, dict) or not isinstance(reference.get("version"), int):
            raise BadRequest(f"A reference has a name, a subject and a version, got {reference!r}.")
    return tuple(references)


def _entities(content: dict[str, Any], field: str) -> list[EntityTags]:
    entities: list[EntityTags] = []
    for one in _typed(content, field, list) or []:
        match one:
            case {"schemaEntity": {"entityPath": str(path), "entityType": ("sr_field" | "sr_record") as kind}}:
                tags = one.get("tags") or []
                if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                    raise BadRequest(f"The tags of {path} in {field} are a list of texts.")
                entities.append(EntityTags(path, kind, tuple(tags)))
            case _:
                raise BadRequest(f"{field} names entityPath and entityType (sr_field or sr_record), got {one!r}.")
    return entities
