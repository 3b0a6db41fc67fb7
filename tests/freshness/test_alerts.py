"""An alert is raised, told once, reminded and resolved as it should be, whatever verdicts come and whoever snoozes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dashboard.freshness.alerts import BLIND, PIPELINE, Kind, Notice, Rules, Watches, step
from dashboard.freshness.verdict import Concern, State, Verdict
from tests.freshness.looks import AT, hop, verdict

RULES = Rules(hold=timedelta(seconds=60), clear=timedelta(seconds=120), remind=timedelta(minutes=30))
COMMIT, QUEUE = "commit:revenue_summary", "queue:unique-payments-maintenance"
FRESH, LATE, STALE, UNKNOWN, WAITING = State.FRESH, State.LATE, State.STALE, State.UNKNOWN, State.WAITING
BAD = (LATE, STALE, UNKNOWN)


@dataclass(frozen=True)
class Look:
    """One verdict, so many seconds after the one before."""

    after: float
    state: State
    held_at: str = COMMIT
    concerns: tuple[str, ...] = ()
    snoozed: bool = False


def verdicts(looks: Sequence[Look]) -> list[Verdict]:
    at, found = AT, []
    for look in looks:
        at += timedelta(seconds=look.after)
        held = hop(look.held_at, look.state) if look.state in BAD else None
        found.append(verdict(look.state, held, at, *(Concern(name, f"{name} is wrong.") for name in look.concerns)))
    return found


def told(looks: Sequence[Look], rules: Rules = RULES) -> list[Notice]:
    return [notice for notices in told_at_each(looks, rules) for notice in notices]


def told_at_each(looks: Sequence[Look], rules: Rules = RULES) -> list[tuple[Notice, ...]]:
    watches, found = Watches(), []
    for look, one in zip(looks, verdicts(looks), strict=True):
        snoozed = {PIPELINE, *look.concerns} if look.snoozed else set()
        watches, notices = step(watches, one, rules, snoozed)
        found.append(notices)
    return found


def kinds(looks: Sequence[Look], rules: Rules = RULES) -> list[Kind]:
    return [notice.kind for notice in told(looks, rules)]


def for_minutes(minutes: float, state: State, held_at: str = COMMIT, *, snoozed: bool = False) -> list[Look]:
    """A look every ten seconds."""
    return [Look(10, state, held_at, snoozed=snoozed)] * int(minutes * 6)


# the story of one alert


def test_late_for_shorter_than_the_hold_time_is_told_to_nobody() -> None:
    assert kinds([*for_minutes(1, LATE), *for_minutes(5, FRESH)]) == []


def test_late_for_longer_is_told_once_and_resolved_after_the_clear_time() -> None:
    raised, resolved = told([*for_minutes(10, LATE), *for_minutes(5, FRESH)])

    assert (raised.kind, resolved.kind) == (Kind.RAISED, Kind.RESOLVED)
    assert raised.alert == resolved.alert
    assert raised.at - raised.since == RULES.hold
    assert resolved.until is not None
    assert resolved.at - resolved.until == RULES.clear
    assert raised.title == "Late: Iceberg commit of revenue_summary"
    assert resolved.title == "Resolved after 10 min: late: Iceberg commit of revenue_summary"
    assert raised.headline == "Data as of 14:05:10, 22 s late, held at: Iceberg commit of revenue_summary."


@pytest.mark.parametrize("state", BAD)
@pytest.mark.parametrize("good", [FRESH, WAITING])
def test_late_stale_and_unknown_are_bad_and_waiting_is_as_good_as_fresh(state: State, good: State) -> None:
    assert kinds([*for_minutes(2, state), *for_minutes(5, good)]) == [Kind.RAISED, Kind.RESOLVED]
    assert kinds([*for_minutes(30, good)]) == []


def test_a_flapping_pipeline_is_told_of_once_and_resolved_once() -> None:
    flaps = [*for_minutes(1, FRESH), *for_minutes(0.5, LATE)] * 20

    assert kinds([*for_minutes(2, LATE), *flaps, *for_minutes(5, FRESH)]) == [
        Kind.RAISED,
        Kind.REMINDER,
        Kind.RESOLVED,
    ]


def test_another_hop_or_state_is_told_once_when_it_has_lasted() -> None:
    story = [
        *for_minutes(2, LATE),
        *for_minutes(0.5, STALE),
        *for_minutes(2, LATE),
        *for_minutes(2, STALE),
        *for_minutes(2, LATE, QUEUE),
        *for_minutes(2, STALE),
    ]

    assert [(one.kind, one.trouble.hop, one.trouble.state) for one in told(story)] == [
        (Kind.RAISED, COMMIT, "late"),
        (Kind.CHANGED, COMMIT, "stale"),
        (Kind.CHANGED, QUEUE, "late"),
    ]


def test_another_state_is_not_told_when_it_was_good_in_between() -> None:
    flaps = [*for_minutes(0.9, STALE), Look(10, FRESH)]

    assert kinds([*for_minutes(2, LATE), *flaps * 5]) == [Kind.RAISED]


def test_an_alert_that_goes_on_is_told_again_at_the_interval() -> None:
    assert kinds(for_minutes(95, STALE)) == [Kind.RAISED, *[Kind.REMINDER] * 3]


def test_a_new_fault_is_a_new_alert() -> None:
    first, _, second = told([*for_minutes(2, LATE), *for_minutes(3, FRESH), *for_minutes(2, LATE)])

    assert first.alert != second.alert
    assert (first.id, second.id) == (f"{first.alert}-1", f"{second.alert}-1")


def test_a_verdict_that_is_seen_twice_changes_nothing() -> None:
    (late,) = verdicts([Look(0, LATE)])
    watches, _ = step(Watches(), late, Rules(timedelta(), timedelta(), RULES.remind))

    assert step(watches, late, RULES) == (watches, ())


# snoozing


def test_what_is_raised_during_a_snooze_is_told_when_the_snooze_is_over() -> None:
    story = [*for_minutes(20, LATE, snoozed=True), *for_minutes(1, LATE)]

    (raised,) = told(story)

    assert raised.kind is Kind.RAISED
    assert raised.since == AT + timedelta(seconds=10)


def test_what_began_and_ended_during_a_snooze_is_told_to_nobody() -> None:
    assert kinds([*for_minutes(20, LATE, snoozed=True), *for_minutes(5, FRESH, snoozed=True)]) == []


def test_a_snooze_keeps_back_reminders_and_tells_what_goes_on_at_its_end() -> None:
    story = [*for_minutes(5, LATE), *for_minutes(10, LATE, snoozed=True), *for_minutes(5, LATE)]

    assert kinds(story) == [Kind.RAISED, Kind.REMINDER]


def test_the_end_of_what_was_told_is_told_during_a_snooze_too() -> None:
    story = [*for_minutes(5, LATE), *for_minutes(1, LATE, snoozed=True), *for_minutes(5, FRESH, snoozed=True)]

    assert kinds(story) == [Kind.RAISED, Kind.RESOLVED]


# times that nobody saw


def test_two_looks_far_apart_do_not_show_that_it_was_late_between_them() -> None:
    hours = timedelta(hours=3).total_seconds()

    assert kinds([Look(0, LATE), Look(hours, LATE)]) == []
    assert kinds([Look(0, LATE), Look(hours, LATE), *for_minutes(1, LATE)]) == [Kind.RAISED]


def test_two_looks_far_apart_do_not_show_that_it_was_fresh_between_them() -> None:
    story = [*for_minutes(2, LATE), Look(10, FRESH), Look(BLIND.total_seconds() + 1, FRESH)]

    assert kinds(story) == [Kind.RAISED]
    assert kinds([*story, *for_minutes(2, FRESH)]) == [Kind.RAISED, Kind.RESOLVED]


def test_a_clock_that_was_set_back_does_not_silence_alerts() -> None:
    back = -timedelta(hours=2).total_seconds()
    story = [*for_minutes(2, LATE), Look(back, LATE), *for_minutes(31, LATE)]

    assert kinds(story) == [Kind.RAISED, Kind.REMINDER]


# concerns


def test_what_has_happened_is_told_at_once_however_soon_it_is_over() -> None:
    burst, watches, found = Concern("late-records-sums", "7 late records were left out.", is_done=True), Watches(), []
    for second in range(0, 300, 10):
        concerns = [burst] if second < 50 else []
        look = verdict(FRESH, None, AT + timedelta(seconds=second), *concerns)
        watches, notices = step(watches, look, RULES)
        found += [(second, notice.kind) for notice in notices]

    assert found == [(0, Kind.RAISED), (170, Kind.RESOLVED)]


def test_a_concern_has_an_alert_of_its_own() -> None:
    failing = [Look(10, FRESH, concerns=("quality",))] * 12

    raised, resolved = told([*failing, *for_minutes(5, FRESH)])

    assert (raised.kind, raised.subject, raised.title) == (Kind.RAISED, "quality", "Quality is wrong.")
    assert resolved.kind is Kind.RESOLVED


def test_a_look_that_tells_nothing_ends_no_concern() -> None:
    failing = [Look(10, FRESH, concerns=("quality",))] * 12

    story = told([*failing, *for_minutes(30, UNKNOWN)])

    assert [(one.subject, one.kind) for one in story] == [("quality", Kind.RAISED), (PIPELINE, Kind.RAISED)]


# whatever comes

LOOKS = st.lists(
    st.builds(
        Look,
        after=st.sampled_from([5.0, 10.0, 40.0, 70.0, 130.0, 400.0, 2000.0]),
        state=st.sampled_from([FRESH, FRESH, WAITING, LATE, LATE, LATE, STALE, UNKNOWN]),
        held_at=st.sampled_from([COMMIT, QUEUE]),
        concerns=st.sampled_from([(), (), ("quality",), ("quality", "rejected-payments")]),
        snoozed=st.sampled_from([False, False, False, True]),
    ),
    max_size=60,
)


def bad_since(looks: Sequence[Look], index: int, times: Sequence[datetime]) -> datetime | None:
    """From when on every look up to this one was bad, with no gap between two of them; None when this one is not."""
    since = None
    for at in range(index, -1, -1):
        if looks[at].state not in BAD or (since is not None and since - times[at] > BLIND):
            break
        since = times[at]
    return since


@settings(max_examples=300, deadline=None)
@given(LOOKS)
def test_every_alert_is_one_story_from_raised_to_resolved(looks: list[Look]) -> None:
    stories: dict[str, list[Notice]] = {}
    for notice in told(looks):
        stories.setdefault(notice.alert, []).append(notice)

    for story in stories.values():
        assert [one.kind is Kind.RAISED for one in story] == [True] + [False] * (len(story) - 1)
        assert all(one.kind is not Kind.RESOLVED for one in story[:-1])
        new = [one.trouble.cause for one in story if one.kind in (Kind.RAISED, Kind.CHANGED)]
        assert len(new) == len(set(new))
    ids = [notice.id for story in stories.values() for notice in story]
    assert len(ids) == len(set(ids))


@settings(max_examples=300, deadline=None)
@given(LOOKS)
def test_nothing_is_told_of_the_pipeline_without_cause(looks: list[Look]) -> None:
    times = [one.at for one in verdicts(looks)]
    for index, notices in enumerate(told_at_each(looks)):
        for notice in (one for one in notices if one.subject == PIPELINE):
            if notice.kind is Kind.RESOLVED:
                assert not any(
                    look.state in BAD
                    for look, at in zip(looks[: index + 1], times, strict=False)
                    if at > times[index] - RULES.clear
                )
                continue
            assert not looks[index].snoozed
            assert looks[index].state in BAD
            if notice.kind is Kind.RAISED:
                since = bad_since(looks, index, times)
                # an alert that was raised during a snooze may have been good for a while since
                was_snoozed = any(look.snoozed for look in looks[:index])
                assert was_snoozed or (since is not None and times[index] - since >= RULES.hold)


@settings(max_examples=300, deadline=None)
@given(LOOKS)
def test_whoever_was_bad_for_long_enough_has_been_told_of(looks: list[Look]) -> None:
    times = [one.at for one in verdicts(looks)]
    open_alert = False
    for index, notices in enumerate(told_at_each(looks)):
        for notice in (one for one in notices if one.subject == PIPELINE):
            open_alert = notice.kind is not Kind.RESOLVED
        since = bad_since(looks, index, times)
        if since is not None and times[index] - since >= RULES.hold and not looks[index].snoozed:
            assert open_alert


@settings(max_examples=150, deadline=None)
@given(LOOKS)
def test_nothing_changes_when_the_process_is_started_anew_between_any_two_looks(looks: list[Look]) -> None:
    kept = TypeAdapter(Watches)
    watches, found = kept.dump_json(Watches()), []
    for look, one in zip(looks, verdicts(looks), strict=True):
        snoozed = {PIPELINE, *look.concerns} if look.snoozed else set()
        after, notices = step(kept.validate_json(watches), one, RULES, snoozed)
        watches = kept.dump_json(after)
        found.append(notices)

    assert found == told_at_each(looks)


@settings(max_examples=150, deadline=None)
@given(LOOKS)
def test_what_is_remembered_stays_small(looks: list[Look]) -> None:
    watches = Watches()
    for one in verdicts(looks):
        watches, _ = step(watches, one, RULES)

    assert set(watches.by_subject) <= {PIPELINE, "quality", "rejected-payments"}
    assert all(len(watch.told) <= 6 for watch in watches.by_subject.values())
