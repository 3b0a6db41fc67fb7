"""From when on a hop is late, and stale: by what it is made of, by what people wrote down, by what hours have shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dashboard.freshness.hops import Way
from dashboard.freshness.profile import Hours, Profile, Written

_LEAST_LATE = timedelta(seconds=5)
_WINDOWS_PART = 12
"""A window of an hour may be five minutes late before anybody is told."""
_LEAST_STALE = timedelta(minutes=1)
_STALE_TIMES = 6
"""Stale is so many times as much as late."""
_MOST_LEARNED = 4
"""Times of what a hop is late from by default: beyond that no habit excuses it."""
_LEAST_QUIET = timedelta(seconds=20)
_QUIET_TIMES = 15
"""Of a source's mean gap: once in three million times, one that gets things at random is silent for longer."""


@dataclass(frozen=True)
class Threshold:
    """Beyond what is normal for the hop."""

    late: timedelta
    stale: timedelta


@dataclass(frozen=True)
class Thresholds:
    """Of all hops of one pipeline."""

    defaults: Mapping[str, Threshold]
    """By the name of the hop."""
    profile: Profile = field(default_factory=Profile)

    def of(self, hop: str, at: datetime) -> Threshold:
        """What somebody wrote for this hop wins, then the greater of the default and what this hour has shown."""
        default = self.defaults[hop]
        written = self.profile.written.get(hop, Written())
        usual = _at(self.profile.usual.get(hop), at)
        late = written.late or max(default.late, min(usual, default.late * _MOST_LEARNED))
        return Threshold(late, max(late, written.stale or max(_LEAST_STALE, late * _STALE_TIMES)))

    def usual_silence(self, source: str, at: datetime) -> timedelta:
        """For how long a source is often silent at this hour; none where that is not known."""
        return _at(self.profile.silences.get(source), at)

    @property
    def rejected_share(self) -> float:
        """So much of what comes may break its contract before that is late."""
        return self.profile.rejected_share


def default_thresholds(ways: Iterable[Way], window: timedelta) -> dict[str, Threshold]:
    """By the name of the hop: late is half of what its work takes, a twelfth of a window, and five seconds at least."""
    late = {way.name: max(_LEAST_LATE, way.work / 2, window / _WINDOWS_PART) for way in ways}
    return {name: Threshold(one, max(_LEAST_STALE, one * _STALE_TIMES)) for name, one in late.items()}


def quiet_after(gap: timedelta) -> timedelta:
    """After so long without a record a source is silent, rather than slow. `gap` is the mean of those before."""
    return max(_LEAST_QUIET, gap * _QUIET_TIMES)


def _at(hours: Hours | None, at: datetime) -> timedelta:
    moment = at.astimezone(UTC)
    return (hours or {}).get((moment.weekday(), moment.hour), timedelta(0))
