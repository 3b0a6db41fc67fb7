"""What counts as a card number, and what does not."""

import pytest

from dashboard.card_numbers import HIDDEN, holds_card_number, without_card_numbers


@pytest.mark.parametrize(
    "number", ["4111-1111-1111-1111", "4111 1111 1111 1111", "4111111111111111", "371449635398431", "4222222222222"]
)
def test_a_card_number_is_blotted_out_wherever_it_stands(number: str) -> None:
    assert without_card_numbers(f"no {number}, here") == f"no {HIDDEN}, here"
    assert holds_card_number(f"({number})")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22 12:00:00+00:00",
        "order 3000",
        "ABCD1234",
        "123456789012",
        "0.1234567890123456",
        "523.4567890123456",
        "AAAAAGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==",
    ],
)
def test_other_numbers_are_left_as_they_are(text: str) -> None:
    assert without_card_numbers(text) == text
    assert not holds_card_number(text)
