"""A fake of Confluent Cloud for tests: Flink, its metrics, control plane, Schema Registry and Tableflow's catalog.

    with FakeConfluentCloud() as cloud:
        client = httpx.Client(base_url=cloud.flink_url, auth=cloud.flink_key)

Each service has a port of its own, as it has a host of its own in the cloud. What happens over time happens by
`clock`; all that a test sets or asks here is safe beside requests under way.
"""

import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pyiceberg.catalog.sql import SqlCatalog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tests.fakes.calls import Guard, Key, Work, both, cloud_guard, nobody, routes
from tests.fakes.clock import Clock, Delays
from tests.fakes.engine import Engine
from tests.fakes.faults import Faults, FaultyNetwork, Received
from tests.fakes.flink import FlinkApi
from tests.fakes.integrations import CatalogsApi, Providers
from tests.fakes.metrics import Measured, MetricsApi
from tests.fakes.refusals import CloudRefusal
from tests.fakes.registry import FakeRegistry
from tests.fakes.serving import ByPort, ports, serving
from tests.fakes.statements import Statement, Statements
from tests.fakes.tableflow import TableflowApi, TableflowTopic
from tests.fakes.tableflow_catalog import TableflowCatalog
from tests.fakes.tables import OnTopic, Place, Table, Tables


