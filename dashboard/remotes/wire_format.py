"""The registry's wire format: a zero, the schema's id in four bytes, then Avro by that schema.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import json
import threading
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
        self._plain: dict[bytes, Schema] = {}
        """The same without logical types."""
        self._unusable: TTLCache[bytes, str] = TTLCache(1_000, _UNUSABLE_SECONDS)
        self._lock = threading.Lock()

    def __call__(self, wire: bytes | None) -> Any:
        """The value; raises Undecodable, and what asking for a schema raises."""
        body = BytesIO(wire or b"")
        # most are of a schema that is known, and in a topic there are millions
        schema = self._schemas.get(body.read(HEADER_BYTES))
        return _read(body, self._fetched(wire_header(wire)) if schema is None else schema)

    def known(self, wire: bytes | None) -> Any:
        """The value, without asking for a schema; raises NotAskedFor where that would be needed, and Undecodable."""
        return self._known(wire, self._schemas)

    def plain(self, wire: bytes | None) -> Any:
        """As `known`, but times and decimals are the numbers and bytes that they are written as: a quarter faster."""
        return self._known(wire, self._plain)

    def _known(self, wire: bytes | None, schemas: dict[bytes, Schema]) -> Any:
        body = BytesIO(wire or b"")
        schema = schemas.get(body.read(HEADER_BYTES))
        if schema is None:
            header = wire_header(wire)
            if reason := self._why_unusable(header):
                raise Undecodable(reason)
            raise NotAskedFor(f"its schema {schema_id(header)} is not known yet")
        return _read(body, schema)

    def learn(self, wire: bytes | None) -> None:
        """Asks for the schema of this value, whatever comes of it; raises what asking raises."""
        with suppress(Undecodable):
            self._fetched(wire_header(wire))

    def _why_unusable(self, header: bytes) -> str:
        with self._lock:
            try:
                return self._unusable[header]
            except KeyError:
                # the cache's own `in` and `get` look twice, and between the two it may have expired
                return ""

    def _fetched(self, header: bytes) -> Schema:
        reason = self._why_unusable(header)
        if not reason:
            text = self._schema_text(schema_id(header))
            try:
                if text is not None:
                    told = json.loads(text)
                    schema, self._plain[header] = parse_schema(told), parse_schema(without_logical_types(told))
                    self._schemas[header] = schema
                    return schema
                reason = f"unknown schema id {schema_id(header)}"
            except Exception:
                # the library raises what the text leads it to; one of another format may be no JSON at all
                reason = f"schema {schema_id(header)} is not one of Avro that stands alone"
            with self._lock:
                self._unusable[header] = reason
        raise Undecodable(reason)


def _read(body: BytesIO, schema: Schema) -> Any:
    """The value that begins where `body` stands, after its header."""
    try:
        return schemaless_reader(body, schema, None)
    except Exception:
        # the library raises whatever the bytes lead it to, with parts of the record in it
        raise Undecodable(f"schema {schema_id(body.getvalue()[:HEADER_BYTES])} does not decode it") from None


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


def without_logical_types(schema: Any) -> Any:
    """The schema, by which times and decimals are the numbers and bytes that they are written as."""
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    if isinstance(schema, dict):
        return {
            key: value if key == "default" else without_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    return schema
