"""What looks like a card number, wherever it stands: the one place that says so."""

import re

HIDDEN = "<card number>"

_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
"""13 to 19 digits, in groups or not. The lengths are those of ISO/IEC 7812-1."""


def without_card_numbers(text: str) -> str:
    """The text with `HIDDEN` in the place of each card number."""
    return _CARD.sub(HIDDEN, text)


def holds_card_number(text: str) -> bool:
    return _CARD.search(text) is not None
