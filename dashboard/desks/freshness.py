"""What people see of the pipeline's freshness: the functions behind the page, the badge and the commands.

Each takes who calls and checks that before anything else. Viewers see how late the numbers are and where they are held;
ops also see why, everything else, and quiet alerts.
"""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.access import Caller, Role
from dashboard.errors import SettingsError
from dashboard.freshness.alert_store import EVERYTHING, AlertStore, Delivery, Snooze
from dashboard.freshness.alerts import PIPELINE
from dashboard.freshness.history import Latencies, Stretch
from dashboard.freshness.looking import Watched
from dashboard.freshness.overview import Overview
from dashboard.freshness.telling import alerts_file
from dashboard.freshness.verdict import Verdict
from dashboard.freshness.watch import Watch
from dashboard.readers.engine import Engine
from dashboard.settings import Settings

LONGEST_SNOOZE = timedelta(days=14)


def watch_of(settings: Settings, who: str, engine: Callable[[], Engine] | None = None) -> Watch:
    """Of the target that the settings name. `engine` gives the one that the dashboard's pages ask, where there are any;
    a watch without pages opens its own when it needs one.
    """

    def watched() -> Watched:
        # clients of every remote system, which showing what another process saw does not need
        from dashboard.watched import WatchedTarget

        return WatchedTarget(settings, engine)

    return Watch(settings, watched, who)


@dataclass(frozen=True)
class OpenAlert:
    """One that somebody was told of, or would have been."""

    subject: str
    since: datetime
    sentence: str
    hint: str
    deliveries: list[Delivery]
    """In every way in which there was something to tell; none where nobody was to be told."""


@dataclass(frozen=True)
class AlertsNow:
    """How alerts stand."""

    open: list[OpenAlert]
    """The oldest first."""
    snoozes: list[Snooze]
    waiting: int
    """Messages that could not be told yet."""
    faults: list[str]
    """Why not."""


class FreshnessDesk:
    """Of one target; one for a process. Any thread may call."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self._settings = settings
        self.watch = watch
        self._lock = threading.Lock()

    def verdict(self, caller: Caller) -> Verdict | None:
        """How it is, without reasons for whoever is not ops; None where nobody looks, or looked lately.

        Raises ReadError.
        """
        caller.require(Role.VIEWER, "Freshness")
        overview = self.watch.newest()
        if overview is None or self.watch.is_old(overview):
            return None
        return overview.verdict if caller.may(Role.OPS) else overview.verdict.without_reasons()

    def overview(self, caller: Caller) -> Overview | None:
        """All that was seen last, however long ago; None before the first look. Raises ReadError."""
        caller.require(Role.OPS, "The pipeline's freshness")
        return self.watch.newest()

    def was(self, caller: Caller, at: datetime) -> Verdict | None:
        """How it was at that moment; None where nobody looked then. Raises ReadError."""
        caller.require(Role.OPS, "The past of freshness")
        return self.watch.history.at(at)

    def past(self, caller: Caller, start: datetime, end: datetime, step: timedelta) -> list[Stretch]:
        """The worst of each step. Raises ReadError."""
        caller.require(Role.OPS, "The past of freshness")
        return self.watch.history.between(start, end, step)

    def latencies(self, caller: Caller, start: datetime, end: datetime, step: timedelta) -> list[Latencies]:
        """How long windows took to the table, by step. Raises ReadError."""
        caller.require(Role.OPS, "The past of freshness")
        return self.watch.history.latencies(start, end, step)

    def alerts(self, caller: Caller) -> AlertsNow:
        """Raises AlertError."""
        caller.require(Role.OPS, "Alerts")
        with self._lock, closing(AlertStore(alerts_file(self._settings))) as store:
            raised, deliveries = store.watches().raised, store.deliveries()
            opened = [
                OpenAlert(subject, one.since, one.trouble.sentence, one.trouble.hint, deliveries.get(one.alert, []))
                for subject, one in raised.items()
            ]
            letters = store.letters()
            return AlertsNow(
                sorted(opened, key=lambda one: one.since),
                store.snoozes(datetime.now(UTC)),
                len(letters),
                sorted({letter.fault for letter in letters if letter.fault} | set(self.watch.told)),
            )

    def snooze(self, caller: Caller, subject: str, until: datetime) -> None:
        """Nobody is told of it until then. Raises AlertError, and SettingsError for what cannot be."""
        caller.require(Role.OPS, "Snoozing alerts")
        now = datetime.now(UTC)
        if not now < until <= now + LONGEST_SNOOZE:
            raise SettingsError(
                f"Alerts cannot be snoozed until {until:%Y-%m-%d %H:%M} UTC.",
                f"Wanted a time from now to {LONGEST_SNOOZE.days} days from now.",
            )
        with self._lock, closing(AlertStore(alerts_file(self._settings))) as store:
            known = {EVERYTHING, PIPELINE, *store.watches().by_subject}
            if subject not in known:
                raise SettingsError(f"There is no alert about {subject}.", f"Wanted {', '.join(sorted(known))}.")
            store.snooze(Snooze(subject, until, caller.name))

    def wake(self, caller: Caller, subject: str) -> bool:
        """Ends a snooze; whether there was one. Raises AlertError."""
        caller.require(Role.OPS, "Snoozing alerts")
        with self._lock, closing(AlertStore(alerts_file(self._settings))) as store:
            return store.wake(subject)
