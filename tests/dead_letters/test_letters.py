"""Letters of every writer and of none: read without an error, shown without a card number."""

import json
import random
import string
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard.dead_letters.letters import IN_CLEAR, Letter, parsed, rounded, shown
from dashboard.dead_letters.reading import groups
from dashboard.remotes.kafka import Record
from tests.dead_letters.world import CIPHERTEXT, CLOCK, RULE, headers, payment

CARD = "4111-1111-1111-1234"


def letter(value: object, more: dict[str, str] | None = None, key: bytes | None = None) -> Letter:
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    told = headers() if more is None else more
    return parsed(Record(0, 42, CLOCK, raw, key, tuple((name, text.encode()) for name, text in told.items())))


def test_one_of_the_python_client_has_no_key_a_text_for_its_time_and_a_card_blacked_out() -> None:
    found = letter(payment(3001, ts="2026-11-22 12:00:00+00:00", cc_number="<REDACTED>", confirmation_code="0"))
    assert (found.id, found.key, found.rule, found.topic, found.subject) == (
        "0:42",
        "",
        RULE,
        "payments",
        "payments-value",
    )
    assert found.paid_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (found.order_id, found.amount) == (3001, Decimal("10.01"))
    assert found.redacted == {"cc_number"}
    assert not found.encrypted
    told = shown(found)
    assert told.fields["cc_number"] == "<REDACTED>"
    assert told.fields["ts"] == "2026-11-22T12:00:00.000+00:00"
    assert not told.clear_card


def test_one_of_the_java_client_may_be_avros_json_with_named_branches() -> None:
    found = letter({**payment(3001, ts=CLOCK), "amount": {"double": 1.005}, "cc_number": {"string": CARD}})
    assert (found.amount, found.paid_at) == (Decimal("1.01"), datetime.fromtimestamp(CLOCK / 1000, UTC))
    assert shown(found).clear_card


def test_one_of_the_payment_app_says_what_is_ciphertext() -> None:
    found = letter(
        payment(3001, cc_number=CIPHERTEXT, other=CIPHERTEXT),
        headers() | {"sales-trends.encrypted": "cc_number, other"},
        b"3001",
    )
    assert found.key == "3001"
    assert found.encrypted == {"cc_number", "other"}
    told = shown(found)
    assert told.fields["cc_number"] == "encrypted"
    assert not told.clear_card


@pytest.mark.parametrize("header", ["sales-trends.encrypted", "sales-trends.redacted"])
@pytest.mark.parametrize("card", [CARD, "4111111111111234", 4111111111111234, "4111 not all digits", ["4111", "1234"]])
def test_a_header_that_says_so_makes_no_secret_of_a_card_number_in_the_clear(header: str, card: object) -> None:
    found = letter(payment(3001, cc_number=card), headers() | {header: "cc_number"})
    told = shown(found)
    assert told.fields["cc_number"] == IN_CLEAR
    assert told.clear_card
    assert not found.encrypted | found.redacted


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "no value"),
        (b"", "not JSON in UTF-8"),
        (b"\x00\x00\x00\x00\x01\x02", "not JSON in UTF-8"),
        (b"\xff\xfe", "not JSON in UTF-8"),
        (b"{", "not JSON in UTF-8"),
        (b'{"amount": NaN}', "not JSON in UTF-8"),
        (b'{"a": "\\ud800"}', "not JSON in UTF-8"),
        (b"[" * 60_000, "not JSON in UTF-8"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON in UTF-8"),
        (b"[1]", "JSON, but not of a record"),
        (b"4111111111111234", "JSON, but not of a record"),
        (b"x" * 1_000_000, "value of 1,000,000 bytes, too large for a payment"),
    ],
)
def test_what_is_no_payment_is_listed_with_its_fault(value: bytes | None, fault: str) -> None:
    found = letter(value, {})
    assert (found.fields, found.fault) == (None, fault)
    assert (found.order_id, found.amount, found.paid_at, found.rule) == (None, None, None, "")
    assert shown(found).fields == {}


