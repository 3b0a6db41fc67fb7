"""Applying to a made-up target, without any cluster."""

from dataclasses import replace

import pytest

from dashboard.deploy.apply import Application, ApplyError, destroy_plan_for, plan_for
from dashboard.deploy.plan import Action, Plan, Step, make_plan
from dashboard.deploy.resources import Found, Id, Wanted
from dashboard.errors import DeployError, UnreachableError
from tests.deploy.mars import COPY, FIRST, OTHER, PIPELINE, SECOND, TOPIC, Mars, Told


@pytest.fixture
def mars() -> Mars:
    return Mars(PIPELINE)


def apply(mars: Mars, *lose: str, told: Told | None = None) -> None:
    Application(plan_for(mars), mars, told or Told(), lose=lose).run()


def described_anew(id_: Id) -> list[Wanted]:
    return [replace(one, digest="2") if one.id == id_ else one for one in PIPELINE]


def test_everything_is_made_after_what_it_needs_is_ready_and_a_second_plan_is_empty(mars: Mars) -> None:
    apply(mars)
    for one in PIPELINE:
        for need in one.needs:
            assert mars.did.index(f"ready {need}") < mars.did.index(f"make {one.id}")
    assert plan_for(mars).changes == []


def test_a_replacement_is_refused_until_every_loss_is_named_and_touches_nothing_before(mars: Mars) -> None:
    apply(mars)
    mars.described, mars.did = described_anew(FIRST), []
    with pytest.raises(DeployError, match="drops and fills again: topic other, Iceberg table other") as refused:
        apply(mars)
    assert "--lose other" in refused.value.hint
    assert mars.did == []
    apply(mars, "other")
    removals = [
        act.removeprefix("remove ").removesuffix(" and its data") for act in mars.did if act.startswith("remove")
    ]
    assert set(removals) == {str(one) for one in (COPY, SECOND, FIRST, OTHER)}
    assert removals[-1] == str(OTHER), "nothing reads or writes a topic that is dropped"
    assert plan_for(mars).changes == []


def test_what_is_not_known_to_be_ours_stops_an_apply_with_the_way_out(mars: Mars) -> None:
    mars.things[TOPIC] = Found(TOPIC, False, None, "ready")
    with pytest.raises(DeployError, match="Not known to be ours: topic topic") as refused:
        apply(mars)
    assert "--adopt topic" in refused.value.hint
    assert mars.did == []
    adopted = plan_for(mars, adopt=lambda id_: id_ == TOPIC)
    Application(adopted, mars, Told()).run()
    assert mars.did[0] == f"adopt {TOPIC}"
    assert plan_for(mars).changes == []


def test_it_stops_at_the_first_failure_says_how_far_it_came_and_goes_on_from_there(mars: Mars) -> None:
    told = Told()
    mars.refuses[FIRST] = UnreachableError("Flink did not answer.", "Look at Flink.")
    with pytest.raises(ApplyError, match=r"Flink did not answer\.") as failed:
        apply(mars, told=told)
    assert failed.value.exit_code == 69
    assert "Done: topic topic, topic other." in failed.value.hint
    assert "Failed: statement first." in failed.value.hint
    assert "Look at Flink." in failed.value.hint
    assert told.failed == ["make statement first: Flink did not answer."]
    mars.refuses.clear()
    mars.did.clear()
    apply(mars, "other")
    assert f"make {TOPIC}" not in mars.did
    assert plan_for(mars).changes == []


def test_one_that_never_gets_ready_is_the_failure_and_what_waits_behind_it_is_not_tried(mars: Mars) -> None:
    third = Id("statement", "third")
    mars.described = [*PIPELINE, Wanted(third, "1", needs=frozenset({SECOND}))]
    mars.never_ready.add(SECOND)
    with pytest.raises(ApplyError, match="Not running after 90 s: statement second") as failed:
        apply(mars)
    assert "Not tried: statement third." in failed.value.hint
    assert f"make {third}" not in mars.did


def test_a_failed_removal_leaves_everything_upstream_of_it(mars: Mars) -> None:
    apply(mars)
    mars.described = described_anew(FIRST)
    mars.refuses[SECOND] = DeployError("It did not end.")
    with pytest.raises(ApplyError, match="It did not end") as failed:
        apply(mars, "other")
    assert OTHER in mars.things
    assert "Not tried:" in failed.value.hint


def test_when_the_right_to_write_is_lost_nothing_more_is_done(mars: Mars) -> None:
    told = Told()
    told.lock_lost.set()
    with pytest.raises(ApplyError, match="right to change mars was lost"):
        apply(mars, told=told)
    assert mars.did == []


def test_a_plan_that_the_target_refuses_is_no_plan(mars: Mars) -> None:
    mars.refuses_plan = DeployError("Flink refused: no such column.")
    with pytest.raises(DeployError, match="no such column"):
        plan_for(mars)


