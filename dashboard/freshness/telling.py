"""Tells what alerts have to tell, in every way that settings name: at least once each, until it is taken.

A message that could not be told waits in the store, longer after every attempt, and is told after a restart too.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from dashboard.errors import AlertError, UnreachableError
from dashboard.freshness.alert_store import AlertStore, Letter
from dashboard.freshness.alerts import CONCERN, Kind, Notice, Rules, Trouble
from dashboard.freshness.mail import Mail
from dashboard.freshness.overview import folder_of
from dashboard.freshness.verdict import Verdict
from dashboard.freshness.webhook import Webhook
from dashboard.settings import AlertsSettings, Settings
from dashboard.wording import iso

_CLAIM = timedelta(minutes=2)
"""Longer than any way takes for one message; whoever is killed while telling it keeps it from the others so long."""
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=10)
"""A message that is put off for longer was put off by a clock that has been set back since; it is due."""
_REFUSED_FOR = timedelta(days=1)
"""Whoever refuses a message so long after it was made will never take it."""


class Way(Protocol):
    name: str
    """Unique and stable: a message that waits is told in the way of its name."""

    def tell(self, notice: Notice) -> None:
        """Raises UnreachableError when it may be told later, AlertError when it was refused."""


def ways_of(alerts: AlertsSettings) -> list[Way]:
    """Every way that these settings name; none where nobody wants to be told."""
    ways: list[Way] = []
    if alerts.webhook_url.get_secret_value():
        ways.append(Webhook(alerts.webhook_url, alerts.webhook_secret))
    ways += [
        Mail(
            person,
            sender=alerts.mail_from,
            host=alerts.smtp_host,
            port=alerts.smtp_port,
            security=alerts.smtp_security,
            user=alerts.smtp_user,
            password=alerts.smtp_password,
        )
        for person in alerts.mail_to
    ]
    return ways


def try_ways(ways: Sequence[Way]) -> dict[str, AlertError | UnreachableError | None]:
    """Sends everybody a message that says nothing is wrong; what came of it by the name of the way, None for taken."""
    now, title = datetime.now(UTC), "This is a try-out, and nothing is wrong"
    name = f"try-{iso(now)}"
    notice = Notice(f"{name}-1", name, Kind.RAISED, "try", now, now, None, Trouble(CONCERN, title=title), f"{title}.")
    found: dict[str, AlertError | UnreachableError | None] = {}
    for way in ways:
        try:
            way.tell(notice)
        except (AlertError, UnreachableError) as fault:
            found[way.name] = fault
        else:
            found[way.name] = None
    return found


def alerts_file(settings: Settings) -> Path:
    """Where alerts on the target of these settings are kept."""
    return folder_of(settings) / "alerts.sqlite"


class Alerts:
    """Of one target: `see` every verdict, and `tell` what came of it, both again and again.

    `tell` may take as long as mail servers do, so it is best called by another thread than the one that looks.
    """

    def __init__(
        self,
        store: AlertStore,
        rules: Rules,
        ways: Sequence[Way],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self._rules = rules
        self._ways = {way.name: way for way in ways}
        self._now = now

    def see(self, verdict: Verdict) -> tuple[Notice, ...]:
        """What this verdict gives to tell; it is kept, and not told yet. Raises AlertError."""
        return self.store.see(verdict, self._rules, list(self._ways))

    def tell(self) -> list[str]:
        """Tells what is due, in order, and gives the faults, a sentence each; raises AlertError for the store's own."""
        self.store.forget_other_ways(list(self._ways))
        return [fault for way in self._ways.values() for fault in self._tell(way)]

    def _tell(self, way: Way) -> list[str]:
        faults = []
        for letter in self.store.letters(way.name):
            if timedelta(0) < letter.next_at - self._now() <= _LONGEST_PAUSE:
                if letter.refused:
                    continue
                break
            if not self.store.claim(letter, self._now() + _CLAIM):
                break
            fault = self._told(way, letter)
            if fault is None:
                continue
            faults.append(str(fault))
            if isinstance(fault, UnreachableError):
                break
        return faults

    def _told(self, way: Way, letter: Letter) -> AlertError | UnreachableError | None:
        try:
            way.tell(letter.notice)
        except (AlertError, UnreachableError) as fault:
            pause = min(_FIRST_PAUSE * 2 ** min(letter.attempts, 10), _LONGEST_PAUSE)
            refused = isinstance(fault, AlertError)
            if refused and self._now() - letter.notice.at > _REFUSED_FOR:
                self.store.give_up(letter, str(fault))
                return AlertError(f"{fault.message} It is given up: {letter.notice.title}.", fault.hint)
            self.store.failed(letter, str(fault), self._now() + pause, refused=refused)
            return fault
        self.store.told(letter, self._now())
        return None


def alerts_of(settings: Settings) -> Alerts:
    """As these settings want it; the store is the caller's to close. Raises AlertError."""
    wanted = settings.alerts
    rules = Rules(wanted.hold, wanted.clear, wanted.remind)
    return Alerts(AlertStore(alerts_file(settings)), rules, ways_of(wanted))
