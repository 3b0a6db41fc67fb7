"""The catalog's HTTP API: the Iceberg REST specification as PyIceberg, DuckDB and the Java client call it.

Paths arrive still percent-encoded (see `registry_and_catalog`). What the specification has and this catalog has not
(views, OAuth, scan planning, credentials) is refused in the specification's form and left out of `/v1/config`.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.local.catalog import bodies
from dashboard.local.catalog.answers import fail, loaded, refuse, refuse_depth, refuse_login, refuse_path, tag_of
from dashboard.local.catalog.calls import Call, levels_of
from dashboard.local.catalog.names import TableName
from dashboard.local.catalog.namespaces import Namespaces
from dashboard.local.catalog.pointers import Pointers
from dashboard.local.catalog.refusals import CatalogRefusal
from dashboard.local.catalog.tables import Change, Tables

_NAMESPACE = "/v1/namespaces/{namespace}"
_TABLE = f"{_NAMESPACE}/tables/{{table}}"
_NO_CONTENT = 204


class Api:
    """What each path does."""

    def __init__(self, pointers: Pointers) -> None:
        self.namespaces = Namespaces(pointers.catalog)
        self.tables = Tables(pointers, self.namespaces)

    def _table(self, call: Call) -> TableName:
        """The table a path names.

        Iceberg's Flink runtime (1.11, CatalogTableLoader) takes the name `shiftleft.public.orders` apart at its dots
        and asks for the table `orders` of a deeper namespace; where there is no such namespace, the dots are the
        table's own.
        """
        first, *deeper = call.namespace
        if deeper and not self.namespaces.exists(call.namespace):
            return TableName((first,), ".".join((*deeper, call.name)))
        return call.table

    def config(self, call: Call) -> Response:
        endpoints = [f"{method} {path.replace('/v1/', '/v1/{prefix}/', 1)}" for method, path, _ in ROUTES[1:]]
        return JSONResponse({"defaults": {}, "overrides": {}, "endpoints": endpoints})

    def list_namespaces(self, call: Call) -> Response:
        parent = call.query.get("parent", "")
        children = self.namespaces.children(levels_of(parent))
        return JSONResponse({"namespaces": [list(levels) for levels in children]})

    def create_namespace(self, call: Call) -> Response:
        body = bodies.read(bodies.CreateNamespace, call.body)
        with self.tables.writing:
            properties = self.namespaces.create(body.namespace, body.properties)
        return JSONResponse({"namespace": list(body.namespace), "properties": properties})

    def load_namespace(self, call: Call) -> Response:
        properties = self.namespaces.properties(call.namespace)
        return JSONResponse({"namespace": list(call.namespace), "properties": properties})

    def namespace_exists(self, call: Call) -> Response:
        self.namespaces.check_exists(call.namespace)
        return Response(status_code=_NO_CONTENT)

    def drop_namespace(self, call: Call) -> Response:
        with self.tables.writing:
            self.namespaces.drop(call.namespace)
        return Response(status_code=_NO_CONTENT)

    def update_namespace(self, call: Call) -> Response:
        body = bodies.read(bodies.UpdateNamespace, call.body)
        with self.tables.writing:
            return JSONResponse(self.namespaces.update(call.namespace, body.removals, body.updates))

    def list_tables(self, call: Call) -> Response:
        names = self.namespaces.tables(call.namespace)
        return JSONResponse({"identifiers": [{"namespace": list(call.namespace), "name": name} for name in names]})

    def create_table(self, call: Call) -> Response:
        return loaded(self.tables.create(call.namespace, bodies.read(bodies.CreateTable, call.body)))

    def register_table(self, call: Call) -> Response:
        return loaded(self.tables.register(call.namespace, bodies.read(bodies.RegisterTable, call.body)))

    def load_table(self, call: Call) -> Response:
        version = self.tables.load(self._table(call))
        referenced = call.query.get("snapshots") == "refs"
        tag = tag_of(version, referenced=referenced)
        if call.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return loaded(version, referenced=referenced)

    def table_exists(self, call: Call) -> Response:
        self.tables.check_exists(self._table(call))
        return Response(status_code=_NO_CONTENT)

    def commit_table(self, call: Call) -> Response:
        body = bodies.read(bodies.CommitTable, call.body)
        return loaded(self.tables.commit([Change(self._table(call), body.requirements, body.updates)])[0])

    def commit_transaction(self, call: Call) -> Response:
        body = bodies.read(bodies.CommitTransaction, call.body)
        changes = []
        for change in body.table_changes:
            if change.identifier is None:
                raise CatalogRefusal("Each change of a transaction names its table.")
            changes.append(Change(change.identifier.table, change.requirements, change.updates))
        self.tables.commit(changes)
        return Response(status_code=_NO_CONTENT)

    def drop_table(self, call: Call) -> Response:
        self.tables.drop(self._table(call), purge=call.query.get("purgeRequested", "").lower() == "true")
        return Response(status_code=_NO_CONTENT)

    def rename_table(self, call: Call) -> Response:
        body = bodies.read(bodies.RenameTable, call.body)
        self.tables.rename(body.source.table, body.destination.table)
        return Response(status_code=_NO_CONTENT)

    def report_metrics(self, call: Call) -> Response:
        """Taken and thrown away, as the specification allows."""
        return Response(status_code=_NO_CONTENT)


Work = Callable[[Api, Call], Response]

ROUTES: tuple[tuple[str, str, Work], ...] = (
    ("GET", "/v1/config", Api.config),
    ("GET", "/v1/namespaces", Api.list_namespaces),
    ("POST", "/v1/namespaces", Api.create_namespace),
    ("HEAD", _NAMESPACE, Api.namespace_exists),
    ("GET", _NAMESPACE, Api.load_namespace),
    ("DELETE", _NAMESPACE, Api.drop_namespace),
    ("POST", f"{_NAMESPACE}/properties", Api.update_namespace),
    ("GET", f"{_NAMESPACE}/tables", Api.list_tables),
    ("POST", f"{_NAMESPACE}/tables", Api.create_table),
    ("POST", f"{_NAMESPACE}/register", Api.register_table),
    ("HEAD", _TABLE, Api.table_exists),
    ("GET", _TABLE, Api.load_table),
    ("POST", _TABLE, Api.commit_table),
    ("DELETE", _TABLE, Api.drop_table),
    ("POST", f"{_TABLE}/metrics", Api.report_metrics),
    ("POST", "/v1/tables/rename", Api.rename_table),
    ("POST", "/v1/transactions/commit", Api.commit_transaction),
)


def create_catalog(pointers: Pointers) -> Starlette:
    """The catalog as an application of its own; `pointers` stays the caller's to close."""
    api = Api(pointers)
    routes = [Route(path, _endpoint(api, work), methods=[method]) for method, path, work in ROUTES]
    routes.append(Route("/v1/oauth/tokens", refuse_login, methods=["POST"]))
    routes.append(Route("/{rest:path}", refuse_path, methods=["GET", "HEAD", "POST", "PUT", "DELETE"]))
    return Starlette(
        routes=routes,
        exception_handlers={
            CatalogRefusal: refuse,
            HTTPException: refuse,
            RecursionError: refuse_depth,
            Exception: fail,
        },
    )


def _endpoint(api: Api, work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(work, api, await Call.received(request))

    return answer
