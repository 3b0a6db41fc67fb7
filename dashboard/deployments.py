"""The deployment that a target's name stands for: what commands and pages plan, apply, destroy and look at."""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Protocol

from dashboard import cloud_deployment
from dashboard.cloud_deployment import CloudDeployment
from dashboard.clusters import own_clusters
from dashboard.deploy.audit import AuditLog
from dashboard.deploy.checks import CheckResult
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.lake_access import LakeAddress
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.plan import Plan
from dashboard.deploy.raw_records import RawRecord
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Wanted
from dashboard.errors import DeployError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.broker import CLUSTER_ID
from dashboard.narration import Narrator
from dashboard.open_source_deployment import Clusters, OpenSourceDeployment
from dashboard.remotes.flink import Flink
from dashboard.settings import Settings
from dashboard.target_fields import ConfluentTargetSettings, OpenSourceTargetSettings
from dashboard.targets import LOCAL, load_target

_POLL_SECONDS = 0.5


class Deployed(Protocol):
    """The pipeline on one target; see `TargetDeployment` for what each call does."""

    audit: AuditLog

    @property
    def checks(self) -> Mapping[str, str]: ...

    @property
    def restart_command(self) -> str: ...

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

    def contracts(self) -> list[ContractView]: ...

    def newest_records(self, topic: str, count: int = 10) -> list[RawRecord]: ...

    def uncover_record(self, topic: str, partition: int, offset: int) -> RawRecord: ...

    def contracts_plan(self) -> Plan: ...

    def apply_contracts(self, planned: str | None = None) -> Plan: ...

    def stop(self, name: str) -> str: ...

    def resume(self, name: str) -> str: ...

    def restart_app(self) -> str: ...

    def check(self, name: str, limit: int = 100) -> CheckResult: ...

    def wanted(self) -> list[Wanted]: ...

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
        self.contracts = stack.deployment.contracts
        self.newest_records = stack.deployment.newest_records
        self.uncover_record = stack.deployment.uncover_record
        self.contracts_plan = stack.deployment.contracts_plan
        self.apply_contracts = stack.apply_contracts
        self.wanted = stack.deployment.wanted
        self.resources = stack.deployment.resources
        self.stop = stack.stop
        self.resume = stack.resume
        self.checks = stack.deployment.checks
        self.check = stack.deployment.check
        self.restart_command = "sales-trends restart-app"
        self.restart_app = stack.restart_app


def deployed(settings: Settings, narrator: Narrator, who: str | None = None) -> Deployed:
    """The deployment on the target that the settings name.

    `who` is told to others as the one who acts, in the audit log too; by default this process by its user.
    Raises SettingsError, StackError; nothing is asked yet of a target elsewhere.
    """
    if settings.target == LOCAL:
        return LocalDeployed(LocalStack(settings, narrator, who))
    return _elsewhere(settings, narrator, who)


def _elsewhere(settings: Settings, narrator: Narrator, who: str | None) -> OpenSourceDeployment | CloudDeployment:
    target = load_target(settings.target, settings)
    if isinstance(target, ConfluentTargetSettings):
        return CloudDeployment(target, settings.pipeline, lambda: narrator, who=who)
    notes = settings.local.home.parent / "targets" / target.name
    wait_until = partial(_wait_until, narrator)
    return OpenSourceDeployment(
        target.name, settings.pipeline, _clusters(target), lambda: narrator, wait_until, notes, who=who
    )


def looked_at(settings: Settings) -> OpenSourceDeployment | CloudDeployment:
    """The deployment on the target, to look at whether or not it runs; raises SettingsError."""
    if settings.target == LOCAL:
        return LocalStack(settings, Narrator()).deployment
    return _elsewhere(settings, Narrator(), None)


def lake_address(settings: Settings) -> LakeAddress:
    """How other engines reach the target's Iceberg tables."""
    pipeline = load_pipeline(settings.pipeline)
    if settings.target == LOCAL:
        catalog = LocalStack(settings, Narrator()).deployment.catalog
        return _without_credentials(catalog, CLUSTER_ID, pipeline, region=None)
    target = load_target(settings.target, settings)
    if isinstance(target, ConfluentTargetSettings):
        return cloud_deployment.lake_address(target, pipeline)
    in_s3 = target.state.startswith("s3")
    return _without_credentials(
        target.iceberg_catalog, target.iceberg_namespace, pipeline, region="" if in_s3 else None
    )


def _without_credentials(catalog: str, namespace: str, pipeline: Pipeline, region: str | None) -> LakeAddress:
    return LakeAddress(
        catalog_uri=catalog,
        token_uri=None,
        namespace=namespace,
        topics=pipeline.tableflow_topics,
        region=region,
        managed_storage=False,
        needs_credentials=False,
    )


def _clusters(target: OpenSourceTargetSettings) -> Clusters:
    kafka, registry = own_clusters(target)
    return Clusters(
        kafka,
        registry,
        Flink(target.flink_endpoint, target.sql_gateway_endpoint),
        Addresses(
            bootstrap=target.kafka_bootstrap,
            registry=target.schema_registry_url,
            catalog=target.iceberg_catalog,
            namespace=target.iceberg_namespace,
            state=target.state.rstrip("/"),
            kafka_options=kafka.access.java_config(),
            registry_options={
                "basic-auth.credentials-source": "USER_INFO",
                "basic-auth.user-info": f"{registry.user}:{registry.password.get_secret_value()}",
            }
            if registry.user
            else {},
        ),
    )


def _wait_until(narrator: Narrator, title: str, waits_for: Callable[[], str], within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    with narrator.step(title) as step:
        while text := waits_for():
            if time.monotonic() > deadline:
                raise DeployError(f"{title}: not reached within {within_seconds:.0f} s, still waiting for {text}.")
            step.waits_for(text)
            time.sleep(_POLL_SECONDS)
