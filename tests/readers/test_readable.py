import json
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.card_numbers import HIDDEN
from dashboard.readers.readable import Reading, raw_text
from dashboard.remotes.kafka import Headers, Record
from dashboard.remotes.wire_format import Undecodable

CARD = "4111-1111-1111-1234"
WIRE = b"\0\0\0\0\1..."
CIPHERTEXT = b64encode(bytes(range(47))).decode()


def record(value: bytes | None = WIRE, key: bytes | None = None, headers: Headers = ()) -> Record:
    return Record(2, 7, 1_795_366_800_123, value, key, headers)


def reading(value: Any, secret: tuple[str, ...] = ("cc_number",)) -> Reading:
    return Reading(lambda _wire: value, secret)


def test_a_record_is_told_with_its_place_its_time_and_its_values() -> None:
    at = datetime(2026, 11, 23, 12, 0, 0, 5000, tzinfo=UTC)
    made = reading({"order_id": 1, "amount": 12.5, "ts": at, "note": None, "total": Decimal("3.10")})(
        record(key=b"42", headers=(("who", b"ada"), ("none", None)))
    )
    assert made.as_json() == {
        "partition": 2,
        "offset": 7,
        "time": "2026-11-22T17:00:00.123Z",
        "key": "42",
        "value": {"order_id": 1, "amount": 12.5, "ts": "2026-11-23T12:00:00.005Z", "note": None, "total": "3.10"},
        "headers": [["who", "ada"], ["none", ""]],
        "size": 8,
    }
    assert made.id == "2:7"
    assert made.fault == ""


@pytest.mark.parametrize(
    "value",
    [
        CARD,
        CARD.replace("-", ""),
        f"paid with {CARD}, thanks",
        4111111111111234,
        4111111111111234.0,
        Decimal("4111111111111234"),
        CARD.encode(),
        {"deep": [{"er": CARD}]},
        {CARD: 1},
        [1, [CARD]],
        (CARD,),
    ],
)
def test_no_card_number_comes_out_whatever_holds_it(value: Any) -> None:
    told = json.dumps(reading({"note": value})(record()).as_json())
    assert "4111" not in told
    assert HIDDEN in told


@pytest.mark.parametrize("where", ["key", "headers", "header's name"])
def test_none_comes_out_of_keys_and_headers_either(where: str) -> None:
    card = CARD.encode()
    seen = record(
        key=card if where == "key" else None,
        headers={"headers": (("a", card),), "header's name": ((CARD, b"a"),)}.get(where, ()),
    )
    told = json.dumps(reading({})(seen).as_json())
    assert "4111" not in told
    assert HIDDEN in told


@pytest.mark.parametrize("secret", ["4111", 4111, b"4111", [4111], {"first": 4111}])
def test_a_field_that_is_secret_is_hidden_whatever_stands_in_it(secret: Any) -> None:
    made = reading({"cc_number": secret, "deep": {"cc_number": secret}})(record(headers=(("cc_number", b"4111"),)))
    assert "4111" not in json.dumps(made.as_json()).replace(made.as_json()["time"], "")


@pytest.mark.parametrize(("secret", "name"), [("cc_number", "CC_Number"), ("CC_Number", "cc_number")])
def test_a_field_is_as_secret_in_capitals(secret: str, name: str) -> None:
    made = reading({name: "Ada", "deep": [{name: "Ada"}]}, (secret,))(record(headers=((name, b"Ada"),)))
    assert "Ada" not in json.dumps(made.as_json())


def test_its_ciphertext_is_shown_as_it_is() -> None:
    made = reading({"cc_number": CIPHERTEXT, "empty": "", "note": "<REDACTED>"})(record())
    assert made.value == {"cc_number": CIPHERTEXT, "empty": "", "note": "<REDACTED>"}


def test_milliseconds_are_no_card_number_and_thirteen_other_digits_are() -> None:
    made = reading({"ts": 1_795_366_800_123, "old": 4_111_111_111_111, "amount": 0.1 + 0.2, "big": 999_999_999_999})(
        record()
    )
    assert made.value == {"ts": 1_795_366_800_123, "old": HIDDEN, "amount": 0.1 + 0.2, "big": 999_999_999_999}


def test_what_cannot_be_read_is_told_and_raises_nothing() -> None:
    def undecodable(_wire: bytes | None) -> Any:
        raise Undecodable("bad magic byte 7")

    made = Reading(undecodable, ())(record(b"\7\7"))
    assert (made.value, made.fault, made.value_text) == (None, "bad magic byte 7", "bad magic byte 7")
    assert made.as_json()["fault"] == "bad magic byte 7"


@pytest.mark.parametrize(
    ("value", "read", "fault"),
    [
        (b'{"reason": "no"}', {"reason": "no"}, ""),
        (b"[1, 2]", [1, 2], ""),
        (b"{not json", "{not json", ""),
        (b"[" * 100_000, "[" * 100_000, ""),
        (b"plain", "plain", ""),
        (b"", "", ""),
        (None, None, ""),
        (b"\xff\xfe", None, "neither in the registry's wire format nor text"),
        (WIRE, {"by": "schema"}, ""),
    ],
)
def test_where_no_schema_is_wanted_text_is_no_fault(value: bytes | None, read: Any, fault: str) -> None:
    made = Reading(lambda _wire: {"by": "schema"}, (), wants_schema=False)(record(value))
    assert (made.value, made.fault) == (read, fault)


