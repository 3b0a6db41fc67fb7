"""The deployment that a target's name stands for: what commands and pages plan, apply, destroy and look at."""

from collections.abc import Collection
from typing import Protocol

from dashboard.deploy.audit import AuditLog
from dashboard.deploy.lake_access import LakeAddress
from dashboard.deploy.plan import Plan
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.errors import StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.broker import CLUSTER_ID
from dashboard.narration import Narrator
from dashboard.settings import Settings


class Deployed(Protocol):
    """The pipeline on one target; see `TargetDeployment` for what each call does."""

    audit: AuditLog

    def plan(self, *, adopt: Collection[str] = (), prune: Collection[str] = ()) -> Plan: ...

    def apply(
        self,
        planned: str | None = None,
        *,
        lose: Collection[str] = (),
        adopt: Collection[str] = (),
        prune: Collection[str] = (),
    ) -> Plan: ...

    def destroy_plan(self, *, delete: Collection[str] = ()) -> Plan: ...

    def destroy(self, planned: str | None = None, *, delete: Collection[str] = ()) -> Plan: ...

    def resources(self) -> list[ResourceStatus]: ...


class LocalDeployed:
    """The local stack, whose programs must run: its supervisor and other commands are kept out of the way."""

    def __init__(self, stack: LocalStack) -> None:
        """Raises StackError unless Kafka, Flink, registry and catalog run."""
        if missing := [name for name in services.PLATFORM if stack.processes.find(name) is None]:
            raise StackError(
                f"The local stack does not run: {', '.join(missing)} is missing.",
                "`sales-trends up` starts it.",
            )
        self._stack = stack
        self.audit = stack.deployment.audit
        self.plan = stack.deployment.plan
        self.apply = stack.apply
        self.destroy_plan = stack.deployment.destroy_plan
        self.destroy = stack.destroy
        self.resources = stack.deployment.resources


def deployed(settings: Settings, narrator: Narrator) -> Deployed:
    """The deployment on the target that the settings name.

    Raises SettingsError, StackError; nothing is asked yet of a target elsewhere.
    """
    return LocalDeployed(LocalStack(settings, narrator))


def lake_address(settings: Settings) -> LakeAddress:
    """How other engines reach the target's Iceberg tables."""
    deployment = LocalStack(settings, Narrator()).deployment
    return LakeAddress(
        catalog_uri=deployment.catalog,
        token_uri=None,
        namespace=CLUSTER_ID,
        topics=deployment.pipeline.tableflow_topics,
        region=None,
        managed_storage=False,
        needs_credentials=False,
    )
