import io
import json
import re
from pathlib import Path

import fastavro
import pytest

from dashboard.local.shop.sales import order_value, payment_value

CONTRACTS = Path(__file__).parents[3] / "pipeline_sql" / "contracts"
TS = 1_795_366_800_123
NUMBERS = range(1, 6_001)


def test_payments_are_as_the_upstream_shop_makes_them() -> None:
    payments = [payment_value(3000 + number, TS, number=number, seed=3000) for number in NUMBERS]
    assert {payment["product_id"] for payment in payments} == set(range(100))
    assert {payment["customer_id"] for payment in payments} == set(range(50))
    assert all(0 <= payment["amount"] < 1000 for payment in payments)
    assert sum(payment["amount"] for payment in payments) / len(payments) == pytest.approx(500, abs=15)
    assert any(len(repr(payment["amount"])) > 16 for payment in payments)
    assert all(re.fullmatch(r"[2-4]\d{3}(-\d{4}){3}", payment["cc_number"]) for payment in payments)
    assert all(re.fullmatch(r"(0[1-9]|1[0-2])/(2[6-9]|3[0-2])", payment["expiration"]) for payment in payments)


def test_every_sixth_confirmation_code_is_invalid_in_each_of_four_ways() -> None:
    codes = {
        number: payment_value(3000 + number, TS, number=number, seed=3000)["confirmation_code"] for number in NUMBERS
    }
    valid = {number for number, code in codes.items() if re.fullmatch("[A-Z0-9]{8}", code)}
    assert set(NUMBERS) - valid == {number for number in NUMBERS if number % 6 == 0}
    wrong = [code for number, code in codes.items() if number not in valid]
    assert "0" in wrong
    assert {len(code) for code in wrong} == {1, 7, 8, 9}


def test_the_values_fit_the_topics_schemas() -> None:
    for name, value in (
        ("payments-value", payment_value(1_000_003_000, TS, number=6, seed=3000)),
        ("shiftleft.public.orders-value", order_value(3000, TS, seed=3000)),
    ):
        schema = json.loads((CONTRACTS / f"{name}.avsc").read_text())
        fastavro.schemaless_writer(io.BytesIO(), fastavro.parse_schema(schema), value, strict=True)


def test_orders_are_completed_or_pending_and_seldom_out_of_order() -> None:
    orders = [order_value(order_id, TS, seed=3000) for order_id in range(3000, 5000)]
    assert {order["status"] for order in orders} == {"Completed", "Pending"}
    assert {order["customerid"] for order in orders} == set(range(50))
    held = [TS - order_value(order_id, TS, seed=3000)["orderdate"] for order_id in range(3000, 13_000)]
    assert sum(delay > 0 for delay in held) / len(held) == pytest.approx(0.05, abs=0.01)
    assert 0 == min(held) < max(held) <= 2_000
