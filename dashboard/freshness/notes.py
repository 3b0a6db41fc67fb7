"""What else should be known beside the hop that holds the chart up, a sentence each."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from dashboard.freshness.causes import source_name
from dashboard.freshness.hops import Way
from dashboard.freshness.memory import Memory
from dashboard.freshness.readings import Part, Readings
from dashboard.freshness.verdict import Concern, Hop, State
from dashboard.wording import length

_SKEW = timedelta(seconds=5)
_MINUTE = timedelta(minutes=1)
_LEAST_SPAN = timedelta(seconds=5)
"""What grew in less tells no rate."""


def notes_on(
    readings: Readings, ways: Sequence[Way], hops: Sequence[Hop], held: Hop | None, memory: Memory
) -> tuple[str, ...]:
    """Other hops that are not well, late and rejected records, clocks, parts that do not answer, warnings."""
    found = [
        *_other_hops(ways, hops, held),
        *_counts(readings, ways, memory),
        *_systems(readings),
        *(f"{one.name}: {warning}" for one in readings.statements.values() for warning in one.warnings),
        *readings.notes,
    ]
    told = {held.reason} if held else set()
    return tuple(note for note in dict.fromkeys(found) if note not in told)


def _other_hops(ways: Sequence[Way], hops: Sequence[Hop], held: Hop | None) -> Iterator[str]:
    for way, hop in zip(ways, hops, strict=True):
        is_side = not way.is_main and hop.state in (State.LATE, State.STALE)
        if hop.reason and hop is not held and (way.is_main or is_side):
            yield hop.reason


def concerns_on(readings: Readings, ways: Sequence[Way], hops: Sequence[Hop], memory: Memory) -> tuple[Concern, ...]:
    """What somebody should be told of though the chart may be fresh: money left out, side ways, clocks."""
    return (
        *(Concern(f"late-records-{name}", sentence, is_done=True) for name, sentence in _late(readings, memory)),
        *(
            Concern(hop.name, hop.reason)
            for way, hop in zip(ways, hops, strict=True)
            if not way.is_main and hop.state in (State.LATE, State.STALE)
        ),
        *(Concern("clocks", sentence) for sentence in _clocks(readings)),
    )


def _late(readings: Readings, memory: Memory) -> Iterator[tuple[str, str]]:
    for name in readings.statements:
        late, span = memory.grown(name)
        if late > 0:
            records = "record was" if late == 1 else "records were"
            yield name, f"{late:,} late {records} left out by {name} in {length(span)}."


def _counts(readings: Readings, ways: Sequence[Way], memory: Memory) -> Iterator[str]:
    yield from (sentence for _, sentence in _late(readings, memory))
    for way in ways:
        rejected, span = memory.grown(way.letters) if way.letters else (0, timedelta(0))
        if rejected > 0 and span >= _LEAST_SPAN:
            rate = rejected * _MINUTE / span
            yield f"{rate:,.0f} {source_name(way.downstream)} a minute break their contract and go to {way.letters}."


def _systems(readings: Readings) -> Iterator[str]:
    yield from _clocks(readings)
    for part in Part:
        if silence := readings.silence(part):
            yield silence.message


def _clocks(readings: Readings) -> Iterator[str]:
    skew = readings.clock_skew or timedelta(0)
    if abs(skew) > _SKEW:
        side = "ahead of" if skew > timedelta(0) else "behind"
        yield f"Kafka's clock is {length(abs(skew))} {side} this machine's: set both."
