"""The memory of verdicts in one SQLite file: was it late at nine, and where?

The worst verdict of each minute is kept, and each that was not as the one before, for five weeks. Written in WAL mode
with synchronous=NORMAL, one transaction a verdict: a killed process leaves a whole file, and others may read meanwhile.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.freshness.history_file import HistoryFile, Run
from dashboard.freshness.verdict import Hop, Stage, State, Verdict

KEPT = timedelta(days=35)
MOST_CHANGES = 20_000
"""A hop that goes to and fro must not fill the disk."""
_MINUTE_MS = 60_000
_KNOWN_FOR = timedelta(minutes=2)
"""A verdict stands for so long at most when nobody looked after it."""
_CODES = {State.FRESH: 0, State.WAITING: 1, State.LATE: 2, State.STALE: 3, State.UNKNOWN: 4}
_STATES = {code: state for state, code in _CODES.items()}
_MOST_OVERDUE = 10**9
_BASE = 1.1
_SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class Stretch:
    """The worst of one step of time, [start, start + step)."""

    start: datetime
    state: State
    held_at: str
    """The name of the hop; empty while fresh."""
    behind: timedelta | None
    """How old the newest window was at most."""


@dataclass(frozen=True)
class Latencies:
    """How long after their end windows came to the table in one step of time, [start, start + step)."""

    start: datetime
    windows: int
    p50: timedelta
    p95: timedelta
    longest: timedelta
    """As the other two at most 10% more than it was."""


class History:
    """For any thread; opened by the first call. Whoever holds the lease adds; everybody may ask meanwhile.

    Every call raises ReadError when the file cannot be used, and the next one tries anew.
    """

    def __init__(self, file: Path, kept: timedelta = KEPT, most_changes: int = MOST_CHANGES) -> None:
        self._kept = kept
        self._most_changes = most_changes
        self._adding = HistoryFile(file)
        self._asking = HistoryFile(file)
        self._forgot_hour: int | None = None

    def close(self) -> None:
        """A call after it opens it again."""
        self._adding.close()
        self._asking.close()

    def add(
        self,
        verdict: Verdict,
        silences: Mapping[str, timedelta] | None = None,
        windows: Iterable[datetime] = (),
    ) -> None:
        """Keeps a verdict if it is the worst of its minute, or another than the one before.

        `silences` is for how long each source is silent now; `windows` are the ends of those that the table holds
        for the first time at this look.
        """
        at_ms = _ms(verdict.at)
        with self._adding.transaction("IMMEDIATE") as run:
            minute = at_ms // _MINUTE_MS
            _add_verdict(run, verdict, at_ms, minute)
            for source, silent in (silences or {}).items():
                run("add_silence", minute=minute, source=source, longest_ms=_length_ms(silent))
            for end in windows:
                run("add_latency", minute=minute, bucket=_bucket(verdict.at - end), windows=1)
            if self._forgot_hour != (hour := minute // 60):
                self._forget(run, at_ms)
                self._forgot_hour = hour

    def at(self, time: datetime) -> Verdict | None:
        """The verdict that was true at that moment; None when nobody looked then."""
        with self._asking.transaction() as run:
            found = run("newest_at", at_ms=_ms(time), oldest_ms=_ms(time - _KNOWN_FOR)).fetchone()
            if found is None:
                return None
            at_ms, state, as_of_ms, held, notes = found
            rows = run("hops_at", at_ms=at_ms).fetchall()
        hops = {
            id_: Hop(Stage(stage), name, title, _length(delay), _some(normal), _STATES[of], reason, hint, records)
            for id_, stage, name, title, delay, normal, of, reason, hint, records in rows
        }
        at, as_of = _time(at_ms), None if as_of_ms is None else _time(as_of_ms)
        behind = at - as_of if as_of else None
        notes = tuple(json.loads(notes))
        return Verdict(at, _STATES[state], as_of, behind, tuple(hops.values()), hops.get(held), notes)

    def between(self, start: datetime, end: datetime, step: timedelta) -> list[Stretch]:
        """The steps of [start, end) in which somebody looked, the oldest first; of a minute at least."""
        span = {"start_ms": _ms(start), "end_ms": _ms(end), "step_ms": max(_MINUTE_MS, _length_ms(step))}
        with self._asking.transaction() as run:
            worst = run("worst_between", **span).fetchall()
            behind = dict(run("behind_between", **span).fetchall())
        return [
            Stretch(
                start + timedelta(milliseconds=place * span["step_ms"]), _STATES[state], held, _length(behind[place])
            )
            for place, state, held, _ in worst
        ]

    def latencies(self, start: datetime, end: datetime, step: timedelta) -> list[Latencies]:
        """Of the steps of [start, end) in which windows came, the oldest first; of whole minutes."""
        minutes = max(1, _length_ms(step) // _MINUTE_MS)
        first = _ms(start) // _MINUTE_MS
        with self._asking.transaction() as run:
            rows = run(
                "latencies_between",
                start_minute=first,
                end_minute=-(-_ms(end) // _MINUTE_MS),
                step_minutes=minutes,
            ).fetchall()
        steps: dict[int, dict[int, int]] = {}
        for place, bucket, windows in rows:
            steps.setdefault(place, {})[bucket] = windows
        return [_latencies(_time((first + place * minutes) * _MINUTE_MS), buckets) for place, buckets in steps.items()]

    def longest_by_week(self, what: str) -> list[tuple[str, int, int, timedelta]]:
        """Name, weekday (Monday is 0), hour (UTC) and the greatest length, a row for each week.

        `what` is `overdue`, of hops, or `silences`, of sources.
        """
        with self._asking.transaction() as run:
            rows = run(f"{what}_by_week").fetchall()
        return [(name, weekday, hour, _some(longest)) for name, weekday, hour, longest in rows]

    def _forget(self, run: Run, now_ms: int) -> None:
        oldest_ms = now_ms - _length_ms(self._kept)
        run("forget_verdicts", oldest_ms=oldest_ms, most_changes=self._most_changes)
        run("forget_delays", first_ms=0, since_ms=now_ms)
        for table in ("silences", "latencies"):
            run(f"forget_{table}", oldest=oldest_ms // _MINUTE_MS)


def _add_verdict(run: Run, verdict: Verdict, at_ms: int, minute: int) -> None:
    ids = {hop.name: _hop(run, hop) for hop in verdict.hops}
    held = ids.get(verdict.held_at.name) if verdict.held_at else None
    state, overdue = _CODES[verdict.state], verdict.overdue or timedelta(0)
    badness = state * _MOST_OVERDUE + min(int(overdue.total_seconds()), _MOST_OVERDUE - 1)
    last_kind, minute_at_ms, minute_badness = run("previous", minute=minute).fetchone()
    is_change = last_kind != state * 1_000_000 + (held or 0)
    is_worst = minute_badness is None or badness > minute_badness
    if not is_change and not is_worst:
        return
    if is_worst and minute_at_ms is not None:
        run("leave_minute", at_ms=minute_at_ms)
        run("forget_unchanged", at_ms=minute_at_ms)
        run("forget_delays", since_ms=minute_at_ms + 1, first_ms=minute_at_ms)
    run(
        "add_verdict",
        at_ms=at_ms,
        minute=minute if is_worst else None,
        is_change=int(is_change),
        state=state,
        badness=badness,
        as_of_ms=_ms(verdict.as_of) if verdict.as_of else None,
        held=held,
        notes=json.dumps(verdict.notes),
    )
    for hop in verdict.hops:
        run(
            "add_delay",
            at_ms=at_ms,
            hop=ids[hop.name],
            state=_CODES[hop.state],
            delay_ms=None if hop.delay is None else _length_ms(hop.delay),
            normal_ms=_length_ms(hop.normal),
            records=hop.records,
            reason=hop.reason or None,
            hint=hop.hint or None,
        )


def _hop(run: Run, hop: Hop) -> int:
    row = run("name_hop", name=hop.name, stage=hop.stage.value, title=hop.title).fetchone()
    return int(row[0])


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _length_ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


def _some(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


def _length(ms: int | None) -> timedelta | None:
    return None if ms is None else _some(ms)


def _bucket(span: timedelta) -> int:
    return math.floor(math.log(max(_SHORTEST_SECONDS, span.total_seconds()), _BASE))


def _latencies(start: datetime, buckets: Mapping[int, int]) -> Latencies:
    """From buckets, the shortest first."""
    windows = sum(buckets.values())

    def percentile(part: float) -> timedelta:
        left = math.ceil(windows * part)
        for bucket, count in buckets.items():
            left -= count
            if left <= 0:
                return timedelta(seconds=_BASE ** (bucket + 1))
        raise AssertionError("no part of them is more than all")

    return Latencies(start, windows, percentile(0.5), percentile(0.95), percentile(1))
