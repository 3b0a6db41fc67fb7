"""What all sessions of one process share, and nothing else may cache: readers, the newest snapshot, finished answers.

What is committed is keyed by snapshot id: a snapshot never changes, so it is right as long as it is kept. What is ahead
of the commit is kept until it changes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.access import Caller, Role
from dashboard.background_look import BackgroundLook, Found
from dashboard.errors import ReadError, SalesTrendsError, SettingsError
from dashboard.lake_connections import lake_of
from dashboard.lake_engines import engine_of
from dashboard.opened import opened
from dashboard.readers.committed import NOTHING, Committed, committed_by
from dashboard.readers.engine import Engine, Prepared, Progress
from dashboard.readers.lake import REVENUE_TABLE, Lake
from dashboard.readers.lake_table import LakeTable, Snapshot
from dashboard.readers.no_tables import NoTables
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.revenue.drawn import Drawn, DrawnRevenue, Marks
from dashboard.revenue.revised_windows import NONE, RevisedWindows
from dashboard.settings import Settings, load_settings
from dashboard.target_settings import settings_of
from dashboard.targets import LOCAL
from dashboard.trends.sales import NewState, Sales
from dashboard.trends.trend import Asked

if TYPE_CHECKING:
    from dashboard.annotations import Annotation
    from dashboard.desks.administration import Administration
    from dashboard.desks.annotations import AnnotationDesk
    from dashboard.desks.dead_letters import DeadLetterDesk
    from dashboard.desks.explore import ExploreDesk
    from dashboard.desks.freshness import FreshnessDesk
    from dashboard.desks.live import LiveDesk
    from dashboard.desks.pins import Pin, PinResult
    from dashboard.readers.streamed import Ahead, Streamed

_one_alone = Lock()
_explore_desks: "dict[str, ExploreDesk]" = {}
_TRIES = 5
GLANCE_SECONDS = 0.4
"""However many pages are open, the catalog is asked once in this time."""
NOTES_SECONDS = 2.0
"""The file of notes is read so often, however many pages are open; what its desk asks Kafka for is kept there."""
PATIENCE = timedelta(seconds=0.5)
"""So long a page waits for the tables to be read for the first time before it says how far that is."""


@dataclass(frozen=True)
class Glance:
    """What the catalog says now."""

    engine: Engine | None
    """Answers from what was committed; None as long as nothing was, or none is known."""
    snapshot: Snapshot | None
    """The newest one, or the last one known if `fault` is set; None when nothing was committed."""
    fault: SalesTrendsError | None
    """Why the newest one could not be asked for."""
    reading: Progress | None = None
    """How far the tables are read for the first time; nothing is known before they are."""


def glance(settings: Settings) -> Glance:
    """The newest state of the target's revenue; that a catalog cannot be asked is an answer too, and asked again."""
    return _glance(_place(settings), settings)


@st.cache_resource(ttl=GLANCE_SECONDS, max_entries=4, show_spinner=False)
def _glance(place: str, _settings: Settings) -> Glance:
    known = _known(place)
    try:
        engine = _engine(_settings)
        if isinstance(engine, Prepared) and (reading := engine.first_read(PATIENCE)):
            return Glance(None, None, None, reading)
        snapshot = engine.newest()
    except SalesTrendsError as fault:
        return Glance(known.engine if known.snapshot else None, known.snapshot, fault)
    if snapshot is None and _settings.target == LOCAL:
        # the tables may come in another namespace, for which the local catalog is looked through anew
        known.close()
    known.snapshot = snapshot
    return Glance(known.engine, snapshot, None)


@dataclass(frozen=True)
class Answer:
    """One view as it is now, ready to be shown. Shared by all who look: never change it."""

    drawn: Drawn
    ahead: "Ahead | None"
    """What is ahead of the state that it is of; None where it cannot be asked for."""
    fault: SalesTrendsError | None
    """Why what is ahead is not known, or not any more."""
    old: SalesTrendsError | None = None
    """Why it is not of the newest state, but what was drawn last."""
    unrevised: SalesTrendsError | None = None
    """Why it is not known which windows were revised."""
    unnoted: SalesTrendsError | None = None
    """Why it is not known what was noted. Both may name files, which are for ops."""


