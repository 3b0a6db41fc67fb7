"""What an admin does to the targets: looks, plans, applies, destroys, stops and resumes, and reads the audit log.

The functions behind the Deploy page. Each takes who calls and checks that before anything else, because what a page
does not draw can be sent to it all the same. What takes long goes on in the background: see `runs.py`.
"""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from cachetools import TTLCache

from dashboard.access import Caller, Role
from dashboard.clusters import kind_of
from dashboard.deploy import tableflow
from dashboard.deploy.apply import agreed
from dashboard.deploy.audit import Act, AuditReader
from dashboard.deploy.checks import CheckResult
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.lake_access import Snippet, access
from dashboard.deploy.lineage import Picture, picture_of
from dashboard.deploy.plan import Plan
from dashboard.deploy.raw_records import RawRecord
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Kind as ResourceKind
from dashboard.deployments import Deployed, deployed, lake_address
from dashboard.errors import DeployError
from dashboard.narration import Narrator
from dashboard.runs import Progress, Runs
from dashboard.settings import Settings, load_settings
from dashboard.target_settings import settings_of
from dashboard.targets import TargetKind, target_names

_LOOK_SECONDS = 3.0
"""However many pages are open, a target is asked once in this time how it is."""


@dataclass(frozen=True)
class Choices:
    """What an admin decided before planning."""

    window_size: timedelta | None = None
    """Another window size for the local stack; None leaves it. Elsewhere the target's description says it."""
    adopt: tuple[str, ...] = ()
    prune: tuple[str, ...] = ()
    encrypt_fields: bool | None = None
    """Whether the local stack's contracts encrypt; None leaves it."""


NO_CHOICES = Choices()


@dataclass(frozen=True)
class Look:
    """How a target is."""

    resources: list[ResourceStatus]
    picture: Picture