class FakeConfluentCloud:
    """One organization with one environment, one Kafka cluster and one compute pool.

    `on_topic(created, deleted)` hears of topics that tables make and drop, before the statement is COMPLETED; it runs
    within a request, so it must not call the fake itself. `topics` names the topics of a broker that stands in for
    the cluster: each is a table by inference, kept as long as `retention_ms` says of the topic.
    """

    def __init__(
        self,
        on_topic: OnTopic | None = None,
        topics: Callable[[], Collection[str]] | None = None,
        clock: Clock | None = None,
        retention_ms: Callable[[str], str] = lambda _topic: "604800000",
    ) -> None:
        self.organization = str(uuid4())
        self.environment, self.environment_name = "env-abc123", "sales-trends"
        self.cluster_id, self.cluster_name = "lkc-abc123", "sales-cluster"
        self.compute_pool = "lfcp-abc123"
        self.flink_key, self.cloud_key = _new_key("FLINK"), _new_key("CLOUD")
        self.registry_key, self.tableflow_key = _new_key("REGISTRY"), _new_key("TABLEFLOW")
        self.clock = clock or Clock()
        self.delays = Delays()
        self.faults = Faults()
        self._on_topic, self._topics, self._retention_ms = on_topic, topics, retention_ms
        self._lock = RLock()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fake-cloud-")))
            self._build(folder, stack)
            listeners = stack.enter_context(ports(5))
            numbers = [listener.getsockname()[1] for listener in listeners]
            urls = [f"http://127.0.0.1:{number}" for number in numbers]
            self.flink_url, self.control_plane_url, self.registry_url, catalog_url, self.metrics_url = urls
            self.tableflow_catalog_url = f"{catalog_url}{self._catalog.path}"
            apps = dict(zip(numbers, self._apps(), strict=True))
            self._network = FaultyNetwork(ByPort(apps), self.faults, self.clock)
            stack.enter_context(serving(self._network, listeners))
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def _build(self, folder: Path, stack: ExitStack) -> None:
        place = self._place = Place(
            self.organization,
            self.environment,
            self.environment_name,
            self.cluster_id,
            self.cluster_name,
            self.compute_pool,
        )
        self._registry = FakeRegistry(folder)
        stack.callback(self._registry.close)
        self._catalog = TableflowCatalog(folder, place, self.tableflow_key)
        stack.callback(self._catalog.close)
        self._tables = Tables(place, self._registry.subjects, self._on_topic, self._topics, self._retention_ms)
        self._engine = Engine(self._tables)
        self._statements = Statements(place, self._engine, self.clock, self.delays)
        self.flink = FlinkApi(self._statements, place)
        self.metrics = MetricsApi(self._statements, place, self.clock, self.delays)
        self._providers = Providers(place)
        self._tableflow = TableflowApi(place, self._tables, self._providers, self.clock, self.delays)
        self._catalogs = CatalogsApi(place, self._providers, self.clock, self.delays)

    def _apps(self) -> tuple[ASGIApp, ...]:
        """In the order of their ports."""
        flink = self._app((self.flink.table(), self.flink_key))
        tableflow = ([*self._tableflow.table(), *self._catalogs.table()], self.tableflow_key)
        control_plane = self._app(tableflow, (self._providers.table(), self.cloud_key))
        registry = self._registry.app(self.registry_key, self._lock)
        metrics = self._app((self.metrics.table(), self.cloud_key), before=self.metrics.check_rate)
        return flink, control_plane, registry, self._catalog.app(), metrics

    def _app(self, *parts: tuple[list[tuple[str, str, Work]], Key], before: Guard = nobody) -> ASGIApp:
        known = (self.flink_key, self.cloud_key, self.registry_key, self.tableflow_key)
        guards = [(table, both(before, cloud_guard(key, known))) for table, key in parts]
        served = [route for table, guard in guards for route in routes(table, guard, self._lock)]
        return Starlette(routes=served, exception_handlers={CloudRefusal: _refuse, HTTPException: _refuse_path})

    # what a test looks at

    @property
    def requests(self) -> list[Received]:
        """What came in, in order, at all services."""
        return list(self._network.requests)

    @property
    def statements(self) -> dict[str, Statement]:
        with self._lock:
            return dict(self._statements.live())

    @property
    def tables(self) -> dict[str, Table]:
        """What INFORMATION_SCHEMA tells, by name."""
        with self._lock:
            self._statements.live()
            return dict(self._tables.all())

    @property
    def tableflow_topics(self) -> dict[str, TableflowTopic]:
        with self._lock:
            return dict(self._tableflow.topics)

    @property
    def subjects(self) -> dict[str, bool]:
        """Every subject, and whether it is soft deleted."""
        return self._registry.subjects.store.subjects()

    @property
    def iceberg_catalog(self) -> SqlCatalog:
        """Behind Tableflow's read-only catalog: here its tables are written."""
        return self._catalog.catalog

    @property
    def tableflow_catalog(self) -> TableflowCatalog:
        """What readers see, with faults to order."""
        return self._catalog

    @property
    def compute_pools(self) -> set[str]:
        """A test may add another."""
        return self._statements.pools

    @property
    def rate_limit(self) -> bool:
        """Whether more than 50 requests within a second are answered 429."""
        return self._network.rate_limit

    @rate_limit.setter
    def rate_limit(self, on: bool) -> None:
        self._network.rate_limit = on

    # what a test makes happen

    def rename_cluster(self, name: str) -> None:
        """What runs goes on, with the name that it was made with among its properties."""
        with self._lock:
            self.cluster_name = self._place.cluster_name = name

    def add_topic(self, name: str) -> None:
        """A topic that another program made: a table by inference from its subjects."""
        with self._lock:
            self._tables.infer(name)

    def fail_statement(self, name: str, detail: str) -> None:
        """FAILED now, or as soon as a statement of this name starts."""
        with self._lock:
            statement = self._statements.live().get(name)
            if statement:
                self._statements.fail(statement, detail)
            else:
                self._statements.dooms[name] = detail

    def set_phase(self, name: str, phase: str, detail: str = "") -> None:
        """Any phase, also FAILING, DEGRADED, or one that nobody knows; it stays until the next change."""
        with self._lock:
            statement = self._statements.live()[name]
            statement.step = None
            self._statements.enter(statement, phase, detail)

    def add_warning(self, name: str, severity: str, reason: str, message: str) -> None:
        with self._lock:
            warning = {"severity": severity, "created_at": self.clock.stamp(), "reason": reason, "message": message}
            self._statements.live()[name].warnings.append(warning)

    def add_exception(self, name: str, message: str, exception: str = "java.lang.RuntimeException") -> None:
        with self._lock:
            self._statements.add_exception(self._statements.live()[name], message, exception)

    def set_offsets(self, name: str, offsets: dict[str, str]) -> None:
        """What the statement last read, as `{"topic": "partition:0,offset:100;partition:1,offset:200"}`."""
        with self._lock:
            statement = self._statements.live()[name]
            statement.latest_offsets, statement.latest_offsets_timestamp = offsets, self.clock.stamp()

    def measure(self, name: str, table: str = "", minutes_ago: int = 0, **values: float) -> None:
        """What a running statement tells in each minute from now on, or from some minutes ago; of one table or all."""
        with self._lock:
            since = self.clock.moment() - timedelta(minutes=minutes_ago)
            self.metrics.measured.setdefault(name, []).append(Measured(since, table, dict(values)))

    def stop_as(self, name: str, principal: str) -> None:
        """Somebody else stops it."""
        with self._lock:
            statement = self._statements.live()[name]
            statement.stopped, statement.step = True, None
            self._statements.enter(statement, "STOPPED", f"The statement was stopped by {principal}.")

    def exhaust_pool(self) -> None:
        """From now on no statement starts; those that run go on, and say that they wait for more."""
        with self._lock:
            self._statements.exhaust()

    def free_pool(self) -> None:
        with self._lock:
            self._statements.wake()

    def purge_finished(self) -> None:
        """Forgets ended DDL and queries, as the cloud does after a while; their names are free again."""
        with self._lock:
            self._statements.forget_finished()

    def script_rows(self, pattern: str, columns: list[str], rows: list[list[Any]]) -> None:
        """A query or SHOW that matches is bounded and answers these rows."""
        with self._lock:
            self._engine.script_rows(pattern, columns, rows)

    def script_plan(self, pattern: str, plan: str) -> None:
        """EXPLAIN of a statement that matches answers this plan."""
        with self._lock:
            self._engine.script_plan(pattern, plan)

    def refuse_dry_run(self, pattern: str, detail: str) -> None:
        """A dry run of a statement that matches is FAILED with this detail."""
        with self._lock:
            self._engine.script_refusal(pattern, detail)

    def changes_rows(self, pattern: str, upsert_columns: list[int] | None = None) -> None:
        """The traits of a statement that matches say that it is not append-only."""
        with self._lock:
            self._engine.script_changing(pattern, upsert_columns)

    def fail_tableflow(self, topic: str, message: str) -> None:
        """FAILED now, or once Tableflow is enabled for the topic."""
        with self._lock:
            if topic in self._tableflow.topics:
                self._tableflow.topics[topic].error_message = message
            else:
                self._tableflow.dooms[topic] = message

    def suspend_tableflow(self, topic: str, message: str) -> None:
        """Suspended by Tableflow itself, as for a record it cannot write."""
        with self._lock:
            self._tableflow.topics[topic].suspended = True
            self._tableflow.topics[topic].error_message = message

    def fail_catalog_integration(self, display_name: str, message: str) -> None:
        with self._lock:
            self._catalogs.failures[display_name] = message


def _new_key(kind: str) -> Key:
    return f"{kind}{uuid4().hex[:10].upper()}", uuid4().hex


async def _refuse(request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, CloudRefusal) else Response(status_code=500)


async def _refuse_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return CloudRefusal(status, f"{request.method} {request.url.path} is not part of this API").response()
