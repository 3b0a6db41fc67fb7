"""Whether an Avro schema can follow the earlier ones: the seven compatibility levels of the registry.

The pair check is `avro.compatibility`; what a level asks of which versions is written here, because no library says it.
Logical types do not take part, as in the Java implementation: `timestamp-millis` and a plain `long` are compatible.
"""

import json
from collections.abc import Sequence
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.name import Names
from avro.schema import Schema, make_avsc_object

from dashboard.local.registry.refusals import SchemaInvalid

LEVELS = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)

_NOT_A_SCHEMA = (AvroException, AttributeError, KeyError, TypeError, ValueError, RecursionError)


def parse_avro(text: str, references: Sequence[str] = ()) -> Schema:
    """The schema in `text`, which may use types of the schemas it references, listed after what they need themselves.

    Raises SchemaInvalid naming what the parser met.
    """
    try:
        names = Names()
        for reference in references:
            make_avsc_object(_without_logical_types(json.loads(reference)), names)
        return make_avsc_object(_without_logical_types(json.loads(text)), names)
    except _NOT_A_SCHEMA as exc:
        raise SchemaInvalid(f"Invalid schema: {exc or type(exc).__name__}") from exc


def compact(text: str) -> str:
    """The same JSON without white space, its keys in the order they came: two layouts of a schema are one schema."""
    try:
        compacted = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        compacted.encode()
    except (ValueError, RecursionError) as exc:
        raise SchemaInvalid(f"Invalid schema: it is not JSON: {exc or type(exc).__name__}") from exc
    return compacted


def normal(text: str) -> str:
    """The normal form: keys sorted, `{"type": "string"}` written `"string"`; documentation and tags stay."""
    return json.dumps(_normalized(json.loads(text)), separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def incompatibilities(level: str, candidate: Schema, earlier: Sequence[Schema]) -> list[str]:
    """Why `candidate` may not follow `earlier` (oldest first) under `level`; empty means it may."""
    if level == "NONE":
        return []
    compared = earlier if level.endswith("_TRANSITIVE") else earlier[-1:]
    faults: list[str] = []
    for schema in reversed(compared):
        if level.startswith(("BACKWARD", "FULL")):
            faults += _cannot_read(reader=candidate, writer=schema, what="the new schema cannot read the old data")
        if level.startswith(("FORWARD", "FULL")):
            faults += _cannot_read(reader=schema, writer=candidate, what="the old schema cannot read the new data")
    return faults


def _cannot_read(*, reader: Schema, writer: Schema, what: str) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # the package is typed in part
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(sorted({kind.name for kind in result.incompatibilities}))
    return [f"{what}: {kinds} at {', '.join(sorted(result.locations))}: {', '.join(sorted(result.messages))}"]


def _without_logical_types(node: Any) -> Any:
    """The parser warns about logical types younger than itself, such as local-timestamp-millis."""
    if isinstance(node, list):
        return [_without_logical_types(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_logical_types(value) for key, value in node.items() if key != "logicalType"}
    return node


def _normalized(node: Any) -> Any:
    if isinstance(node, list):
        return [_normalized(item) for item in node]
    if isinstance(node, dict):
        if node.keys() == {"type"} and isinstance(node["type"], str):
            return node["type"]
        return {key: _normalized(value) for key, value in node.items()}
    return node
