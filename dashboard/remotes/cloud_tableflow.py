"""Tableflow on Confluent Cloud: which topics become Iceberg tables, and which catalogs show them.

Source: docs.confluent.io/cloud/current/api.html, sections "Tableflow Topics (tableflow/v1)" and "Catalog Integrations
(tableflow/v1)".
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from dashboard.errors import DeployError
from dashboard.remotes.cloud_api import REAL_TIME, CloudApi, Pace
from dashboard.remotes.cloud_errors import ApiKey, NotFound

_TOPICS = "/tableflow/v1/tableflow-topics"
_INTEGRATIONS = "/tableflow/v1/catalog-integrations"
DAY_MS = 86_400_000
RETENTION_MS = 7 * DAY_MS
"""How long a table's snapshots are kept unless something else is asked for."""


@dataclass(frozen=True)
class Storage:
    """Where the tables are kept; Managed is Confluent's own and no outside catalog such as Glue works with it."""

    kind: str = "Managed"
    """Managed, ByobAws, or one of other clouds, which is shown and cannot be made here."""
    bucket: str = ""
    provider_integration: str = ""

    def body(self) -> dict[str, str]:
        if self.kind == "Managed":
            return {"kind": self.kind}
        return {"kind": self.kind, "bucket_name": self.bucket, "provider_integration_id": self.provider_integration}


MANAGED = Storage()


def own_bucket(bucket: str, provider_integration: str) -> Storage:
    """A bucket on AWS, which Confluent Cloud reaches through a provider integration (`cspi-…`)."""
    return Storage("ByobAws", bucket, provider_integration)


@dataclass(frozen=True)
class ErrorHandling:
    """What becomes of a record that cannot be written."""

    mode: str = "SUSPEND"
    """SUSPEND, SKIP or LOG."""
    log_topic: str = ""
    """Of LOG alone."""

    def body(self) -> dict[str, str]:
        return {"mode": self.mode} | ({"target": self.log_topic} if self.log_topic else {})


@dataclass(frozen=True)
class TableflowTopic:
    """A topic that becomes a table, as it was when asked."""

    name: str
    storage: Storage
    table_path: str
    table_formats: tuple[str, ...]
    retention_ms: int | None
    """How long a snapshot of the table is kept."""
    error_handling: ErrorHandling
    suspended: bool
    phase: str
    """The service's word: PENDING, RUNNING, FAILED, …"""
    faults: tuple[str, ...]
    """What is wrong with the topic, one of its formats or its place in a catalog."""
    write_mode: str
    """APPEND, UPSERT, UPSERT_HISTORY, or empty while the service does not know."""


@dataclass(frozen=True)
class CatalogIntegration:
    """An outside catalog that shows the tables."""

    id: str
    name: str
    kind: str
    """AwsGlue, Snowflake, Unity, …"""
    provider_integration: str
    database: str
    """Of Glue; empty stands for the Kafka cluster's id."""
    phase: str
    """PENDING, CONNECTED or FAILED."""
    fault: str


