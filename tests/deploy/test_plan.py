"""Plans of a small made-up pipeline: raw → [first] → middle → [second] → last → copy."""

from dataclasses import replace
from typing import Any

import pytest

from dashboard.deploy.plan import Action, Plan, make_plan
from dashboard.deploy.resources import Found, Id, Wanted
from dashboard.errors import DeployError

RAW, MIDDLE, LAST = Id("topic", "raw"), Id("topic", "middle"), Id("topic", "last")
CONTRACT = Id("contract", "raw-value")
FIRST, SECOND = Id("statement", "first"), Id("statement", "second")
COPY_RAW, COPY_LAST = Id("tableflow", "raw"), Id("tableflow", "last")


def statement(id_: Id, source: Id, made: Id) -> Wanted:
    return Wanted(id_, "1", needs=frozenset({source, made}), comes_from=frozenset({source}), keeps_state=True)


def copy(id_: Id, topic: Id) -> Wanted:
    return Wanted(id_, "1", frozenset({topic}), frozenset({topic}), holds=f"Iceberg table {topic.name}")


PIPELINE = [
    copy(COPY_LAST, LAST),
    copy(COPY_RAW, RAW),
    statement(SECOND, MIDDLE, LAST),
    statement(FIRST, RAW, MIDDLE),
    Wanted(LAST, "1", comes_from=frozenset({SECOND}), holds="topic last"),
    Wanted(MIDDLE, "1", comes_from=frozenset({FIRST}), holds="topic middle"),
    Wanted(RAW, "1"),
    Wanted(CONTRACT, "1"),
]


def all_ready() -> dict[Id, Found]:
    return {one.id: Found(one.id, True, "1", "ready", "RUNNING") for one in PIPELINE}


def plan(found: dict[Id, Found], wanted: list[Wanted] = PIPELINE, adopt: tuple[Id, ...] = ()) -> Plan:
    return make_plan("mars", wanted, found, adopt=adopt)


def changed(id_: Id) -> list[Wanted]:
    return [replace(one, digest="2") if one.id == id_ else one for one in PIPELINE]


def actions(made: Plan) -> dict[Id, Action]:
    return {step.id: step.action for step in made.changes}


def test_nothing_found_means_everything_is_created_each_after_what_it_needs() -> None:
    made = plan({})
    assert {step.action for step in made.steps} == {Action.CREATE}
    order = [step.id for step in made.steps]
    for one in PIPELINE:
        assert all(order.index(need) < order.index(one.id) for need in one.needs)
    assert made.losses == []


def test_what_is_as_described_needs_nothing() -> None:
    assert plan(all_ready()).changes == []


@pytest.mark.parametrize(
    ("state", "action"),
    [("stopped", Action.RESUME), ("failed", Action.RESTART), ("changing", Action.DRIFTED)],
)
def test_a_statement_that_does_not_run_is_resumed_restarted_or_shown(state: str, action: Action) -> None:
    found = all_ready() | {FIRST: Found(FIRST, True, "1", state, "ODD_PHASE", "out of slots")}  # type: ignore[arg-type]
    made = plan(found)
    assert actions(made) == {FIRST: action}
    assert "ODD_PHASE" in made.changes[0].why
    assert made.losses == []


def test_a_changed_statement_with_state_rebuilds_all_that_is_downstream_and_nothing_else() -> None:
    made = plan(all_ready(), changed(FIRST))
    rebuilt = {FIRST, MIDDLE, SECOND, LAST, COPY_LAST}
    assert actions(made) == dict.fromkeys(rebuilt, Action.REPLACE_LOSING_STATE)
    assert made.losses == ["last", "middle"]
    assert [step.loses for step in made.changes if step.loses].count("Iceberg table last") == 1


def test_a_changed_last_statement_leaves_what_is_upstream_alone() -> None:
    made = plan(all_ready(), changed(SECOND))
    assert set(actions(made)) == {SECOND, LAST, COPY_LAST}
    assert made.losses == ["last"]


def stateless(digest: str) -> list[Wanted]:
    """The second statement only filters."""
    made = replace(PIPELINE[2], digest=digest, keeps_state=False, flow="middle > last")
    return [made if one.id == SECOND else one for one in PIPELINE]


def with_flow(**changes: Any) -> dict[Id, Found]:
    found = all_ready()
    return found | {SECOND: replace(found[SECOND], flow="middle > last", **changes)}


def test_a_changed_statement_without_state_keeps_its_offsets_and_touches_nothing_else() -> None:
    assert actions(plan(with_flow(), stateless("2"))) == {SECOND: Action.REPLACE_KEEPING_OFFSETS}


