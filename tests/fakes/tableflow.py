"""Tableflow's control API, tableflow/v1: topics that become Iceberg tables.

Source: tableflow/v1/api/openapi.yaml of confluentinc/ccloud-sdk-go-v2, and the page "Write Modes with Tableflow".
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.calls import Call, Work
from tests.fakes.clock import Clock, Delays
from tests.fakes.integrations import Providers
from tests.fakes.refusals import CloudRefusal, invalid, missing
from tests.fakes.scopes import check_query_scope, check_spec_scope, page_of, references
from tests.fakes.tables import CHANGELOG, CLEANUP, Place, Table, Tables

_BASE = "/tableflow/v1/tableflow-topics"
_STORAGE = {
    "Managed": (),
    "ByobAws": ("bucket_name", "provider_integration_id"),
    "AzureDataLakeStorageGen2": ("storage_account_name", "container_name", "provider_integration_id"),
}
_FORMATS = {"ICEBERG", "DELTA"}
_SHORTEST_MS = {"retention_ms": 86_400_000, "data_retention_ms": 2_592_000_000}
_ERROR_MODES = {"SUSPEND", "SKIP", "LOG"}
_MODES = {("append", "delete"): "APPEND", ("upsert", "compact"): "UPSERT", ("upsert", "compact,delete"): "UPSERT"}
_CHANGED = (
    "The changelog mode for this topic has been modified since table materialization began from {before} to {now}. "
    "Disable and enable Tableflow again to start a new table."
)


@dataclass
class TableflowTopic:
    """One topic with Tableflow."""

    name: str
    storage: dict[str, Any]
    table_formats: list[str]
    config: dict[str, Any]
    write_mode: str
    created_at: str
    updated_at: str
    due: float
    """When it is RUNNING."""
    suspended: bool = False
    error_message: str = ""
    catalog_syncs: list[dict[str, str]] = field(default_factory=list)


class TableflowApi:
    """The routes, over the tables of one cluster."""

    def __init__(self, place: Place, tables: Tables, providers: Providers, clock: Clock, delays: Delays) -> None:
        self._place, self._tables, self._providers = place, tables, providers
        self._clock, self._delays = clock, delays
        self.topics: dict[str, TableflowTopic] = {}
        self.dooms: dict[str, str] = {}
        """Topic to message: how Tableflow is to fail once it is enabled."""

    def table(self) -> list[tuple[str, str, Work]]:
        one = f"{_BASE}/{{name}}"
        return [
            ("POST", _BASE, self.create),
            ("GET", _BASE, self.list),
            ("GET", one, self.read),
            ("PATCH", one, self.update),
            ("DELETE", one, self.delete),
        ]

    def create(self, call: Call) -> Response:
        spec = check_spec_scope(call, self._place)
        name = spec.get("display_name")
        if not isinstance(name, str) or not name:
            raise invalid("/spec/display_name", "display_name is required")
        storage = self._checked_storage(spec.get("storage"))
        formats, config = _checked_formats(spec.get("table_formats")), _checked_config(spec.get("config"))
        where = f"{call.url.partition('?')[0]}/{name}"
        if name in self.topics:
            raise CloudRefusal(409, f"Tableflow is already enabled for the topic '{name}'", location=where)
        table = self._tables.all().get(name)
        if table is None:
            raise missing(f"Topic '{name}'")
        if storage["kind"] != "Managed":
            self._providers.use(storage["provider_integration_id"], f"tableflow-topic={name}")
        now = self._clock.stamp()
        due = self._clock.now() + self._delays.tableflow
        topic = TableflowTopic(name, storage, formats, config, _write_mode(table), now, now, due)
        topic.error_message = self.dooms.pop(name, "") or _unsupported(table)
        self.topics[name] = topic
        return JSONResponse(self._shown(call, topic), status_code=202, headers={"Location": where})

    def list(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        shown = [self._shown(call, self.topics[name]) for name in sorted(self.topics)]
        wanted = set(call.query.getlist("spec.table_formats"))
        shown = [one for one in shown if not wanted or wanted & set(one["spec"]["table_formats"])]
        return page_of(call, "tableflow/v1", "TableflowTopicList", shown)

    def read(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        return JSONResponse(self._shown(call, self._named(call)))

    def update(self, call: Call) -> Response:
        """Where it is comes in the body, not in the query."""
        spec = check_spec_scope(call, self._place)
        if call.query.get("environment") or call.query.get("spec.kafka_cluster"):
            raise CloudRefusal(400, "environment and kafka_cluster belong into the body", parameter="environment")
        topic = self._named(call)
        for fixed, value in (("display_name", topic.name), ("storage", topic.storage)):
            if fixed in spec and spec[fixed] != value:
                raise invalid(f"/spec/{fixed}", f"{fixed} is immutable")
        if spec.get("suspended"):
            raise invalid("/spec/suspended", "suspended can only be set to false")
        topic.table_formats = _checked_formats(spec.get("table_formats", topic.table_formats))
        topic.config = _checked_config(topic.config | (spec.get("config") or {}))
        if spec.get("suspended") is False and topic.suspended:
            topic.suspended, topic.error_message = False, ""
            topic.due = self._clock.now() + self._delays.tableflow
        topic.updated_at = self._clock.stamp()
        return JSONResponse(self._shown(call, topic))

    def delete(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        topic = self._named(call)
        self._providers.release(f"tableflow-topic={topic.name}")
        del self.topics[topic.name]
        return Response(status_code=204)

    def _named(self, call: Call) -> TableflowTopic:
        topic = self.topics.get(call.part("name"))
        if topic is None:
            raise missing(f"Tableflow topic '{call.part('name')}'")
        return topic

    def _checked_storage(self, storage: Any) -> dict[str, Any]:
        if not isinstance(storage, dict) or storage.get("kind") not in _STORAGE:
            raise invalid("/spec/storage/kind", f"kind is one of {', '.join(_STORAGE)}")
        for needed in _STORAGE[storage["kind"]]:
            if not isinstance(storage.get(needed), str) or not storage[needed]:
                raise invalid(f"/spec/storage/{needed}", f"{needed} is required for {storage['kind']}")
        return dict(storage)

    def _status(self, topic: TableflowTopic) -> dict[str, Any]:
        started = topic.due <= self._clock.now()
        message = topic.error_message
        table = self._tables.all().get(topic.name)
        if started and not message and table and (now := _write_mode(table)) != topic.write_mode:
            message = _CHANGED.format(before=topic.write_mode, now=now)
        status: dict[str, Any] = {"write_mode": topic.write_mode, "catalog_sync_statuses": topic.catalog_syncs}
        status["phase"] = "PENDING" if not started else "FAILED" if message else "RUNNING"
        if started and message:
            status["error_message"] = message
            formats = [{"format": one, "error_message": message} for one in topic.table_formats]
            status["failing_table_formats"] = formats
        return status

    def _shown(self, call: Call, topic: TableflowTopic) -> dict[str, Any]:
        place = self._place
        bucket = {"bucket_region": "us-east-1"} if topic.storage["kind"] != "AzureDataLakeStorageGen2" else {}
        path = f"{place.organization}/{place.environment}/{place.cluster_id}/v1/{topic.name}"
        storage = topic.storage | bucket
        storage["table_path"] = f"s3://{topic.storage.get('bucket_name', 'managed')}//10011010/11101100/{path}"
        return {
            "api_version": "tableflow/v1",
            "kind": "TableflowTopic",
            "metadata": {
                "self": f"{call.base}{_BASE}/{topic.name}",
                "created_at": topic.created_at,
                "updated_at": topic.updated_at,
            },
            "spec": {
                "display_name": topic.name,
                "suspended": topic.suspended,
                "storage": storage,
                "table_formats": topic.table_formats,
                "config": topic.config | {"enable_compaction": True, "enable_partitioning": True},
                **references(call, place),
            },
            "status": self._status(topic),
        }


def _write_mode(table: Table) -> str:
    return _MODES.get(_policies(table), "UPSERT" if table.options[CHANGELOG] == "upsert" else "APPEND")


def _unsupported(table: Table) -> str:
    """Why Tableflow cannot write this table; empty when it can."""
    if _policies(table) in _MODES:
        return ""
    mode, cleanup = table.options[CHANGELOG], table.options[CLEANUP]
    return f"Tableflow does not support the changelog mode '{mode}' with the cleanup policy '{cleanup}'."


def _policies(table: Table) -> tuple[str, str]:
    cleanup = ",".join(sorted(table.options[CLEANUP].replace("-", ",").replace(" ", "").split(",")))
    return table.options[CHANGELOG], cleanup


def _checked_formats(formats: Any) -> list[str]:
    chosen = ["ICEBERG"] if formats is None else formats
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= _FORMATS:
        raise invalid("/spec/table_formats", f"table_formats are of {', '.join(sorted(_FORMATS))}")
    return chosen


def _checked_config(config: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {"retention_ms": "604800000", "error_handling": {"mode": "SUSPEND"}} | dict(config or {})
    for name, shortest in _SHORTEST_MS.items():
        value = chosen.get(name, str(shortest))
        if not isinstance(value, str):
            raise CloudRefusal(400, f"{name} is text, not {type(value).__name__}", pointer=f"/spec/config/{name}")
        if not value.isdecimal() or int(value) < shortest:
            raise invalid(f"/spec/config/{name}", f"{name} is at least {shortest}")
    handling: Any = chosen["error_handling"]
    if not isinstance(handling, dict) or handling.get("mode") not in _ERROR_MODES:
        raise invalid("/spec/config/error_handling/mode", f"mode is one of {', '.join(sorted(_ERROR_MODES))}")
    if handling["mode"] == "LOG":
        chosen["error_handling"] = {"target": "error_log"} | handling
    return chosen
