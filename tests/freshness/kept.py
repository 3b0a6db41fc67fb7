"""What a watch leaves in the folder of a target, for tests of those who show it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from dashboard.freshness.history import History
from dashboard.freshness.overview import Overview, OverviewFile
from dashboard.freshness.quality import Outcome, QualityResult
from dashboard.freshness.verdict import Concern, State, Verdict
from tests.freshness import looks

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def overview(state: State = State.LATE, ago: timedelta = timedelta(0), *concerns: Concern) -> Overview:
    """One look so long ago."""
    at = datetime.now(UTC).replace(microsecond=0) - ago
    verdict = moved(looks.verdict(state), at)
    readings = replace(looks.readings(), at=at)
    quality = (
        QualityResult("windows-once", "Every window stands once", Outcome.PASSED, "So it is.", at, SECOND, 0),
        QualityResult("late-orders", "Late orders", Outcome.FAILED, "2 orders.", at, SECOND, 2, Decimal("3.10")),
    )
    return Overview(replace(verdict, concerns=concerns), readings, quality, "dashboard 4711")


HOST = "catalog.internal"


def held(state: State) -> Overview:
    """One look just now, whose reason, hint, note and concern name a host."""
    seen = overview(state, timedelta(0), Concern("clocks", f"The clock of {HOST} is wrong."))
    hop = replace(looks.hop(state=state), reason=f"{HOST}:8181 does not answer.", hint=f"Start {HOST}.")
    verdict = replace(seen.verdict, hops=(hop,), held_at=hop, notes=(f"{HOST} is slow.",))
    return replace(seen, verdict=verdict)


def moved(verdict: Verdict, at: datetime) -> Verdict:
    """The same at another time: data as of 42 s before it."""
    return replace(verdict, at=at, as_of=at - 42 * SECOND, behind=42 * SECOND)


def leave(folder: Path, seen: Overview, past: Mapping[timedelta, State] | None = None) -> None:
    """As a watch would: the last look in its file, and by age what was seen before in the history."""
    OverviewFile(folder / "overview.json").write(seen)
    history = History(folder / "history.sqlite")
    for ago, state in sorted((past or {}).items(), reverse=True):
        at = seen.verdict.at - ago
        history.add(moved(looks.verdict(state), at), windows=[at - 12 * SECOND])
    history.add(seen.verdict)
    history.close()
