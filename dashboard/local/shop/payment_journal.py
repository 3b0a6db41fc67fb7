"""The payment app's journal: every payment it is about to send, those still to come, and how far it read the orders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dashboard.local.shop.journal import REJECTED, VOID, End
from dashboard.local.shop.letter_journal import LETTER_SCHEMA, Letter, LetterJournal

FIRST, DUPLICATE, LATE = 0, 1, 2
"""Kinds of payments: the payment itself, the same sent again, and one sent a day or more after it was made."""

_SCHEMA = """
-- sent_as is the record's timestamp; rows are in sending order
CREATE TABLE IF NOT EXISTS payments (
    row INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, ts INTEGER NOT NULL, sent_as INTEGER NOT NULL,
    amount REAL NOT NULL, kind INTEGER NOT NULL
) STRICT;
-- what is still to be sent, by its place in the stream
CREATE TABLE IF NOT EXISTS pending (
    place INTEGER NOT NULL, order_id INTEGER NOT NULL, kind INTEGER NOT NULL, ts INTEGER NOT NULL,
    number INTEGER NOT NULL, first_sent INTEGER NOT NULL, PRIMARY KEY (place, order_id, kind)
) WITHOUT ROWID, STRICT;
-- orders that are never paid: what late payments are made for
CREATE TABLE IF NOT EXISTS unpaid (
    orderdate INTEGER NOT NULL, order_id INTEGER NOT NULL, PRIMARY KEY (orderdate, order_id)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS positions (topic_partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL) STRICT;
"""


def payment_journal_path(home: Path) -> Path:
    return home / "shop" / "payments.sqlite"


class Pending(NamedTuple):
    """One record still to be sent."""

    place: int
    """When it is sent, on the stream's clock (milliseconds); records go out in this order."""
    order_id: int
    kind: int
    ts: int
    number: int = 0
    """Which payment it repeats, for a duplicate."""
    first_sent: int = 0
    """When that one was really sent, by the wall clock (milliseconds)."""


class Row(NamedTuple):
    """One record about to be sent."""

    row: int
    order_id: int
    ts: int
    sent_as: int
    amount: float
    kind: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the journal stands."""

    row: int
    """The newest row."""
    number: int
    """How many payments there were, duplicates not counted."""
    clock: int
    """The stream's clock: the place of the newest record; nothing is ever sent before it again."""


class PaymentJournal(LetterJournal):
    """Rows of payments; `settled_through` is the newest settled row."""

    def __init__(self, home: Path) -> None:
        super().__init__(payment_journal_path(home), _SCHEMA + LETTER_SCHEMA)

    def begin(self, seed: int, partitions: int, order_partitions: int) -> None:
        """The very first start."""
        with self.transaction():
            self.set_facts(seed=seed, settled_through=0, number=0, clock=0)
            self.set_ends({partition: End(0, None) for partition in range(partitions)})
            self.move_to(dict.fromkeys(range(order_partitions), 0))

    def counters(self) -> Counters:
        row = self.connection.execute("SELECT max(row) FROM payments").fetchone()[0]
        return Counters(row=row or 0, number=self.fact("number") or 0, clock=self.fact("clock") or 0)

    def positions(self) -> dict[int, int]:
        return dict(self.connection.execute("SELECT topic_partition, next_offset FROM positions"))

    def move_to(self, positions: Mapping[int, int]) -> None:
        self.connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items())

    def plan(self, payments: Iterable[Pending], unpaid: Iterable[tuple[int, int]] = ()) -> None:
        """Adds payments to come, and (orderdate, order_id) of orders that get none."""
        self.connection.executemany("INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?)", payments)
        self.connection.executemany("INSERT INTO unpaid VALUES (?, ?)", unpaid)

    def due(self, until: int, limit: int) -> list[Pending]:
        """What is to be sent up to `until`, in order; it stays pending until `write` takes it."""
        rows = self.connection.execute(
            "SELECT * FROM pending WHERE place <= ? ORDER BY place, order_id, kind LIMIT ?", (until, limit)
        )
        return [Pending(*row) for row in rows]

    def backlog(self, until: int) -> int:
        return int(self.connection.execute("SELECT count(*) FROM pending WHERE place <= ?", (until,)).fetchone()[0])

    def write(
        self,
        rows: Iterable[Row],
        rejected: Iterable[int],
        counters: Counters,
        taken: Pending | None,
        letters: Iterable[Letter] = (),
    ) -> None:
        """Notes what is about to be sent, letters included; everything up to `taken` is pending no more."""
        if taken is not None:
            self.connection.execute("DELETE FROM pending WHERE (place, order_id, kind) <= (?, ?, ?)", taken[:3])
        self.connection.executemany("INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.leave_out(rejected, REJECTED)
        self.note_letters(letters)
        self.set_facts(number=counters.number, clock=counters.clock)
        self.note_batch()

    def settle(self, through: int, ends: Mapping[int, End], void: Iterable[int] = ()) -> None:
        """Notes that everything up to `through` was sent, but for `void`."""
        self.leave_out(void, VOID)
        self.merge_ends(ends)
        self.set_facts(settled_through=through)

    def in_flight(self) -> list[Row]:
        """Rows beyond the settlement, oldest first."""
        rows = self.connection.execute(
            "SELECT row, order_id, ts, sent_as, amount, kind FROM payments"
            " WHERE row > ? AND row NOT IN (SELECT row FROM left_out) ORDER BY row",
            (self.fact("settled_through"),),
        )
        return [Row(*row) for row in rows]

    def forget_duplicates(self, order_ids: Iterable[int]) -> None:
        """Drops duplicates to come whose first was never sent."""
        self.connection.executemany(
            "DELETE FROM pending WHERE kind = ? AND order_id = ?", ((DUPLICATE, order_id) for order_id in order_ids)
        )

    def take_unpaid(self, before: int) -> tuple[int, int] | None:
        """(orderdate, order_id) of the oldest unpaid order, if it is from before `before`; it is not given again."""
        row = self.connection.execute("SELECT orderdate, order_id FROM unpaid ORDER BY orderdate LIMIT 1").fetchone()
        if row is None or row[0] >= before:
            return None
        self.connection.execute("DELETE FROM unpaid WHERE (orderdate, order_id) = (?, ?)", row)
        return int(row[0]), int(row[1])
