"""What is usual at an hour of a weekday, learned from the history: how late hops are, how long sources are silent."""

from collections.abc import Iterable
from datetime import timedelta
from statistics import median_low

from dashboard.freshness.history import History
from dashboard.freshness.profile import Hours

_FEWEST_WEEKS = 3
"""What happened once or twice is no habit."""
_MARGIN = 1.25
_LEAST = timedelta(seconds=1)


def usual_delays(history: History) -> dict[str, Hours]:
    """By hop: what half of the weeks exceed at that hour, and a quarter more. Minutes that were stale teach nothing."""
    return _learned(history.longest_by_week("overdue"))


def usual_silences(history: History) -> dict[str, Hours]:
    """By source, likewise."""
    return _learned(history.longest_by_week("silences"))


def _learned(weeks: Iterable[tuple[str, int, int, timedelta]]) -> dict[str, Hours]:
    seen: dict[str, dict[tuple[int, int], list[timedelta]]] = {}
    for name, weekday, hour, longest in weeks:
        seen.setdefault(name, {}).setdefault((weekday, hour), []).append(longest)
    found: dict[str, dict[tuple[int, int], timedelta]] = {}
    for name, hours in seen.items():
        for when, lengths in hours.items():
            usual = timedelta(seconds=round(median_low(lengths).total_seconds() * _MARGIN))
            if len(lengths) >= _FEWEST_WEEKS and usual >= _LEAST:
                found.setdefault(name, {})[when] = usual
    return dict(found)
