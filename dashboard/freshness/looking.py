"""One look after the other, each judged by what the ones before showed, and kept in the history."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from dashboard.errors import ReadError, SalesTrendsError
from dashboard.freshness.gatherer import Gatherer, Look, patience_of
from dashboard.freshness.history import History
from dashboard.freshness.hops import Way
from dashboard.freshness.judgement import judge
from dashboard.freshness.learning import usual_delays, usual_silences
from dashboard.freshness.lease import Lease
from dashboard.freshness.memory import Memory
from dashboard.freshness.overview import Overview
from dashboard.freshness.profile import load_profile, save_learned
from dashboard.freshness.quality import Outcome, QualityChecks, QualityResult
from dashboard.freshness.readings import Part, Readings
from dashboard.freshness.seen import Seen
from dashboard.freshness.thresholds import Thresholds, default_thresholds
from dashboard.freshness.verdict import Concern, Stage, Verdict
from dashboard.readers.engine import Engine, Limits
from dashboard.settings import Settings

_LEARN_EVERY = timedelta(days=1)
_APART_SECONDS = 2.0
_LEAST_PATIENCE = timedelta(seconds=1)
_QUALITY = "quality-"
"""So begin the names of concerns that are checks."""


class Watched(Protocol):
    """What is looked at, of one target; see `watched.py`."""

    ways: tuple[Way, ...]
    interval: timedelta
    quality: QualityChecks
    quality_every: timedelta
    telling: Lease | None
    """Who has it sends the alerts, where others watch the same target; None where nobody else can."""

    looks: dict[Part, Look]

    def beside(self) -> Seen:
        """What this machine knows by itself."""

    def engine(self) -> Engine: ...

    def close(self) -> None: ...


def look_once(watched: Watched, settings: Settings, profile: Path, who: str) -> Overview:
    """One overview without a watch: two looks a moment apart, for what only a change tells; nothing is kept.

    Raises SettingsError for a wrong file of thresholds.
    """
    gatherer = Gatherer(watched.looks, patience_of(watched.interval), beside=watched.beside)
    names = [way.name for way in watched.ways]
    defaults = default_thresholds(watched.ways, settings.pipeline.window_size)
    thresholds = Thresholds(defaults, load_profile(profile, names))
    first = gatherer.look()
    memory = Memory().after(first, watched.ways)
    before = judge(first, watched.ways, thresholds, None, memory)
    time.sleep(_APART_SECONDS)
    readings = gatherer.look()
    verdict = judge(readings, watched.ways, thresholds, before, memory.after(readings, watched.ways))
    return Overview(verdict, readings, (), who, watched.interval)


class Looking:
    """One look after the other, each judged by what the ones before showed."""

    def __init__(
        self, watched: Watched, history: History, settings: Settings, profile: Path, last: Overview | None = None
    ) -> None:
        """`last` is what was seen before this process looked: checks that failed then have failed until they pass."""
        self._watched = watched
        self._history = history
        self._gatherer = Gatherer(watched.looks, patience_of(watched.interval), beside=watched.beside)
        self._defaults = default_thresholds(watched.ways, settings.pipeline.window_size)
        self._names = [way.name for way in watched.ways]
        self._file = profile
        self._thresholds = Thresholds(self._defaults)
        self._read: float | None = None
        self._learned_at = -float("inf")
        self._memory = Memory()
        self._before: Verdict | None = None
        self._counted_until: datetime | None = None
        """Windows that end by then are in the history, or were there before anybody looked."""
        self._wrong_file: SalesTrendsError | None = None
        concerns = last.verdict.concerns if last else ()
        known = {f"{_QUALITY}{name}" for name in watched.quality.names}
        self._failed = {one.name: one for one in concerns if one.name in known}

    def look(self, quality: tuple[QualityResult, ...], who: str) -> Overview:
        readings = self._gatherer.look()
        self._refresh_thresholds()
        self._memory = self._memory.after(readings, self._watched.ways)
        verdict = judge(readings, self._watched.ways, self._thresholds, self._before, self._memory)
        self._before = verdict
        wrong = [Concern("thresholds", f"{self._wrong_file} Those of before hold.")] if self._wrong_file else []
        self._note(quality)
        verdict = replace(verdict, concerns=(*verdict.concerns, *self._failed.values(), *wrong))
        return Overview(verdict, readings, quality, who, self._watched.interval)

    def keep(self, seen: Overview) -> SalesTrendsError | None:
        """In the history; why not all of it, where a disk is full or a lake does not answer. It takes as long as the
        lake, one interval at most: whoever shows the look or tells of it does so before.
        """
        came: list[datetime] = []
        found: SalesTrendsError | None = None
        verdict = seen.verdict
        try:
            came = self._windows(verdict.as_of)
        except SalesTrendsError as fault:
            found = fault  # they are asked for again
        else:
            self._counted_until = verdict.as_of or self._counted_until
        try:
            self._history.add(verdict, _silences(seen.readings, self._watched.ways), came)
        except SalesTrendsError as fault:
            found = fault
        return found

    def _note(self, quality: tuple[QualityResult, ...]) -> None:
        """A check that failed and cannot be asked now, or has not been since a restart, has not passed."""
        for one in quality:
            name = f"{_QUALITY}{one.name}"
            if one.outcome is Outcome.FAILED:
                self._failed[name] = Concern(name, f"{one.title}: {one.told}")
            elif one.outcome is Outcome.PASSED:
                self._failed.pop(name, None)

    def _windows(self, as_of: datetime | None) -> list[datetime]:
        """The ends of those windows that came to the table since they were counted last."""
        since = self._counted_until
        if since is None or as_of is None or as_of <= since:
            return []
        limits = Limits(max(_LEAST_PATIENCE, self._watched.interval))
        rows = self._watched.engine().ask("revenue_windows", {"start": since, "end": as_of}, limits=limits).rows
        return [end for end in rows["window_end"].to_pylist() if since < end <= as_of]

    def _refresh_thresholds(self) -> None:
        """From the file of people and habits, whenever it is another one; once a day habits are learned anew."""
        try:
            if time.monotonic() - self._learned_at > _LEARN_EVERY.total_seconds():
                self._learned_at = time.monotonic()
                self._learn()
            changed = self._file.stat().st_mtime if self._file.exists() else 0.0
            if changed != self._read:
                self._thresholds = Thresholds(self._defaults, load_profile(self._file, self._names))
                self._read = changed
            self._wrong_file = None
        except SalesTrendsError as fault:
            self._wrong_file = fault

    def _learn(self) -> None:
        try:
            habits = usual_delays(self._history), usual_silences(self._history)
        except ReadError:
            return  # keeping what is seen tells of it
        save_learned(self._file, *habits)


def _silences(readings: Readings, ways: tuple[Way, ...]) -> dict[str, timedelta]:
    """By source: for how long nothing has come."""
    sources = [way.downstream for way in ways if way.stage is Stage.INGEST]
    newest = {name: topic.newest_at for name in sources if (topic := readings.topics.get(name))}
    return {name: max(timedelta(0), readings.at - at) for name, at in newest.items() if at is not None}
