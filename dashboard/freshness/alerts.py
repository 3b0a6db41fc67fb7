"""When somebody is told of a verdict: a state machine that takes one verdict after the other. Pure; it sends nothing.

Of each subject (the pipeline as a whole, and every concern) there is one alert at a time. It is raised when the subject
was bad at every look for as long as `hold`, or at once for what cannot be taken back; told once for each hop and state,
told again when it goes on for long, and resolved when it was good at every look for as long as `clear`. While somebody
has snoozed it, only its end is told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dashboard.freshness.verdict import State, Verdict
from dashboard.wording import iso, length

PIPELINE = "pipeline"
"""The subject that is the whole."""
CONCERN = "concern"
"""In the place of a state, where the subject is a concern."""
BLIND = timedelta(minutes=5)
"""Two looks further apart than this say nothing of the time between them."""
_BAD = (State.LATE, State.STALE, State.UNKNOWN)


class Kind(StrEnum):
    RAISED = "raised"
    CHANGED = "changed"
    """It goes on, at another hop or in another state."""
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Rules:
    hold: timedelta
    clear: timedelta
    remind: timedelta


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a subject at one look."""

    state: str
    hop: str = ""
    """The name of the hop that holds it; empty for a concern."""
    title: str = ""
    """That hop, or the concern, in words."""
    sentence: str = ""
    hint: str = ""
    is_done: bool = False
    """Of a concern that has happened: it is told at once."""

    @property
    def cause(self) -> tuple[str, str]:
        """What is told once."""
        return self.hop, self.state


@dataclass(frozen=True)
class Notice:
    """One message; `id` is its own for ever, so whoever gets it twice can tell."""

    id: str
    alert: str
    """Id of the alert, the same from its first message to its last."""
    kind: Kind
    subject: str
    at: datetime
    """Of the look, UTC."""
    since: datetime
    """When it began."""
    until: datetime | None
    """When it was good again; None while it goes on."""
    trouble: Trouble
    """The last one; also of an alert that is resolved."""
    headline: str
    """How the whole is now, in one sentence, times in UTC."""

    @property
    def title(self) -> str:
        """In one line: `Still late: Iceberg commit of revenue_summary`."""
        what = f"{self.trouble.state}: {self.trouble.title}" if self.subject == PIPELINE else self.trouble.title
        match self.kind:
            case Kind.RESOLVED:
                return f"Resolved after {length((self.until or self.at) - self.since)}: {what}"
            case Kind.REMINDER:
                return f"Still {what}"
            case _:
                return what[:1].upper() + what[1:]


@dataclass(frozen=True)
class Watch:
    """One subject that was bad at the last look, or has an alert that is not resolved yet."""

    since: datetime
    trouble: Trouble
    """As it was last seen."""
    trouble_since: datetime
    """From then on every look showed this hop and state."""
    alert: str = ""
    """Id of its alert; empty until it is raised."""
    told: tuple[tuple[str, str], ...] = ()
    """Every hop and state that was told of."""
    told_at: datetime | None = None
    told_times: int = 0
    was_snoozed: bool = False
    """Something would have been told since, but for a snooze."""
    good_since: datetime | None = None


@dataclass(frozen=True)
class Watches:
    """All that must be remembered from one verdict to the next."""

    seen_at: datetime | None = None
    by_subject: Mapping[str, Watch] = field(default_factory=dict)

    @property
    def raised(self) -> Mapping[str, Watch]:
        """The alerts that are open, by subject."""
        return {subject: watch for subject, watch in self.by_subject.items() if watch.alert}


