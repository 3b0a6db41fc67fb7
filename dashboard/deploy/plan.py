"""What it takes to make a target as the files describe it: compared anew each time, told before anything is touched.

A plan promises nothing that a target cannot do: a running statement's text is immutable, so a changed one is replaced.
One that keeps state loses it, and with it everything downstream has to be filled again from the earliest record.
"""

import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any

from dashboard.deploy.resources import Found, Id, Wanted
from dashboard.errors import DeployError

FORMAT_VERSION = 1
"""Of a plan as JSON."""


class Action(StrEnum):
    NONE = "no change"
    CREATE = "create"
    RESUME = "resume"
    PAUSE = "pause"
    RESTART = "restart same"
    REPLACE_KEEPING_OFFSETS = "replace keeping offsets"
    REPLACE_LOSING_STATE = "replace losing state"
    CHANGE_CONTRACT = "change contract"
    ADOPT = "adopt?"
    ORPHAN = "orphan"
    DRIFTED = "drifted"
    REMOVE = "remove"
    KEEP = "keep"


_COSTS = {
    Action.NONE: "",
    Action.CREATE: "nothing: it reads from the earliest record",
    Action.RESUME: "nothing: it goes on from its newest savepoint or checkpoint",
    Action.PAUSE: "nothing: it goes on where it stopped",
    Action.RESTART: "nothing: it goes on from its newest checkpoint",
    Action.REPLACE_KEEPING_OFFSETS: "nothing: it keeps no state and goes on where the old one stopped",
    Action.REPLACE_LOSING_STATE: "its state; what it made is dropped and filled again from the earliest record",
    Action.CHANGE_CONTRACT: "nothing: a new version beside the old ones",
    Action.ADOPT: "nothing yet: it has our name, but nothing says that we made it",
    Action.ORPHAN: "nothing yet: it is ours, and no file describes it any more",
    Action.DRIFTED: "nothing yet: somebody else changed it",
    Action.REMOVE: "what it knows, for good",
    Action.KEEP: "nothing: it stays as it is",
}
_SHOWN_ONLY = frozenset({Action.NONE, Action.ADOPT, Action.ORPHAN, Action.DRIFTED, Action.KEEP})


@dataclass(frozen=True)
class Step:
    """What is to be done to one thing, and why."""

    id: Id
    action: Action
    why: str
    loses: str = ""
    """Data that is dropped, in words; filled again unless the step removes it for good."""
    data: str = ""
    """The name by which somebody agrees to that."""
    before: str = ""
    """What the thing was made of; empty where nothing tells, and for what stays as it is."""
    after: str = ""
    """What it is to be made of; empty for what goes, and for what stays as it is."""

    @property
    def cost(self) -> str:
        return _COSTS[self.action]


@dataclass(frozen=True)
class Plan:
    target: str
    steps: tuple[Step, ...]
    """In the order in which they are carried out; what is replaced is first removed in the opposite order."""
    digest: str
    """Of what was wanted and found: a saved plan is only applied to what it was made for."""

    adopts: tuple[Id, ...] = ()
    """What is taken for ours because somebody said so."""
    still_writing: tuple[Id, ...] = ()
    """Ours, described by no file, and at work: it may write what this plan fills anew."""

    @property
    def prunes(self) -> list[Id]:
        """What is removed for good."""
        return [step.id for step in self.steps if step.action is Action.REMOVE]

    @property
    def changes(self) -> list[Step]:
        """Every step that is not `no change`: what somebody has to know or decide."""
        return [step for step in self.steps if step.action is not Action.NONE]

    @property
    def acts(self) -> list[Step]:
        """The steps that an apply carries out."""
        return [step for step in self.steps if step.action not in _SHOWN_ONLY]

    @property
    def losses(self) -> list[str]:
        """Names of what is dropped and filled again, which somebody has to agree to."""
        return sorted({step.data for step in self.steps if step.loses})

    def as_dict(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "target": self.target,
            "digest": self.digest,
            "changes": len(self.changes),
            "losses": self.losses,
            "adopts": [id_.name for id_ in self.adopts],
            "prunes": [id_.name for id_ in self.prunes],
            "steps": [
                asdict(step) | {"id": {"kind": step.id.kind, "name": step.id.name}, "cost": step.cost}
                for step in self.steps
            ],
        }


