"""What the readings mean: how late the numbers are, at which hop they are held, and why."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from dashboard.wording import length, moment


class State(StrEnum):
    """Of a hop and of the whole, the better ones first."""

    FRESH = "fresh"
    WAITING = "waiting"
    """Nothing comes in; what came has been worked on. Not a fault."""
    LATE = "late"
    STALE = "stale"
    UNKNOWN = "unknown"
    """What would tell was not to be had."""


class Stage(StrEnum):
    """The kinds of hop between the shop and the chart."""

    INGEST = "ingest"
    """From the event to Kafka."""
    QUEUE = "queue"
    """Records that a statement has not read."""
    WATERMARK = "watermark"
    """What a statement has read and cannot pass on yet."""
    COMMIT = "commit"
    """From the topic to the Iceberg table."""
    PAGE = "page"
    """From the table to the dashboard's readers."""


@dataclass(frozen=True)
class Hop:
    """One way between two neighbours."""

    stage: Stage
    name: str
    """Unique and stable, such as `queue:unique-payments-maintenance`; the name of the label in /metrics."""
    title: str
    """In words, such as `Iceberg commit of revenue_summary`."""
    delay: timedelta | None
    """How much event time is held here; None when it is not known."""
    normal: timedelta
    """Up to this delay all is as it should be."""
    state: State
    reason: str = ""
    """Why, in one sentence, where it is not fresh."""
    hint: str = ""
    """What to do about it."""
    records: int | None = None
    """That wait here, where they are counted."""


@dataclass(frozen=True)
class Concern:
    """What somebody should be told of although the numbers may come in time, such as a check that failed."""

    name: str
    """Unique and stable, such as `quality` or `rejected-payments`: an alert is about one name."""
    sentence: str
    is_done: bool = False
    """It has happened, such as records that were left out: no later look takes it back, so nobody waits to tell it."""


@dataclass(frozen=True)
class Verdict:
    """The whole, at one moment."""

    at: datetime
    """UTC."""
    state: State
    as_of: datetime | None
    """The end of the newest window that the table holds, UTC: up to then the chart is complete."""
    behind: timedelta | None
    """How long ago that is."""
    hops: tuple[Hop, ...]
    """In the order of the flow."""
    held_at: Hop | None
    """The first hop upstream that is worst; None while fresh."""
    notes: tuple[str, ...] = ()
    """What else should be known, such as late records and rejected payments, a sentence each."""
    concerns: tuple[Concern, ...] = ()
    """What of that is worth an alert."""

    def without_reasons(self) -> "Verdict":
        """Where it is held and for how long, and no more: what systems told of reasons names hosts and files."""
        return replace(
            self,
            hops=tuple(map(_plain, self.hops)),
            held_at=_plain(self.held_at) if self.held_at else None,
            notes=(),
            concerns=(),
        )

    def headline(self, zone: tzinfo = UTC) -> str:
        """In one line, on a clock of that zone: `Data as of 14:05:10, 42 s late, held at: Iceberg commit of …`."""
        if self.as_of is None:
            known = "No window has reached the table yet" if self.state is not State.UNKNOWN else "Data age unknown"
            parts = [known]
        else:
            parts = [f"Data as of {moment(self.as_of, zone, self.at)}"]
        match self.state:
            case State.FRESH:
                parts.append("fresh")
            case State.WAITING:
                parts.append("waiting for input")
            case State.LATE | State.STALE:
                overdue = self.overdue
                parts.append(f"{length(overdue)} late" if overdue else self.state.value)
            case State.UNKNOWN:
                parts.append("its age cannot be judged" if self.as_of else "it cannot be looked at")
        if self.held_at is not None and self.state is not State.WAITING:
            parts.append(f"held at: {self.held_at.title}")
        return ", ".join(parts)

    @property
    def overdue(self) -> timedelta | None:
        """By how much the hop that holds it is later than is normal there."""
        held = self.held_at
        if held is None or held.delay is None or held.delay <= held.normal:
            return None
        return held.delay - held.normal


def _plain(hop: Hop) -> Hop:
    match hop.state:
        case State.FRESH:
            return replace(hop, reason="", hint="")
        case State.WAITING:
            reason = "Nothing new comes in."
        case State.UNKNOWN:
            reason = "How far the numbers have come there cannot be seen now."
        case State.LATE | State.STALE:
            reason = "The numbers do not go on from there as they should."
            if hop.delay is not None and hop.delay > hop.normal:
                reason = f"They take {length(hop.delay)} there, and up to {length(hop.normal)} is normal."
    return replace(hop, reason=reason, hint="Ops see why on the Freshness page.")
