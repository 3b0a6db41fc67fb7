"""The part of the payment app's journal that holds dead letters until Kafka has them.

What a letter says is as secret as the dead-letter topic: card numbers are ciphertext in it, or blacked out.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dashboard.enforcement.outcomes import DeadLetter
from dashboard.local.shop.journal import End, Journal

LETTER_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    row INTEGER PRIMARY KEY, topic TEXT NOT NULL, order_id INTEGER NOT NULL, sent_as INTEGER NOT NULL,
    value BLOB NOT NULL, headers TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS letter_ends (
    topic TEXT NOT NULL, topic_partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, newest_ms INTEGER,
    PRIMARY KEY (topic, topic_partition)
) WITHOUT ROWID, STRICT;
"""


class Letter(NamedTuple):
    """One dead letter to be sent."""

    row: int
    """Of the payment that was refused."""
    topic: str
    order_id: int
    sent_as: int
    """The record's timestamp: when the payment was refused (milliseconds)."""
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def letter_of(row: int, order_id: int, now: int, dead: DeadLetter) -> Letter:
    return Letter(row, dead.topic, order_id, now, dead.value, dead.headers)


class LetterJournal(Journal):
    """Letters that are not known to be in Kafka, and how far their topics are known."""

    def note_letters(self, letters: Iterable[Letter]) -> None:
        """In the transaction that notes their payments as refused."""
        rows = [
            (*letter[:5], json.dumps([[name, text.decode("latin-1")] for name, text in letter.headers]))
            for letter in letters
        ]
        self.connection.executemany("INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?)", rows)

    def letters(self) -> list[Letter]:
        """By topic, oldest first."""
        rows = self.connection.execute(
            "SELECT row, topic, order_id, sent_as, value, headers FROM letters ORDER BY topic, row"
        )
        return [
            Letter(row, topic, order_id, sent_as, value, tuple((name, text.encode("latin-1")) for name, text in told))
            for row, topic, order_id, sent_as, value, headers in rows
            for told in [json.loads(headers)]
        ]

    def letter_ends(self, topic: str) -> dict[int, End]:
        """Empty before the first letter to a topic."""
        rows = self.connection.execute(
            "SELECT topic_partition, next_offset, newest_ms FROM letter_ends WHERE topic = ?", (topic,)
        )
        return {partition: End(next_offset, newest_ms) for partition, next_offset, newest_ms in rows}

    def letters_arrived(self, topic: str, rows: Iterable[int], ends: Mapping[int, End]) -> None:
        with self.transaction():
            self.connection.executemany("DELETE FROM letters WHERE row = ?", ((row,) for row in rows))
            self.connection.executemany(
                "INSERT OR REPLACE INTO letter_ends VALUES (?, ?, ?, ?)",
                ((topic, partition, end.next_offset, end.newest_ms) for partition, end in ends.items()),
            )
