"""The Flink gateway's statements API, sql/v1: what each route answers.

Source: flink-gateway/v1/api/openapi.yaml of confluentinc/ccloud-sdk-go-v2. Stricter than that file in one thing:
fields it does not know are refused, because a client that sends them means something else.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from tests.fakes import statement_changes
from tests.fakes.calls import Call, Work
from tests.fakes.refusals import CloudRefusal, invalid, missing
from tests.fakes.statements import Statement, Statements
from tests.fakes.tables import Place

_BASE = "/sql/v1/organizations/{organization}/environments/{environment}/statements"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
_PRINCIPAL = re.compile(r"(u|sa|pool)-[a-z0-9]+")
_LABEL_PREFIX = "user.confluent.io/"
_LONGEST_STATEMENT = 131_072
_MOST_PROPERTIES = 8192
_MOST_EXCEPTIONS = 10
_FIELDS = {"api_version", "kind", "name", "organization_id", "environment_id", "metadata", "spec", "status", "result"}
_SPEC_FIELDS = {"statement", "properties", "compute_pool_id", "principal", "stopped", "execution_mode", "scaling"}


class FlinkApi:
    """The routes, over the statements of one environment."""

    def __init__(self, statements: Statements, place: Place) -> None:
        self._statements = statements
        self._place = place
        self.results_page_size = 100
        self.empty_pages = 1
        """How many pages without rows come before the first with any."""

    def table(self) -> list[tuple[str, str, Work]]:
        one = f"{_BASE}/{{name}}"
        return [
            ("POST", _BASE, self.create),
            ("GET", _BASE, self.list),
            ("GET", one, self.read),
            ("PUT", one, self.update),
            ("PATCH", one, self.patch),
            ("DELETE", one, self.delete),
            ("GET", f"{one}/results", self.results),
            ("GET", f"{one}/exceptions", self.exceptions),
        ]

    def create(self, call: Call) -> Response:
        self._check_place(call)
        body = call.object()
        _check_new(body)
        for field, part in (("organization_id", "organization"), ("environment_id", "environment")):
            if body.get(field) not in (None, call.part(part)):
                raise invalid(f"/{field}", f"{field} is not the one of the path")
        name, spec = body["name"], body["spec"]
        if spec.get("compute_pool_id") and spec["compute_pool_id"] not in self._statements.pools:
            raise missing(f"Compute pool '{spec['compute_pool_id']}'")
        where = f"{call.url.partition('?')[0]}/{name}"
        dry = str((spec.get("properties") or {}).get("sql.dry-run", "")).lower() == "true"
        if not dry and name in self._statements.live():
            raise CloudRefusal(409, f"A statement with the name '{name}' already exists", location=where)
        statement = self._statements.create(spec, name, (body.get("metadata") or {}).get("labels") or {})
        return JSONResponse(self._shown(call, statement), status_code=201, headers={"Location": where})

    def list(self, call: Call) -> Response:
        self._check_place(call)
        newest_first = call.flag("time_ordered")
        found = [one for one in self._statements.listed() if _selected(one, call.query)]
        # searched by name only in the order of time; else the search is ignored without a word
        if newest_first and (searched := call.query.get("statement_name_search_query")):
            found = [one for one in found if searched in one.name]
        keys = {one.name: (-one.sequence if newest_first else 0, one.name) for one in found}
        found.sort(key=lambda one: keys[one.name])
        after = _unpacked(call.query.get("page_token", ""))
        if after:
            first, _, name = after.partition(" ")
            found = [one for one in found if keys[one.name] > (int(first), name)]
        size = call.page_size()
        page, more = found[:size], found[size:]
        following = ""
        if more:
            token = urlsafe_b64encode(f"{keys[page[-1].name][0]} {page[-1].name}".encode()).decode()
            following = _next_url(call, token)
        metadata = {"self": call.url, "next": following}
        shown = [self._shown(call, one) for one in page]
        return JSONResponse({"api_version": "sql/v1", "kind": "StatementList", "metadata": metadata, "data": shown})

    def read(self, call: Call) -> Response:
        return JSONResponse(self._shown(call, self._named(call)))

    def update(self, call: Call) -> Response:
        statement = self._named(call)
        statement_changes.put(self._statements, statement, self._shown(call, statement), call.object())
        return Response(status_code=202)

    def patch(self, call: Call) -> Response:
        """The answer shows the phase as it still is."""
        statement = self._named(call)
        statement_changes.patch(self._statements, statement, call.content("application/json-patch+json"))
        return JSONResponse(self._shown(call, statement))

    def delete(self, call: Call) -> Response:
        self._statements.delete(self._named(call))
        return Response(status_code=202)

    def results(self, call: Call) -> Response:
        """All cells are text; empty pages with a following one are normal, an absent `next` is the end."""
        statement = self._named(call)
        page = int(_unpacked(call.query.get("page_token", "")) or "0")
        rows = statement.outcome.rows if statement.outcome else []
        first = max(page - self.empty_pages, 0) * self.results_page_size
        shown = rows[first : first + self.results_page_size] if page >= self.empty_pages else []
        waits = statement.phase == "PENDING"
        more = page < self.empty_pages or first + self.results_page_size < len(rows)
        runs = bool(statement.outcome and statement.outcome.kind == "SELECT" and statement.phase == "RUNNING")
        has_rows = bool(statement.outcome and statement.outcome.columns)
        metadata = {"self": call.url, "next": "", "created_at": statement.created_at}
        if waits or runs or (has_rows and more):
            following = page if waits else page + 1
            metadata["next"] = _next_url(call, urlsafe_b64encode(str(following).encode()).decode())
        answer = {"api_version": "sql/v1", "kind": "StatementResult", "metadata": metadata}
        return JSONResponse(answer | {"results": {"data": [] if waits else [{"op": 0, "row": row} for row in shown]}})

    def exceptions(self, call: Call) -> Response:
        newest = self._named(call).exceptions[:_MOST_EXCEPTIONS]
        answer = {"api_version": "sql/v1", "kind": "StatementExceptionList", "metadata": {"self": call.url, "next": ""}}
        return JSONResponse(answer | {"data": newest})

    def _check_place(self, call: Call) -> None:
        if call.part("organization") != self._place.organization:
            raise missing("Organization")
        if call.part("environment") != self._place.environment:
            raise missing("Environment")

    def _named(self, call: Call) -> Statement:
        self._check_place(call)
        statement = self._statements.live().get(call.part("name"))
        if statement is None:
            raise missing(f"Statement '{call.part('name')}'")
        return statement

    def _shown(self, call: Call, statement: Statement) -> dict[str, Any]:
        place = self._place
        path = _BASE.format(organization=place.organization, environment=place.environment)
        return {
            "api_version": "sql/v1",
            "kind": "Statement",
            "name": statement.name,
            "organization_id": place.organization,
            "environment_id": place.environment,
            "metadata": {
                "self": f"{call.base}{path}/{statement.name}",
                "uid": statement.uid,
                "resource_version": statement.resource_version,
                "created_at": statement.created_at,
                "updated_at": statement.updated_at,
                "labels": statement.labels,
            },
            "spec": {
                "statement": statement.text,
                "properties": statement.properties,
                "compute_pool_id": statement.compute_pool_id,
                "principal": statement.principal,
                "stopped": statement.stopped,
            },
            "status": statement.status(),
        }


def _check_new(body: Mapping[str, Any]) -> None:
    name, spec = body.get("name"), body.get("spec")
    _check_fields(body, _FIELDS, "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid("/name", f"The name {name!r} does not match {_NAME.pattern}")
    if not isinstance(spec, dict):
        raise invalid("/spec", "spec is required")
    _check_fields(spec, _SPEC_FIELDS, "/spec")
    text = spec.get("statement")
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST_STATEMENT:
        raise invalid("/spec/statement", f"statement is required and has at most {_LONGEST_STATEMENT} characters")
    properties = spec.get("properties") or {}
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise invalid("/spec/properties", "properties map text to text")
    if len(properties) > _MOST_PROPERTIES:
        raise invalid("/spec/properties", f"There are at most {_MOST_PROPERTIES} properties")
    principal = spec.get("principal")
    if principal is not None and not (isinstance(principal, str) and _PRINCIPAL.fullmatch(principal)):
        raise invalid("/spec/principal", "principal is the id of a user, a service account or an identity pool")
    labels = (body.get("metadata") or {}).get("labels") or {}
    if any(not key.startswith(_LABEL_PREFIX) or not isinstance(value, str) for key, value in labels.items()):
        raise invalid("/metadata/labels", f"Labels are text, their keys start with {_LABEL_PREFIX}")


def _check_fields(given: Mapping[str, Any], known: set[str], pointer: str) -> None:
    for field in sorted(given.keys() - known):
        raise CloudRefusal(400, f"Unknown field '{field}'", pointer=f"{pointer}/{field}")


def _selected(statement: Statement, query: Mapping[str, str]) -> bool:
    pool = query.get("spec.compute_pool_id")
    if pool and statement.compute_pool_id != pool:
        return False
    pairs = [pair.partition("=") for pair in query.get("label_selector", "").split(",") if pair]
    return all(statement.labels.get(key) == value for key, _, value in pairs)


def _unpacked(token: str) -> str:
    """What a page token stands for; nothing for none."""
    try:
        unpacked = urlsafe_b64decode(token).decode()
    except ValueError:
        unpacked = ""
    if token and not unpacked:
        raise CloudRefusal(400, "The page token is not valid", parameter="page_token")
    return unpacked


def _next_url(call: Call, token: str) -> str:
    kept = [(key, value) for key, value in call.query.multi_items() if key != "page_token"]
    return f"{call.url.partition('?')[0]}?{urlencode([*kept, ('page_token', token)])}"