class CloudTableflow:
    """The tables of one Kafka cluster."""

    def __init__(
        self,
        address: str,
        key: SecretStr,
        secret: SecretStr,
        environment: str,
        cluster: str,
        *,
        key_setting: str,
        transport: httpx.BaseTransport | None = None,
        pace: Pace = REAL_TIME,
    ) -> None:
        api_key = ApiKey("the Tableflow API key", key_setting, key, secret)
        self._api = CloudApi(address, api_key, transport=transport, pace=pace)
        self._query = {"environment": environment, "spec.kafka_cluster": cluster}
        self._owner = {"environment": {"id": environment}, "kafka_cluster": {"id": cluster}}

    def topics(self) -> list[TableflowTopic]:
        query = {**self._query, "page_size": "100"}
        return [_topic(item) for item in self._api.items(_TOPICS, "list the Tableflow topics", query)]

    def topic(self, name: str) -> TableflowTopic | None:
        raw = self._raw(name)
        return _topic(raw) if raw else None

    def create(
        self,
        name: str,
        storage: Storage = MANAGED,
        *,
        retention_ms: int = RETENTION_MS,
        error_handling: ErrorHandling = ErrorHandling(),
        table_formats: Sequence[str] = ("ICEBERG",),
    ) -> TableflowTopic:
        """Makes a table of a topic; it is filled some minutes later. Raises Conflict when the topic has one already."""
        spec = {
            "display_name": name,
            "storage": storage.body(),
            "table_formats": list(table_formats),
            **self._owner,
            "config": _config(retention_ms, error_handling),
        }
        return _topic(self._api.create(_TOPICS, f"make a table of {name}", {"spec": spec}, lambda: self._raw(name)))

    def update(
        self,
        name: str,
        *,
        retention_ms: int | None = None,
        error_handling: ErrorHandling | None = None,
        resume: bool = False,
    ) -> None:
        """Changes what is given, and lets a suspended table go on; storage and write mode cannot change."""
        config = _config(retention_ms, error_handling)
        spec = {**self._owner, **({"config": config} if config else {}), **({"suspended": False} if resume else {})}
        self._api.patch(_path(_TOPICS, name), f"change the table of {name}", {"spec": spec})

    def delete(self, name: str) -> None:
        """Ends the table of a topic, if it has one; the topic stays."""
        with suppress(NotFound):
            self._api.delete(_path(_TOPICS, name), f"end the table of {name}", self._query)

    def integrations(self) -> list[CatalogIntegration]:
        return [_integration(item) for item in self._raw_integrations()]

    def create_glue_integration(self, name: str, provider_integration: str, database: str = "") -> CatalogIntegration:
        """Shows the tables in AWS Glue, in the database named after the Kafka cluster unless another one is given."""
        config = {"kind": "AwsGlue", "provider_integration_id": provider_integration}
        config |= {"custom_database": database} if database else {}

        def ours() -> dict[str, Any] | None:
            return next((item for item in self._raw_integrations() if _integration(item).name == name), None)

        body = {"spec": {"display_name": name, **self._owner, "config": config}}
        return _integration(self._api.create(_INTEGRATIONS, f"create the catalog integration {name}", body, ours))

    def delete_integration(self, integration_id: str) -> None:
        """Ends a catalog integration, if it is there; the tables stay."""
        with suppress(NotFound):
            doing = f"delete the catalog integration {integration_id}"
            self._api.delete(_path(_INTEGRATIONS, integration_id), doing, self._query)

    def _raw(self, name: str) -> dict[str, Any] | None:
        try:
            return self._api.get(_path(_TOPICS, name), f"show the table of {name}", self._query)
        except NotFound:
            return None

    def _raw_integrations(self) -> list[dict[str, Any]]:
        query = {**self._query, "page_size": "100"}
        return list(self._api.items(_INTEGRATIONS, "list the catalog integrations", query))


def _path(folder: str, name: str) -> str:
    return f"{folder}/{quote(name, safe='')}"


def _config(retention_ms: int | None, error_handling: ErrorHandling | None) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if retention_ms is not None:
        if retention_ms < DAY_MS:
            raise DeployError(
                f"A table's snapshots cannot be kept for {retention_ms} ms; a day ({DAY_MS} ms) is least."
            )
        # a number is refused
        config["retention_ms"] = str(retention_ms)
    if error_handling is not None:
        config["error_handling"] = error_handling.body()
    return config


def _topic(answer: Mapping[str, Any]) -> TableflowTopic:
    spec, status = (answer.get(part) or {} for part in ("spec", "status"))
    storage, config = (spec.get(part) or {} for part in ("storage", "config"))
    handling = config.get("error_handling") or {}
    retention = str(config.get("retention_ms") or "")
    parts = [*(status.get("failing_table_formats") or []), *(status.get("catalog_sync_statuses") or [])]
    faults = [status.get("error_message"), *(part.get("error_message") for part in parts)]
    return TableflowTopic(
        name=spec.get("display_name") or "",
        storage=Storage(
            storage.get("kind") or "", storage.get("bucket_name") or "", storage.get("provider_integration_id") or ""
        ),
        table_path=storage.get("table_path") or "",
        table_formats=tuple(spec.get("table_formats") or []),
        retention_ms=int(retention) if retention.isdecimal() else None,
        error_handling=ErrorHandling(handling.get("mode") or "", handling.get("target") or ""),
        suspended=bool(spec.get("suspended")),
        phase=status.get("phase") or "",
        faults=tuple(fault for fault in faults if fault),
        write_mode=status.get("write_mode") or "",
    )


def _integration(answer: Mapping[str, Any]) -> CatalogIntegration:
    spec, status = (answer.get(part) or {} for part in ("spec", "status"))
    config = spec.get("config") or {}
    return CatalogIntegration(
        id=answer.get("id") or "",
        name=spec.get("display_name") or "",
        kind=config.get("kind") or "",
        provider_integration=config.get("provider_integration_id") or "",
        database=config.get("custom_database") or "",
        phase=status.get("phase") or "",
        fault=status.get("error_message") or "",
    )
