"""What was redriven: one record for each letter in a topic of its own, written in one transaction with the payment."""

import json
from dataclasses import asdict, dataclass

from dashboard.errors import ReadError
from dashboard.remotes.kafka import Kafka, Topic

REDRIVEN_TOPIC = "redriven-payments"
REDRIVEN = Topic(REDRIVEN_TOPIC, 1, {"cleanup.policy": "delete", "retention.ms": "-1"})


@dataclass(frozen=True)
class Marker:
    """One letter was sent again; the record's key is the letter."""

    letter: str
    """`partition:offset` in the topic of dead letters."""
    order_id: int
    ts: int
    """When it counts as paid (ms)."""
    sent_as: int
    """The timestamp of the payment's record (ms)."""
    amount: str
    """The decimal text of the double that was sent."""
    when: str
    """`now` or `own`."""
    by: str
    at: str
    """When it was sent by the machine's clock; UTC, ISO 8601."""

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def markers(kafka: Kafka) -> dict[str, Marker]:
    """What was redriven so far, by letter; empty where nothing ever was."""
    if REDRIVEN_TOPIC not in kafka.topic_names():
        return {}
    return {one.letter: one for one in map(_parsed, kafka.values(REDRIVEN_TOPIC))}


def _parsed(value: bytes) -> Marker:
    try:
        return Marker(**json.loads(value))
    except (ValueError, TypeError) as error:
        raise ReadError(
            f"The topic {REDRIVEN_TOPIC} holds a record that is not ours.", "See who else writes to that topic."
        ) from error
