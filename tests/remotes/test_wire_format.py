import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from cachetools import TTLCache
from fastavro import schemaless_writer

from dashboard.errors import UnreachableError
from dashboard.remotes import wire_format
from dashboard.remotes.wire_format import Decoder, NotAskedFor, Undecodable

SALE = {"type": "record", "name": "Sale", "fields": [{"name": "order_id", "type": "int"}]}
WIDER = {"type": "record", "name": "Sale", "fields": [*SALE["fields"], {"name": "note", "type": "string"}]}


class Texts:
    """What a registry holds, and how often it was asked."""

    def __init__(self, **texts: str | None) -> None:
        self.texts = {int(name[1:]): text for name, text in texts.items()}
        self.asked: list[int] = []
        self.away = False

    def __call__(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        if self.away:
            raise UnreachableError("The registry did not answer.", "Start it.")
        return self.texts.get(schema_id)


def wire(schema_id: int, schema: dict[str, Any], value: object) -> bytes:
    body = BytesIO()
    schemaless_writer(body, schema, value)
    return b"\0" + schema_id.to_bytes(4, "big") + body.getvalue()


def test_each_value_is_read_by_the_schema_it_was_written_with_which_is_asked_for_once() -> None:
    texts = Texts(_1=json.dumps(SALE), _2=json.dumps(WIDER))
    decoded = Decoder(texts)
    first, second = wire(1, SALE, {"order_id": 7}), wire(2, WIDER, {"order_id": 8, "note": "gift"})
    for _ in range(3):
        assert decoded(first) == {"order_id": 7}
        assert decoded(second) == {"order_id": 8, "note": "gift"}
    assert texts.asked == [1, 2]


@pytest.mark.parametrize(
    ("bytes_", "reason"),
    [
        (None, "no value"),
        (b"", "empty value"),
        (b"\x07\0\0\0\1", "bad magic byte 7"),
        (b"\0\0\0", "value of 3 bytes, too short for a schema id"),
        (b"\0\0\0\0\x09\2", "unknown schema id 9"),
        (b"\0\0\0\0\1", "schema 1 does not decode it"),
        (b"\0\0\0\0\1\xff\xff", "schema 1 does not decode it"),
        (b"\0\0\0\0\3\2", "schema 3 is not one of Avro that stands alone"),
        (b"\0\0\0\0\4\2", "schema 4 is not one of Avro that stands alone"),
    ],
)
def test_what_does_not_hold_a_value_is_told_without_a_part_of_it(bytes_: bytes | None, reason: str) -> None:
    refers = {"type": "record", "name": "A", "fields": [{"name": "b", "type": "of.another.subject"}]}
    texts = Texts(_1=json.dumps(SALE), _3='syntax = "proto3";', _4=json.dumps(refers))
    with pytest.raises(Undecodable) as caught:
        Decoder(texts)(bytes_)
    assert str(caught.value) == reason


def test_a_topic_full_of_one_unknown_id_asks_for_it_once() -> None:
    texts = Texts()
    decoded = Decoder(texts)
    for _ in range(100):
        with pytest.raises(Undecodable, match="unknown schema id 9"):
            decoded(b"\0\0\0\0\x09\2")
    assert texts.asked == [9]


def test_a_registry_that_is_away_is_needed_for_new_ids_alone() -> None:
    texts = Texts(_1=json.dumps(SALE), _2=json.dumps(WIDER))
    decoded = Decoder(texts)
    known, new = wire(1, SALE, {"order_id": 7}), wire(2, WIDER, {"order_id": 8, "note": "gift"})
    decoded(known)
    texts.away = True
    assert decoded(known) == {"order_id": 7}
    for asking in (decoded, decoded.learn):
        with pytest.raises(UnreachableError):
            asking(new)
    texts.away = False
    assert decoded(new) == {"order_id": 8, "note": "gift"}


def test_without_asking_a_value_is_read_once_its_schema_is_learned() -> None:
    texts = Texts(_1=json.dumps(SALE))
    decoded = Decoder(texts)
    first, strange = wire(1, SALE, {"order_id": 7}), b"\0\0\0\0\x09\2"
    for waits in (first, strange):
        with pytest.raises(NotAskedFor):
            decoded.known(waits)
    assert texts.asked == []
    decoded.learn(first)
    decoded.learn(strange)
    assert decoded.known(first) == decoded.plain(first) == {"order_id": 7}
    with pytest.raises(Undecodable, match="unknown schema id 9") as caught:
        decoded.known(strange)
    assert not isinstance(caught.value, NotAskedFor)


def test_plain_values_are_what_is_written() -> None:
    schema = {
        "type": "record",
        "name": "Paid",
        "fields": [
            {"name": "ts", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
            {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        ],
    }
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    decoded, paid = Decoder(Texts(_1=json.dumps(schema))), wire(1, schema, {"ts": at, "total": Decimal("3.10")})
    decoded.learn(paid)
    assert decoded.known(paid) == {"ts": at, "total": Decimal("3.10")}
    assert decoded.plain(paid) == {"ts": 1_795_435_200_000, "total": b"\x01\x36"}


def test_a_reason_that_expires_while_it_is_looked_up_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr(wire_format, "TTLCache", lambda size, _seconds: TTLCache(size, 2.5, timer=lambda: next(ticks)))
    decoded = Decoder(Texts())
    decoded.learn(b"\0\0\0\0\x09\2")
    told = []
    for _ in range(4):
        with pytest.raises(Undecodable) as caught:
            decoded.known(b"\0\0\0\0\x09\2")
        told.append(type(caught.value))
    assert told[-1] is NotAskedFor