def test_one_without_state_that_kept_some_before_or_went_elsewhere_is_filled_anew() -> None:
    made = plan(all_ready(), stateless("2"))
    assert actions(made) == dict.fromkeys([SECOND, LAST, COPY_LAST], Action.REPLACE_LOSING_STATE)
    assert actions(plan(with_flow() | {SECOND: replace(with_flow()[SECOND], flow="raw > last")}, stateless("2"))) == (
        actions(made)
    )


def test_a_missing_one_without_state_does_not_write_all_of_it_again() -> None:
    found = all_ready()
    del found[SECOND]
    assert actions(plan(found, stateless("1"))) == {
        SECOND: Action.CREATE,
        LAST: Action.REPLACE_LOSING_STATE,
        COPY_LAST: Action.REPLACE_LOSING_STATE,
    }


@pytest.mark.parametrize("digest", ["1", "2"])
def test_one_without_state_reads_all_again_when_its_topic_is_gone_or_made_anew(digest: str) -> None:
    gone = with_flow()
    del gone[LAST]
    assert actions(plan(gone, stateless(digest)))[SECOND] is Action.REPLACE_LOSING_STATE
    other = [replace(one, digest="2") if one.id == LAST else one for one in stateless(digest)]
    assert actions(plan(with_flow(), other))[SECOND] is Action.REPLACE_LOSING_STATE


def test_a_failed_one_without_state_that_cannot_be_resumed_goes_on_at_its_offsets() -> None:
    found = with_flow(state="failed", phase="FAILED", resumes=False)
    assert actions(plan(found, stateless("1"))) == {SECOND: Action.REPLACE_KEEPING_OFFSETS}


def test_a_changed_contract_is_a_new_version_and_rebuilds_nothing() -> None:
    assert actions(plan(all_ready(), changed(CONTRACT))) == {CONTRACT: Action.CHANGE_CONTRACT}


def test_a_missing_statement_whose_topic_holds_data_rebuilds_it_because_it_would_write_all_of_it_again() -> None:
    found = all_ready()
    del found[SECOND]
    made = plan(found)
    assert actions(made) == {
        SECOND: Action.CREATE,
        LAST: Action.REPLACE_LOSING_STATE,
        COPY_LAST: Action.REPLACE_LOSING_STATE,
    }


def test_a_missing_statement_whose_topic_is_empty_is_only_created() -> None:
    found = all_ready() | {LAST: Found(LAST, True, "1", "ready", holds_data=False)}
    del found[SECOND]
    assert actions(plan(found)) == {SECOND: Action.CREATE}


def test_a_topic_that_somebody_deleted_is_filled_again_and_so_is_what_was_made_of_it() -> None:
    found = all_ready()
    del found[MIDDLE]
    made = plan(found)
    rebuilt = dict.fromkeys({FIRST, SECOND, LAST, COPY_LAST}, Action.REPLACE_LOSING_STATE)
    assert actions(made) == {MIDDLE: Action.CREATE} | rebuilt


def test_what_has_our_name_and_is_not_ours_is_asked_about_and_never_dropped() -> None:
    found = all_ready() | {LAST: Found(LAST, False, None, "ready")}
    assert actions(plan(found)) == {LAST: Action.ADOPT}
    assert actions(plan(found, changed(SECOND)))[LAST] is Action.ADOPT


def test_what_is_adopted_counts_as_ours() -> None:
    found = all_ready() | {LAST: Found(LAST, False, None, "ready")}
    made = plan(found, adopt=(LAST,))
    assert actions(made) == {}
    assert made.adopts == (LAST,)


def test_what_no_file_describes_is_an_orphan_when_it_is_ours_and_nothing_when_it_is_not() -> None:
    old, foreign = Id("statement", "old"), Id("statement", "foreign")
    found = all_ready() | {old: Found(old, True, "1", "ready"), foreign: Found(foreign, False, None, "ready")}
    assert actions(plan(found)) == {old: Action.ORPHAN}
    assert plan(found).acts == []


def test_what_somebody_changed_by_hand_is_shown_with_what_differs() -> None:
    found = all_ready() | {RAW: Found(RAW, True, "1", "ready", facts={"partitions": "3 instead of 6"})}
    (step,) = plan(found).changes
    assert (step.action, step.why) == (Action.DRIFTED, "partitions: 3 instead of 6")


def test_the_digest_moves_with_the_target_and_with_the_files_and_with_nothing_else() -> None:
    digest = plan(all_ready()).digest
    assert plan(dict(reversed(all_ready().items()))).digest == digest
    stopped = all_ready() | {FIRST: Found(FIRST, True, "1", "stopped")}
    assert plan(stopped).digest != digest
    assert plan(all_ready(), changed(FIRST)).digest != digest