def step(
    before: Watches, verdict: Verdict, rules: Rules, snoozed: Collection[str] = ()
) -> tuple[Watches, tuple[Notice, ...]]:
    """What is remembered after this verdict, and what is to be told; a verdict that was seen already changes nothing.

    `snoozed` are subjects. After a gap, or a clock that was set back, what must last a while begins anew.
    """
    last = before.seen_at
    if last is not None and last - BLIND <= verdict.at <= last:
        return before, ()
    watches = before.by_subject
    if last is not None and abs(verdict.at - last) > BLIND:
        watches = {subject: _anew(watch, verdict.at) for subject, watch in watches.items() if watch.alert}
    troubles = _troubles(verdict)
    after: dict[str, Watch] = {}
    notices: list[Notice] = []
    for subject in {**watches, **troubles}:
        watch, kind = watches.get(subject), None
        if trouble := troubles.get(subject):
            watch, kind = _bad(watch, subject, trouble, verdict.at, rules, snoozed=subject in snoozed)
        elif watch is not None and watch.alert:
            # a look that could not tell how things are does not show that a concern is over
            is_good = subject == PIPELINE or verdict.state is not State.UNKNOWN
            watch, kind = _good(watch, verdict.at, rules) if is_good else (replace(watch, good_since=None), None)
        else:
            continue
        if kind is not None:
            watch = replace(watch, told_times=watch.told_times + 1)
            notices.append(_notice(subject, watch, kind, verdict))
        if not _is_over(watch, verdict.at, rules):
            after[subject] = watch
    return Watches(verdict.at, after), tuple(notices)


def _troubles(verdict: Verdict) -> dict[str, Trouble]:
    found = {
        one.name: Trouble(CONCERN, title=one.sentence, sentence=one.sentence, is_done=one.is_done)
        for one in verdict.concerns
    }
    if verdict.state in _BAD:
        held = verdict.held_at
        found[PIPELINE] = (
            Trouble(verdict.state.value, held.name, held.title, held.reason, held.hint)
            if held
            else Trouble(verdict.state.value, title="the pipeline", sentence=f"{verdict.headline()}.")
        )
    return found


def _bad(
    watch: Watch | None, subject: str, trouble: Trouble, at: datetime, rules: Rules, *, snoozed: bool
) -> tuple[Watch, Kind | None]:
    if watch is None:
        watch = Watch(at, trouble, at)
    goes_on = watch.good_since is None and watch.trouble.cause == trouble.cause
    watch = replace(watch, trouble=trouble, trouble_since=watch.trouble_since if goes_on else at, good_since=None)
    if not watch.alert and (trouble.is_done or at - watch.since >= rules.hold):
        watch = replace(watch, alert=f"{subject}-{iso(watch.since)}")
    if not watch.alert:
        return watch, None
    if snoozed:
        return replace(watch, was_snoozed=True), None
    kind = _kind(watch, at, rules)
    if kind is None:
        return watch, None
    told = tuple(dict.fromkeys((*watch.told, trouble.cause)))
    return replace(watch, told=told, told_at=at, was_snoozed=False), kind


def _kind(watch: Watch, at: datetime, rules: Rules) -> Kind | None:
    """What there is to tell of an open alert that is bad now."""
    if watch.told_at is None:
        return Kind.RAISED
    if watch.trouble.cause not in watch.told and at - watch.trouble_since >= rules.hold:
        return Kind.CHANGED
    return Kind.REMINDER if watch.was_snoozed or at - watch.told_at >= rules.remind else None


def _good(watch: Watch, at: datetime, rules: Rules) -> tuple[Watch, Kind | None]:
    watch = replace(watch, good_since=watch.good_since or at)
    return watch, Kind.RESOLVED if watch.told and _is_over(watch, at, rules) else None


def _is_over(watch: Watch, at: datetime, rules: Rules) -> bool:
    return watch.good_since is not None and at - watch.good_since >= rules.clear


def _anew(watch: Watch, at: datetime) -> Watch:
    """An open alert after a time that nobody saw."""
    told_at = None if watch.told_at is None else min(watch.told_at, at)
    return replace(watch, trouble_since=at, told_at=told_at, good_since=None)


def _notice(subject: str, watch: Watch, kind: Kind, verdict: Verdict) -> Notice:
    return Notice(
        id=f"{watch.alert}-{watch.told_times}",
        alert=watch.alert,
        kind=kind,
        subject=subject,
        at=verdict.at,
        since=watch.since,
        until=watch.good_since,
        trouble=watch.trouble,
        headline=f"{verdict.headline()}.",
    )
