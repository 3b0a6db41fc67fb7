"""Payments that the shop did not send: dead letters that somebody redrove, as the markers beside them say.

The marker of a payment is in the same transaction as the payment, so what is read here was sent, and nothing else.
Whether anything was ever redriven is seen from the broker's own folder: without the topic of markers, which a redrive
makes before it sends anything, Kafka is not asked and need not run.
"""

import json
from collections.abc import Iterable, Iterator

from dashboard.errors import ReadError
from dashboard.local.broker import topic_on_disk
from dashboard.local.shop.journal import End
from dashboard.local.shop.topics import bootstrap, read_from
from dashboard.local.worker import Stop
from dashboard.settings import LocalSettings

REDRIVEN = "redriven-payments"
"""The topic of markers; it has one partition."""

Payment = tuple[int, int, int, float]
"""order_id, ts, record timestamp (both milliseconds), amount."""


def redriven_payments(local: LocalSettings, within_seconds: float) -> list[Payment]:
    """What was redriven so far, in order of its record timestamps.

    Raises UnreachableError when it must be read and cannot be, and ReadError when a marker is none.
    """
    if not topic_on_disk(local.home, REDRIVEN):
        return []
    found = read_from(bootstrap(local), REDRIVEN, {0: End(0, None)}, Stop(), within_seconds)
    return sorted((_payment(one.value) for one in found), key=lambda payment: payment[2])


def merged(sent: Iterable[Payment], redriven: Iterable[Payment]) -> Iterator[Payment]:
    """Both, with each redriven payment before the first one that was sent with a newer record timestamp.

    What the shop sent keeps its order, in which a late payment bears an old timestamp.
    """
    waiting = list(reversed(list(redriven)))
    for payment in sent:
        while waiting and waiting[-1][2] < payment[2]:
            yield waiting.pop()
        yield payment
    yield from reversed(waiting)


def _payment(marker: bytes) -> Payment:
    try:
        told = json.loads(marker)
        return int(told["order_id"]), int(told["ts"]), int(told["sent_as"]), float(told["amount"])
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"The topic {REDRIVEN} holds a record that is not ours.", "See who else writes to that topic."
        ) from error
