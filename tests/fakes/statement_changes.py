"""Which changes of a statement the gateway takes: stop and resume, and on resume another pool or principal."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.refusals import CloudRefusal, invalid
from tests.fakes.sql_text import canonical
from tests.fakes.statements import Statement, Statements

_ON_RESUME = ("principal", "compute_pool_id")


def put(statements: Statements, statement: Statement, current: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """The whole object, with the resource_version it was read at; raises CloudRefusal."""
    metadata, spec = wanted.get("metadata"), wanted.get("spec")
    if wanted.get("name") != statement.name:
        raise invalid("/name", "name is required and immutable")
    if not isinstance(metadata, dict) or not metadata.get("resource_version"):
        raise invalid("/metadata/resource_version", "resource_version is required")
    if not isinstance(spec, dict) or not isinstance(spec.get("stopped"), bool):
        raise invalid("/spec/stopped", "stopped is required")
    if metadata["resource_version"] != statement.resource_version:
        raise CloudRefusal(409, "The statement has changed since it was fetched; get it and try again")
    if (metadata.get("labels") or {}) != statement.labels:
        raise invalid("/metadata/labels", "labels are immutable")
    if canonical(str(spec.get("statement", ""))) != statement.text:
        raise invalid("/spec/statement", "statement is immutable")
    if spec.get("properties", {}) != statement.properties:
        raise invalid("/spec/properties", "properties are immutable")
    changes = {key: spec.get(key) for key in _ON_RESUME if spec.get(key) != current["spec"][key]}
    _change(statements, statement, stopped=spec["stopped"], others=changes)


def patch(statements: Statements, statement: Statement, operations: Any) -> None:
    """RFC 6902 on the few paths that may change; raises CloudRefusal."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise CloudRefusal(400, "A JSON patch is a list of operations")
    stopped = statement.stopped
    others: dict[str, Any] = {}
    for operation in operations:
        path, value = operation.get("path", ""), operation.get("value")
        if operation.get("op") not in ("replace", "add"):
            raise invalid(path, f"The operation {operation.get('op')!r} is not possible on '{path}'")
        if path == "/spec/stopped" and isinstance(value, bool):
            stopped = value
        elif path.removeprefix("/spec/") in _ON_RESUME and path.startswith("/spec/"):
            others[path.removeprefix("/spec/")] = value
        else:
            raise invalid(path, f"'{path}' cannot be set to {value!r}")
    _change(statements, statement, stopped=stopped, others=others)


def _change(statements: Statements, statement: Statement, *, stopped: bool, others: Mapping[str, Any]) -> None:
    resumes = statement.stopped and not stopped
    if others and not resumes:
        raise invalid(f"/spec/{next(iter(others))}", "It changes only when a stopped statement is resumed")
    if statement.phase == "DELETING" or (resumes and statement.phase not in ("STOPPED", "COMPLETED", "FAILED")):
        raise CloudRefusal(409, f"The statement is being modified: it is {statement.phase}")
    pool = others.get("compute_pool_id", statement.compute_pool_id)
    if pool not in statements.pools:
        raise CloudRefusal(404, f"Compute pool '{pool}' not found")
    statement.compute_pool_id = pool
    statement.principal = others.get("principal", statement.principal)
    if stopped and not statement.stopped:
        statements.stop(statement)
    elif resumes:
        statements.resume(statement)
