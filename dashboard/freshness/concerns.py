"""What is worth an alert although the data may come in time: checks of quality that failed, and rejected records."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from dashboard.freshness.causes import source_name
from dashboard.freshness.hops import Way
from dashboard.freshness.memory import Memory
from dashboard.freshness.quality import Outcome, QualityResult
from dashboard.freshness.verdict import Concern
from dashboard.wording import length

_FEWEST_LETTERS = 3
"""In about a minute: single ones come with the trade, and stand on the page of dead letters."""


def concerns_of(
    quality: Sequence[QualityResult], ways: Sequence[Way] = (), memory: Memory | None = None
) -> tuple[Concern, ...]:
    """For `Verdict.concerns`; a check that could not be asked is none. `memory` holds the newest look too."""
    failed = (
        Concern(f"quality-{one.name}", f"A check failed. {one.title}: {one.told}.")
        for one in quality
        if one.outcome is Outcome.FAILED
    )
    return (*failed, *_rejected(ways, memory or Memory()))


def _rejected(ways: Sequence[Way], memory: Memory) -> Iterator[Concern]:
    for way in ways:
        letters, span = memory.grown(way.letters) if way.letters else (0, timedelta())
        if letters >= _FEWEST_LETTERS:
            records = source_name(way.downstream)
            yield Concern(
                f"rejected-{way.downstream}",
                f"{letters:,} {records} broke their contract in {length(span)} and went to {way.letters}.",
            )
