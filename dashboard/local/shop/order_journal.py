"""The order feed's journal: every order it is about to send, by id."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.local.shop.journal import REJECTED, VOID, End, Journal

FIRST_ORDER_ID = 3000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (orderid INTEGER PRIMARY KEY, orderdate INTEGER NOT NULL) STRICT;
"""


def order_journal_path(home: Path) -> Path:
    return home / "shop" / "orders.sqlite"


@dataclass(frozen=True, slots=True)
class PastPlan:
    """What was decided about the past at the very first start; it stays, whatever the settings say later."""

    start_ms: int
    end_ms: int
    orders: int
    live_rate: float
    seed: int


class OrderJournal(Journal):
    """Rows of orders; `settled_through` is the newest settled id."""

    def __init__(self, home: Path) -> None:
        super().__init__(order_journal_path(home), _SCHEMA)

    def plan(self) -> PastPlan | None:
        """None before the very first start."""
        facts = dict(self.connection.execute("SELECT name, value FROM facts WHERE name LIKE 'plan_%'"))
        if not facts:
            return None
        return PastPlan(
            start_ms=int(facts["plan_start_ms"]),
            end_ms=int(facts["plan_end_ms"]),
            orders=int(facts["plan_orders"]),
            live_rate=float(facts["plan_live_rate"]),
            seed=int(facts["plan_seed"]),
        )

    def keep_plan(self, plan: PastPlan, partitions: int) -> None:
        with self.transaction():
            self.set_ends({partition: End(0, None) for partition in range(partitions)})
            self.set_facts(
                plan_start_ms=plan.start_ms,
                plan_end_ms=plan.end_ms,
                plan_orders=plan.orders,
                plan_live_rate=plan.live_rate,
                plan_seed=plan.seed,
                settled_through=FIRST_ORDER_ID - 1,
            )

    def next_id(self) -> int:
        newest = self.connection.execute("SELECT max(orderid) FROM orders").fetchone()[0]
        return FIRST_ORDER_ID if newest is None else int(newest) + 1

    def write(self, orders: Iterable[tuple[int, int]], rejected: Iterable[int]) -> None:
        """Notes (orderid, orderdate in milliseconds) rows that are about to be sent, and which of them never are."""
        with self.transaction():
            self.connection.executemany("INSERT INTO orders VALUES (?, ?)", orders)
            self.leave_out(rejected, REJECTED)
            self.note_batch()

    def settle(self, through: int, ends: Mapping[int, End], void: Iterable[int] = ()) -> None:
        """Notes that everything up to the id `through` was sent, but for `void`."""
        with self.transaction():
            self.leave_out(void, VOID)
            self.merge_ends(ends)
            self.set_facts(settled_through=through)

    def in_flight(self) -> list[tuple[int, int]]:
        """(orderid, orderdate) rows beyond the settlement, oldest first."""
        rows = self.connection.execute(
            "SELECT orderid, orderdate FROM orders WHERE orderid > ?"
            " AND orderid NOT IN (SELECT row FROM left_out) ORDER BY orderid",
            (self.fact("settled_through"),),
        )
        return [(int(orderid), int(orderdate)) for orderid, orderdate in rows]
