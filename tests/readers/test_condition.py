import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.errors import SettingsError
from dashboard.readers.condition import EXAMPLE, LONGEST, Condition, Unanswerable
from dashboard.readers.readable import Readable


def record(value: Any = None, *, fault: str = "", **other: Any) -> Readable:
    value = {"order_id": 7, "amount": 120.5, "confirmation_code": "ABC", "note": None} if value is None else value
    facts: dict[str, Any] = {"key": "7", "headers": (("who", "ada"),), "size": 30} | other
    return Readable(2, 5, datetime(2026, 11, 23, 12, tzinfo=UTC), value=value, fault=fault, **facts)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (EXAMPLE, True),
        ("value.amount > 100", True),
        ("value.amount > 120.5", False),
        ("value.order_id == 7 && partition == 2 && offset == 5", True),
        ("key == '7' || size > 1000", True),
        ("headers.who == 'ada'", True),
        ("headers['who'].startsWith('b')", False),
        ("time >= timestamp('2026-11-23T12:00:00Z')", True),
        ("time.getHours() == 12", True),
        ("has(value.amout) && value.amout > 1.0", False),
        ("value.note == null", True),
        ("value.confirmation_code.matches('^[A-Z]{3}$')", True),
        ("['ABC', 'DEF'].exists(code, code == value.confirmation_code)", True),
        ("value.confirmation_code in ['ABC']", True),
        ("value.confirmation_code == 'map(filter(all('", False),
        ("  true ", True),
    ],
)
def test_a_condition_asks_about_the_fields_of_a_record(text: str, answer: bool) -> None:
    assert Condition(text).matches(record()) is answer


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1 to 500 characters, this one 0"),
        ("true" + " " * LONGEST + "|| false", "this one"),
        ("value.amount >", "its end at character 15"),
        ("value.amount > 1 value", "'value' at character 18"),
        ("amount > 1", "There is no amount in a record."),
        ("record.value.amount > 1", "There is no record in a record."),
        ("now() > time", "There is no function now"),
        ("true\n|| false", "one line"),
        ("value.`map`(a, b)", "`"),
        ("[1].map(a, [a].map(b, b)) == []", "once"),
        ("value.all(a, value.exists (b, a == b))", "once"),
        # what looks like a text to the eye is none to the engine, and the other way round
        ("'\\'' == '' && [1].all(a, [1].all(b, [1].all(c, true))) || '\\'' == ''", "once"),
        ("'''a' ''' == '' && [1].all(a, [1].all(b, true)) || '''' ''' == ''", "once"),
    ],
)
def test_what_is_no_condition_is_told_with_an_example(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Condition(text)
    assert told in caught.value.message
    assert EXAMPLE in caught.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("value.amout > 1.0", "there is no amout"),
        ("headers.nobody == ''", "there is no nobody"),
        ("value.note > 3", "No such overload"),
        ("value.amount", "its answer is neither true nor false"),
        ("1 / (value.order_id - 7) == 1", "division by zero"),
        ("value.confirmation_code.matches('(')", "not a valid regex"),
    ],
)
def test_a_record_that_it_has_no_answer_for_is_neither_wanted_nor_fatal(text: str, told: str) -> None:
    with pytest.raises(Unanswerable, match=told.replace("(", r"\(")):
        Condition(text).matches(record())


def test_of_a_record_that_cannot_be_read_nothing_can_be_asked() -> None:
    with pytest.raises(Unanswerable, match="bad magic byte 7"):
        Condition("true").matches(record(fault="bad magic byte 7"))


def test_the_longest_conditions_are_answered_at_once() -> None:
    started = time.process_time()
    for text in (
        "!" * 490 + "true",
        "[" * 240 + "]" * 240,
        "(" * 240 + "true" + ")" * 240,
        "-" * 490 + "1",
        "1+" * 240,
    ):
        with suppress(SettingsError, Unanswerable):
            Condition(text).matches(record())
    assert time.process_time() - started < 5
