"""How far the shop has come, readable by any process at any time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dashboard.local.shop.journal import facts_of, reading, running_pid
from dashboard.local.shop.order_journal import FIRST_ORDER_ID, order_journal_path
from dashboard.local.shop.payment_journal import payment_journal_path
from dashboard.local.worker import now_ms


@dataclass(frozen=True)
class ShopProgress:
    """All zero and None before the shop's first start."""

    orders_sent: int = 0
    """Orders handed to Kafka and acknowledged, past and live."""
    orders_planned: int = 0
    """How many orders the past has in all; 0 without history or before the first start. The feed is live when all
    but the last few are sent, which come by the clock."""
    orders_live_since: datetime | None = None
    """When the running order feed had written its past (UTC); None while it has not, and when no feed runs."""
    payments_sent: int = 0
    """Payments handed to Kafka and acknowledged, duplicates included."""
    payments_due: int = 0
    """Payments whose time has come and that are not sent yet."""
    payments_live_since: datetime | None = None
    """When the running payment app had sent every payment due (UTC); None while it has not, and when none runs."""


def read_progress(home: Path) -> ShopProgress:
    """The progress of the shop whose stack lives in `home`; raises ReadError when a journal is damaged."""
    orders_sent = orders_planned = payments_sent = payments_due = 0
    orders_live = payments_live = None
    with reading(order_journal_path(home)) as journal:
        if journal is not None:
            facts = facts_of(journal)
            orders_sent = (facts.get("settled_through") or FIRST_ORDER_ID - 1) - FIRST_ORDER_ID + 1
            orders_planned = facts.get("plan_orders") or 0
            orders_live = _since(facts.get("live_since_ms")) if running_pid(journal) else None
    with reading(payment_journal_path(home)) as journal:
        if journal is not None:
            facts = facts_of(journal)
            payments_sent = facts.get("settled_through") or 0
            payments_live = _since(facts.get("live_since_ms")) if running_pid(journal) else None
            counted = journal.execute("SELECT count(*) FROM pending WHERE place <= ?", (now_ms(),))
            payments_due = counted.fetchone()[0]
    return ShopProgress(orders_sent, orders_planned, orders_live, payments_sent, payments_due, payments_live)


def _since(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
