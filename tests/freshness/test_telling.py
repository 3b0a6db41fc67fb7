"""What is to be told is told at least once and in order, whoever is away, refuses or is killed; a snooze holds."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from dashboard.cli.freshness import alerts
from dashboard.errors import AlertError, SettingsError, UnreachableError
from dashboard.freshness.alert_store import EVERYTHING, AlertStore, Fate, Snooze
from dashboard.freshness.alerts import PIPELINE, Kind, Notice, Rules
from dashboard.freshness.telling import Alerts, alerts_file, alerts_of, try_ways, ways_of
from dashboard.freshness.verdict import State
from dashboard.narration import Narrator
from dashboard.settings import load_settings
from dashboard.sql_files import ROOT
from dashboard.wording import iso
from tests.conftest import eventually, free_ports
from tests.freshness.looks import AT, verdict
from tests.freshness.receivers import mail_server, web_server

RULES = Rules(timedelta(), timedelta(), timedelta(hours=1))
AT_ONCE = {"hold": "0s", "clear": "0s"}


class Person:
    """Takes messages, or gives the faults of the test, one after the other."""

    def __init__(self, name: str, *faults: Exception) -> None:
        self.name, self.faults, self.told = name, list(faults), list[Notice]()

    def tell(self, notice: Notice) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.told.append(notice)

    @property
    def kinds(self) -> list[Kind]:
        return [one.kind for one in self.told]


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "freshness" / "alerts.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[AlertStore]:
    store = AlertStore(file)
    yield store
    store.close()


def seen(alerts: Alerts, clock: Clock, *states: State) -> None:
    """A look every ten seconds."""
    for state in states:
        clock.passes(seconds=10)
        alerts.see(verdict(state, at=clock.now))


def fates(store: AlertStore) -> dict[str, Fate]:
    """Of the one alert that is open."""
    [deliveries] = store.deliveries().values()
    return {one.way: one.fate for one in deliveries}


# telling


def test_everybody_is_told_once_and_in_order(store: AlertStore) -> None:
    clock, ada, bob = Clock(), Person("ada"), Person("bob")
    alerts = Alerts(store, RULES, [ada, bob], clock)
    seen(alerts, clock, State.LATE, State.LATE, State.STALE, State.FRESH)

    assert (alerts.tell(), alerts.tell()) == ([], [])

    assert ada.kinds == bob.kinds == [Kind.RAISED, Kind.CHANGED, Kind.RESOLVED]
    assert store.letters() == []


def test_one_who_is_away_is_told_later_in_order_and_keeps_nobody_else_waiting(store: AlertStore) -> None:
    clock, bob = Clock(), Person("bob")
    ada = Person("ada", *[UnreachableError("ada does not answer.", "Wait.")] * 2)
    alerts = Alerts(store, RULES, [ada, bob], clock)
    seen(alerts, clock, State.LATE, State.FRESH)

    assert alerts.tell() == ["ada does not answer. Wait."]
    assert (ada.kinds, bob.kinds) == ([], [Kind.RAISED, Kind.RESOLVED])
    assert alerts.tell() == [], "it is asked again after a pause only"
    clock.passes(seconds=11)
    assert alerts.tell() == ["ada does not answer. Wait."]
    clock.passes(seconds=11)
    assert alerts.tell() == [], "the second pause is longer"
    clock.passes(seconds=10)
    alerts.tell()

    assert ada.kinds == [Kind.RAISED, Kind.RESOLVED]


def test_the_pause_grows_to_ten_minutes_and_no_message_is_given_up(store: AlertStore) -> None:
    clock = Clock()
    ada = Person("ada", *[UnreachableError("ada does not answer.")] * 40)
    alerts = Alerts(store, RULES, [ada], clock)
    seen(alerts, clock, State.LATE)

    for _ in range(41):
        alerts.tell()
        clock.passes(minutes=10)

    assert ada.kinds == [Kind.RAISED]


def test_a_message_that_is_refused_holds_up_no_other_and_is_kept(store: AlertStore) -> None:
    clock, ada = Clock(), Person("ada", AlertError("ada refused it.", "Ask her."))
    alerts = Alerts(store, RULES, [ada], clock)
    seen(alerts, clock, State.LATE, State.FRESH)

    assert alerts.tell() == ["ada refused it. Ask her."]
    assert ada.kinds == [Kind.RESOLVED]
    (kept,) = store.letters("ada")
    assert (kept.notice.kind, kept.fault) == (Kind.RAISED, "ada refused it. Ask her.")

    clock.passes(seconds=30)
    alerts.tell()
    assert ada.kinds == [Kind.RESOLVED, Kind.RAISED]


def test_what_nobody_could_be_told_is_told_after_a_restart(file: Path) -> None:
    clock, ada = Clock(), Person("ada", UnreachableError("ada does not answer."))
    first = AlertStore(file)
    alerts = Alerts(first, RULES, [ada], clock)
    seen(alerts, clock, State.LATE)
    alerts.tell()
    first.close()

    second = AlertStore(file)
    clock.passes(minutes=1)
    alerts = Alerts(second, RULES, [ada], clock)
    seen(alerts, clock, State.LATE)
    alerts.tell()
    second.close()

    assert ada.kinds == [Kind.RAISED], "told, and not raised a second time"


def test_two_who_tell_at_once_tell_each_message_once(file: Path, store: AlertStore) -> None:
    clock, other = Clock(), AlertStore(file)
    meet = threading.Barrier(2, timeout=20)

    class Slow(Person):
        def tell(self, notice: Notice) -> None:
            super().tell(notice)
            meet.wait()

    slow, quick = Slow("ada"), Person("ada")
    seen(Alerts(store, RULES, [slow], clock), clock, State.LATE, State.FRESH)
    thread = threading.Thread(target=Alerts(store, RULES, [slow], clock).tell)
    thread.start()
    eventually(lambda: slow.told, 20, 0.01)
    Alerts(other, RULES, [quick], clock).tell()
    for _ in range(2):
        meet.wait()
    thread.join(20)
    other.close()

    assert quick.told == []
    assert slow.kinds == [Kind.RAISED, Kind.RESOLVED]


def test_what_waits_for_somebody_who_is_not_named_any_more_is_dropped(store: AlertStore) -> None:
    clock, ada, bob = Clock(), Person("ada"), Person("bob", UnreachableError("bob does not answer."))
    seen(Alerts(store, RULES, [ada, bob], clock), clock, State.LATE)

    assert Alerts(store, RULES, [bob], clock).tell() == ["bob does not answer."]
    assert [letter.way for letter in store.letters()] == ["bob"]
    assert ada.told == []


def test_a_message_that_is_refused_for_a_day_is_given_up(store: AlertStore) -> None:
    clock, ada = Clock(), Person("ada", *[AlertError("ada refused it.", "Ask her.")] * 2)
    alerts = Alerts(store, RULES, [ada], clock)
    seen(alerts, clock, State.LATE)

    alerts.tell()
    assert len(store.letters()) == 1
    clock.passes(hours=25)
    [fault] = alerts.tell()
    assert "ada refused it. It is given up" in fault
    assert (store.letters(), ada.told) == ([], [])


def test_who_was_told_of_an_alert_and_who_refused_it_is_known_until_it_is_over(file: Path, store: AlertStore) -> None:
    clock, ada, bob = Clock(), Person("ada"), Person("bob", *[AlertError("bob refused it.", "Ask him.")] * 2)
    eve = Person("eve", UnreachableError("eve does not answer."))
    alerts = Alerts(store, RULES, [ada, bob, eve], clock)
    seen(alerts, clock, State.LATE)
    assert fates(store) == {"ada": Fate.WAITING, "bob": Fate.WAITING, "eve": Fate.WAITING}

    alerts.tell()
    assert fates(store) == {"ada": Fate.TOLD, "bob": Fate.REFUSED, "eve": Fate.WAITING}
    clock.passes(hours=25)
    alerts.tell()
    store.close()  # as a restart does
    [told] = store.deliveries().values()
    assert [one.sentence(iso) for one in told] == [
        "ada: told at 2026-03-01T14:06:02Z.",
        "bob: refused for good: bob refused it. Ask him.",
        "eve: told at 2026-03-02T15:06:02Z.",
    ]

    seen(alerts, clock, State.FRESH)
    assert {letter.notice.kind for letter in store.letters()} == {Kind.RESOLVED}
    alerts.tell()
    assert bob.kinds == [Kind.RESOLVED]
    seen(alerts, clock, State.FRESH)
    assert store.deliveries() == {}, "nothing of it is kept"


def test_who_takes_a_later_message_has_refused_nothing_any_more(store: AlertStore) -> None:
    clock, bob = Clock(), Person("bob", *[AlertError("bob refused it.", "Ask him.")] * 3)
    alerts = Alerts(store, RULES, [bob], clock)
    seen(alerts, clock, State.LATE)
    alerts.tell()
    clock.passes(hours=25)
    alerts.tell()
    assert fates(store) == {"bob": Fate.GIVEN_UP}

    seen(alerts, clock, State.STALE, State.STALE)
    alerts.tell()
    assert fates(store) == {"bob": Fate.REFUSED}, "another message, which is tried again"
    clock.passes(seconds=30)
    alerts.tell()
    [[told]] = store.deliveries().values()
    assert (told.fate, told.fault, told.told_at) == (Fate.TOLD, "", clock.now)


def test_a_message_is_told_though_the_clock_was_set_back(store: AlertStore) -> None:
    clock, ada = Clock(), Person("ada", UnreachableError("ada does not answer."))
    alerts = Alerts(store, RULES, [ada], clock)
    seen(alerts, clock, State.LATE)
    alerts.tell()

    clock.passes(hours=-3)
    assert alerts.tell() == []
    assert ada.kinds == [Kind.RAISED]


# snoozing


@pytest.mark.parametrize("subject", [PIPELINE, EVERYTHING])
def test_a_snooze_holds_until_its_time_and_through_a_restart(file: Path, subject: str) -> None:
    clock, ada = Clock(), Person("ada")
    first = AlertStore(file)
    first.snooze(Snooze(subject, AT + timedelta(minutes=1), "grace"))
    first.close()
    store = AlertStore(file)
    alerts = Alerts(store, RULES, [ada], clock)

    seen(alerts, clock, *[State.LATE] * 5)
    alerts.tell()
    assert (ada.kinds, store.snoozes(clock.now)) == ([], [Snooze(subject, AT + timedelta(minutes=1), "grace")])
    seen(alerts, clock, *[State.LATE] * 2)
    alerts.tell()
    store.close()

    assert ada.kinds == [Kind.RAISED]


def test_a_snooze_ends_early_when_somebody_wakes_it(store: AlertStore) -> None:
    clock, ada = Clock(), Person("ada")
    alerts = Alerts(store, RULES, [ada], clock)
    store.snooze(Snooze(PIPELINE, AT + timedelta(days=1), "grace"))
    seen(alerts, clock, State.LATE)

    assert (store.wake(PIPELINE), store.wake(PIPELINE)) == (True, False)
    seen(alerts, clock, State.LATE)
    alerts.tell()

    assert ada.kinds == [Kind.RAISED]


# the file


def test_a_file_that_is_no_database_is_named_with_what_to_do(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("not a database, " * 100)

    with pytest.raises(AlertError, match=r"alerts\.sqlite: file is not a database") as caught:
        AlertStore(file).watches()

    assert "move a damaged file aside" in caught.value.hint


def test_what_another_version_remembered_is_a_fault_and_no_new_beginning(file: Path, store: AlertStore) -> None:
    store._rows("INSERT INTO watches (one, watches) VALUES (1, ?)", '{"by_subject": 7}')

    with pytest.raises(AlertError, match="holds what another version wrote"):
        store.see(verdict(), RULES, [])


# settings, a real web server and a real mail server


def test_settings_name_the_ways(tmp_path: Path) -> None:
    with web_server() as hook, mail_server(free_ports(1)[0]) as box:
        mail = {"mail_to": "ada@example.com, bob@example.com", "mail_from": "sales@example.com"}
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_security": "none"}
        settings = load_settings(local={"home": tmp_path}, alerts={**AT_ONCE, "webhook_url": hook.url, **mail, **smtp})
        assert [way.name for way in ways_of(settings.alerts)] == [
            "webhook",
            "mail to ada@example.com",
            "mail to bob@example.com",
        ]

        alerts = alerts_of(settings)
        box.replies.append("550 ada is gone")
        alerts.see(verdict(State.LATE))
        faults = alerts.tell()
        alerts.store.close()

        assert len(hook.posted) == 1
        assert [mail["To"] for mail in box.mails] == ["bob@example.com"]
        assert len(faults) == 1
        assert alerts_file(settings).is_relative_to(tmp_path)


def test_without_settings_nobody_is_told() -> None:
    assert ways_of(load_settings().alerts) == []


def test_a_try_out_reaches_everybody_and_says_who_did_not_take_it(tmp_path: Path) -> None:
    with web_server() as hook:
        settings = load_settings(local={"home": tmp_path}, alerts={"webhook_url": hook.url})
        ada = Person("ada", AlertError("ada refused it.", "Ask her."))

        found = try_ways([ada, *ways_of(settings.alerts)])

        assert [str(found["ada"]), found["webhook"]] == ["ada refused it. Ask her.", None]
        assert [body["title"] for _, body in hook.posted] == ["This is a try-out, and nothing is wrong"]


def test_the_command_that_tries_ends_with_whether_it_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> Result:
        return CliRunner().invoke(alerts, ["try"], obj=Narrator(Console(file=StringIO())))

    assert isinstance(run().exception, SettingsError)
    with web_server() as hook:
        monkeypatch.setenv("SALES_ALERTS__WEBHOOK_URL", hook.url)
        assert run().exit_code == 0
        hook.statuses.append(404)
        assert run().exit_code == 1


_LOOKING = """
import sys
from datetime import UTC, datetime, timedelta
from dashboard.freshness.telling import alerts_of
from dashboard.freshness.verdict import State
from dashboard.settings import load_settings
from tests.freshness.looks import AT, verdict

