"""What looks like a card number, wherever it stands: the one place that says so."""

import re

HIDDEN = "<card number>"

_NUMBER = re.compile(r"(?<!\d)\d(?:[ .,_/\\\-\u00a0\u2010-\u2015]{0,3}\d){12,}(?!\d)")
"""13 digits or more, in groups or not; card numbers have up to 19, and a longer row may hold one."""
_DECIMAL = re.compile(r"\d{1,9}\.\d+")
"""An amount, which the double that it comes from gives up to 17 digits."""


def without_card_numbers(text: str, instead: str = HIDDEN) -> str:
    """The text with `instead` in the place of each card number."""
    return _NUMBER.sub(lambda match: match[0] if _DECIMAL.fullmatch(match[0]) else instead, text)


def holds_card_number(text: str) -> bool:
    return any(not _DECIMAL.fullmatch(match[0]) for match in _NUMBER.finditer(text))
