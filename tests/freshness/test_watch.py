"""Watches of one target: one looks, the others show what it wrote; whatever fails is said, and it goes on."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import SettingsError, UnreachableError
from dashboard.freshness.alert_store import AlertStore
from dashboard.freshness.gatherer import Look
from dashboard.freshness.history import History
from dashboard.freshness.hops import ways_of
from dashboard.freshness.lease import Lease
from dashboard.freshness.looking import Looking
from dashboard.freshness.overview import Overview, OverviewFile
from dashboard.freshness.quality import Outcome, QualityChecks, QualityResult
from dashboard.freshness.readings import Part, TableReading
from dashboard.freshness.seen import Seen
from dashboard.freshness.telling import alerts_file
from dashboard.freshness.verdict import Concern, State
from dashboard.freshness.watch import Watch
from dashboard.readers.engine import Answer
from dashboard.readers.lake import REVENUE_SCHEMA
from dashboard.settings import Settings, load_settings
from tests.conftest import eventually
from tests.freshness.kept import leave, overview
from tests.freshness.looks import AT, readings

SOON = timedelta(milliseconds=50)


class Away:
    """An engine of a lake that does not answer."""

    name = "away"

    def ask(self, *_: Any, **__: Any) -> Any:
        raise UnreachableError("The lake did not answer.")


class Quiet:
    """An engine of a lake into which nothing comes."""

    name = "quiet"

    def ask(self, *_: Any, **__: Any) -> Any:
        return Answer(REVENUE_SCHEMA.empty_table(), None, self.name, 0.0)


class Pipeline:
    """What is looked at; `tables` may be changed, or made to fail."""

    def __init__(self, settings: Settings) -> None:
        self.ways = ways_of(load_pipeline(settings.pipeline), settings.pipeline, "local")
        self.interval, self.quality_every = SOON, timedelta(hours=1)
        self.quality = QualityChecks(lambda *_: None, (), Away, timedelta(hours=1))  # type: ignore[arg-type]
        self.telling: Lease | None = None
        self.lake: Any = Away()
        self.closed = 0
        self.looks: dict[Part, Look] = {Part.KAFKA: self._topics}

    def _topics(self) -> Seen:
        return Seen(
            topics=readings().topics,
            tables={"revenue_summary": TableReading("revenue_summary", 1, datetime.now(UTC), 1, datetime.now(UTC))},
        )

    def beside(self) -> Seen:
        return Seen()

    def engine(self) -> Any:
        return self.lake

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    plain = load_settings()
    return plain.model_copy(update={"local": plain.local.model_copy(update={"home": tmp_path})})


def seen(watch: Watch, ask: Callable[[Overview], bool] = lambda _: True) -> Overview:
    return eventually(lambda: found if (found := watch.newest()) and ask(found) else None, 20, every_seconds=0.05)


def test_one_looks_and_the_others_show_what_it_saw_until_they_take_its_place(settings: Settings) -> None:
    pipeline = Pipeline(settings)
    with ExitStack() as first:
        one = first.enter_context(Watch(settings, lambda: pipeline, "one"))
        mine = seen(one)
        with Watch(settings, lambda: Pipeline(settings), "two") as two:
            assert seen(two).watcher == mine.watcher == one.who
            assert (one.looks, two.looks) == (True, False)
            assert not two.is_old(seen(two))
            first.close()
            assert seen(two, lambda found: found.watcher == two.who)
    assert pipeline.closed == 1


def test_what_was_seen_is_in_the_history_also_when_windows_cannot_be_asked_for(settings: Settings) -> None:
    with Watch(settings, lambda: Pipeline(settings), "one") as watch:
        newest = seen(watch)
        then = eventually(lambda: watch.history.at(datetime.now(UTC)), 20)
        assert then.state is newest.verdict.state
        # the frontier goes on with each look, and the lake does not tell which windows came
        assert "did not answer" in str(eventually(lambda: watch.fault, 20))
        assert seen(watch, lambda found: found.verdict.at > newest.verdict.at + timedelta(seconds=0.5))


def test_a_lake_that_does_not_answer_keeps_nobody_from_being_shown_and_told_what_is_seen(settings: Settings) -> None:
    asked, answer, limits = Event(), Event(), []

    class Slow(Quiet):
        def ask(self, *_: Any, **named: Any) -> Any:
            limits.append(named["limits"].timeout)
            asked.set()
            answer.wait(20)
            return super().ask()

    pipeline = Pipeline(settings)
    pipeline.lake = Slow()
    with Watch(settings, lambda: pipeline, "one") as watch:
        try:
            assert asked.wait(20)
            shown = OverviewFile(watch.folder / "overview.json").read()
            store = AlertStore(alerts_file(settings))
            told = store.watches().seen_at
            store.close()
            newest = watch.newest()
        finally:
            answer.set()
    assert shown is not None
    assert shown == newest
    assert told == shown.verdict.at
    assert limits[0] <= timedelta(seconds=2)


@pytest.mark.parametrize(("every", "is_seen"), [(timedelta(seconds=1), False), (timedelta(seconds=10), True)])
def test_a_slow_part_is_seen_where_looks_are_far_apart_and_makes_no_look_late_where_they_are_not(
    settings: Settings, tmp_path: Path, every: timedelta, is_seen: bool
) -> None:
    pipeline, asked, ending = Pipeline(settings), [], Event()

    def slow() -> Seen:
        asked.append(1)
        if len(asked) > 1:  # the first look may take longer
            ending.wait(0.6)
        return Seen()

    pipeline.interval, pipeline.looks[Part.FLINK] = every, slow
    history = History(tmp_path / "history.sqlite")
    looking = Looking(pipeline, history, settings, tmp_path / "freshness.toml")
    _first, second = (looking.look((), "one").readings for _ in range(2))
    ending.set()
    history.close()
    assert (second.silence(Part.FLINK) is None) is is_seen
    assert second.took < every, "there is time left for judging and telling"


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.UNKNOWN, None])
def test_a_check_that_failed_before_a_restart_has_failed_until_it_passes(
    settings: Settings, tmp_path: Path, outcome: Outcome | None
) -> None:
    failed = Concern("quality-windows-once", "Every window stands once: 3 are doubled.")
    pipeline = Pipeline(settings)
    history = History(tmp_path / "history.sqlite")
    looking = Looking(pipeline, history, settings, tmp_path / "freshness.toml", overview(State.FRESH, SOON, failed))
    told = QualityResult("windows-once", "Every window stands once", outcome or Outcome.PASSED, "", AT, SOON)

    seen = looking.look((told,) if outcome else (), "one")
    assert (failed in seen.verdict.concerns) is (outcome is not Outcome.PASSED)
    again = looking.look((replace(told, outcome=Outcome.PASSED),), "one")
    assert failed not in again.verdict.concerns
    history.close()


def test_what_failed_is_known_to_the_next_watch(settings: Settings) -> None:
    failed = Concern("quality-windows-once", "Every window stands once: 3 are doubled.")
    gone = Concern("quality-of-before", "A check that there is no more.")
    watch = Watch(settings, lambda: Pipeline(settings), "one")
    leave(watch.folder, overview(State.FRESH, timedelta(minutes=1), failed, gone))
    with watch:
        concerns = seen(watch, lambda found: found.watcher == watch.who).verdict.concerns
    assert failed in concerns
    assert gone not in concerns


def test_a_disk_that_takes_nothing_keeps_nobody_from_being_shown_what_is_seen(settings: Settings) -> None:
    pipeline = Pipeline(settings)
    pipeline.lake = Quiet()
    with Watch(settings, lambda: pipeline, "one") as watch:
        newest = seen(watch)
        watch.folder.joinpath("overview.json").unlink()
        watch.folder.joinpath("overview.json").mkdir()  # where a file should be
        assert seen(watch, lambda found: found.verdict.at > newest.verdict.at + timedelta(seconds=0.5))
        assert "overview.json cannot be written" in str(eventually(lambda: watch.fault, 20))


@pytest.mark.parametrize("name", ["history.sqlite", "alerts.sqlite"])
def test_a_file_that_cannot_be_opened_keeps_nobody_from_looking_until_it_can(settings: Settings, name: str) -> None:
    pipeline = Pipeline(settings)
    pipeline.lake = Quiet()
    watch = Watch(settings, lambda: pipeline, "one")
    place = watch.folder / name
    place.mkdir(parents=True)  # where a file should be
    with watch:
        assert name in str(eventually(lambda: watch.fault, 20, every_seconds=0.05))
        assert not seen(watch).verdict.concerns
        place.rmdir()
        assert eventually(lambda: watch.fault is None and place.is_file(), 20, every_seconds=0.05)


def test_a_wrong_file_of_thresholds_is_told_and_the_ones_before_hold(settings: Settings) -> None:
    with Watch(settings, lambda: Pipeline(settings), "one") as watch:
        seen(watch)
        watch.profile_file.write_text("[own]\nrejected_share = 7\n")
        told = seen(watch, lambda found: bool(found.verdict.concerns))
        assert "rejected_share" in told.verdict.concerns[0].sentence
        watch.profile_file.write_text("")
        assert seen(watch, lambda found: not found.verdict.concerns)


def test_a_target_that_cannot_be_watched_is_said_and_tried_again(settings: Settings) -> None:
    tries: list[int] = []

    def made() -> Pipeline:
        tries.append(1)
        raise SettingsError("A key is missing.")

    with Watch(settings, made, "one") as watch:
        assert str(eventually(lambda: watch.fault, 20)) == "A key is missing."
        assert watch.newest() is None
    assert tries


def test_what_nobody_goes_on_writing_is_old(settings: Settings) -> None:
    with Watch(settings, lambda: Pipeline(settings), "one") as watch:
        found = seen(watch)
    before = replace(found, readings=replace(found.readings, at=datetime.now(UTC) - timedelta(minutes=1)))
    assert watch.is_old(before)
    later = replace(found, readings=replace(found.readings, at=datetime.now(UTC) + timedelta(minutes=2)))
    assert watch.is_old(later), "the clock was set back since"
    assert found.verdict.state is not State.FRESH


def test_a_fault_of_before_is_not_told_once_another_one_looks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.freshness.watch._AGAIN_SECONDS", 0.5)
    watch = Watch(settings, lambda: Pipeline(settings), "one")
    place = watch.folder / "lease"
    place.mkdir(parents=True)  # where a file should be
    with watch:
        assert "cannot be used" in str(eventually(lambda: watch.fault, 20, every_seconds=0.02))
        place.rmdir()
        other = Lease(place)
        assert other.take()
        assert eventually(lambda: watch.fault is None, 20, every_seconds=0.05)
        other.release()