def revenue(settings: Settings, glance: Glance, asked: Asked, show: str, *, is_selectable: bool = True) -> Answer:
    """What one view shows: of one snapshot, and what is ahead of that; `show` is a name of `revenue.view.SHOWS`.

    Raises SettingsError for what windows do not fit, and where nothing was drawn before what `Engine.ask` raises.
    """
    place = _place(settings)
    source = f"revenue in {settings.view.currency} · {settings.target} · {settings.lake.engine}"
    drawn = _drawn(place, f"{asked!r} {show} {source} {is_selectable}", asked, show, source, is_selectable)
    if glance.snapshot is None and glance.fault:
        # nobody knows what is committed, so nobody knows what is ahead of it
        return Answer(drawn.last, None, None)
    engine = glance.engine or NoTables()
    snapshot = glance.snapshot
    try:
        for _ in range(_TRIES):
            state = _state(engine, place, None if snapshot is None else snapshot.id)
            ahead, fault = _ahead(settings, state.committed)
            revised, happened = _marks(settings, state.snapshot)
            marks = Marks(revised.value, happened.value)
            try:
                found = drawn.of(engine, state.snapshot, ahead, marks)
            except NewState:
                snapshot = engine.newest()
            else:
                return Answer(found, ahead, fault, unrevised=revised.fault, unnoted=happened.fault)
        raise ReadError(f"{REVENUE_TABLE} was committed to again and again while it was read.", "Try again.")
    except SettingsError:
        raise
    except SalesTrendsError as error:
        if drawn.last.trend is None:
            raise
        return Answer(drawn.last, None, None, error)


@dataclass(frozen=True)
class _State:
    """What is committed."""

    snapshot: Snapshot | None
    committed: Committed


@st.cache_resource(max_entries=8, show_spinner=False)
def _state(_engine: Engine, place: str, snapshot_id: int | None) -> _State:
    """Of that snapshot or a newer one."""
    sales = Sales(_engine)
    extent = sales.extent()
    if extent is None or extent.committed_until is None or sales.snapshot is None:
        return _State(sales.snapshot, NOTHING)
    return _State(sales.snapshot, committed_by(_engine, sales.snapshot, extent.committed_until))


def _marks(
    settings: Settings, snapshot: Snapshot | None
) -> "tuple[Found[frozenset[datetime]], Found[tuple[Annotation, ...]]]":
    """Revised windows and what happened, as known by now; nobody waits. Why deployments are not known, Notes tells."""
    looks = _looks(_place(settings), settings)
    return looks.revised.found(None if snapshot is None else snapshot.id), looks.happened.found(_edition())


def _ahead(settings: Settings, of: Committed) -> "tuple[Ahead | None, SalesTrendsError | None]":
    """What is ahead of that state; that Kafka cannot be asked takes away nothing committed."""
    try:
        found = _streamed(_place(settings), settings).ahead(of)
    except SalesTrendsError as fault:
        return None, fault
    return found, found.fault


@st.cache_resource(max_entries=4, show_spinner=False, on_release=lambda streamed: streamed.end())
def _streamed(_place: str, _settings: Settings) -> "Streamed":
    # Kafka's clients, which whoever cannot reach a cluster does not need
    from dashboard.clusters import kafka_and_registry
    from dashboard.readers.streamed import Streamed

    kafka, registry = kafka_and_registry(_settings)
    streamed = Streamed(kafka, registry.schema, _settings.pipeline.window_size)
    opened.callback(streamed.close)
    return streamed


@st.cache_resource(max_entries=64, show_spinner=False)
def _drawn(place: str, key: str, _asked: Asked, _show: str, _source: str, _is_selectable: bool) -> DrawnRevenue:
    return DrawnRevenue(_asked, _show, _source, is_selectable=_is_selectable)


def _edition() -> int:
    # before there is a desk nobody has changed a note with it, and what it loads takes half a second
    return _annotation_desk().edition if _annotation_desk.cache_info().currsize else 0


