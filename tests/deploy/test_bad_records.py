import json
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from dashboard.deploy.bad_records import BadRecord, Judge
from dashboard.deploy.pipeline import InputTopic, load_pipeline
from dashboard.deploy.skipped import LARGEST_VALUE_BYTES, Place
from dashboard.errors import DeployError
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings

CARD = "4000-1234-1234-1234"
PAYMENT: dict[str, Any] = {
    "order_id": 3000,
    "product_id": 1,
    "customer_id": 1,
    "confirmation_code": "AB12CD34",
    "cc_number": CARD,
    "expiration": "12/30",
    "amount": 12.5,
    "ts": 1_795_366_800_123,
}
PAYMENTS, ORDERS = (topic for topic in load_pipeline(PipelineSettings()).topics if topic.value is not None)


class Known(Registry):
    """Knows the schemas it is given, numbered from 1."""

    def __init__(self, *schemas: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self.schemas = schemas
        self.asked = 0

    def schema(self, schema_id: int) -> str | None:
        self.asked += 1
        return json.dumps(self.schemas[schema_id - 1]) if 0 < schema_id <= len(self.schemas) else None


def wire(schema: Any, value: Any, schema_id: int = 1) -> bytes:
    body = BytesIO()
    schemaless_writer(body, parse_schema(schema), value)
    return b"\0" + schema_id.to_bytes(4, "big") + body.getvalue()


GOOD = wire(PAYMENTS.value, PAYMENT)


@pytest.fixture
def judge() -> Judge:
    return Judge(PAYMENTS, Known(PAYMENTS.value, ORDERS.value))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (GOOD, ""),
        (GOOD + b"more", ""),
        (None, "no value"),
        (b"", "empty value"),
        (b"\0\0\0", "value of 3 bytes, too short for a schema id"),
        (b"{}", "bad magic byte 123"),
        (b"\x01" + GOOD[1:], "bad magic byte 1"),
        (b"\0\0\0\x03\xe7" + GOOD[5:], "unknown schema id 999"),
        (GOOD[:-1], "truncated Avro"),
        # 1,099,511,627,776 as order_id: fastavro takes it, Java does not
        (GOOD[:5] + b"\x80\x80\x80\x80\x80\x40" + GOOD[7:], "a number of more than 32 bits in a field of 32"),
        (GOOD[:5], "truncated Avro"),
        (bytes(LARGEST_VALUE_BYTES + 1), "value of 1,000,001 bytes, more than the 1,000,000 that can be written again"),
    ],
)
def test_a_value_is_judged_as_the_format_does(judge: Judge, value: bytes | None, fault: str) -> None:
    assert judge.fault(value) == fault


def test_a_record_of_another_topic_is_bad_although_its_schema_is_known(judge: Judge) -> None:
    order = {"orderid": 3000, "customerid": 1, "orderdate": None, "status": "Completed"}
    assert judge.fault(wire(ORDERS.value, order, 2)).startswith("Avro that schema 2 does not decode")


def test_what_flink_reads_is_never_called_bad() -> None:
    assert PAYMENTS.value is not None
    renamed = PAYMENTS.value | {"name": "Other", "namespace": "of.somebody"}
    longer = PAYMENTS.value | {"fields": [*PAYMENTS.value["fields"], {"name": "note", "type": "string"}]}
    judge = Judge(PAYMENTS, Known(renamed, longer))
    assert judge.fault(wire(renamed, PAYMENT, 1)) == ""
    assert judge.fault(wire(longer, PAYMENT | {"note": "new"}, 2)) == ""
    # a time beyond what Python's datetime holds, and text that is not UTF-8
    assert judge.fault(wire(renamed, PAYMENT | {"ts": 10**15}, 1)) == ""
    assert judge.fault(wire(renamed, PAYMENT, 1).replace(b"AB12", b"\xff\xfe\xfd\xfc")) == ""


def test_a_fault_never_holds_the_records_content(judge: Judge) -> None:
    for end in range(5, len(GOOD)):
        for spoilt in (GOOD[:end], GOOD[:end] + b"\xff" * 12):
            assert "4000" not in judge.fault(spoilt)
            assert "AB12" not in judge.fault(spoilt)


def test_a_schema_is_asked_for_once() -> None:
    registry = Known(PAYMENTS.value)
    judge = Judge(PAYMENTS, registry)
    for _ in range(3):
        judge.fault(GOOD)
        judge.fault(b"\0\0\0\0\x63")
    assert registry.asked == 2


def test_a_topic_without_a_schema_is_not_judged() -> None:
    with pytest.raises(DeployError, match="no Avro schema"):
        Judge(InputTopic("error-payments", 1, None, None), Known())


def test_a_bad_record_reads_as_its_place_its_reason_and_the_way_past_it() -> None:
    bad = BadRecord("payments", 3, 1234, "unknown schema id 999")
    assert str(bad) == "payments, partition 3, offset 1234: unknown schema id 999"
    assert bad.skip_command == "sales-trends skip payments 3 1234"
    assert bad.place == Place("payments", 3, 1234)
    assert bad.stops_statements
    assert not BadRecord("payments", 3, 1234, "no value").stops_statements
