"""Records as rows, and opening one of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.app_pages.reader_zone import reader_zone
from dashboard.components.live_list import Column, live_list
from dashboard.desks.live import AMOUNT, ORDERS, PAID
from dashboard.readers.order_counts import cents_of, is_amount
from dashboard.readers.readable import Readable
from dashboard.wording import amount

OPENED = "live_record"
"""The place of the record that is open."""
_CELLS_KEPT = 256
"""Rows whose texts are kept for all who look, who see the same ones."""
_LONGEST = 160
"""Characters of a value in a row."""
_OF_ORDERS = (
    Column("Written"),
    Column("Paid", narrow=False),
    Column("Order", "number"),
    Column("Amount", "number"),
    Column("Confirmation", narrow=False),
)
_OF_ALL = (Column("Time"), Column("Place", narrow=False), Column("Key", narrow=False), Column("Value", "code"))


@dataclass(frozen=True)
class Rows:
    """Rows of a list at one moment."""

    rows: tuple[tuple[int, Readable], ...]
    """With their numbers, the newest first."""
    began: datetime
    """Of the counting that the numbers are of."""
    newest: int
    """The newest number there was, whether it is among them or not."""


def draw(rows: Iterable[Readable], topic: str, *, key: str, told: str = "") -> None:
    """The list under what is told of it; a row that is chosen opens, once more it closes."""
    zone = reader_zone()
    cells = _order_cells if topic == ORDERS else _cells
    opened = st.session_state.get(OPENED)
    chosen = live_list(
        _OF_ORDERS if topic == ORDERS else _OF_ALL,
        [(row.id, cells(row, zone), bool(row.fault)) for row in rows],
        told=told,
        label=f"Records of {topic}",
        selected=opened,
        key=key,
    )
    if chosen is not None:
        st.session_state[OPENED] = None if chosen == opened else chosen
        st.rerun(scope="app")


@lru_cache(_CELLS_KEPT)
def _order_cells(row: Readable, zone: ZoneInfo) -> list[str]:
    fields = row.value if isinstance(row.value, dict) else {}
    amount_, paid = fields.get(AMOUNT), fields.get(PAID)
    return [
        _clock(row.at, zone),
        _clock(paid, zone) if isinstance(paid, datetime) else "",
        str(fields.get("order_id", "")),
        row.fault or (amount(Decimal(cents_of([amount_])[0]).scaleb(-2)) if is_amount(amount_) else "no amount"),
        str(fields.get("confirmation_code", "")),
    ]


@lru_cache(_CELLS_KEPT)
def _cells(row: Readable, zone: ZoneInfo) -> list[str]:
    return [_time(row, zone), row.id, _cut(row.key_text), _cut(row.value_text)]


def _time(row: Readable, zone: ZoneInfo) -> str:
    return f"{_clock(row.at, zone)}.{row.at.microsecond // 1000:03d}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    try:
        return f"{at.astimezone(zone):%H:%M:%S}"
    except OverflowError:
        # of the first or the last day that there is
        return f"{at:%H:%M:%S}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