@dataclass(frozen=True)
class _Looks:
    revised: BackgroundLook[frozenset[datetime]]
    happened: "BackgroundLook[tuple[Annotation, ...]]"


@st.cache_resource(max_entries=4, show_spinner=False)
def _looks(_place: str, _settings: Settings) -> _Looks:
    def happened() -> "tuple[Annotation, ...]":
        # drawn for everybody, so it is what a viewer may see
        return tuple(annotation_desk().within(Caller("", Role.VIEWER), EARLIEST, LATEST).found)

    lakes: list[Lake] = []

    def table() -> LakeTable | None:
        if not lakes:
            lakes.append(lake_of(_settings))
        found = lakes[0].table(REVENUE_TABLE)
        if found is None:
            lakes.clear()  # it may come in another namespace
        return found

    windows = RevisedWindows(table)
    return _Looks(
        BackgroundLook("revised windows", windows.starts, NONE),
        BackgroundLook("what happened", happened, (), NOTES_SECONDS),
    )


@dataclass
class _Known:
    engine: Engine | None = None
    snapshot: Snapshot | None = None
    beginning: Lock = field(default_factory=Lock)
    """Pages and the watch of freshness may ask first at the same moment."""

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
    local, lake = settings.local, settings.lake
    return f"{settings.target} {local.registry_port} {local.kafka_port} {lake.engine} {lake.mirror}"


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


def explore_desk(settings: Settings) -> "ExploreDesk":
    """What reads the target's tables for all who explore them, and runs their SQL."""
    with _one_alone:
        place = _place(settings)
        if place not in _explore_desks:
            from dashboard.desks.explore import ExploreDesk
            from dashboard.desks.lake import LakeDesk

            lake = LakeDesk(settings)
            opened.callback(lake.close)
            desk = _explore_desks[place] = ExploreDesk(settings, lake)
            opened.callback(desk.close)
        return _explore_desks[place]


def pin_look(settings: Settings, pin: "Pin") -> "BackgroundLook[PinResult | None]":
    """Looks once what a pinned sum comes to now, with the engine of the pages, so that no table is read twice."""
    from dashboard.desks.lake import LakeDesk
    from dashboard.desks.pins import check_pin

    desk = LakeDesk(settings, engines=lambda _settings, _name: _engine(settings))
    viewer = Caller("", Role.VIEWER)
    return BackgroundLook("what a link says", lambda: check_pin(desk, viewer, pin, settings.lake.engine), None)


def annotation_desk() -> "AnnotationDesk":
    """Notes, and what happened on this dashboard's target."""
    with _one_alone:
        return _annotation_desk()


@cache
def _annotation_desk() -> "AnnotationDesk":
    from dashboard.desks.annotations import AnnotationDesk

    return AnnotationDesk(settings_of(load_settings().target))


def freshness_desk() -> "FreshnessDesk":
    """How late the pipeline of this dashboard's target is; its watch looks as long as the server runs."""
    with _one_alone:
        return _freshness_desk()


@cache
def _freshness_desk() -> "FreshnessDesk":
    from dashboard.desks.freshness import FreshnessDesk, watch_of

    settings = settings_of(load_settings().target)
    return FreshnessDesk(settings, watch_of(settings, "dashboard", lambda: _engine(settings)))


def _engine(settings: Settings) -> Engine:
    """The one that the pages ask."""
    known = _known(_place(settings))
    with known.beginning:
        if known.engine is None:
            known.engine = engine_of(settings, settings.lake.engine)
        return known.engine


@cache
def _live_desk() -> "LiveDesk":
    from dashboard.desks.live import LiveDesk

    desk = LiveDesk()
    opened.callback(desk.close)
    return desk


@cache
def _dead_letter_desk() -> "DeadLetterDesk":
    from dashboard.desks.dead_letters import DeadLetterDesk

    return DeadLetterDesk()


@cache
def _administration() -> "Administration":
    # the clients of every remote system, half a second and 60 MB that a viewer does not need
    from dashboard.desks.administration import Administration

    return Administration()
