"""A made-up target that remembers what it was told to do."""

import threading
from collections.abc import Callable
from dataclasses import replace

from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Plan, Step
from dashboard.deploy.resources import Found, Id, State, Wanted
from dashboard.errors import DeployError, SalesTrendsError

TOPIC, OTHER = Id("topic", "topic"), Id("topic", "other")
FIRST, SECOND, COPY = Id("statement", "first"), Id("statement", "second"), Id("tableflow", "other")

PIPELINE = [
    Wanted(TOPIC, "1"),
    Wanted(OTHER, "1", comes_from=frozenset({FIRST}), holds="topic other"),
    Wanted(FIRST, "1", frozenset({TOPIC, OTHER}), frozenset({TOPIC}), keeps_state=True),
    Wanted(SECOND, "1", frozenset({OTHER}), frozenset({OTHER}), keeps_state=True),
    Wanted(COPY, "1", frozenset({OTHER}), frozenset({OTHER}), holds="Iceberg table other"),
]


class Mars:
    """Makes and removes things in memory; `refuses` and `never_ready` make it fail."""

    name = "mars"
    at_once = 3

    def __init__(self, wanted: list[Wanted]) -> None:
        self.described = wanted
        self.things: dict[Id, Found] = {}
        self.did: list[str] = []
        self.refuses: dict[Id, SalesTrendsError] = {}
        self.never_ready: set[Id] = set()
        self.refuses_plan: SalesTrendsError | None = None

    def wanted(self) -> list[Wanted]:
        return self.described

    def found(self) -> dict[Id, Found]:
        return dict(self.things)

    def contracts(self) -> list[ContractView]:
        return []

    def check(self, _plan: Plan) -> None:
        if self.refuses_plan:
            raise self.refuses_plan

    def adopt(self, wanted: list[Wanted]) -> None:
        for one in wanted:
            self.did.append(f"adopt {one.id}")
            self.things[one.id] = replace(self.things[one.id], ours=True, digest=one.digest)

    def make(self, step: Step, wanted: Wanted) -> None:
        if step.id in self.refuses:
            raise self.refuses[step.id]
        self.did.append(f"make {step.id}")
        self.things[step.id] = Found(step.id, True, wanted.digest, "ready", "RUNNING")

    def wait_ready(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        waits_for(f"{id_} to run")
        if id_ in self.never_ready:
            raise DeployError(f"Not running after 90 s: {id_}.")
        self.did.append(f"ready {id_}")

    def remove(self, id_: Id, *, data: bool) -> None:
        if id_ in self.refuses:
            raise self.refuses[id_]
        self.did.append(f"remove {id_}" + (" and its data" if data else ""))
        del self.things[id_]

    def offsets(self, _id: Id) -> dict[str, dict[int, int]]:
        return {}

    def stoppable(self, name: str) -> Id:
        if name not in (FIRST.name, SECOND.name):
            raise DeployError(f"There is no statement called {name}.")
        return Id("statement", name)

    def stop(self, id_: Id, waits_for: Callable[[str], None]) -> str:
        waits_for(f"{id_} to stop")
        self._change(id_, "stop", "ready", "stopped")
        return "stopped"

    def resume(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        waits_for(f"{id_} to run")
        self._change(id_, "resume", "stopped", "ready")

    def _change(self, id_: Id, what: str, before: State, after: State) -> None:
        if id_ in self.refuses:
            raise self.refuses[id_]
        if self.things[id_].state != before:
            raise DeployError(f"There is nothing to {what}: {id_} is {self.things[id_].state}.")
        self.did.append(f"{what} {id_}")
        self.things[id_] = replace(self.things[id_], state=after)

    def forget(self) -> None:
        self.did.append("forget")


class Told:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.failed: list[str] = []
        self.waits: list[str] = []
        self.lock_lost = threading.Event()

    def begins(self, what: str, step: Step) -> None:
        if self.lock_lost.is_set():
            raise DeployError("The right to change mars was lost.")
        self.began.append(f"{what} {step.id}")

    def waits_for(self, text: str) -> None:
        self.waits.append(text)

    def ended(self, what: str, step: Step, error: SalesTrendsError | None) -> None:
        if error is not None:
            self.failed.append(f"{what} {step.id}: {error.message}")
