"""What becomes of an order: paid or not, when, how often sent. Drawn from the seed and the order's id alone."""

import math
from dataclasses import dataclass
from hashlib import blake2b
from struct import unpack

UNPAID = 0.07
"""Share of orders that are never paid."""
TOO_LATE = 0.005
"""Share of orders that are paid 97 to 120 hours later, past the 96 hours in which a payment completes its order."""
STRAY = 0.005
"""Payments without an order, per order."""
PAYMENTS_PER_ORDER = 1 - UNPAID + STRAY
DUPLICATED = 0.10
"""Share of payments that are sent a second time."""
OUT_OF_ORDER = 0.05
"""Share of records that are sent after their place in the stream."""

FIRST_STRAY_ID = 1_000_000_000
"""A payment without an order has this plus an order's id; orders stay below it, and both fit Avro's int."""

OUT_OF_ORDER_LIMIT_MS = 2_000
"""How much too late a record is sent at most: well inside the five seconds that the pipeline waits."""
DUPLICATE_LIMIT_MS = 28 * 60_000
"""How long after its first a duplicate is sent at most; the pipeline remembers an order for an hour."""

_HOUR_MS = 3_600_000
_TAIL_MS = 6 * _HOUR_MS
_PROMPT = 0.95
"""Share of payments that come within twice the shortest delay."""
_SOON = 0.9
"""Share of duplicates that come within seconds."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What follows from one order."""

    paid_after_ms: int | None
    """From the order to its payment; None when it is never paid."""
    held_ms: int
    """How long the payment's record is held back, so that it is out of order."""
    stray_after_ms: int | None
    """From the order to a payment that has nothing to do with it; None mostly."""


def draws(seed: int, purpose: bytes, number: int) -> tuple[float, ...]:
    """Eight numbers in [0, 1), the same for the same arguments."""
    key = (seed % 2**64).to_bytes(8, "little")
    digest = blake2b(number.to_bytes(8, "little"), key=key, person=purpose, digest_size=64).digest()
    # 53 bits fill a double exactly; with all 64 the largest draws would round up to 1
    return tuple([(draw >> 11) * 2.0**-53 for draw in unpack("<8Q", digest)])


def fate_of(order_id: int, *, seed: int, shortest_delay_ms: int) -> Fate:
    fate, delay, held, stray, stray_delay, *_ = draws(seed, b"fate", order_id)
    if fate < UNPAID:
        paid_after = None
    elif fate < UNPAID + TOO_LATE:
        paid_after = 97 * _HOUR_MS + int(delay * 23 * _HOUR_MS)
    else:
        paid_after = _delay_ms(delay, shortest_delay_ms)
    return Fate(
        paid_after_ms=paid_after,
        held_ms=held_ms(held),
        stray_after_ms=_delay_ms(stray_delay, shortest_delay_ms) if stray < STRAY else None,
    )


def held_ms(draw: float) -> int:
    """How long a record is held back: 0 for most, up to two seconds for a few."""
    return 1 + int(draw / OUT_OF_ORDER * (OUT_OF_ORDER_LIMIT_MS - 1)) if draw < OUT_OF_ORDER else 0


def duplicate_after_ms(payment_id: int, *, seed: int) -> int | None:
    """How long after its first a payment is sent again; None for nine out of ten."""
    duplicated, delay, *_ = draws(seed, b"duplicate", payment_id)
    if duplicated >= DUPLICATED:
        return None
    if delay < _SOON:
        return min(1 + int(-4_000 * math.log(1 - delay / _SOON)), DUPLICATE_LIMIT_MS)
    return int(_log_uniform((delay - _SOON) / (1 - _SOON), 30_000, DUPLICATE_LIMIT_MS))


def _delay_ms(draw: float, shortest_ms: int) -> int:
    """Never below the shortest; 95% within twice of it, then a tail up to six hours."""
    if draw < _PROMPT:
        return shortest_ms + int(draw / _PROMPT * shortest_ms)
    low = max(2 * shortest_ms, 1_000)
    return int(_log_uniform((draw - _PROMPT) / (1 - _PROMPT), low, max(low, _TAIL_MS)))


def _log_uniform(draw: float, low: float, high: float) -> float:
    return float(low * (high / low) ** draw)
