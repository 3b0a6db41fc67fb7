"""Iceberg tables that Tableflow makes of topics, and AWS Glue's catalog of them."""

from collections.abc import Callable, Mapping

from dashboard.deploy.confluent.wait import TABLE_SECONDS, Patience
from dashboard.deploy.confluent.wanted import Glue
from dashboard.deploy.plan import Action, Step
from dashboard.deploy.resources import Found, Id, State
from dashboard.errors import DeployError, SettingsError
from dashboard.remotes.cloud_tableflow import (
    DAY_MS,
    RETENTION_MS,
    CatalogIntegration,
    CloudTableflow,
    ErrorHandling,
    Storage,
    TableflowTopic,
)


class Lake:
    """The tables of one Kafka cluster, as they were at the last `look`."""

    def __init__(self, tableflow: CloudTableflow, storage: Storage, glue: Glue | None, patience: Patience) -> None:
        self._tableflow = tableflow
        self._storage = storage
        self._glue = glue
        self._patience = patience
        self.copies: Mapping[str, TableflowTopic] = {}
        self.catalogs: Mapping[str, CatalogIntegration] = {}

    def look(self, noted: Mapping[Id, str]) -> None:
        """Catalogs are asked for only where one is wanted or was made."""
        self.copies = {one.name: one for one in self._tableflow.topics()}
        wanted = self._glue is not None or any(id_.kind == "catalog" for id_ in noted)
        self.catalogs = {one.name: one for one in self._tableflow.integrations()} if wanted else {}

    def found(self, id_: Id, digest: str | None, *, ours: bool) -> Found | None:
        copy = self.copies.get(id_.name)
        if copy is None:
            return None
        trouble = "; ".join(copy.faults)
        state: State = "stopped" if copy.suspended else "failed" if copy.phase == "FAILED" else "ready"
        phase = "SUSPENDED" if copy.suspended else copy.phase
        facts = self._differs(copy) if state == "ready" else None
        # one that failed is there to stay: only ended and made anew does it write again
        return Found(id_, ours, digest, state, phase, trouble, resumes=state != "failed", facts=facts)

    def _differs(self, copy: TableflowTopic) -> dict[str, str]:
        """From how we make them; what the service does not tell is no difference."""
        mode = copy.error_handling.mode
        days = None if copy.retention_ms is None else f"{copy.retention_ms / DAY_MS:g} d"
        pairs = (
            ("storage", _line(copy.storage.body()), _line(self._storage.body())),
            ("on a bad record", _line(copy.error_handling.body()) if mode else None, _line(ErrorHandling().body())),
            ("snapshots kept for", days, f"{RETENTION_MS / DAY_MS:g} d"),
        )
        return {name: f"{has} instead of {wanted}" for name, has, wanted in pairs if has not in (None, wanted)}

    def found_catalog(self, id_: Id, *, ours: bool) -> Found | None:
        """Compared by what it is; one that belongs to another integration is shown, not taken away from its readers."""
        there = self.catalogs.get(id_.name)
        if there is None or self._glue is None:
            return None
        pairs = (
            ("kind", there.kind, "AwsGlue"),
            ("provider integration", there.provider_integration, self._glue.provider_integration),
            ("database", there.database, self._glue.database),
        )
        facts = {name: f"{has or 'none'} instead of {wanted or 'none'}" for name, has, wanted in pairs if has != wanted}
        state: State = "failed" if there.phase == "FAILED" else "ready"
        return Found(id_, ours, None, state, there.phase, there.fault, facts=facts)

    def check(self) -> None:
        if self._glue and self._storage.kind == "Managed":
            raise SettingsError(
                "Glue cannot show tables that are kept in Confluent's own storage.",
                "Keep them in a bucket of your own, or leave Glue out and read them through Tableflow's own catalog.",
            )

    def make(self, step: Step) -> None:
        if step.action is Action.RESUME:
            self._tableflow.update(step.id.name, resume=True)
        else:
            self._tableflow.create(step.id.name, self._storage)

    def make_catalog(self, name: str) -> None:
        self.check()
        if self._glue is None:
            return
        # one that failed stays so
        self.remove_catalog(name)
        self._tableflow.create_glue_integration(name, self._glue.provider_integration, self._glue.database)

    def wait_ready(self, topic: str, waits_for: Callable[[str], None]) -> None:
        def ready() -> bool:
            table = self._tableflow.topic(topic)
            if table is None:
                raise DeployError(f"The table of {topic} was deleted meanwhile.", "Plan and apply again.")
            if table.phase == "FAILED":
                raise DeployError(f"The table of {topic} failed: {'; '.join(table.faults) or 'no reason is given'}.")
            waits_for(f"table of {topic}: {table.phase}")
            return table.phase == "RUNNING"

        self._patience.until(ready, f"The table of {topic} is not RUNNING", TABLE_SECONDS)

    def wait_catalog(self, name: str, waits_for: Callable[[str], None]) -> None:
        def ready() -> bool:
            catalog = self._named(name)
            if catalog is None:
                raise DeployError(f"The catalog {name} was deleted meanwhile.", "Plan and apply again.")
            if catalog.phase == "FAILED":
                raise DeployError(
                    f"Glue does not show the tables: {catalog.fault.rstrip('.') or 'no reason is given'}.",
                    "See what the role of the provider integration may do in Glue; then apply again.",
                )
            waits_for(f"catalog {name}: {catalog.phase}")
            return catalog.phase == "CONNECTED"

        self._patience.until(ready, f"The catalog {name} is not CONNECTED", TABLE_SECONDS)

    def remove(self, topic: str) -> None:
        self._tableflow.delete(topic)
        self._patience.until(lambda: self._tableflow.topic(topic) is None, f"The table of {topic} is still there")

    def remove_catalog(self, name: str) -> None:
        """The tables stay."""
        if (there := self._named(name)) is not None:
            self._tableflow.delete_integration(there.id)
            self._patience.until(lambda: self._named(name) is None, f"The catalog {name} is still there")

    def _named(self, name: str) -> CatalogIntegration | None:
        return next((one for one in self._tableflow.integrations() if one.name == name), None)


def _line(settings: Mapping[str, str]) -> str:
    return " ".join(settings.values())