alerts = alerts_of(load_settings())
last = alerts.store.watches().seen_at or AT
number = round((last - AT).total_seconds() / 10)
while number < int(sys.argv[1]):
    number += 1
    state = State.LATE if number % 2 else State.FRESH
    alerts.see(verdict(state, at=AT + timedelta(seconds=10 * number)))
    alerts.tell()
while alerts.store.letters():
    alerts.tell()
"""


def test_a_process_that_is_killed_again_and_again_loses_no_message_and_makes_none_up(tmp_path: Path) -> None:
    looks, kept = 40, {name: value for name, value in os.environ.items() if not name.startswith("SALES_")}
    with web_server() as hook:
        settings = {"SALES_LOCAL__HOME": str(tmp_path), "SALES_ALERTS__WEBHOOK_URL": hook.url}
        times = {"SALES_ALERTS__HOLD": "0s", "SALES_ALERTS__CLEAR": "0s"}
        for killed_after in (5, 23, None):
            process = _started([sys.executable, "-c", _LOOKING, str(looks)], {**kept, **settings, **times})
            if killed_after is None:
                assert process.wait(60) == 0
            else:
                eventually(lambda: len(hook.posted) >= killed_after or process.poll() is not None, 60, 0.001)  # noqa: B023
                process.send_signal(signal.SIGKILL)
                process.wait(20)
            _release_claims(tmp_path)

    story = [f"pipeline-{number}" for number in hook.ids]
    assert len(set(story)) == looks, "a message for every look: late and fresh take turns"
    assert len(story) - len(set(story)) <= 2, "twice at most once a kill"
    kinds = list(dict.fromkeys((body["at"], body["kind"]) for _, body in hook.posted))
    assert [kind for _, kind in sorted(kinds)] == ["raised", "resolved"] * (looks // 2)


def _started(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[Any]":
    return subprocess.Popen(command, cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)})


def _release_claims(home: Path) -> None:
    """As if the two minutes were over for which whoever was killed keeps a message from the others."""
    store = AlertStore(alerts_file(load_settings(local={"home": home})))
    for letter in store.letters():
        store.failed(letter, "", AT, refused=False)
    store.close()
