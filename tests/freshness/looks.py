"""A look at a pipeline that tells everything, and verdicts on it, as alerts and metrics are tested with."""

from datetime import UTC, datetime, timedelta

from dashboard.freshness.readings import (
    Part,
    PartitionReading,
    Readings,
    Silence,
    StatementReading,
    TableReading,
    TopicReading,
)
from dashboard.freshness.verdict import Concern, Hop, Stage, State, Verdict

AT = datetime(2026, 3, 1, 14, 5, 52, tzinfo=UTC)
EARLIER = AT - timedelta(seconds=42)


def hop(
    name: str = "commit:revenue_summary",
    state: State = State.LATE,
    delay: timedelta | None = timedelta(seconds=42),
    stage: Stage = Stage.COMMIT,
) -> Hop:
    title = f"Iceberg commit of {name.rpartition(':')[2]}"
    return Hop(stage, name, title, delay, timedelta(seconds=20), state, "Nothing was committed.", "Start it.", 17)


def verdict(
    state: State = State.LATE,
    held_at: Hop | None = None,
    at: datetime = AT,
    *concerns: Concern,
    hops: tuple[Hop, ...] = (),
) -> Verdict:
    """Held at a hop of the same state unless it is told otherwise, and nowhere while fresh."""
    if held_at is None and state not in (State.FRESH, State.WAITING):
        held_at = hop(state=state)
    known = hops or ((held_at,) if held_at else ())
    return Verdict(at, state, EARLIER, at - EARLIER, known, held_at, concerns=concerns)


def readings(*silent: Part, statement: str = "revenue-summary-materializer") -> Readings:
    """Of one thing each, every value known."""
    told = StatementReading(
        name=statement,
        phase="RUNNING",
        input_watermark=EARLIER,
        output_watermark=EARLIER,
        records_in=1000,
        records_out=900,
        late_records=3,
        pending=17,
        pending_for=timedelta(seconds=2),
        restarts=1,
        checkpoint_age=timedelta(seconds=1),
        scaling="OK",
    )
    letters = TopicReading("error-payments", (PartitionReading(0, 12, AT, None),))
    payments = TopicReading("payments", (PartitionReading(0, 40, AT, EARLIER), PartitionReading(1, 2, AT, AT)))
    return Readings(
        AT,
        timedelta(milliseconds=250),
        topics={"payments": payments, "error-payments": letters},
        statements={statement: told},
        tables={"revenue_summary": TableReading("revenue_summary", 7, EARLIER, 120, EARLIER)},
        page_age=timedelta(seconds=1),
        programs={"taskmanager": "it ended"},
        clock_skew=timedelta(milliseconds=-30),
        looked_at=(Part.KAFKA, Part.FLINK, Part.CATALOG, Part.READERS),
        silences=tuple(Silence(part, f"{part.value} at broker.internal:9092 does not answer.") for part in silent),
    )
