"""What all sessions of one process share, and nothing else may cache: readers, the newest snapshot, finished answers.

Answers are keyed by snapshot id: a snapshot never changes, so an answer is right as long as it is kept.
"""

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import streamlit as st

from dashboard.charts import revenue_bars
from dashboard.deployments import settings_of
from dashboard.errors import SalesTrendsError
from dashboard.lake_engines import engine_of
from dashboard.opened import opened
from dashboard.readers.engine import Engine
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.revenue import RANGES, Trend, trend
from dashboard.settings import Settings, load_settings
from dashboard.targets import LOCAL

if TYPE_CHECKING:
    from dashboard.administration import Administration
    from dashboard.dead_letter_desk import DeadLetterDesk
    from dashboard.freshness_desk import FreshnessDesk
    from dashboard.live_desk import LiveDesk

_one_alone = Lock()
GLANCE_SECONDS = 1.0
"""However many pages are open, the catalog is asked once in this time."""


@dataclass(frozen=True)
class Glance:
    """What the catalog says now."""

    engine: Engine | None
    """Answers from what was committed; None as long as nothing was, or none is known."""
    snapshot: Snapshot | None
    """The newest one, or the last one known if `fault` is set; None when nothing was committed."""
    fault: SalesTrendsError | None
    """Why the newest one could not be asked for."""


def glance(settings: Settings) -> Glance:
    """The newest state of the target's revenue; that a catalog cannot be asked is an answer too, and asked again."""
    return _glance(_place(settings), settings)


@st.cache_resource(ttl=GLANCE_SECONDS, max_entries=4, show_spinner=False)
def _glance(place: str, _settings: Settings) -> Glance:
    known = _known(place)
    try:
        snapshot = _engine(_settings).newest()
    except SalesTrendsError as fault:
        return Glance(known.engine if known.snapshot else None, known.snapshot, fault)
    if snapshot is None and _settings.target == LOCAL:
        # the tables may come in another namespace, for which the local catalog is looked through anew
        known.close()
    known.snapshot = snapshot
    return Glance(known.engine, snapshot, None)


@dataclass(frozen=True)
class Answer:
    """One range at one snapshot, ready to be shown. Shared by all who look: never change it."""

    trend: Trend
    figure: go.Figure | None
    """None while the table has faults: a wrong bar is worse than none."""


def revenue(settings: Settings, glance: Glance, range_name: str, zone: str) -> Answer | None:
    """What one range holds at one snapshot; None when the table has no rows. Raises what `Engine.ask` raises."""
    if glance.engine is None or glance.snapshot is None:
        return None
    return _revenue(glance.engine, _place(settings), glance.snapshot.id, range_name, zone)


@st.cache_resource(max_entries=64, show_spinner=False)
def _revenue(_engine: Engine, place: str, snapshot_id: int, range_name: str, zone: str) -> Answer | None:
    found = trend(_engine, RANGES[range_name], ZoneInfo(zone))
    if found is None:
        return None
    if len(found.faults):
        return Answer(found, None)
    figure = revenue_bars(found.buckets, start=found.start, end=found.end, bucket=found.bucket, zone=ZoneInfo(zone))
    return Answer(found, figure)


@dataclass
class _Known:
    engine: Engine | None = None
    snapshot: Snapshot | None = None

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None


@st.cache_resource(max_entries=4, show_spinner=False, on_release=lambda known: known.close())
def _known(_place: str) -> _Known:
    known = _Known()
    opened.callback(known.close)
    return known


def _place(settings: Settings) -> str:
    """Whose tables, and who reads them."""
    return f"{settings.target} {settings.local.registry_port} {settings.lake.engine} {settings.lake.mirror}"


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


def freshness_desk() -> "FreshnessDesk":
    """How late the pipeline of this dashboard's target is; its watch looks as long as the server runs."""
    with _one_alone:
        return _freshness_desk()


@cache
def _freshness_desk() -> "FreshnessDesk":
    from dashboard.freshness_desk import FreshnessDesk
    from dashboard.watched import watch_of

    settings = settings_of(load_settings().target)
    return FreshnessDesk(settings, watch_of(settings, "dashboard", lambda: _engine(settings)))


def _engine(settings: Settings) -> Engine:
    """The one that the pages ask."""
    known = _known(_place(settings))
    if known.engine is None:
        known.engine = engine_of(settings, settings.lake.engine)
    return known.engine


@cache
def _live_desk() -> "LiveDesk":
    from dashboard.live_desk import LiveDesk

    desk = LiveDesk()
    opened.callback(desk.close)
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