def test_a_key_is_read_by_its_schema_or_as_text_or_left_as_bytes() -> None:
    def by_schema(wire: bytes | None) -> Any:
        if wire == WIRE:
            return {"orderid": 7}
        raise Undecodable("unknown schema id 9")

    keys = [Reading(by_schema, ())(record(key=key)).as_json()["key"] for key in (WIRE, b"7", b"\0\0\0\0\x09", b"\xff")]
    assert keys == [{"orderid": 7}, "7", "AAAAAAk=", "/w=="]


def test_numbers_that_are_none_of_json_stay_readable() -> None:
    told = json.dumps(reading({"amount": float("nan"), "least": float("-inf")})(record()).as_json(), allow_nan=False)
    assert '"nan"' in told
    assert HIDDEN in told


def raw(seen: Record, value: Any = None) -> str:
    return raw_text(seen, reading(value)(seen))


def test_bytes_as_they_stand_show_no_digit() -> None:
    told = raw(record(b"\0\0\0\0\1" + CARD.encode(), key=b"42"))
    assert told.splitlines()[:2] == ["key: 2 bytes", f"000000  {'2a 2a':<47}  **"]
    assert "value: 24 bytes" in told
    assert "....." + "****-****-*" in told
    assert not {"34", "31", "32", "33"} & {*" ".join(told.split("value")[1].splitlines()[1:]).split()}
    assert "none" in raw(record(None))


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        ({"order_id": 1, "deep": [{"CC_Number": "Ada Lovelace"}]}, b"k", ()),
        ({"note": CARD}, b"k", ()),
        ({}, CARD.encode(), ()),
        ({}, b"k", (("cc_number", b"Ada Lovelace"),)),
    ],
)
def test_of_a_record_that_hides_anything_no_byte_is_shown(value: Any, key: bytes, headers: Headers) -> None:
    told = raw(record(WIRE + b"Ada Lovelace", key, headers), value)
    assert told.splitlines() == [
        f"key: {len(key)} bytes",
        "value: 20 bytes",
        "They are not shown, because something in this record is hidden.",
    ]


def test_of_ciphertext_the_bytes_are_shown() -> None:
    assert "ciphertext" in raw(record(b"ciphertext"), {"cc_number": CIPHERTEXT})


def test_a_value_of_megabytes_is_shown_in_part() -> None:
    told = raw(record(b"x" * 1_000_000))
    assert "value: 1,000,000 bytes, the first 65,536" in told
    assert len(told) < 400_000


def test_a_value_of_megabytes_is_no_line() -> None:
    row = reading({"note": "x" * 1_000_000})(record(b"\0" * 1_000_000))
    assert row.value_text == "1,000,000 bytes"
    assert row.as_json()["value"] == {"note": "x" * 1_000_000}


@pytest.mark.parametrize(
    "text",
    ["\0".join(CARD), CARD.replace("-", "\n"), CARD.replace("-", "\u200b"), "\t".join(CARD.replace("-", ""))],
)
@pytest.mark.parametrize("where", ["value", "key", "header", "name of a header", "name of a field", "bytes"])
def test_a_card_number_with_something_unseen_between_its_digits_is_hidden_too(text: str, where: str) -> None:
    name, header = (text if where == place else "" for place in ("name of a header", "header"))
    value = {"value": {"note": text}, "name of a field": {text: 1}, "bytes": {"note": text.encode()}}.get(where, {})
    made = reading(value)(record(key=text.encode() if where == "key" else None, headers=((name, header.encode()),)))
    told = json.dumps(made.as_json())
    assert HIDDEN in told
    assert b64encode(text.encode()).decode() not in told


def test_lines_and_tabs_without_a_card_number_stay() -> None:
    assert reading("first\n\t12 pieces\nsecond")(record()).value == "first\n\t12 pieces\nsecond"


@pytest.mark.parametrize("timestamp_ms", [-1, 2**62, 253_402_300_799_999])
def test_a_record_of_any_time_is_told(timestamp_ms: int) -> None:
    made = reading({})(record()._replace(timestamp_ms=timestamp_ms))
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        assert made.at.astimezone(ZoneInfo(zone)).year in (1969, 1970, 9999)


@pytest.mark.parametrize("opens", [b"[", b'{"a":'])
def test_what_is_nested_very_deep_is_told_up_to_a_depth(opens: bytes) -> None:
    closes = b"]" if opens == b"[" else b"}"
    deep = record(opens * 450 + b"1" + closes * 450, key=b"[" * 450 + b"]" * 450)
    made = Reading(lambda _wire: None, (), wants_schema=False)(deep)
    assert "<nested too deep>" in made.value_text
    assert "<nested too deep>" in made.key_text


def test_half_a_surrogate_becomes_a_text_that_can_be_sent() -> None:
    made = Reading(lambda _wire: None, (), wants_schema=False)(record(b'{"a\\ud800": "b\\udfff"}'))
    assert made.value_text.encode() == b'{"a?": "b?"}'
