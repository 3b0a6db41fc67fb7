"""The registry's wire format: a zero, the schema's id in four bytes, then Avro by that schema.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import json
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from cachetools import TTLCache
from fastavro import parse_schema, schemaless_reader
from fastavro.types import Schema

HEADER_BYTES = 5
_UNUSABLE_SECONDS = 10.0
"""An id that is unknown may be registered soon; a topic full of such records is no reason to ask for each of them."""


class Undecodable(Exception):
    """Why bytes do not hold a value; never a part of them."""


class NotAskedFor(Undecodable):
    """Its schema is not known yet: nobody has asked the registry for it."""


class Decoder:
    """Turns wire format into values by the schema that each was written with; no rules are run.

    By fastavro itself: the client's deserializer takes five times as long, most of it looking for tags of rules.
    """

    def __init__(self, schema_text: Callable[[int], str | None]) -> None:
        """`schema_text` is asked once for each id: the text of its schema, or None when there is no such schema."""
        self._schema_text = schema_text
        self._schemas: dict[bytes, Schema] = {}
        self._unusable: TTLCache[bytes, str] = TTLCache(1_000, _UNUSABLE_SECONDS)

    def __call__(self, wire: bytes | None) -> Any:
        """The value; raises Undecodable, and what asking for a schema raises."""
        header = wire_header(wire)
        schema = self._schemas.get(header)
        return _read(header, self._fetched(header) if schema is None else schema, wire)

    def known(self, wire: bytes | None) -> Any:
        """The value, without asking for a schema; raises NotAskedFor where that would be needed, and Undecodable."""
        header = wire_header(wire)
        schema = self._schemas.get(header)
        if schema is None:
            if header in self._unusable:
                raise Undecodable(self._unusable[header])
            raise NotAskedFor(f"its schema {schema_id(header)} is not known yet")
        return _read(header, schema, wire)

    def learn(self, wire: bytes | None) -> None:
        """Asks for the schema of this value, whatever comes of it; raises what asking raises."""
        with suppress(Undecodable):
            self._fetched(wire_header(wire))

    def _fetched(self, header: bytes) -> Schema:
        reason = self._unusable.get(header)
        if reason is None:
            text = self._schema_text(schema_id(header))
            try:
                if text is not None:
                    schema = self._schemas[header] = parse_schema(json.loads(text))
                    return schema
                reason = f"unknown schema id {schema_id(header)}"
            except Exception:
                # the library raises what the text leads it to; one of another format may be no JSON at all
                reason = f"schema {schema_id(header)} is not one of Avro that stands alone"
            self._unusable[header] = reason
        raise Undecodable(reason)


def _read(header: bytes, schema: Schema, wire: bytes | None) -> Any:
    body = BytesIO(wire or b"")
    body.seek(HEADER_BYTES)
    try:
        return schemaless_reader(body, schema, None)
    except Exception:
        # the library raises whatever the bytes lead it to, with parts of the record in it
        raise Undecodable(f"schema {schema_id(header)} does not decode it") from None


def wire_header(wire: bytes | None) -> bytes:
    """The five bytes before the value; raises Undecodable when they are not there."""
    if wire is None:
        raise Undecodable("no value")
    if not wire.startswith(b"\0"):
        raise Undecodable(f"bad magic byte {wire[0]}" if wire else "empty value")
    if len(wire) < HEADER_BYTES:
        raise Undecodable(f"value of {len(wire)} bytes, too short for a schema id")
    return wire[:HEADER_BYTES]


def schema_id(header: bytes) -> int:
    return int.from_bytes(header[1:HEADER_BYTES], "big")