def make_plan(
    target: str,
    wanted: Iterable[Wanted],
    found: Mapping[Id, Found],
    *,
    adopt: Collection[Id] = (),
    prune: Collection[Id] = (),
) -> Plan:
    """Compares; `adopt` names what exists without being ours and shall be from now on, `prune` orphans to remove.

    Raises DeployError when the files describe a circle.
    """
    by_id = {one.id: one for one in wanted}
    judged = {id_: replace(one, ours=True) if id_ in adopt and id_ in by_id else one for id_, one in found.items()}
    steps = {id_: _step(by_id[id_], judged.get(id_)) for id_ in in_order(by_id)}
    for id_, root in _rebuilt(by_id, judged, steps).items():
        here = judged.get(id_)
        if here is not None and here.ours:
            replaced = steps[id_].action is Action.REPLACE_LOSING_STATE
            why = steps[id_].why if replaced else _why_rebuilt(id_, root)
            steps[id_] = _losing(Action.REPLACE_LOSING_STATE, by_id[id_], why)
    for id_, kept in _filled_in_part(by_id, judged, steps).items():
        loses = f"{steps[id_].loses}, of which nothing older than {kept} can be filled again"
        steps[id_] = replace(steps[id_], loses=loses)
    orphans = [
        _losing(Action.REMOVE, _orphan(id_), "no file describes it")
        if id_ in prune
        else Step(id_, Action.ORPHAN, "no file describes it")
        for id_ in _orphans(by_id, judged)
    ]
    adopts = tuple(id_ for id_ in steps if id_ in found and not found[id_].ours and judged[id_].ours)
    writing = tuple(
        step.id for step in orphans if step.action is Action.ORPHAN and judged[step.id].state in ("ready", "changing")
    )
    in_sequence = tuple(_with_texts(step, by_id, judged) for step in (*orphans, *steps.values()))
    return Plan(target, in_sequence, _digest(by_id, judged, in_sequence), adopts, _statements(writing))


def make_destroy_plan(
    target: str, wanted: Iterable[Wanted], found: Mapping[Id, Found], *, delete: Collection[str] = ()
) -> Plan:
    """Takes away what is ours, readers before what they read; data only where `delete` names it.

    What is not ours is not in the plan. Raises DeployError when the files describe a circle.
    """
    by_id = {one.id: one for one in wanted}
    steps = [_removed(_orphan(id_), delete) for id_ in _orphans(by_id, found)]
    for id_ in reversed(in_order(by_id)):
        if id_ in found and found[id_].ours:
            steps.append(_removed(by_id[id_], delete))
    return Plan(target, tuple(steps), _digest(by_id, found, steps))


def _with_texts(step: Step, wanted: Mapping[Id, Wanted], found: Mapping[Id, Found]) -> Step:
    """What somebody who agrees to the step has to see of it."""
    if step.action is Action.NONE:
        return step
    before, after = found.get(step.id), wanted.get(step.id)
    return replace(step, before=before.text if before else "", after=after.text if after else "")


def _statements(ids: Iterable[Id]) -> tuple[Id, ...]:
    return tuple(id_ for id_ in ids if id_.kind in ("statement", "tableflow"))


def _removed(wanted: Wanted, delete: Collection[str]) -> Step:
    if not wanted.holds:
        return Step(wanted.id, Action.REMOVE, "it is ours")
    if wanted.data_name in delete:
        return _losing(Action.REMOVE, wanted, "its data is named")
    if wanted.keeps_state:
        return Step(wanted.id, Action.REMOVE, f"it is ours; its data stays: {wanted.holds}", data=wanted.data_name)
    return Step(wanted.id, Action.KEEP, f"its data is not named: {wanted.holds}", data=wanted.data_name)


def _losing(action: Action, wanted: Wanted, why: str) -> Step:
    return Step(wanted.id, action, why, wanted.holds, wanted.data_name if wanted.holds else "")


def _orphans(wanted: Mapping[Id, Wanted], found: Mapping[Id, Found]) -> list[Id]:
    """What is ours and no file describes; readers first, as far as that can be told without their files."""
    kinds = ("catalog", "tableflow", "statement", "contract", "key", "topic")
    orphans = [id_ for id_, one in found.items() if one.ours and id_ not in wanted]
    return sorted(orphans, key=lambda id_: (kinds.index(id_.kind), id_.name))


def _orphan(id_: Id) -> Wanted:
    return Wanted(id_, "", holds="" if id_.kind in ("statement", "catalog") else f"{id_}, which no file describes")


