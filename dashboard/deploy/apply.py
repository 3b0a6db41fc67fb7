"""Carries out a plan: what is replaced is removed first, downstream before upstream; then all is made in order.

It stops at the first failure, and running it again goes on from there: nothing is remembered but what the target
itself shows and the ledger says of it.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from typing import Protocol

from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Action, Plan, Step, make_destroy_plan, make_plan
from dashboard.deploy.resources import Found, Id, Wanted
from dashboard.errors import DeployError, SalesTrendsError


class Target(Protocol):
    """A system that the pipeline is deployed on."""

    name: str
    at_once: int
    """How many things it makes at the same time."""

    def wanted(self) -> list[Wanted]: ...

    def found(self) -> dict[Id, Found]: ...

    def contracts(self) -> list[ContractView]:
        """The contracts of our topics as the registry holds them."""

    def check(self, plan: Plan) -> None:
        """Asks the target whether it will take what is new or changed; raises DeployError with its reason."""

    def adopt(self, wanted: list[Wanted]) -> None:
        """Takes what exists for ours, made as the files describe it."""

    def make(self, step: Step, wanted: Wanted) -> None:
        """Makes, resumes or changes one thing; does not wait until it is ready."""

    def wait_ready(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        """Returns when it is; raises DeployError with the target's reason, also when that takes too long."""

    def remove(self, id_: Id, *, data: bool) -> None:
        """Removes one thing, with `data` also what it holds, and waits until it is gone; gone already is no error."""

    def offsets(self, id_: Id) -> Mapping[str, Mapping[int, int]]:
        """What a thing that `found` saw has read: of each topic and partition the offset of its next record."""

    def stoppable(self, name: str) -> Id:
        """What a running statement's name stands for; raises DeployError for a name that no statement goes by."""

    def stop(self, id_: Id, waits_for: Callable[[str], None]) -> str:
        """Stops it with what it knows, and waits; says how, to go on with "was". Raises DeployError unless it runs."""

    def resume(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        """Lets it go on and waits until it runs; raises DeployError when it runs, or when it cannot go on."""

    def forget(self) -> None:
        """After everything was removed: what the target notes about ours goes too, if nothing of ours is left."""


class Report(Protocol):
    """Who is told of each step: a terminal, a page, the audit log."""

    def begins(self, what: str, step: Step) -> None: ...

    def waits_for(self, text: str) -> None: ...

    def ended(self, what: str, step: Step, error: SalesTrendsError | None) -> None: ...


@dataclass
class Outcome:
    """How far an apply came."""

    done: list[Step] = field(default_factory=list)
    removed: list[Step] = field(default_factory=list)
    """Taken away so as to be made anew, whether that has happened or not."""
    stopped: list[Step] = field(default_factory=list)
    """To go on later, whether that has happened or not."""
    started: list[Step] = field(default_factory=list)
    """Made and not yet seen to be ready."""
    failed: list[Step] = field(default_factory=list)

    def not_made_again(self) -> list[Step]:
        made = {step.id for step in self.done + self.started + self.failed}
        return [step for step in self.removed if step.id not in made]

    def not_resumed(self) -> list[Step]:
        resumed = {step.id for step in self.done + self.started}
        return [step for step in self.stopped if step.id not in resumed]

    def not_tried(self, plan: Plan) -> list[Step]:
        tried = {step.id for step in self.done + self.removed + self.stopped + self.started + self.failed}
        return [step for step in plan.acts if step.id not in tried]


class ApplyError(DeployError):
    """A step failed; says what succeeded, what failed and what was not tried."""

    def __init__(self, plan: Plan, outcome: Outcome, cause: SalesTrendsError) -> None:
        parts = [
            f"{title}: {', '.join(str(step.id) for step in steps)}."
            for title, steps in (
                ("Done", outcome.done),
                ("Started", outcome.started),
                ("Failed", outcome.failed),
                ("Removed and not made again yet", outcome.not_made_again()),
                ("Stopped and not resumed yet", outcome.not_resumed()),
                ("Not tried", outcome.not_tried(plan)),
            )
            if steps
        ]
        super().__init__(cause.message, f"{cause.hint} {' '.join(parts)} The next apply goes on from there.".strip())
        self.exit_code = cause.exit_code
        self.outcome = outcome


def plan_for(
    target: Target,
    *,
    adopt: Callable[[Id], bool] = lambda _id: False,
    prune: Callable[[Id], bool] = lambda _id: False,
    part: Callable[[Id], bool] = lambda _id: True,
) -> Plan:
    """The plan for a target as it is now, which the target itself has checked.

    `adopt` says of what exists and is not known to be ours whether it shall be, `prune` of orphans whether they go.
    `part` selects what the plan is about; nothing outside of it is looked at or changed.
    """
    found = {id_: one for id_, one in target.found().items() if part(id_)}
    wanted = [one for one in target.wanted() if part(one.id)]
    plan = make_plan(target.name, wanted, found, adopt=list(filter(adopt, found)), prune=list(filter(prune, found)))
    target.check(plan)
    return plan


def destroy_plan_for(target: Target, *, delete: Collection[str] = ()) -> Plan:
    """What it takes to remove everything of ours from a target as it is now; data only as far as `delete` names it.

    Raises DeployError for a name that is no data of ours.
    """
    plan = make_destroy_plan(target.name, target.wanted(), target.found(), delete=delete)
    data = {step.data for step in plan.steps if step.data}
    if strangers := sorted(set(delete) - data):
        raise DeployError(
            f"No data of ours on {target.name} is called {', '.join(strangers)}.",
            f"What holds data: {', '.join(sorted(data)) or 'nothing'}.",
        )
    return plan


def agreed(plan: Plan, lose: Collection[str]) -> None:
    """Raises DeployError unless every loss of the plan is named, and nothing waits for a decision."""
    unknown = [step for step in plan.steps if step.action is Action.ADOPT]
    if unknown:
        names = " ".join(f"--adopt {step.id.name}" for step in unknown)
        raise DeployError(
            f"Not known to be ours: {', '.join(str(step.id) for step in unknown)}.",
            f"If they are, add `{names}`; if not, choose another target.",
        )
    anew = [step for step in plan.acts if step.action in (Action.CREATE, Action.REPLACE_LOSING_STATE)]
    if plan.still_writing and _statements_among(anew):
        names = " ".join(f"--prune {id_.name}" for id_ in plan.still_writing)
        raise DeployError(
            f"No file describes {', '.join(map(str, plan.still_writing))} any more, and it goes on writing beside what "
            "this makes.",
            f"Add `{names}` to remove it first, or bring its file back.",
        )
    if missing := [name for name in plan.losses if name not in lose]:
        again = ", ".join(step.loses for step in plan.steps if step.loses and step.action is not Action.REMOVE)
        for_good = ", ".join(step.loses for step in plan.steps if step.loses and step.action is Action.REMOVE)
        parts = ((f"This drops and fills again: {again}.", again), (f"This drops for good: {for_good}.", for_good))
        raise DeployError(
            " ".join(text for text, names in parts if names),
            f"If that is meant, add `{' '.join(f'--lose {name}' for name in missing)}`.",
        )


def _statements_among(steps: list[Step]) -> bool:
    return any(step.id.kind in ("statement", "tableflow") for step in steps)


class Application:
    """One plan being carried out, whole or in parts; a part that fails raises ApplyError and ends it."""

    def __init__(self, plan: Plan, target: Target, report: Report, *, lose: Collection[str] = ()) -> None:
        """Raises DeployError when not every loss was agreed to; nothing is touched then."""
        agreed(plan, lose)
        self.outcome = Outcome()
        self._plan = plan
        self._target = target
        self._report = report
        self._wanted = {one.id: one for one in target.wanted()}

    def run(self) -> Outcome:
        """The whole of it."""
        self.remove()
        self.make()
        return self.outcome

    def remove(self) -> None:
        """Downstream before upstream, so that nothing reads what is being dropped."""
        if self._plan.adopts:
            self._target.adopt([self._wanted[id_] for id_ in self._plan.adopts])
        for step in self._plan.acts:
            if step.action is Action.REMOVE:
                self._remove(step, data=bool(step.loses))
                self.outcome.done.append(step)
        for step in reversed([step for step in self._plan.acts if step.action is Action.REPLACE_LOSING_STATE]):
            self._remove(step, data=True)
            self.outcome.removed.append(step)

    def make(self, part: Callable[[Id], bool] = lambda _id: True) -> None:
        """Wave by wave what this part selects and is not made yet: all whose needs are ready, at once."""
        done = {step.id for step in self.outcome.done}
        acts = {step.id: step for step in self._plan.acts if part(step.id) and step.id not in done}
        waves = TopologicalSorter({id_: self._wanted[id_].needs & acts.keys() for id_ in acts})
        waves.prepare()
        pool = ThreadPoolExecutor(max_workers=self._target.at_once)
        try:
            while waves.is_active():
                ids = waves.get_ready()
                tries = {
                    acts[id_]: pool.submit(
                        self._tried, "make", acts[id_], partial(self._target.make, acts[id_], self._wanted[id_])
                    )
                    for id_ in ids
                }
                errors = {step: one.result() for step, one in tries.items()}
                self.outcome.started += [step for step, error in errors.items() if error is None]
                self._raise_first(errors)
                for id_ in ids:
                    self._wait_for(acts[id_])
                waves.done(*ids)
        finally:
            # what has not begun when somebody interrupts never does
            pool.shutdown(cancel_futures=True)

    def stop(self, step: Step) -> None:
        """What runs, until `make` lets it go on."""
        stopping = partial(self._target.stop, step.id, self._report.waits_for)
        self._raise_first({step: self._tried("stop", step, stopping)})
        self.outcome.stopped.append(step)

    def wait_for(self, step: Step) -> None:
        """What this plan does not make, and what follows needs."""
        self._raise_first({step: self._tried("wait for", step, self._waiting(step))})

    def _remove(self, step: Step, *, data: bool) -> None:
        self._raise_first({step: self._tried("remove", step, partial(self._target.remove, step.id, data=data))})

    def _wait_for(self, step: Step) -> None:
        error = self._tried("wait for", step, self._waiting(step))
        self.outcome.started.remove(step)
        self._raise_first({step: error})
        self.outcome.done.append(step)

    def _waiting(self, step: Step) -> Callable[[], None]:
        return partial(self._target.wait_ready, step.id, self._report.waits_for)

    def _tried(self, what: str, step: Step, act: Callable[[], object]) -> SalesTrendsError | None:
        try:
            self._report.begins(what, step)
            act()
        except SalesTrendsError as error:
            self._report.ended(what, step, error)
            return error
        self._report.ended(what, step, None)
        return None

    def _raise_first(self, errors: Mapping[Step, SalesTrendsError | None]) -> None:
        failed = {step: error for step, error in errors.items() if error is not None}
        if failed:
            self.outcome.failed += failed
            cause = next(iter(failed.values()))
            raise ApplyError(self._plan, self.outcome, cause) from cause
