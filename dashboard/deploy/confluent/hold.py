"""The deduplication at rest until the join runs, where it is there already; docs/decisions/0006.

What it protects is given up by whoever lets it go on earlier: payments come before their orders then, and too late.
"""

from collections.abc import Iterable
from dataclasses import replace

from dashboard.deploy.apply import Application
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.plan import Action, Plan
from dashboard.deploy.resources import Id, Wanted
from dashboard.deploy.statements import DEDUPLICATION, JOIN

JOIN_ID, HELD_BACK = Id("statement", JOIN), Id("statement", DEDUPLICATION)


def with_pause(plan: Plan, target: ConfluentTarget) -> Plan:
    """The plan with a step for the deduplication too, where it runs and the join is to be started."""
    steps = {step.id: step for step in plan.steps}
    held = steps.get(HELD_BACK)
    starts = any(step.id == JOIN_ID and step.action is not Action.REMOVE for step in plan.acts)
    if held is None or not starts or held.action not in (Action.NONE, Action.DRIFTED) or not target.runs(HELD_BACK):
        return plan
    why = f"it rests until {JOIN} runs"
    paused = replace(held, action=Action.PAUSE, why=why if held.action is Action.NONE else f"{why}; {held.why}")
    return replace(plan, steps=tuple((steps | {HELD_BACK: paused}).values()))


def carry_out(plan: Plan, run: Application, target: ConfluentTarget) -> None:
    """The join before the deduplication, and all that neither of them needs after both: it must not fail meanwhile.

    A deduplication that is made anew makes the table that the join needs, and so comes first.
    """
    steps, acts = {step.id: step for step in plan.steps}, {step.id: step for step in plan.acts}
    held = acts.get(HELD_BACK)
    wanted = target.wanted()
    is_described = any(one.id == JOIN_ID for one in wanted)
    if held is None or held.action not in (Action.PAUSE, Action.RESUME) or not is_described:
        run.run()
        return
    run.remove()
    before = _needed_for(JOIN_ID, wanted) - {HELD_BACK}
    run.make(before.__contains__)
    if JOIN_ID in acts:
        # one that somebody has asked to stop is waited for
        if target.runs(HELD_BACK):
            run.stop(held)
        run.make(lambda id_: id_ == JOIN_ID)
    elif not target.rests(JOIN_ID):
        # it was started before, and may still be waiting for its turn, or be about to fail
        run.wait_for(steps[JOIN_ID])
    run.make(lambda id_: id_ == HELD_BACK)
    run.make()


def _needed_for(id_: Id, wanted: Iterable[Wanted]) -> set[Id]:
    """Also for what it needs itself."""
    needs = {one.id: one.needs for one in wanted}
    found, queue = set[Id](), [id_]
    while queue:
        new = needs[queue.pop()] & needs.keys() - found
        found |= new
        queue += new
    return found
