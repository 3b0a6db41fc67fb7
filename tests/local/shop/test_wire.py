import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField

from dashboard.errors import ContractError, UnreachableError
from dashboard.local.shop.sales import order_value, payment_value
from dashboard.local.shop.wire import (
    Wire,
    decoder,
    milliseconds,
    order_id_of,
    orderid_of,
    registry_client,
    wait_for_schemas,
)
from dashboard.local.worker import Interrupted
from dashboard.remotes.wire_format import Undecodable

ORDERS = "shiftleft.public.orders"
NEVER = threading.Event()


@pytest.fixture
def registry(shop_settings: Any) -> Any:
    with registry_client(shop_settings().local) as client:
        yield client


def test_an_order_comes_back_from_the_wire_as_it_was_to_the_millisecond(registry: SchemaRegistryClient) -> None:
    wire, reader = Wire(registry, ORDERS, MessageField.VALUE, NEVER), decoder(registry, ORDERS, NEVER)
    for orderdate in (1_795_366_800_123, 1_795_366_800_999, 0, 1):
        order = reader(wire(order_value(3000, 0, seed=1) | {"orderdate": orderdate}))
        assert milliseconds(order["orderdate"]) == orderdate
        assert order["orderid"] == 3000


def test_an_orders_id_is_read_from_its_key(registry: SchemaRegistryClient) -> None:
    key = Wire(registry, ORDERS, MessageField.KEY, NEVER)
    for orderid in (0, 1, 63, 64, 3000, 8191, 8192, 999_999_999, 2**31 - 1):
        assert orderid_of(key({"orderid": orderid})) == orderid


def test_values_are_in_the_registrys_wire_format(registry: SchemaRegistryClient) -> None:
    value = Wire(registry, "payments", MessageField.VALUE, NEVER)(payment_value(3000, 1, number=1, seed=1))
    assert value[:5] == b"\0\0\0\0\x01"


@pytest.mark.parametrize("wire", [None, b"", b'{"json": 1}', b"\0\0\0\x03\xe7\2", b"\0\0\0\0\1\2"])
def test_a_record_of_somebody_else_is_unreadable(registry: SchemaRegistryClient, wire: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decoder(registry, ORDERS, NEVER)(wire)


def test_a_payments_key_of_somebody_else_is_no_orders_id() -> None:
    assert [order_id_of(key) for key in (b"3000", b"", b"a-key")] == [3000, -1, -1]


def test_a_value_that_does_not_fit_the_schema_is_an_error_without_its_card_number(
    registry: SchemaRegistryClient,
) -> None:
    value = payment_value(3000, 1, number=1, seed=1) | {"amount": "4111-1111-1111-1111"}
    with pytest.raises(ContractError, match="payments could not be made") as caught:
        Wire(registry, "payments", MessageField.VALUE, NEVER)(value)
    assert "4111" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_missing_subjects_are_waited_for_up_to_a_limit(registry: SchemaRegistryClient) -> None:
    wait_for_schemas(registry, ["payments-value"], NEVER, within_seconds=0)
    with pytest.raises(UnreachableError, match="no-such-subject"):
        wait_for_schemas(registry, ["no-such-subject"], NEVER, within_seconds=0)


def test_waiting_for_the_registry_ends_when_told_to(shop_settings: Any) -> None:
    stop = threading.Event()
    stop.set()
    nowhere = shop_settings().local.model_copy(update={"registry_port": 1})
    with registry_client(nowhere) as client, pytest.raises(Interrupted):
        wait_for_schemas(client, ["payments-value"], stop)


def test_milliseconds_are_exact_far_from_the_epoch() -> None:
    assert milliseconds(datetime(2099, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == 4_102_444_799_999