def test_a_part_makes_only_what_it_selects_and_the_next_goes_on(mars: Mars) -> None:
    run = Application(make_plan("mars", mars.wanted(), {}), mars, Told())
    run.make(lambda id_: id_.kind == "topic")
    assert {act for act in mars.did if act.startswith("make")} == {f"make {TOPIC}", f"make {OTHER}"}
    run.make()
    assert mars.did.count(f"make {TOPIC}") == 1
    assert len(run.outcome.done) == len(PIPELINE)


def destroy(mars: Mars, *delete: str) -> Plan:
    plan = destroy_plan_for(mars, delete=delete)
    Application(plan, mars, Told(), lose=delete).run()
    return plan


def test_destroying_takes_readers_before_what_they_read_and_leaves_data_and_what_is_not_ours(mars: Mars) -> None:
    mars.described = [replace(one, holds="topic topic") if one.id == TOPIC else one for one in PIPELINE]
    apply(mars)
    foreign = Id("statement", "foreign")
    mars.things[foreign] = Found(foreign, False, None, "ready")
    mars.did = []
    plan = destroy(mars)
    assert mars.did == ["remove statement second", "remove statement first"]
    assert {step.id for step in plan.steps if step.action is Action.KEEP} == {TOPIC, OTHER, COPY}
    assert plan.losses == []


def test_data_goes_only_where_it_is_named(mars: Mars) -> None:
    apply(mars)
    mars.did = []
    plan = destroy(mars, "other")
    removed = ["statement second", "tableflow other and its data", "statement first", "topic other and its data"]
    assert sorted(mars.did) == sorted([*(f"remove {one}" for one in removed), f"remove {TOPIC}"])
    assert mars.did.index("remove statement second") < mars.did.index("remove topic other and its data")
    assert mars.did.index("remove tableflow other and its data") < mars.did.index("remove topic other and its data")
    assert plan.losses == ["other"]
    assert mars.things == {}


def test_a_name_that_is_no_data_of_ours_is_refused_with_what_there_is(mars: Mars) -> None:
    apply(mars)
    with pytest.raises(DeployError, match="is called othre") as refused:
        destroy_plan_for(mars, delete=["othre"])
    assert "other" in refused.value.hint


def test_a_destroy_that_fails_in_the_middle_goes_on_with_what_is_left(mars: Mars) -> None:
    apply(mars)
    mars.refuses[FIRST] = UnreachableError("The cluster did not answer.")
    with pytest.raises(ApplyError, match="did not answer") as failed:
        destroy(mars, "other")
    assert "Not tried" in failed.value.hint
    mars.refuses.clear()
    destroy(mars, "other")
    assert mars.things == {}


def test_an_orphan_goes_only_when_it_is_named_and_its_data_only_with_a_second_yes(mars: Mars) -> None:
    apply(mars)
    mars.described = [one for one in PIPELINE if one.id not in (OTHER, FIRST, SECOND, COPY)]
    mars.did = []
    assert {step.action for step in plan_for(mars).changes} == {Action.ORPHAN}
    plan = plan_for(mars, prune=lambda id_: id_ in (SECOND, COPY))
    with pytest.raises(DeployError, match="for good: tableflow other") as refused:
        Application(plan, mars, Told())
    assert "--lose other" in refused.value.hint
    Application(plan, mars, Told(), lose=["other"]).run()
    assert mars.did == ["remove tableflow other and its data", "remove statement second"]
    assert {step.id for step in plan_for(mars).changes} == {FIRST, OTHER}


def test_a_renamed_statement_is_not_made_beside_the_old_one_that_goes_on_writing(mars: Mars) -> None:
    apply(mars)
    old = Id("statement", "old-first")
    mars.things[old] = replace(mars.things.pop(FIRST), id=old)
    plan = plan_for(mars)
    with pytest.raises(DeployError, match="No file describes statement old-first any more") as refused:
        Application(plan, mars, Told(), lose=plan.losses)
    assert "--prune old-first" in refused.value.hint
    pruned = plan_for(mars, prune=lambda id_: id_ == old)
    Application(pruned, mars, Told(), lose=pruned.losses).run()
    assert plan_for(mars).changes == []


def test_what_was_removed_and_not_made_again_is_said_when_a_removal_fails(mars: Mars) -> None:
    apply(mars)
    mars.described = described_anew(FIRST)
    mars.refuses[FIRST] = UnreachableError("Flink did not answer.")
    with pytest.raises(ApplyError) as failed:
        apply(mars, "other")
    removed = {step.id for step in failed.value.outcome.removed}
    assert removed == {SECOND, COPY}
    told = failed.value.hint.partition("Removed and not made again yet: ")[2].partition(".")[0]
    assert set(told.split(", ")) == {str(id_) for id_ in removed}
    assert not set(map(str, removed)) & set(failed.value.hint.partition("Not tried: ")[2].split(", "))


def test_an_interrupt_lets_nothing_more_begin(mars: Mars) -> None:
    many = [Wanted(Id("topic", f"t{number}"), "1") for number in range(20)]
    mars.described, mars.at_once = many, 1

    def interrupted(step: Step, _wanted: Wanted) -> None:
        mars.did.append(f"make {step.id}")
        raise KeyboardInterrupt

    mars.make = interrupted  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        apply(mars)
    assert len(mars.did) < 5