def test_a_circle_is_refused_with_its_members() -> None:
    circle = [Wanted(FIRST, "1", needs=frozenset({SECOND})), Wanted(SECOND, "1", needs=frozenset({FIRST}))]
    with pytest.raises(DeployError, match=r"circle.*statement first"):
        plan({}, circle)


def test_json_carries_its_format_version_and_each_step_with_what_it_costs() -> None:
    told = plan(all_ready(), changed(SECOND)).as_dict()
    assert told["format_version"] == 1
    assert (told["target"], told["changes"], told["losses"]) == ("mars", 3, ["last"])
    (second,) = [step for step in told["steps"] if step["id"] == {"kind": "statement", "name": "second"}]
    assert second["action"] == "replace losing state"
    assert "dropped and filled again" in second["cost"]


def test_an_input_topic_that_somebody_deleted_takes_with_it_all_that_was_read_from_it() -> None:
    """A reader would go on at offsets of the old one."""
    found = all_ready()
    del found[RAW]
    made = plan(found)
    assert actions(made)[RAW] is Action.CREATE
    assert {id_ for id_, action in actions(made).items() if action is Action.REPLACE_LOSING_STATE} == {
        FIRST,
        MIDDLE,
        SECOND,
        LAST,
        COPY_LAST,
        COPY_RAW,
    }


def test_a_copy_that_failed_for_good_is_made_anew_with_its_loss() -> None:
    found = all_ready() | {COPY_LAST: Found(COPY_LAST, True, "1", "failed", "FAILED", "a null value", resumes=False)}
    assert actions(plan(found)) == {COPY_LAST: Action.REPLACE_LOSING_STATE}
    assert plan(found).losses == ["last"]


def test_a_plan_with_other_steps_has_another_digest_though_the_things_are_the_same() -> None:
    found = all_ready()
    del found[SECOND]
    empty = found | {LAST: Found(LAST, True, "1", "ready", holds_data=False)}
    assert actions(plan(found)) != actions(plan(empty))
    assert plan(found).digest != plan(empty).digest


@pytest.mark.parametrize(("state", "writes"), [("ready", True), ("changing", True), ("stopped", False)])
def test_an_orphan_at_work_is_known_to_write(state: str, writes: bool) -> None:
    orphan = Id("statement", "renamed")
    found = all_ready() | {orphan: Found(orphan, True, "1", state)}  # type: ignore[arg-type]
    assert plan(found).still_writing == ((orphan,) if writes else ())


def test_a_changed_thing_is_shown_as_it_was_and_as_it_will_be() -> None:
    wanted = [replace(one, digest="2", text="SELECT 2;") if one.id == FIRST else one for one in PIPELINE]
    found = all_ready() | {FIRST: replace(all_ready()[FIRST], text="SELECT 1;")}
    step = next(step for step in plan(found, wanted).steps if step.id == FIRST)
    assert (step.before, step.after) == ("SELECT 1;", "SELECT 2;")


def test_an_orphan_is_shown_as_it_is_and_what_stays_is_not_shown_at_all() -> None:
    orphan = Id("statement", "old")
    wanted = [replace(one, text="as ever") for one in PIPELINE]
    found = {id_: replace(one, text="as ever") for id_, one in all_ready().items()}
    made = plan(found | {orphan: Found(orphan, True, "1", "ready", text="SELECT 0;")}, wanted)
    shown = {step.id: (step.before, step.after) for step in made.steps if step.before or step.after}
    assert shown == {orphan: ("SELECT 0;", "")}


def test_what_is_filled_from_many_tells_of_each_that_does_not_reach_far_and_always_in_the_same_order() -> None:
    """Sets of ids stand in another order in each process, and the words are part of the digest."""
    others = [Id("topic", name) for name in ("zinc", "iron", "lead")]
    wanted = [replace(one, reads=frozenset(others)) if one.id == FIRST else one for one in changed(FIRST)]
    found = all_ready() | {id_: Found(id_, False, None, "ready", keeps_for=f"7 d in {id_.name}") for id_ in others}
    loses = {step.data: step.loses for step in plan(found, wanted).steps if step.loses}
    reach = "of which nothing older than 7 d in iron or 7 d in lead or 7 d in zinc can be filled again"
    assert loses.keys() == {"middle", "last"}
    assert all(reach in text for text in loses.values())


def test_what_no_file_describes_and_others_made_does_not_become_ours_by_its_name() -> None:
    theirs = Id("topic", "theirs")
    found = all_ready() | {theirs: Found(theirs, False, None, "ready")}
    assert make_plan("mars", PIPELINE, found, adopt=[theirs], prune=[theirs]).changes == []