class Administration:
    """One for a process; any thread may call."""

    def __init__(self, make: Callable[[Settings, Narrator, str], Deployed] = deployed) -> None:
        self._make = make
        self._runs = Runs()
        self._lock = Lock()
        self._looks: TTLCache[str, Look] = TTLCache(maxsize=16, ttl=_LOOK_SECONDS)
        self._looking: dict[str, Lock] = {}
        self._elsewhere: TTLCache[str, str] = TTLCache(maxsize=16, ttl=_LOOK_SECONDS)
        self._readers: dict[str, AuditReader] = {}

    def targets(self, caller: Caller) -> list[str]:
        """Names of all that may be chosen; `local` is the first."""
        caller.require(Role.ADMIN, "Seeing the targets")
        return target_names(load_settings())

    def kind(self, caller: Caller, target: str) -> TargetKind:
        caller.require(Role.ADMIN, "Seeing the targets")
        return kind_of(target)

    def window_size(self, caller: Caller, target: str) -> timedelta:
        """What the target's windows are to be unless somebody chooses otherwise."""
        caller.require(Role.ADMIN, "Planning")
        return settings_of(target).pipeline.window_size

    def look(self, caller: Caller, target: str) -> Look:
        """Each thing of the pipeline as it was at most a few seconds ago."""
        caller.require(Role.ADMIN, "Seeing what runs")
        with self._lock:
            looking = self._looking.setdefault(target, Lock())
        with looking:
            with self._lock:
                if (known := self._looks.get(target)) is not None:
                    return known
            deployment = self._deployed(caller, target)
            resources = deployment.resources()
            look = Look(resources, picture_of(deployment.wanted(), resources))
            with self._lock:
                self._looks[target] = look
            return look

    def plan(self, caller: Caller, target: str, choices: Choices = NO_CHOICES) -> Plan:
        caller.require(Role.ADMIN, "Planning")
        return self._deployed(caller, target, choices).plan(adopt=choices.adopt, prune=choices.prune)

    def apply(self, caller: Caller, plan: Plan, lose: Collection[str], choices: Choices = NO_CHOICES) -> Progress:
        """Begins to carry out exactly this plan; `lose` is what somebody has typed to agree to its losses."""
        caller.require(Role.ADMIN, "Applying a plan")
        if missing := [name for name in plan.losses if name not in lose]:
            raise DeployError(
                f"The plan drops the data of {', '.join(missing)}, and nobody has agreed to that.",
                "Type the name of each to agree.",
            )
        agreed(plan, lose)

        def act(deployment: Deployed) -> None:
            deployment.apply(plan.digest, lose=lose, adopt=choices.adopt, prune=choices.prune)

        return self._begin(caller, plan.target, "apply", act, choices, plan)

    def destroy_plan(self, caller: Caller, target: str, delete: Collection[str] = ()) -> Plan:
        """What it takes to remove all that is ours; data only where `delete` names it."""
        caller.require(Role.ADMIN, "Planning")
        return self._deployed(caller, target).destroy_plan(delete=delete)

    def destroy(self, caller: Caller, plan: Plan, typed: str, delete: Collection[str] = ()) -> Progress:
        """Begins to carry out exactly this removal, if the target's name was typed; `delete` names data that goes."""
        caller.require(Role.ADMIN, "Destroying")
        if typed != plan.target:
            raise DeployError(
                f"What was typed is not {plan.target}, so nothing was destroyed.", "Type the target's name."
            )

        def act(deployment: Deployed) -> None:
            deployment.destroy(plan.digest, delete=delete)

        return self._begin(caller, plan.target, "destroy", act, plan=plan)

    def contracts(self, caller: Caller, target: str) -> list[ContractView]:
        """The contracts of our topics as the registry holds them now."""
        caller.require(Role.ADMIN, "Seeing the contracts")
        return self._deployed(caller, target).contracts()

    def encrypts(self, caller: Caller, target: str) -> bool:
        """Whether the contracts are to encrypt, unless somebody chooses otherwise."""
        caller.require(Role.ADMIN, "Seeing the contracts")
        return settings_of(target).pipeline.encrypt_fields

    def contracts_plan(self, caller: Caller, target: str, encrypt_fields: bool | None = None) -> Plan:
        """What it takes to make the contracts as described; `encrypt_fields` turns encryption on or off, locally."""
        caller.require(Role.ADMIN, "Planning")
        return self._deployed(caller, target, Choices(encrypt_fields=encrypt_fields)).contracts_plan()

    def apply_contracts(self, caller: Caller, plan: Plan, encrypt_fields: bool | None = None) -> Progress:
        """Begins to carry out exactly this plan of the contracts."""
        caller.require(Role.ADMIN, "Changing a contract")
        agreed(plan, ())
        choices = Choices(encrypt_fields=encrypt_fields)

        def act(deployment: Deployed) -> None:
            deployment.apply_contracts(plan.digest)

        return self._begin(caller, plan.target, "change the contracts", act, choices, plan)

    def newest_records(self, caller: Caller, target: str, topic: str) -> list[RawRecord]:
        """The newest records of a topic as they are on the wire, secrets in the clear left out."""
        caller.require(Role.ADMIN, "Seeing raw records")
        return self._deployed(caller, target).newest_records(topic)

    def uncover_record(self, caller: Caller, target: str, topic: str, partition: int, offset: int) -> RawRecord:
        """One record with all that stands in it; the audit log tells who asked for it."""
        caller.require(Role.ADMIN, "Uncovering a record")
        return self._deployed(caller, target).uncover_record(topic, partition, offset)

    def statement_of(self, caller: Caller, target: str, kind: ResourceKind, name: str) -> str:
        """The statement that can be stopped and resumed by itself and makes this thing; empty where there is none."""
        caller.require(Role.ADMIN, "Stopping a statement")
        if kind == "statement":
            return name
        # on Confluent Cloud the service copies, without a statement of ours
        has_copies = kind == "tableflow" and self.kind(caller, target) != "Confluent Cloud"
        return tableflow.statement_name(name) if has_copies else ""

    def stop(self, caller: Caller, target: str, name: str) -> Progress:
        """Begins to stop one statement, which keeps what it knows."""
        caller.require(Role.ADMIN, "Stopping a statement")
        return self._begin(caller, target, f"stop {name}", lambda deployment: deployment.stop(name))

    def resume(self, caller: Caller, target: str, name: str) -> Progress:
        """Begins to let one statement go on."""
        caller.require(Role.ADMIN, "Resuming a statement")
        return self._begin(caller, target, f"resume {name}", lambda deployment: deployment.resume(name))

    def restart_app(self, caller: Caller, target: str) -> Progress:
        """Begins to restart the payment app."""
        caller.require(Role.ADMIN, "Restarting the payment app")
        return self._begin(caller, target, "restart the payment app", lambda deployment: deployment.restart_app())

    def restart_command(self, caller: Caller, target: str) -> str:
        """What restarts the payment app in a shell; empty where its place is not known."""
        caller.require(Role.ADMIN, "Restarting the payment app")
        return self._deployed(caller, target).restart_command

    def checks(self, caller: Caller, target: str) -> Mapping[str, str]:
        """The pipeline's checks: their SQL by name."""
        caller.require(Role.ADMIN, "Seeing the checks")
        return self._deployed(caller, target).checks

    def check(self, caller: Caller, target: str, name: str) -> CheckResult:
        """What one check finds now; takes seconds."""
        caller.require(Role.ADMIN, "Running a check")
        return self._deployed(caller, target).check(name)

    def acts(self, caller: Caller, target: str) -> list[Act]:
        """The newest acts of the audit log, the oldest first."""
        caller.require(Role.ADMIN, "Reading the audit log")
        log = self._deployed(caller, target).audit
        with self._lock:
            known = self._readers.get(target)
            # a target may be described otherwise by now
            reader = known if known is not None and known.reads(log) else AuditReader(log)
            self._readers[target] = reader
        return reader.acts()

    def all_acts(self, caller: Caller, target: str) -> list[Act]:
        """The whole audit log, the oldest first; for an export."""
        caller.require(Role.ADMIN, "Reading the audit log")
        return self._deployed(caller, target).audit.acts()

    def lake_access(self, caller: Caller, target: str) -> list[Snippet]:
        """What to paste into each engine to read the target's Iceberg tables."""
        caller.require(Role.ADMIN, "Seeing the access details")
        return access(lake_address(settings_of(target)))

    def begun_elsewhere(self, caller: Caller, target: str) -> str:
        """A sentence about what another process began on the target and has not ended; empty when there is nothing.

        At most a few seconds old.
        """
        caller.require(Role.ADMIN, "Seeing what is at work")
        with self._lock:
            known: str | None = self._elsewhere.get(target)
        if known is None:
            begun = _unfinished(self.acts(caller, target))
            known = _told(begun, self._deployed(caller, target).audit.holder()) if begun else ""
            with self._lock:
                self._elsewhere[target] = known
        return known

    def newest_run(self, caller: Caller, target: str) -> Progress | None:
        """What is at work on the target, or was the last; None when nothing was begun in this process."""
        caller.require(Role.ADMIN, "Seeing what is at work")
        return self._runs.newest(target)

    def _deployed(self, caller: Caller, target: str, choices: Choices = NO_CHOICES) -> Deployed:
        narrator = Narrator()
        narrator.go_quiet()
        return self._make(_settings(target, choices), narrator, _acting(caller))

    def _begin(
        self,
        caller: Caller,
        target: str,
        what: str,
        act: Callable[[Deployed], str | None],
        choices: Choices = NO_CHOICES,
        plan: Plan | None = None,
    ) -> Progress:
        settings, who = _settings(target, choices), _acting(caller)

        def carry_out(narrator: Narrator) -> None:
            try:
                told = act(self._make(settings, narrator, who))
            finally:
                with self._lock:
                    self._looks.pop(target, None)
            if told:
                narrator.say(told)

        return self._runs.begin(target, what, caller.name, carry_out, plan)


def _settings(target: str, choices: Choices) -> Settings:
    return settings_of(target, choices.window_size, choices.encrypt_fields)


def _unfinished(acts: Sequence[Act]) -> Act | None:
    """The newest act that began, unless its end is in the log too.

    Redrives aside: they go on beside a change, without the right to change the target, and are not done again by it.
    """
    changes = (act for act in reversed(acts) if not act.what.startswith("redrive "))
    newest = next((act for act in changes if act.what.endswith((" begins", " ended", " failed"))), None)
    return newest if newest and newest.what.endswith(" begins") else None


def _told(begun: Act, holder: str) -> str:
    since = f"{begun.what.removesuffix(' begins')} by {begun.who} since {begun.at[11:19]} UTC on {begun.at[:10]}"
    if holder:
        return f"At work elsewhere: {since}. Until it ends, other changes are refused."
    return f"Interrupted: {since}, which never ended. Done again, it goes on from where it was."


def _acting(caller: Caller) -> str:
    """Who acts, as the audit log and whoever has to wait are told."""
    return f"{caller.name} (dashboard on {socket.gethostname()})"
