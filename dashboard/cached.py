"""What all sessions of one process share, and nothing else may cache: readers, the newest snapshot, finished answers.

Answers are keyed by snapshot id: a snapshot never changes, so an answer is right as long as it is kept.
"""

import atexit
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import streamlit as st

from dashboard.charts import revenue_bars
from dashboard.errors import SalesTrendsError
from dashboard.readers.lake import Lake, find_namespace
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.revenue import RANGES, Trend, trend
from dashboard.readers.revenue_rows import RevenueRows

if TYPE_CHECKING:
    from dashboard.administration import Administration
    from dashboard.dead_letter_desk import DeadLetterDesk
    from dashboard.live_desk import LiveDesk

_one_alone = Lock()
GLANCE_SECONDS = 1.0
"""However many pages are open, the catalog is asked once in this time."""


@dataclass(frozen=True)
class Glance:
    """What the catalog says now."""

    rows: RevenueRows | None
    """Of the table; None as long as there is none, or none is known."""
    snapshot: Snapshot | None
    """The newest one, or the last one known if `fault` is set; None when nothing was committed."""
    fault: SalesTrendsError | None
    """Why the newest one could not be asked for."""


@st.cache_resource(ttl=GLANCE_SECONDS, max_entries=4, show_spinner=False)
def glance(uri: str) -> Glance:
    """The newest state of the revenue table; a catalog that cannot be asked is an answer too, and asked again later."""
    known = _known(uri)
    rows = known.rows
    try:
        if rows is None and (namespace := find_namespace(uri)):
            rows = RevenueRows(Lake(uri, namespace))
        snapshot = rows.lake.snapshot() if rows else None
    except SalesTrendsError as fault:
        return Glance(known.rows, known.snapshot, fault)
    # a table without a snapshot may be the one of a cluster that is gone: it is looked for anew the next time
    known.rows, known.snapshot = (rows, snapshot) if snapshot else (None, None)
    return Glance(rows, snapshot, None)


@dataclass(frozen=True)
class Answer:
    """One range at one snapshot, ready to be shown. Shared by all who look: never change it."""

    trend: Trend
    figure: go.Figure | None
    """None while the table has faults: a wrong bar is worse than none."""


def revenue(rows: RevenueRows, snapshot: Snapshot, range_name: str, zone: str) -> Answer | None:
    """What one range holds at one snapshot; None when the table has no rows. Raises what `Lake.revenue` raises."""
    return _revenue(rows, snapshot, rows.lake.uri, rows.lake.namespace, snapshot.id, range_name, zone)


@st.cache_resource(max_entries=64, show_spinner=False)
def _revenue(
    _rows: RevenueRows, _snapshot: Snapshot, uri: str, namespace: str, snapshot_id: int, range_name: str, zone: str
) -> Answer | None:
    asked = RANGES[range_name]
    found = trend(_rows.at(_snapshot, asked.span), asked, ZoneInfo(zone))
    if found is None:
        return None
    if len(found.faults):
        return Answer(found, None)
    figure = revenue_bars(found.buckets, start=found.start, end=found.end, bucket=found.bucket, zone=ZoneInfo(zone))
    return Answer(found, figure)


@dataclass
class _Known:
    rows: RevenueRows | None = None
    snapshot: Snapshot | None = None


@st.cache_resource(max_entries=4, show_spinner=False)
def _known(uri: str) -> _Known:
    return _Known()


def administration() -> "Administration":
    """What admins begin goes on in it, whoever looks. In no cache of Streamlit's, which every visitor may clear."""
    with _one_alone:
        return _administration()


def dead_letter_desk() -> "DeadLetterDesk":
    """The same of dead letters."""
    with _one_alone:
        return _dead_letter_desk()


def live_desk() -> "LiveDesk":
    """What reads topics for all who look; it ends in order with the process."""
    with _one_alone:
        return _live_desk()


@cache
def _live_desk() -> "LiveDesk":
    from dashboard.live_desk import LiveDesk

    desk = LiveDesk()
    atexit.register(desk.close)
    return desk


@cache
def _dead_letter_desk() -> "DeadLetterDesk":
    from dashboard.dead_letter_desk import DeadLetterDesk

    return DeadLetterDesk()


@cache
def _administration() -> "Administration":
    # the clients of every remote system, half a second and 60 MB that a viewer does not need
    from dashboard.administration import Administration

    return Administration()
