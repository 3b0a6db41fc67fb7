"""What somebody has begun on a target and what goes on without them: one run a target, in a thread of this process.

A page only looks, so a reload, a closed tab and a second admin see the same run. A process that is killed takes its
runs along: the audit log on the cluster then shows one that began and did not end, and the next goes on from there.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from typing import Literal

from rich.console import Console

from dashboard.crash import save_trace
from dashboard.deploy.plan import Plan
from dashboard.errors import DeployError, SalesTrendsError
from dashboard.narration import Narrator, Step


@dataclass(frozen=True)
class Stage:
    """One step of a run as the narrator tells it, such as `Flink statements`."""

    title: str
    began: datetime
    """UTC."""
    state: Literal["running", "done", "failed"] = "running"
    waits_for: str = ""
    """What is being waited for, or what became of it."""
    ended: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run is; never changes, a later look gives another one."""

    target: str
    what: str
    """Such as `apply` or `stop revenue-summary`."""
    who: str
    began: datetime
    """UTC."""
    plan: Plan | None = None
    """What it carries out, for a run that has one."""
    stages: tuple[Stage, ...] = ()
    said: tuple[str, ...] = ()
    ended: datetime | None = None
    fault: SalesTrendsError | None = None
    """Why it failed; None while it runs, and when all went well."""

    @property
    def at_work(self) -> bool:
        return self.ended is None


class Runs:
    """The newest run of each target."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def begin(
        self, target: str, what: str, who: str, act: Callable[[Narrator], object], plan: Plan | None = None
    ) -> Progress:
        """Begins `act` in a thread of its own; raises DeployError while another run is at work on this target."""
        run = _Run(Progress(target, what, who, datetime.now(UTC), plan))
        with self._lock:
            before = self.newest(target)
            if before is not None and before.at_work:
                raise DeployError(
                    f"{target} is being changed: {before.what}, begun by {before.who} at {before.began:%H:%M:%S} UTC.",
                    "Wait for that to end, then plan again.",
                )
            # a daemon: whoever stops the server must not wait for minutes, and what is cut off can be gone on with
            threading.Thread(target=run.carry_out, args=(act,), name=f"{what} on {target}", daemon=True).start()
            self._runs[target] = run
        return run.progress

    def newest(self, target: str) -> Progress | None:
        """The run that is at work or was the last; None when there was none in this process."""
        run = self._runs.get(target)
        return run.progress if run else None


class _Run:
    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        """Replaced as a whole, so that others may read it at any time."""
        self._lock = threading.Lock()

    def carry_out(self, act: Callable[[Narrator], object]) -> None:
        fault: SalesTrendsError | None = None
        try:
            act(_RunNarrator(self))
        except SalesTrendsError as error:
            fault = error
        except BaseException as error:
            # nobody else is there to tell of it, and one that did not end would keep others out
            fault = DeployError(f"It failed by a fault of our own: {type(error).__name__}.", _where(error))
        finally:
            with self._lock:
                self.progress = replace(self.progress, ended=datetime.now(UTC), fault=fault)

    def say(self, text: str) -> None:
        with self._lock:
            self.progress = replace(self.progress, said=(*self.progress.said, text))

    def begin(self, title: str) -> int:
        """The number of the new stage."""
        with self._lock:
            stages = self.progress.stages
            self.progress = replace(self.progress, stages=(*stages, Stage(title, datetime.now(UTC))))
            return len(stages)

    def change(self, number: int, change: Callable[[Stage], Stage]) -> None:
        with self._lock:
            stages = self.progress.stages
            changed = (*stages[:number], change(stages[number]), *stages[number + 1 :])
            self.progress = replace(self.progress, stages=changed)


class _RunNarrator(Narrator):
    """Tells a run what a terminal would be told."""

    def __init__(self, run: _Run) -> None:
        super().__init__(Console(file=StringIO()))
        self._run = run

    def say(self, text: str = "", style: str = "") -> None:
        self._run.say(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        step = _RunStep(title, self.console, self._run)
        try:
            yield step
        except BaseException:
            step.ends("failed")
            raise
        step.ends("done")


class _RunStep(Step):
    def __init__(self, title: str, console: Console, run: _Run) -> None:
        super().__init__(title, console, None)
        self._run = run
        self._number = run.begin(title)

    def waits_for(self, text: str) -> None:
        self._run.change(self._number, lambda stage: replace(stage, waits_for=text))

    def ends(self, state: Literal["done", "failed"]) -> None:
        now = datetime.now(UTC)
        # what it waited for when it failed says where it failed
        self._run.change(
            self._number,
            lambda stage: replace(
                stage, state=state, ended=now, waits_for=stage.waits_for if state == "failed" else self.result
            ),
        )


def _where(error: BaseException) -> str:
    try:
        kept = f"Its trace is in {save_trace(error)}."
    except OSError:
        kept = "There was no room for its trace."
    return f"{kept} Done again, it goes on from where it was."
