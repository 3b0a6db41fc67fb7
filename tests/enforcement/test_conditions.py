"""The compiled engine answers as the client's own, or is not asked."""

from typing import Any

import pytest
from confluent_kafka.schema_registry import Rule, RuleKind, RuleMode, Schema
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.serde import RuleContext
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.enforcement.conditions import Conditions

RECORD = {"code": "ABCD1234", "card": "4111-1111-1111-1111", "amount": 1.5, "count": 3, "paid": True, "note": None}
COMPILED, OWN = Conditions(), CelExecutor()  # type: ignore[no-untyped-call]

EXPRESSIONS = [
    "message.code.matches('^[A-Z0-9]{8}$')",
    "message.code.matches('[a-z]')",
    "message.code.matches('^$')",
    "message.code.startsWith('A')",
    "message.code.endsWith('4') || message.code == ''",
    "message.code.contains('BC') && !message.code.contains('x')",
    "message.code != 'x'",
    "message.code == message.card",
    "message.paid",
    "message.paid == true",
    "message.note == 'x'",
    "message.note.matches('x')",
    "message.missing == 'x'",
    "message.missing == 'x' || true",
    "message.code",
    "size(message.code) == size(message.card)",
    "message.count == message.amount",
    "message.code == message.count",
    "message.code.matches('[')",
    "message.code.matches('(?i)abcd1234')",
    "message.code.matches('\\\\d')",
    "message.amount > 1",
    "message.count + 1 == 4",
    "message.code in ['ABCD1234']",
    "message.code.nonsense()",
    "has(message.missing)",
    "message.(",
    "",
]


def answer(engine: CelExecutor, expression: str, record: dict[str, Any]) -> object:
    """What becomes of the record: passed, refused, or why it cannot be told."""
    rule = Rule("r", None, RuleKind.CONDITION, RuleMode.WRITE, "CEL", None, None, expression, None, "ERROR", False)
    where = SerializationContext("t", MessageField.VALUE)
    context = RuleContext(None, where, None, Schema("{}", "AVRO"), "s", RuleMode.WRITE, rule, 0, [rule], None, None)
    try:
        return bool(engine.transform(context, record))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_answered_as_by_the_client(expression: str) -> None:
    assert answer(COMPILED, expression, RECORD) == answer(OWN, expression, RECORD)


CODES = st.one_of(
    st.text(max_size=12),
    st.text('ABC019abz \n\t\0é\u0661Ａ\u2028"\\$^', min_size=6, max_size=9),
    st.from_regex("[A-Z0-9]{8}", fullmatch=True),
    st.none(),
    st.integers(-5, 5),
    st.booleans(),
    st.floats(allow_nan=False, width=32),
    st.binary(max_size=3),
    st.lists(st.text(max_size=2), max_size=2),
)


# a busy machine is no fault
@settings(deadline=None)
@given(code=CODES, expression=st.sampled_from(EXPRESSIONS[:19]))
def test_whatever_stands_in_the_field(code: Any, expression: str) -> None:
    record = {**RECORD, "code": code}
    assert answer(COMPILED, expression, record) == answer(OWN, expression, record)
