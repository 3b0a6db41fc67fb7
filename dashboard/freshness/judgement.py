"""From readings to a verdict: the state of each hop, and the one that holds the chart up. Pure.

Look after look: `memory = memory.after(readings, ways)`, then `judge(readings, ways, thresholds, before, memory)`.
With one look alone, a hop is judged by the distance of its ends, generously.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from dashboard.freshness.causes import (
    Cause,
    away,
    clock,
    halted,
    no_input,
    source_name,
    stopped_program,
    uncommitted,
    uncopied,
    unpassed,
    unread,
)
from dashboard.freshness.frontiers import ends_of
from dashboard.freshness.hops import Way
from dashboard.freshness.memory import Memory
from dashboard.freshness.notes import concerns_on, notes_on
from dashboard.freshness.readings import Part, Readings
from dashboard.freshness.thresholds import Thresholds, quiet_after
from dashboard.freshness.verdict import Hop, Stage, State, Verdict
from dashboard.wording import length

_ORDER = {state: place for place, state in enumerate(State)}
_FEWEST_OLD = 5
"""Records in a row that are all old: single ones are, such as a payment that is sent again."""
_FEWEST_LETTERS = 20
_REJECTED_WITHIN = timedelta(seconds=20)
_CATCHING_UP = 2.0
"""Times as fast as the clock: whoever sends a past so fast is about to have sent it all."""
_SKEW = timedelta(seconds=5)
_JUST_NOW = timedelta(seconds=3)
_NEEDED = (Part.KAFKA, Part.REGISTRY, Part.CATALOG, Part.READERS)
_PATIENCE = timedelta(seconds=5)
"""A part that does not answer one look may only be slow: so long its hops stay what they were."""
_NOT_LONGER = 0.5
"""A hop that is late is so until it is below this part of where late began: it must not go to and fro."""
_NOTHING = timedelta(0)


def judge(
    readings: Readings,
    ways: Sequence[Way],
    thresholds: Thresholds,
    before: Verdict | None = None,
    memory: Memory | None = None,
) -> Verdict:
    """The whole at that moment. `before` is the verdict on the look before, `memory` holds this look too."""
    known = Memory().after(readings, ways) if memory is None else memory
    hops = _Judge(readings, thresholds, before, known).hops(ways)
    main = [hop for way, hop in zip(ways, hops, strict=True) if way.is_main]
    worst = max((hop.state for hop in main), key=_ORDER.__getitem__, default=State.UNKNOWN)
    held = _held(main, worst, ways, readings) if worst is not State.FRESH else None
    # the table that the page shows
    results = [way.upstream for way in ways if way.stage is Stage.PAGE]
    frontiers = [table.frontier for names in results for name in names if (table := readings.tables.get(name))]
    as_of = min((one for one in frontiers if one), default=None)
    if as_of is None and readings.silences and before is not None:
        as_of = before.as_of  # it was committed, whoever is away now
    return Verdict(
        readings.at,
        worst,
        as_of,
        max(_NOTHING, readings.at - as_of) if as_of else None,
        hops,
        held,
        notes_on(readings, ways, hops, held, known),
        concerns_on(readings, ways, hops, known),
    )


def _held(main: Sequence[Hop], worst: State, ways: Sequence[Way], readings: Readings) -> Hop:
    """The first that is worst; of silent sources one whose program does not run, or what has been silent longest."""
    worsts = [hop for hop in main if hop.state is worst]
    if worst is not State.WAITING:
        return worsts[0]
    sources = {way.name: way for way in ways}

    def silent(hop: Hop) -> tuple[bool, float]:
        way = sources[hop.name]
        topic = readings.topics.get(way.downstream)
        newest = topic.newest_at if topic else None
        return way.program not in readings.programs, newest.timestamp() if newest else 0.0

    return min(worsts, key=silent)


class _Judge:
    """What all hops of one look share."""

    def __init__(self, readings: Readings, thresholds: Thresholds, before: Verdict | None, memory: Memory) -> None:
        self._readings = readings
        self._thresholds = thresholds
        self._memory = memory
        self._before = {hop.name: hop for hop in before.hops} if before else {}
        self._now = readings.latest_now

    def hops(self, ways: Sequence[Way]) -> tuple[Hop, ...]:
        passing = {way.statement: way for way in ways if way.stage is Stage.WATERMARK}
        judged = []
        for way in ways:
            match way.stage:
                case Stage.INGEST:
                    judged.append(self._ingest(way))
                case Stage.QUEUE | Stage.WATERMARK:
                    judged.append(self._statement(way, passing[way.statement]))
                case Stage.COMMIT:
                    judged.append(self._commit(way))
                case Stage.PAGE:
                    judged.append(self._page(way))
        return tuple(judged)

    def _ingest(self, way: Way) -> Hop:
        readings, at = self._readings, self._readings.at
        hop = Hop(way.stage, way.name, way.title, None, way.normal, State.FRESH)
        topic = readings.topics.get(way.downstream)
        memory = self._memory.topics.get(way.downstream)
        if topic is None or memory is None:
            missing = Cause(
                f"The topic {way.downstream} does not exist.",
                "`sales-trends up` makes it on one machine, `sales-trends apply` on a target.",
            )
            return self._unknown(hop, stopped_program(("kafka",), readings) or away(Part.KAFKA, readings) or missing)
        newest, frontier = topic.newest_at, topic.frontier
        usual = self._thresholds.usual_silence(way.downstream, at)
        silent = at - memory.came_at if memory.came_at else None
        if newest is None or silent is None or (way.program in readings.programs and silent > _JUST_NOW):
            return _held_for(replace(hop, state=State.WAITING, delay=_NOTHING), no_input(way, readings, usual))
        if frontier is None:
            unread = Cause(
                f"No event time can be read in {way.downstream}.",
                f"`sales-trends tail {way.downstream}` shows its records.",
            )
            return self._unknown(hop, away(Part.REGISTRY, readings) or unread)
        if frontier - self._now > _SKEW:
            name, ahead = source_name(way.downstream), length(frontier - self._now)
            future = Cause(
                f"There are {name} of a time that is {ahead} ahead.", "Set the clock of whoever writes them."
            )
            return _held_for(replace(hop, state=State.LATE), future)
        if rejected := self._rejected(way):
            return _held_for(replace(hop, state=State.LATE), rejected)
        if silent > quiet_after(memory.gap):
            return _held_for(replace(hop, state=State.WAITING, delay=_NOTHING), no_input(way, readings, usual))
        behind = max(_NOTHING, newest - frontier)
        hop = replace(hop, delay=behind if topic.lateness is None else min(behind, max(_NOTHING, topic.lateness)))
        age = min(self._now, at) - frontier  # whichever clock the shop goes by
        # the frontier stands while records come, or goes on far behind the clock: a past is being sent
        if memory.stood >= _FEWEST_OLD or age > silent + quiet_after(memory.gap) + way.normal:
            hop = replace(hop, delay=max(_NOTHING, age))
        elif not self._memory.is_first:  # with one look, all that it saw of the topic is old
            return replace(hop, normal=max(way.normal, hop.delay or _NOTHING))
        name, newest_of = source_name(way.downstream), clock(frontier, readings)
        old = Cause(
            f"The {name} that come are old: the newest is of {newest_of}.",
            "See why their writer is late; what is older than the open windows is left out.",
        )
        if memory.pace >= _CATCHING_UP:
            pace, rest = f"{memory.pace:,.0f} times as fast as they happened", length(age / (memory.pace - 1))
            old = Cause(
                f"Past {name} are being sent, so far up to {newest_of}: {pace}.",
                f"Nothing is to be done: at this pace they have caught up in {rest}.",
            )
        return self._judged(hop, max(_NOTHING, (hop.delay or _NOTHING) - way.normal), old)

    def _rejected(self, way: Way) -> Cause | None:
        """When most of what comes breaks its contract."""
        letters, span = self._memory.grown(way.letters, _REJECTED_WITHIN)
        came, _ = self._memory.grown(way.downstream, _REJECTED_WITHIN)
        if letters < _FEWEST_LETTERS or letters <= self._thresholds.rejected_share * (letters + came):
            return None
        return Cause(
            f"{letters:,} of {letters + came:,} {source_name(way.downstream)} in {length(span)} broke their contract "
            f"and went to {way.letters}.",
            "`sales-trends dlq list` shows why.",
        )

    def _statement(self, way: Way, passing: Way) -> Hop:
        """Its queue or its watermark: what its ends are apart is split, and one of both bears what is overdue."""
        readings, is_queue = self._readings, way.stage is Stage.QUEUE
        start, end = ends_of(passing, readings)
        statement = readings.statements.get(way.statement)
        distance = max(_NOTHING, start - end) if start and end else None
        stop = halted(way, readings)
        queued = distance if stop else self._queued(passing, distance)
        delay = queued if is_queue else distance if queued is None or distance is None else distance - queued
        records = statement.pending if statement and is_queue else None
        hop = Hop(way.stage, way.name, way.title, delay, way.normal, State.FRESH, records=records)
        if stop and is_queue:
            return _at_least_late(self._judged(hop, self._memory.overdue(passing), stop), stop)
        if start is None and not stop and (silence := self._silence):
            return self._unknown(hop, silence)
        overdue = self._memory.overdue(passing)
        is_borne_by_queue = stop is not None or (queued or _NOTHING) > passing.work + passing.grain
        if is_queue is not is_borne_by_queue:
            return replace(hop, normal=max(way.normal, delay or _NOTHING))
        cause = unread(way, readings) if is_queue else unpassed(way, readings, self._memory, end)
        return self._judged(hop, overdue, cause)

    @property
    def _silence(self) -> Cause | None:
        """Why frontiers of topics cannot be told."""
        return away(Part.KAFKA, self._readings) or away(Part.REGISTRY, self._readings)

    def _queued(self, passing: Way, distance: timedelta | None) -> timedelta | None:
        """How much of it the statement has not read, as far as the target tells."""
        statement = self._readings.statements.get(passing.statement)
        if distance is None or statement is None or not statement.pending:
            return _NOTHING if distance is not None else None
        if statement.pending_for is not None:
            return min(distance, statement.pending_for)
        start, _ = ends_of(passing, self._readings)
        read = statement.input_watermark
        if start is None or read is None or abs(self._readings.at - read) > timedelta(days=3650):
            return _NOTHING  # before its first watermark a statement tells the beginning of time
        since = self._readings.at - statement.measured_at if statement.measured_at else _NOTHING
        return min(distance, max(_NOTHING, start - since - passing.lag - read))

    def _commit(self, way: Way) -> Hop:
        readings = self._readings
        start, end = ends_of(way, readings)
        delay = max(_NOTHING, start - end) if start and end else None
        hop = Hop(way.stage, way.name, way.title, delay, way.normal, State.FRESH)
        overdue = self._memory.overdue(way)
        if gone := away(Part.CATALOG, readings):
            return self._unknown(hop, stopped_program(("registry",), readings) or gone)
        if stop := halted(way, readings) or uncopied(way, readings):
            return _at_least_late(self._judged(hop, overdue, stop), stop)
        if start is None and (silence := self._silence):
            return self._unknown(hop, silence)
        return self._judged(hop, overdue, uncommitted(way, readings))

    def _page(self, way: Way) -> Hop:
        readings = self._readings
        hop = Hop(way.stage, way.name, way.title, None, way.normal, State.FRESH)
        if gone := away(Part.READERS, readings):
            return self._unknown(hop, gone)
        if readings.page_age is None:
            return hop  # nobody looks
        start, end = ends_of(way, readings)
        behind = max(_NOTHING, start - end) if start and end else readings.page_age
        overdue = max(self._memory.overdue(way), readings.page_age - way.work)
        silent = Cause(
            f"The dashboard has not seen the newest state for {length(readings.page_age)}.",
            "`sales-trends logs dashboard` tells why, on one machine.",
        )
        return self._judged(replace(hop, delay=max(behind, readings.page_age)), overdue, silent)

    def _unknown(self, hop: Hop, cause: Cause) -> Hop:
        before = self._before.get(hop.name)
        since = [at for part, at in self._memory.silent_since.items() if part in _NEEDED]
        if before is not None and since and self._readings.at - max(since) < _PATIENCE:
            return before
        return _held_for(replace(hop, state=State.UNKNOWN, delay=None), cause)

    def _judged(self, hop: Hop, overdue: timedelta, cause: Cause) -> Hop:
        """Its state by how long something has been due; what is not due lies within what is normal."""
        limit = self._thresholds.of(hop.name, self._readings.at)
        before = known.state if (known := self._before.get(hop.name)) else None
        late = limit.late * (_NOT_LONGER if before in (State.LATE, State.STALE) else 1)
        stale = limit.stale * (_NOT_LONGER if before is State.STALE else 1)
        state = State.STALE if overdue > stale else State.LATE if overdue > late else State.FRESH
        excused = max(_NOTHING, (hop.delay or _NOTHING) - overdue)
        if state is State.FRESH:
            return replace(hop, normal=max(hop.normal, excused))
        return _held_for(replace(hop, normal=excused, state=state), cause)


def _held_for(hop: Hop, cause: Cause) -> Hop:
    return replace(hop, reason=cause.reason, hint=cause.hint)


def _at_least_late(hop: Hop, cause: Cause) -> Hop:
    return _held_for(replace(hop, state=max(hop.state, State.LATE, key=_ORDER.__getitem__)), cause)
