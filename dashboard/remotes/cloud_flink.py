"""Flink on Confluent Cloud: statements are created, watched, stopped, resumed, deleted and asked.

Source: docs.confluent.io/cloud/current/api.html, section "Statements (sql/v1)", and
docs.confluent.io/cloud/current/flink/operate-and-deploy/flink-rest-api.html.
"""

import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
from pydantic import SecretStr

from dashboard.errors import DeployError, SalesTrendsError, UnreachableError
from dashboard.remotes import cloud_results
from dashboard.remotes.cloud_api import REAL_TIME, CloudApi, Pace
from dashboard.remotes.cloud_errors import ApiKey, Conflict, NotFound
from dashboard.remotes.cloud_results import Answer
from dashboard.remotes.cloud_statement import (
    DATABASE,
    DELETING,
    FAILED,
    Statement,
    Table,
    checked_name,
    moment,
    parsed,
    tables_of,
)
from dashboard.sql_files import read_sql

_POLL_SECONDS = 2
_DELETION_SECONDS = 120
_QUERY_SECONDS = 300
_TRIES = 5
_HIDDEN = {"user.confluent.io/hidden": "true"}
"""Keeps a statement of ours out of the lists that Confluent Cloud's own pages show."""
_NOTHING: Mapping[str, str] = {}
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class CloudFlink:
    """The statements of one environment, made in one compute pool and working on one database.

    Without a compute pool the environment's default one is taken, without a principal the key's owner.
    """

    def __init__(
        self,
        address: str,
        key: SecretStr,
        secret: SecretStr,
        organization: str,
        environment: str,
        compute_pool: str,
        principal: str,
        catalog: str,
        database: str,
        *,
        database_id: str = "",
        key_setting: str,
        transport: httpx.BaseTransport | None = None,
        pace: Pace = REAL_TIME,
    ) -> None:
        api_key = ApiKey("the Flink API key", key_setting, key, secret)
        self._api = CloudApi(address, api_key, transport=transport, pace=pace)
        self._pace = pace
        self._owner = {"organization_id": organization, "environment_id": environment}
        self._statements = f"/sql/v1/organizations/{organization}/environments/{environment}/statements"
        self._place = {"compute_pool_id": compute_pool, "principal": principal}
        self._session = {"sql.current-catalog": catalog, DATABASE: database}
        # statements of others may call it by its id
        self._called = {database, database_id}
        self._database = database

    def statements(self, label: str = "") -> list[Statement]:
        """All of the environment, or those with a label such as `user.confluent.io/sales-trends=true`."""
        query = {"page_size": "100"} | ({"label_selector": label} if label else {})
        return [parsed(item) for item in self._api.items(self._statements, "list the statements", query)]

    def works_here(self, statement: Statement) -> bool:
        """On this database, as far as it says; the environment's other databases have statements of their own."""
        return statement.properties.get(DATABASE, self._database) in self._called

    def statement(self, name: str) -> Statement | None:
        """None when there is none of this name; one that failed, ended or is being deleted still is there."""
        raw = self._raw(name)
        return parsed(raw) if raw else None

    def create(self, name: str, text: str, properties: Mapping[str, str], labels: Mapping[str, str]) -> Statement:
        """Submits a statement; it is ready later, an INSERT or CREATE TABLE … AS when it is RUNNING.

        Waits for an older one of the same name that is being deleted. Raises Conflict when one of this name is there
        to stay, Refused when the service finds the statement wrong at once; a later failure is in its phase.
        """
        body = self._body(name, text, properties, labels)

        def ours() -> dict[str, Any] | None:
            found = self._raw(name)
            if found is None or parsed(found).phase == DELETING:
                return None
            if same_text(parsed(found).text, text):
                return found
            raise Conflict(f"There is a statement {name} with another text.", "Delete it first.", status=409)

        doing = f"create the statement {name}"
        deadline = self._pace.clock() + _DELETION_SECONDS
        while True:
            try:
                return parsed(self._api.create(self._statements, doing, body, ours))
            except Conflict as error:
                old = self.statement(name)
                if (old is not None and old.phase != DELETING) or self._pace.clock() > deadline:
                    raise Conflict(
                        error.message, f"{name} is taken; delete that statement first.", status=409
                    ) from error
                if old is not None:
                    self.wait_deleted(name, deadline - self._pace.clock())
                else:
                    # gone for a reader, not yet for a writer
                    self._pace.sleep(_POLL_SECONDS)

    def dry_run(self, text: str, properties: Mapping[str, str] = _NOTHING) -> Statement:
        """What the service thinks of a statement, which it neither runs nor keeps.

        Raises DeployError with the service's reason when it would refuse the statement.
        """
        body = self._body(_unique("dry-run"), text, {**properties, "sql.dry-run": "true"}, _NOTHING)
        answer = parsed(self._api.ask(self._statements, "try out a statement", body))
        if answer.phase in FAILED:
            raise DeployError(f"Flink would refuse the statement {_first_line(text)}: {answer.detail.rstrip('.')}.")
        return answer

    def stop(self, name: str) -> None:
        """Asks a statement to stop; it keeps its state and is STOPPED a little later."""
        self._change(name, "stop", {"stopped": True})

    def resume(self, name: str, principal: str | None = None, compute_pool: str | None = None) -> None:
        """Lets a stopped statement go on from where it stopped, as another principal or in another pool if given."""
        place = {"principal": principal, "compute_pool_id": compute_pool}
        self._change(name, "resume", {"stopped": False} | {key: value for key, value in place.items() if value})

    def delete(self, name: str) -> None:
        """Begins to delete a statement, if there is one; its table stays, and its name is taken until it is gone."""
        with suppress(NotFound):
            self._api.delete(self._path(name), f"delete the statement {name}")

    def wait_deleted(self, name: str, within_seconds: float) -> None:
        """Returns when the name is free; raises DeployError when it is not in time."""
        deadline = self._pace.clock() + within_seconds
        while (found := self.statement(name)) is not None:
            if self._pace.clock() >= deadline:
                raise DeployError(
                    f"The statement {name} is still {found.phase} after {within_seconds:.0f} s.",
                    "Run the command again in a few minutes.",
                )
            self._pace.sleep(_POLL_SECONDS)

    def exceptions(self, name: str) -> list[str]:
        """The messages of the latest exceptions, at most 10, newest first."""
        answer = self._api.get(f"{self._path(name)}/exceptions", f"list the exceptions of the statement {name}")
        listed = answer.get("data") or []
        listed.sort(key=lambda one: at.timestamp() if (at := moment(one.get("timestamp") or "")) else 0, reverse=True)
        return [one.get("message") or one.get("name") or "" for one in listed]

    def query(
        self, text: str, name: str, properties: Mapping[str, str] = _NOTHING, within_seconds: float = _QUERY_SECONDS
    ) -> list[dict[str, str | None]]:
        """All rows of a SELECT that ends, by column; see `answer`."""
        found = self.answer(text, name, properties, within_seconds)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def answer(
        self, text: str, name: str, properties: Mapping[str, str] = _NOTHING, within_seconds: float = _QUERY_SECONDS
    ) -> Answer:
        """What a SELECT finds that ends, by itself or by the property `sql.snapshot.mode`.

        It runs as a statement whose name begins with `name`, and which is deleted at the end.
        """
        unique = _unique(name)
        deadline = self._pace.clock() + within_seconds
        try:
            self.create(unique, text, properties, _HIDDEN)
            found = cloud_results.read(
                self._api, self._path(unique), lambda: self.statement(unique), deadline=deadline, doing=f"answer {name}"
            )
        except BaseException as error:
            # the first failure is the one to tell, and who did not answer is not asked for another minute
            with suppress(SalesTrendsError):
                once = isinstance(error, UnreachableError)
                self._api.delete(self._path(unique), f"delete the statement {unique}", once=once)
            raise
        self.delete(unique)
        return found

    def tables(self) -> dict[str, Table]:
        """Every table of the database by its name."""
        database = "'" + self._database.replace("'", "''") + "'"
        lines = read_sql("pipeline_sql/catalog", "tables").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
        return tables_of(self.query(text.replace("$database_name", database), "sales-trends-tables"))

    def _raw(self, name: str) -> dict[str, Any] | None:
        try:
            return self._api.get(self._path(name), f"show the statement {name}")
        except NotFound:
            return None

    def _change(self, name: str, verb: str, spec: Mapping[str, Any]) -> None:
        """Reads, changes and writes the whole statement, again when it changed in between."""
        doing = f"{verb} the statement {name}"
        for left in reversed(range(_TRIES)):
            current = self._api.get(self._path(name), doing)
            if all((current.get("spec") or {}).get(key) == value for key, value in spec.items()):
                return
            try:
                self._api.put(self._path(name), doing, {**current, "spec": {**(current.get("spec") or {}), **spec}})
                return
            except Conflict:
                if not left:
                    raise
                self._pace.sleep(_POLL_SECONDS)

    def _body(self, name: str, text: str, properties: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
        place = {key: value for key, value in self._place.items() if value}
        spec = {"statement": text, **place, "stopped": False, "properties": {**properties, **self._session}}
        return {"name": checked_name(name), **self._owner, "metadata": {"labels": dict(labels)}, "spec": spec}

    def _path(self, name: str) -> str:
        return f"{self._statements}/{checked_name(name)}"


def _unique(name: str) -> str:
    return f"{checked_name(name)[:67].rstrip('-')}-{uuid.uuid4().hex}"


def same_text(one: str, other: str) -> bool:
    """Of the same statement; the service gives a text back without comments and with other white space."""
    return _squeezed(one) == _squeezed(other)


def _squeezed(text: str) -> str:
    return "".join(_COMMENT.sub("", text).split()).rstrip(";")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:80]