def in_order(wanted: Mapping[Id, Wanted]) -> list[Id]:
    """Each after what it needs; raises DeployError when that is impossible."""
    graph = {id_: sorted(one.needs & wanted.keys()) for id_, one in wanted.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(map(str, error.args[1]))
        raise DeployError(
            f"The pipeline goes round in a circle: {circle}.", "A statement may only need what others make before it."
        ) from error


def _step(wanted: Wanted, found: Found | None) -> Step:
    id_ = wanted.id
    if found is None:
        return Step(id_, Action.CREATE, "it does not exist")
    if not found.ours:
        return Step(id_, Action.ADOPT, "it exists and nothing says that we made it")
    if found.digest is not None and found.digest != wanted.digest:
        what = (
            ", ".join(f"{key}: {value}" for key, value in (found.facts or {}).items()) or "its text or its properties"
        )
        if id_.kind == "contract":
            return Step(id_, Action.CHANGE_CONTRACT, what)
        if wanted.keeps_state or wanted.holds or wanted.flow != found.flow:
            return _losing(Action.REPLACE_LOSING_STATE, wanted, f"changed: {what}")
        return Step(id_, Action.REPLACE_KEEPING_OFFSETS, f"changed: {what}")
    if found.facts:
        return Step(id_, Action.DRIFTED, ", ".join(f"{key}: {value}" for key, value in found.facts.items()))
    match found.state:
        case "ready":
            return Step(id_, Action.NONE, "as described")
        case "stopped":
            return Step(id_, Action.RESUME, f"it is {found.phase}" if found.phase else "it does not run")
        case "failed" if not found.resumes and (wanted.keeps_state or wanted.holds):
            why = f"it is {found.phase}, which cannot be resumed: {found.trouble or 'no reason is given'}"
            return _losing(Action.REPLACE_LOSING_STATE, wanted, why)
        case "failed" if not found.resumes and wanted.flow:
            why = f"it is {found.phase}, which cannot be resumed: {found.trouble or 'no reason is given'}"
            return Step(id_, Action.REPLACE_KEEPING_OFFSETS, why)
        case "failed":
            return Step(id_, Action.RESTART, f"it is {found.phase}: {found.trouble or 'no reason is given'}")
        case "changing":
            return Step(id_, Action.DRIFTED, f"it is {found.phase}: {found.trouble or 'somebody is changing it'}")


def _rebuilt(wanted: Mapping[Id, Wanted], found: Mapping[Id, Found], steps: Mapping[Id, Step]) -> dict[Id, Id]:
    """All that is filled anew, each with the replaced or missing thing that it comes from.

    What a missing statement made before, or a missing topic fed, is as wrong as what a replaced one did. Where there is
    no data yet, nothing is wrong.
    """
    roots = [
        id_
        for id_, step in steps.items()
        if step.action is Action.REPLACE_LOSING_STATE
        or (step.action is Action.CREATE and (wanted[id_].keeps_state or wanted[id_].comes_from or wanted[id_].flow))
    ]
    # what reads a topic that is gone would go on at offsets of the old one
    read = {source for id_, one in wanted.items() if id_ in found for source in one.comes_from}
    roots += [id_ for id_, step in steps.items() if step.action is Action.CREATE and id_ in read and id_ not in roots]
    # what filled a topic that is gone would go on in the middle
    filled = {id_ for id_, one in wanted.items() if _is_filled(one)}
    roots += [
        source
        for id_, step in steps.items()
        if step.action is Action.CREATE and id_ in filled
        for source in sorted(wanted[id_].comes_from)
        if source in found and wanted[source].keeps_state
    ]
    made_of_it: dict[Id, list[Id]] = {}
    for id_, one in wanted.items():
        for source in one.comes_from:
            made_of_it.setdefault(source, []).append(id_)
    because = {root: root for root in roots}
    queue = deque(roots)
    while queue:
        source = queue.popleft()
        # what fills it at offsets would go on in the middle as well
        fills = wanted[source].comes_from if source in filled else ()
        for id_ in sorted(one for one in fills if one in found and wanted[one].flow):
            if id_ not in because:
                because[id_] = because[source]
                queue.append(id_)
        for id_ in made_of_it.get(source, ()):
            if id_ not in because and (id_ not in found or found[id_].holds_data):
                because[id_] = because[source]
                queue.append(id_)
    return because


def _filled_in_part(wanted: Mapping[Id, Wanted], found: Mapping[Id, Found], steps: Mapping[Id, Step]) -> dict[Id, str]:
    """What is dropped and filled again from what is not kept for ever: how long that is kept, in words."""
    # in the order of the steps, since the words are part of the plan's digest
    anew = [id_ for id_, step in steps.items() if step.action in (Action.CREATE, Action.REPLACE_LOSING_STATE)]
    stays = found.keys() - set(anew)
    kept: dict[Id, set[str]] = {}
    made_of_it: dict[Id, list[Id]] = {}
    for id_ in anew:
        for source in wanted[id_].comes_from:
            made_of_it.setdefault(source, []).append(id_)
        sources = (wanted[id_].comes_from | wanted[id_].reads) & stays
        if told := {found[source].keeps_for for source in sources} - {""}:
            kept[id_] = told
    queue = deque(kept)
    while queue:
        source = queue.popleft()
        for id_ in made_of_it.get(source, ()):
            if not kept[source] <= kept.get(id_, set()):
                kept[id_] = kept.get(id_, set()) | kept[source]
                queue.append(id_)
    return {id_: " or ".join(sorted(told)) for id_, told in kept.items() if steps[id_].loses}


def _is_filled(wanted: Wanted) -> bool:
    """A topic, or a table made empty: what it comes from writes it. All else reads what it comes from."""
    return wanted.id.kind in ("topic", "statement") and bool(wanted.holds) and not wanted.keeps_state


def _why_rebuilt(id_: Id, root: Id) -> str:
    return "what it filled is gone" if id_ == root else f"{root} is made anew, and this comes from what it made"


def _digest(wanted: Mapping[Id, Wanted], found: Mapping[Id, Found], steps: Iterable[Step]) -> str:
    facts = [
        [[str(step.id), step.action, step.data, step.loses] for step in steps],
        sorted([str(id_), one.digest] for id_, one in wanted.items()),
        sorted(
            [str(id_), str(one.ours), str(one.digest), one.state, *map(str, sorted((one.facts or {}).items()))]
            for id_, one in found.items()
        ),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
