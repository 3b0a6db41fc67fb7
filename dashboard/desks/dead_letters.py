"""What ops see of dead letters, and what admins do about them: the functions behind the Dead letters page.

Each takes who calls and checks that before anything else, as `administration.py` does. Card numbers do not leave it.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.access import Caller, Role
from dashboard.clusters import kind_of
from dashboard.current_settings import current_settings
from dashboard.dead_letter_queue import DeadLetterQueue
from dashboard.dead_letters.letters import Shown, shown
from dashboard.dead_letters.markers import Marker
from dashboard.dead_letters.reading import Group, Wanted, groups
from dashboard.dead_letters.redrive import Choices, RedrivePlan
from dashboard.narration import Narrator
from dashboard.runs import Progress, Runs
from dashboard.settings import Settings
from dashboard.target_settings import settings_of
from dashboard.targets import TargetKind, target_names

SHOWN_AT_ONCE = 500


@dataclass(frozen=True)
class Row:
    """One letter as a page may show it."""

    id: str
    at: str
    """UTC, ISO 8601."""
    order_id: int | None
    amount: str
    """To cents; empty where it has none."""
    shown: Shown
    fault: str
    """Why its fields cannot be read; empty when they can."""
    is_redacted: bool
    """A field of it was blacked out, and is lost."""
    redriven: Marker | None


@dataclass(frozen=True)
class Letters:
    """The newest letters that were asked for, the newest first, and what they come to."""

    rows: list[Row]
    groups: list[Group]
    is_complete: bool
    """There are no more of them."""


class DeadLetterDesk:
    """One for a process; any thread may call."""

    def __init__(self, make: Callable[[Settings, str], DeadLetterQueue] = DeadLetterQueue) -> None:
        self._make = make
        self._runs = Runs()

    def targets(self, caller: Caller) -> list[str]:
        """What may be chosen; whoever is no admin sees the one that this dashboard shows."""
        caller.require(Role.OPS, "Seeing dead letters")
        settings = current_settings()
        return target_names(settings) if caller.may(Role.ADMIN) else [settings.target]

    def kind(self, caller: Caller, target: str) -> TargetKind:
        _require(caller, target, "Seeing dead letters")
        return kind_of(target)

    def letters(self, caller: Caller, target: str, wanted: Wanted) -> Letters:
        """The newest letters, without a single card number."""
        _require(caller, target, "Seeing dead letters")
        found = self._queue(caller, target).letters(SHOWN_AT_ONCE, wanted)
        rows = [
            Row(
                id=one.id,
                at=one.at.isoformat(timespec="seconds"),
                order_id=one.order_id,
                amount="" if one.amount is None else str(one.amount),
                shown=shown(one),
                fault=one.fault,
                is_redacted=bool(one.redacted),
                redriven=found.redriven.get(one.id),
            )
            for one in found.letters
        ]
        return Letters(rows, groups(found.letters), found.complete)

    def plan(self, caller: Caller, target: str, ids: tuple[str, ...], choices: Choices) -> RedrivePlan:
        """What would happen to these letters if they were redriven now; changes nothing."""
        caller.require(Role.ADMIN, "Planning a redrive")
        return self._queue(caller, target).plan(ids, choices)

    def redrive(self, caller: Caller, plan: RedrivePlan) -> Progress:
        """Begins to send exactly what the plan says."""
        caller.require(Role.ADMIN, "Redriving")
        queue = self._queue(caller, plan.target)

        def carry_out(narrator: Narrator) -> None:
            with narrator.step("Redrive") as step:
                sent = queue.redrive(plan, lambda count: step.waits_for(f"{count:,} of {len(plan.sent):,} payments"))
                step.result = f"{len(sent.markers):,} payments"
            narrator.say(plan.summary)

        return self._runs.begin(plan.target, "redrive", caller.name, carry_out)

    def newest_run(self, caller: Caller, target: str) -> Progress | None:
        """What is at work on the target, or was the last; None when nothing was begun in this process."""
        _require(caller, target, "Seeing what is at work")
        return self._runs.newest(target)

    def begun_elsewhere(self, caller: Caller, target: str) -> str:
        """Nothing is told: a redrive elsewhere is found out when this one sends, and refused then."""
        _require(caller, target, "Seeing what is at work")
        return ""

    def _queue(self, caller: Caller, target: str) -> DeadLetterQueue:
        return self._make(settings_of(target), f"{caller.name} (dashboard on {socket.gethostname()})")


def _require(caller: Caller, target: str, what: str) -> None:
    """Raises AccessError unless they are ops, or an admin where the target is not the one that this dashboard shows."""
    caller.require(Role.OPS, what)
    if target != current_settings().target:
        caller.require(Role.ADMIN, f"Seeing the target {target}")
