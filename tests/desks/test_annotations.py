"""What happened is told where the chart has it, once, and to each only what they may know."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from dashboard.access import Caller, Role
from dashboard.annotations import LONGEST_TEXT, Annotation, Kind, within
from dashboard.dead_letters.markers import Marker
from dashboard.deploy.audit import Act
from dashboard.desks.annotations import AnnotationDesk
from dashboard.errors import AccessError, KeepError, SettingsError, UnreachableError
from dashboard.happened import deployments, redrives
from dashboard.kept_file import kept_file
from dashboard.settings import Settings, load_settings
from tests.conftest import eventually

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
OTTO, VERA = Caller("otto", Role.OPS), Caller("vera", Role.VIEWER)
NOBODY = Caller("nobody", None)


def acts(*told: tuple[str, ...], plan: str = "p1", begin: datetime = NOON) -> list[Act]:
    """One a second: what, and the thing and the result if they matter."""
    filled = [(*one, "", "ok")[:3] if len(one) != 2 else (*one, "ok") for one in told]
    return [
        Act((begin + n * SECOND).isoformat(), "ada", "local", plan, what, thing, result)
        for n, (what, thing, result) in enumerate(filled)
    ]


def marker(number: int, at: datetime, *, ts: datetime, amount: str = "1.10", by: str = "ada") -> Marker:
    milliseconds = round(ts.timestamp() * 1000)
    return Marker(f"0:{number}", number, milliseconds, milliseconds, amount, "own", by, at.isoformat())


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    return load_settings()


@pytest.fixture
def desk(settings: Settings) -> AnnotationDesk:
    return AnnotationDesk(settings, list, list)


def texts(found: Sequence[Annotation]) -> list[str]:
    return [one.text for one in found]


# what tells itself


def test_a_deployment_is_told_once_with_how_much_it_changed_and_how_long_it_took() -> None:
    [one] = deployments(
        acts(
            ("apply begins",),
            ("remove", "statement/a"),
            ("make", "statement/a"),
            ("ready", "statement/a"),
            ("apply ended",),
        )
    )

    assert (one.kind, one.start, one.end) == (Kind.DEPLOY, NOON, NOON + 4 * SECOND)
    assert (one.text, one.who) == ("A deployment changed 2 things", "ada")
    assert one.detail == "remove statement/a; make statement/a"


def test_a_deployment_that_changed_nothing_is_no_annotation() -> None:
    assert deployments(acts(("apply begins",), ("apply ended",))) == []


def test_one_that_failed_and_one_that_was_killed_are_told_as_such() -> None:
    failed = acts(("apply begins",), ("make", "topic/a"), ("apply failed", "", "Kafka did not answer."))
    killed = acts(("apply begins",), ("make", "topic/b"), plan="p2", begin=NOON + HOUR)
    again = acts(("apply begins",), ("make", "topic/b"), ("apply ended",), plan="p2", begin=NOON + 2 * HOUR)

    found = deployments([*failed, *killed, *again])

    assert texts(found) == [
        "A deployment failed after it changed 1 thing",
        "A deployment that has no end in the log changed 1 thing",
        "A deployment changed 1 thing",
    ]
    assert found[0].detail == "make topic/a; Kafka did not answer."
    assert found[1].end == NOON + HOUR + SECOND


def test_steps_that_failed_are_no_changes() -> None:
    refused = acts(
        ("apply begins",), ("make", "topic/a", "Kafka did not answer."), ("apply failed", "", "Kafka did not answer.")
    )
    late = acts(
        ("apply begins",),
        ("make", "statement/a"),
        ("wait for", "statement/a", "It was not ready in time."),
        ("apply failed", "", "It was not ready in time."),
        begin=NOON + HOUR,
    )

    found = deployments([*refused, *late])

    assert [(one.text, one.detail) for one in found] == [
        ("A deployment failed before a step of it was done", "Kafka did not answer."),
        ("A deployment failed after it changed 1 thing", "make statement/a; It was not ready in time."),
    ]


def test_stopping_and_resuming_are_told_and_looking_at_a_record_is_not() -> None:
    log = acts(
        ("stop begins", "statement/a"), ("stop ended", "statement/a"), ("uncover", "record payments 0:1"), plan=""
    )

    assert texts(deployments(log)) == ["statement/a was stopped"]


def test_acts_of_a_redrive_and_of_other_versions_are_no_deployments() -> None:
    assert (
        deployments(acts(("redrive begins", "error-payments"), ("redrive ended", "error-payments"), ("dance", "x")))
        == []
    )


def test_a_redrive_stands_over_the_time_that_its_payments_count_in() -> None:
    sent = [marker(n, NOON + HOUR + n * SECOND, ts=NOON - (n + 1) * MINUTE, amount="1.105") for n in range(3)]

    [one] = redrives(sent[::-1])

    assert (one.kind, one.start, one.end) == (Kind.REDRIVE, NOON - 3 * MINUTE, NOON - MINUTE)
    assert one.text == "3 payments of 3.33 in all sent again"
    assert one.made_at == NOON + HOUR


def test_redrives_of_two_people_and_of_two_times_are_several() -> None:
    sent = [
        marker(1, NOON, ts=NOON),
        marker(2, NOON, ts=NOON, by="bob"),
        marker(3, NOON + HOUR, ts=NOON + HOUR),
        marker(4, NOON + 59 * SECOND, ts=NOON),
    ]

    assert [(one.who, one.text) for one in redrives(sent)] == [
        ("ada", "2 payments of 2.20 in all sent again"),
        ("bob", "1 payment of 1.10 in all sent again"),
        ("ada", "1 payment of 1.10 in all sent again"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "is_in"),
    [
        (-2, -1, False),
        (-2, 0, False),
        (0, 0, True),
        (-2, 1, True),
        (1, 1, False),
        (1, 2, False),
        (0.5, 9, True),
        (9, 9, True),
    ],
)
def test_what_shares_time_with_a_range_is_in_it_and_its_end_is_not(start: float, end: float, is_in: bool) -> None:
    """The range is [0, 1) and then [9, …), in hours."""
    one = Annotation(Kind.NOTE, NOON + start * HOUR, NOON + end * HOUR, "x", "ada", NOON)
    begin = NOON if start < 9 else NOON + 9 * HOUR

    assert bool(within([one], begin, begin + HOUR)) is is_in


# what people write


def test_a_note_is_seen_by_everybody_with_who_wrote_it(desk: AnnotationDesk) -> None:
    note = desk.add(OTTO, "  Black Friday \n begins ", NOON, NOON + HOUR)

    assert desk.within(VERA, NOON, NOON + MINUTE).found == [note]
    assert (note.text, note.who, note.start, note.end) == ("Black Friday begins", "otto", NOON, NOON + HOUR)
    assert desk.within(VERA, NOON + HOUR, NOON + 2 * HOUR).found == []


def test_a_note_on_a_moment_is_in_the_range_that_begins_with_it(desk: AnnotationDesk) -> None:
    desk.add(OTTO, "TV spot", NOON)

    assert texts(desk.within(VERA, NOON, NOON + SECOND).found) == ["TV spot"]
    assert desk.within(VERA, NOON - SECOND, NOON).found == []


def test_a_deletion_can_be_taken_back_and_only_once(desk: AnnotationDesk) -> None:
    note = desk.add(OTTO, "TV spot", NOON)
    assert note.id is not None

    assert (desk.delete(OTTO, note.id), desk.delete(OTTO, note.id)) == (True, False)
    assert desk.within(VERA, NOON, NOON + SECOND).found == []
    assert (desk.restore(OTTO, note.id), desk.restore(OTTO, note.id)) == (True, False)
    assert desk.within(VERA, NOON, NOON + SECOND).found == [note]


def test_viewers_write_delete_and_restore_nothing_and_strangers_see_nothing(desk: AnnotationDesk) -> None:
    for act in (
        lambda: desk.add(VERA, "x", NOON),
        lambda: desk.delete(VERA, 1),
        lambda: desk.restore(VERA, 1),
        lambda: desk.within(NOBODY, NOON, NOON + HOUR),
    ):
        with pytest.raises(AccessError):
            act()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "A note of 0 characters"),
        (" \n ", "A note of 0 characters"),
        ("x" * (LONGEST_TEXT + 1), "A note of 201 characters"),
        ("a\x1b[31mb", "signs that cannot be shown"),
        ("paid with 4111 1111 1111 1111", "a card number"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_was_seen(desk: AnnotationDesk, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        desk.add(OTTO, text, NOON)


def test_the_longest_note_is_kept_and_markup_stays_text(desk: AnnotationDesk) -> None:
    text = "<b>'; DROP TABLE notes; --</b>".ljust(LONGEST_TEXT, "ä")

    desk.add(OTTO, text, NOON)

    assert texts(desk.within(VERA, NOON, NOON + SECOND).found) == [text]


def test_a_note_that_ends_before_it_starts_is_refused(desk: AnnotationDesk) -> None:
    with pytest.raises(SettingsError, match="cannot end before it starts"):
        desk.add(OTTO, "x", NOON, NOON - SECOND)


def test_there_is_an_end_to_notes_also_by_taking_back_deletions(
    desk: AnnotationDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.desks.annotations.MOST_NOTES", 2)
    first = desk.add(OTTO, "1", NOON)
    assert first.id is not None
    desk.delete(OTTO, first.id)
    desk.add(OTTO, "2", NOON)
    desk.add(OTTO, "3", NOON)

    for act in (lambda: desk.add(OTTO, "4", NOON), lambda: desk.restore(OTTO, first.id or 0)):
        with pytest.raises(SettingsError, match="2 notes are as many as are kept"):
            act()


def test_a_damaged_file_is_named_with_the_next_step_and_left_as_it_is(settings: Settings, desk: AnnotationDesk) -> None:
    file = kept_file(settings)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 100)

    with pytest.raises(KeepError, match="cannot be kept in") as fault:
        desk.within(VERA, NOON, NOON + HOUR)

    assert "move a damaged file aside" in fault.value.hint
    assert file.read_bytes() == b"no database" * 100


# both together


def looked(desk: AnnotationDesk) -> AnnotationDesk:
    """As soon as it knows what Kafka says."""
    eventually(lambda: not desk.within(VERA, NOON, NOON + HOUR).is_looking, 30, 0.01)
    return desk


def test_viewers_are_told_that_something_was_deployed_and_ops_also_who_and_what(settings: Settings) -> None:
    log = acts(("apply begins",), ("make", "statement/a"), ("apply ended",))
    desk = looked(AnnotationDesk(settings, lambda: log, lambda: [marker(1, NOON, ts=NOON)]))

    [redrive, deploy] = desk.within(OTTO, NOON, NOON + HOUR).found
    seen = desk.within(VERA, NOON, NOON + HOUR).found

    assert (deploy.who, deploy.detail, redrive.who) == ("ada", "make statement/a", "ada")
    assert {(one.who, one.detail) for one in seen} == {("", "")}
    assert texts(seen) == [redrive.text, deploy.text]


def test_while_kafka_is_away_notes_are_shown_and_what_is_missing_is_said(settings: Settings) -> None:
    def away() -> list[Act]:
        raise UnreachableError("Kafka did not answer.")

    desk = looked(AnnotationDesk(settings, away, list))
    desk.add(OTTO, "TV spot", NOON)

    told = desk.within(VERA, NOON, NOON + HOUR)

    assert texts(told.found) == ["TV spot"]
    assert told.fault is not None
    assert told.fault.message == "Kafka did not answer."


def test_kafka_is_asked_once_in_a_while_however_many_look(settings: Settings) -> None:
    asked: list[int] = []

    def log() -> list[Act]:
        asked.append(len(asked))
        return []

    desk = looked(AnnotationDesk(settings, log, list))
    for _ in range(3):
        desk.within(VERA, NOON, NOON + HOUR)

    assert len(asked) == 1


def test_nobody_waits_for_kafka_and_notes_are_there_at_once(settings: Settings) -> None:
    log, answered = acts(("apply begins",), ("make", "statement/a"), ("apply ended",)), Event()

    def slow() -> list[Act]:
        assert answered.wait(30)
        return log

    desk = AnnotationDesk(settings, slow, list)
    desk.add(OTTO, "TV spot", NOON + MINUTE)

    told = desk.within(OTTO, NOON, NOON + HOUR)
    assert (texts(told.found), told.is_looking, told.fault) == (["TV spot"], True, None)
    answered.set()
    assert texts(looked(desk).within(OTTO, NOON, NOON + HOUR).found) == ["A deployment changed 1 thing", "TV spot"]
