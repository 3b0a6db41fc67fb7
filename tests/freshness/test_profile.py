from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.errors import SettingsError
from dashboard.freshness.history import History
from dashboard.freshness.learning import usual_delays, usual_silences
from dashboard.freshness.profile import load_profile, save_learned
from dashboard.freshness.thresholds import Threshold, Thresholds
from dashboard.freshness.verdict import State
from tests.freshness.test_history import COMMIT, verdict

MONDAY_NINE = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
HOPS = [COMMIT.name, "page"]
DEFAULTS = dict.fromkeys(HOPS, Threshold(6 * SECOND, 60 * SECOND))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "freshness.toml"


def thresholds(file: Path) -> Thresholds:
    return Thresholds(DEFAULTS, load_profile(file, HOPS))


def learn(file: Path, late: timedelta) -> None:
    save_learned(file, {COMMIT.name: {(0, 9): late}}, {"payments": {(6, 3): HOUR}})


def test_without_a_file_all_goes_by_the_defaults(file: Path) -> None:
    assert thresholds(file).of("page", MONDAY_NINE) == DEFAULTS["page"]


def test_what_is_usual_on_monday_at_nine_counts_then_and_at_no_other_hour(file: Path) -> None:
    learn(file, 14 * SECOND)

    assert thresholds(file).of(COMMIT.name, MONDAY_NINE).late == 14 * SECOND
    others = (MONDAY_NINE + HOUR, MONDAY_NINE - timedelta(days=1))
    assert {thresholds(file).of(COMMIT.name, at).late for at in others} == {6 * SECOND}
    assert thresholds(file).usual_silence("payments", MONDAY_NINE - timedelta(hours=30)) == HOUR


def test_what_is_learned_counts_upwards_only_and_not_without_bound(file: Path) -> None:
    learn(file, SECOND)
    assert thresholds(file).of(COMMIT.name, MONDAY_NINE).late == 6 * SECOND
    learn(file, 10 * HOUR)
    assert thresholds(file).of(COMMIT.name, MONDAY_NINE).late == 24 * SECOND


def test_what_a_person_wrote_wins_and_stays_with_its_comments_when_the_rest_is_written_anew(file: Path) -> None:
    learn(file, 14 * SECOND)
    own = '\n[own.hops."commit:revenue"]\nlate = "1s"  # the board looks at nine\n'
    file.write_text(file.read_text() + own)
    learn(file, 20 * SECOND)

    assert "# the board looks at nine" in file.read_text()
    assert "# When this pipeline is late." in file.read_text()
    assert thresholds(file).of(COMMIT.name, MONDAY_NINE).late == SECOND
    assert load_profile(file, HOPS).usual[COMMIT.name] == {(0, 9): 20 * SECOND}


def test_stale_is_never_before_late(file: Path) -> None:
    file.write_text('[own.hops.page]\nlate = "5m"\nstale = "1m"')

    found = thresholds(file).of("page", MONDAY_NINE)
    assert found.stale >= found.late == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[own", "is not TOML"),
        ('[own.hops."commit:revenu"]\nlate = "1s"', "commit:revenu"),
        ('[own.hops.page]\nlate = "soon"', "own.hops.page.late"),
        ('[own.hops.page]\nlate = "0s"', "own.hops.page.late"),
        ('[own.hops.page]\nearly = "1s"', "own.hops.page.early"),
        ("[own]\nrejected_share = 2", "own.rejected_share"),
        ('[learned.usual.page.funday]\n09 = "1s"', "'funday'"),
        ('[learned.usual.page.monday]\n9 = "1s"', "'9'"),
        ("\udcff", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_meant_so_is_refused_in_one_sentence(file: Path, text: str, told: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(SettingsError) as caught:
        load_profile(file, HOPS)
    assert told in caught.value.message
    assert "freshness.toml" in caught.value.message
    assert "move it away" in caught.value.hint


def test_a_file_that_is_no_toml_is_not_written_over(file: Path) -> None:
    file.write_text("[own")

    with pytest.raises(SettingsError):
        learn(file, SECOND)
    assert file.read_text() == "[own"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "freshness.sqlite")


def test_a_habit_of_mondays_is_learned_and_an_accident_is_not(history: History) -> None:
    for week in range(4):
        monday = MONDAY_NINE + timedelta(weeks=week)
        history.add(verdict(monday, State.LATE, 8 * SECOND))
        accident = State.LATE if week == 1 else State.FRESH
        history.add(verdict(monday + 2 * HOUR, accident, 50 * SECOND))

    assert usual_delays(history) == {COMMIT.name: {(0, 9): 10 * SECOND}}


def test_two_weeks_are_no_habit_and_what_was_stale_teaches_nothing(history: History) -> None:
    for week in range(4):
        monday = MONDAY_NINE + timedelta(weeks=week)
        if week < 2:
            history.add(verdict(monday, State.LATE, 8 * SECOND))
        history.add(verdict(monday + HOUR, State.STALE, timedelta(minutes=9)))

    assert usual_delays(history) == {}


def test_quiet_nights_are_learned(history: History) -> None:
    night = MONDAY_NINE + timedelta(hours=18)
    for week in range(3):
        for minutes in (4, 8, 0):
            history.add(verdict(night + timedelta(weeks=week)), silences={"payments": timedelta(minutes=minutes)})

    assert usual_silences(history) == {"payments": {(1, 3): timedelta(minutes=10)}}
