"""What becomes of a record that its contract does not let pass, and what is encrypted already."""

from base64 import b64decode
from typing import NamedTuple

from dashboard.card_numbers import holds_card_number

CACHE_SECONDS = 30.0
"""A contract that was changed counts after this time at the latest, without a restart."""
REDACTED = "<REDACTED>"
"""Stands for a secret that is lost, as the registry's own clients write it."""
ENCRYPTED_HEADER, REDACTED_HEADER = "sales-trends.encrypted", "sales-trends.redacted"
"""Headers of a dead letter: names of fields, with commas between, that stand as ciphertext or are blacked out."""


_SHORTEST_CIPHERTEXT = 28
"""Bytes around an encrypted value, which may be empty: a nonce of 12 and a tag of 16."""


class DeadLetter(NamedTuple):
    """A refused record as it is to be written to its topic."""

    topic: str
    value: bytes
    """JSON in UTF-8; nothing in it is a secret in the clear."""
    headers: tuple[tuple[str, bytes], ...]


class Refused(Exception):
    """A rule refused one record; the others go on. Its text holds no value of the record."""

    def __init__(self, rule: str, reason: str, letter: DeadLetter | None = None) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason
        self.letter = letter
        """None where the rule names no topic for what it refuses."""


class Ciphertext(str):
    """A field's value that is encrypted already, or blacked out, and is written as it is."""

    __slots__ = ()


def is_ciphertext(text: str) -> bool:
    """Whether it is what the client makes of an encrypted text: base64 of no less than what surrounds it.

    Digits are base64 too, so a text that could hold a card number is none. Of encrypted ones about 1 in 10^8 looks like
    that: it is hidden, and a redrive encrypts it once more.
    """
    try:
        long_enough = len(b64decode(text, validate=True)) >= _SHORTEST_CIPHERTEXT
    except ValueError:
        return False
    return long_enough and not holds_card_number(text)