@pytest.mark.parametrize(
    "value",
    [
        payment(cc_number=CARD),
        payment(cc_number="4111111111111234"),
        payment(cc_number=4111111111111234),
        payment(cc_number="4111 not all digits"),
        payment(cc_number=["4111", "1111"]),
        payment(note="card 4111 1111 1111 1234 of Ann", cc_number="<REDACTED>"),
        payment(note={"deep": [{"card": "4111111111111234"}]}, cc_number="<REDACTED>"),
        payment(order_id=4111111111111234, cc_number="<REDACTED>"),
        payment(amount=4111111111111234.0, cc_number="<REDACTED>"),
        payment(cc_number="<REDACTED>") | {"4111111111111234": "as a name"},
        payment(cc_number="<REDACTED>", expiration="4111.1111.1111.1234"),
        payment(cc_number="<REDACTED>", ts="4111 1111 1111 1234"),
    ],
)
def test_a_card_number_is_never_shown_wherever_it_stands(value: dict[str, object]) -> None:
    found = letter(value)
    told = shown(found)
    assert told.clear_card
    assert "1234" not in repr(told)
    assert "4111" not in repr(told) + repr((found.order_id, found.amount, found.paid_at))
    assert IN_CLEAR in repr(told)


def test_a_card_number_in_a_header_the_key_or_the_reason_is_not_shown_either() -> None:
    for found in (
        letter(payment(cc_number="<REDACTED>"), headers() | {"__rule.exception": f"failed for {CARD}"}),
        letter(payment(cc_number="<REDACTED>"), headers() | {CARD: "x"}),
        letter(payment(cc_number="<REDACTED>"), headers(), CARD.encode()),
        letter(b"binary", {"trace": CARD}),
    ):
        told = shown(found)
        assert told.clear_card
        assert "4111" not in repr(told)
        assert CARD not in repr(groups([found]))


def test_amounts_and_times_are_not_taken_for_card_numbers() -> None:
    told = shown(letter(payment(cc_number="<REDACTED>", amount=523.4567890123456, ts=CLOCK)))
    assert not told.clear_card
    assert told.fields["amount"] == 523.4567890123456
    assert told.fields["order_id"] == 3000


def test_no_row_of_digits_as_long_as_a_card_number_is_ever_shown() -> None:
    """Made of chance: separators, neighbours and places that nobody thought of."""
    chance = random.Random(3000)
    for _ in range(2_000):
        digits = "".join(chance.choice(string.digits) for _ in range(chance.randint(13, 19)))
        separator = chance.choice(["", " ", "-", ".", "\u2011", "\u00a0", " - "])
        groups_of = chance.choice([4, 4, 4, 6, 20])
        card = separator.join(digits[at : at + groups_of] for at in range(0, len(digits), groups_of))
        around = chance.choice(["{}", "card {}!", "<{}>", "x{}y", "\n{}\t", '"{}"'])
        place = chance.choice(["expiration", "confirmation_code", "another"])
        told = shown(letter(payment(cc_number="<REDACTED>") | {place: around.format(card)}))
        assert told.clear_card, card
        assert digits[:6] not in repr(told).replace(separator or "\0", ""), card


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0.005, "0.01"), (1.005, "1.01"), (2.675, "2.68"), (7, "7.00"), (-0.004, "0.00"), (1e-9, "0.00")],
)
def test_an_amount_is_rounded_half_up_by_the_decimal_text_of_the_double(amount: float, expected: str) -> None:
    assert rounded(amount) == Decimal(expected)


@pytest.mark.parametrize("amount", [None, "1", True, [], float("inf"), 10**400, 1e12])
def test_what_is_no_sum_of_money_has_no_amount(amount: object) -> None:
    assert rounded(amount) is None


def test_groups_add_up_exactly_and_tell_the_oldest_and_newest() -> None:
    letters = [letter(payment(amount=0.1)) for _ in range(10)] + [letter(b"binary")]
    other = letter(payment(), headers() | {"__rule.name": "another"})
    first, second = groups([*letters, other])
    assert (first.rule, first.count, first.amount) == (RULE, 11, Decimal("1.00"))
    assert first.oldest == first.newest == letters[0].at
    assert (second.rule, second.count) == ("another", 1)
