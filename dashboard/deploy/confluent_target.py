"""The pipeline on Confluent Cloud as a target of plan and apply.

Statements are ours by a label and carry the digest of what they were made of, because the service rewrites their text.
Statements that only make or alter a table are forgotten by the service after 30 days, so a table is judged by what
INFORMATION_SCHEMA says of it, and that it is ours by the ledger on the Kafka cluster.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from dashboard.deploy.confluent_wanted import tables_used, wanted_on_confluent
from dashboard.deploy.ledger import BEING_REMOVED, Ledger
from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.deploy.resources import Found, Id, State, Wanted, digest_of
from dashboard.deploy.topics import input_topic
from dashboard.errors import ContractError, DeployError
from dashboard.remotes import cloud_statement
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from dashboard.remotes.cloud_statement import Table
from dashboard.remotes.cloud_tableflow import MANAGED, CloudTableflow, Storage
from dashboard.remotes.kafka import Kafka

LABEL = "user.confluent.io/sales-trends"
_DIGEST = "user.confluent.io/sales-trends-digest"
_STATES: Mapping[str, State] = {"RUNNING": "ready", "STOPPED": "stopped", "FAILED": "failed"}
"""Of a statement that goes on running; any other phase, also one that we do not know, is shown as it is."""
_STATEMENT_SECONDS = 600
_TABLE_SECONDS = 1_200
_STABLE_LOOKS = 2
_WATERMARK = re.compile(r"ALTER TABLE `?(?P<table>[\w.]+)`? MODIFY WATERMARK FOR (?P<column>\w+) AS (?P<expression>.+)")
_OPTION = re.compile(r"ALTER TABLE `?(?P<table>[\w.]+)`? SET \('(?P<key>[^']+)' = '(?P<value>[^']*)'\)")


class ConfluentTarget:
    """One environment, Kafka cluster and compute pool."""

    at_once = 4

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        kafka: Kafka,
        flink: CloudFlink,
        registry: CloudRegistry,
        tableflow: CloudTableflow,
        storage: Storage = MANAGED,
        *,
        poll_seconds: float = 5,
    ) -> None:
        self.name = name
        self._pipeline = pipeline
        self._kafka = kafka
        self._flink = flink
        self._registry = registry
        self._tableflow = tableflow
        self._storage = storage
        self._poll_seconds = poll_seconds
        self._ledger = Ledger(kafka)
        self._statements = {one.name: one for one in pipeline.statements}
        self._contracts = {
            f"{topic.name}-value": topic.value for topic in pipeline.topics if topic.value and not topic.given
        }
        self._tables: Mapping[str, Table] = {}
        self._live: Mapping[str, cloud_statement.Statement] = {}

    def wanted(self) -> list[Wanted]:
        return wanted_on_confluent(self._pipeline, self._storage)

    def found(self) -> dict[Id, Found]:
        noted = self._ledger.entries()
        partitions = self._kafka.partitions()
        self._tables = self._flink.tables()
        live = self._live = {one.name: one for one in self._flink.statements()}
        copies = {one.name: one for one in self._tableflow.topics()}
        subjects = set(self._registry.subjects())
        found: dict[Id, Found] = {}
        for wanted in self.wanted():
            one = self._found(wanted, noted, partitions, live, subjects, copies)
            if one is not None:
                found[wanted.id] = one
        for name, statement in live.items():
            id_ = Id("statement", name)
            if LABEL in statement.labels and name not in self._statements:
                found[id_] = Found(id_, True, statement.labels.get(_DIGEST), "ready", statement.phase, statement.detail)
        for id_ in noted.keys() - found.keys() - {wanted.id for wanted in self.wanted()}:
            exists = {"topic": partitions, "contract": subjects, "tableflow": copies, "statement": live}[id_.kind]
            if id_.name in exists:
                found[id_] = Found(id_, True, noted[id_], "ready")
        return found

    def check(self, plan: Plan) -> None:
        """A dry run of each new or changed statement whose tables exist; what others will make cannot be tried yet."""
        for step in plan.acts:
            if step.action is Action.CHANGE_CONTRACT:
                faults = self._registry.compatible(step.id.name, self._contract(step.id.name))
                if faults:
                    raise ContractError(
                        f"The registry would refuse the contract {step.id.name}: {'; '.join(faults)}.",
                        "A change must let old records be read; give a new field a default.",
                    )
            elif step.id.kind == "statement" and step.action in (Action.CREATE, Action.REPLACE_LOSING_STATE):
                statement = self._statements[step.id.name]
                used = tables_used(self._pipeline, statement)
                if statement.kind == "insert" and all(table in self._tables for table in used):
                    answer = self._flink.dry_run(statement.text, statement.properties)
                    if answer.is_append_only is False:
                        raise DeployError(
                            f"The statement {statement.name} would change rows that it has written.",
                            "Its table is read as append-only. See how it groups or joins.",
                        )

    def adopt(self, wanted: list[Wanted]) -> None:
        self._ledger.note({one.id: one.digest for one in wanted})

    def make(self, step: Step, wanted: Wanted) -> None:
        id_ = step.id
        self._ledger.note({id_: wanted.digest})
        match id_.kind:
            case "topic":
                described = next(one for one in self._pipeline.topics if one.name == id_.name)
                self._kafka.create_topics([input_topic(described)])
            case "contract":
                self._registry.register(id_.name, self._contract(id_.name))
            case "tableflow":
                if step.action is Action.RESUME:
                    self._tableflow.update(id_.name, resume=True)
                else:
                    self._tableflow.create(id_.name, self._storage)
            case "statement":
                self._make_statement(step, wanted)

    def wait_ready(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        if id_.kind == "statement":
            self._wait_for_statement(id_.name, waits_for)
        elif id_.kind == "tableflow":
            self._wait_for_table(id_.name, waits_for)

    def remove(self, id_: Id, *, data: bool) -> None:
        self._ledger.note({id_: BEING_REMOVED})
        match id_.kind:
            case "topic":
                self._kafka.delete_topics([id_.name])
            case "contract":
                self._registry.delete(id_.name)
            case "tableflow":
                self._tableflow.delete(id_.name)
                self._until(lambda: self._tableflow.topic(id_.name) is None, f"The table of {id_.name} is still there")
            case "statement":
                self._remove_statement(id_.name)
                table = self._statements[id_.name].created_table if id_.name in self._statements else None
                if table is not None:
                    if not data:
                        # what it filled is still ours, and without it no longer whole
                        return
                    self._drop_table(id_.name, table)
        self._ledger.note({id_: None})

    def offsets(self, id_: Id) -> dict[str, dict[int, int]]:
        there = self._live.get(id_.name) if id_.kind == "statement" else None
        return cloud_statement.read_offsets(there) if there else {}

    def forget(self) -> None:
        if not self._ledger.entries().keys() & self.found().keys():
            self._ledger.drop()

    def _found(
        self,
        wanted: Wanted,
        noted: Mapping[Id, str],
        partitions: Mapping[str, int],
        live: Mapping[str, cloud_statement.Statement],
        subjects: set[str],
        copies: Mapping[str, object],
    ) -> Found | None:
        id_, ours = wanted.id, wanted.id in noted
        match id_.kind:
            case "topic":
                if id_.name not in partitions:
                    return None
                count = next(one.partitions for one in self._pipeline.topics if one.name == id_.name)
                facts = {"partitions": f"{partitions[id_.name]} instead of {count}"}
                # compared by what it is: nothing here could fill it anew
                there = Found(id_, ours, None, "ready")
                return there if count == partitions[id_.name] else replace(there, facts=facts)
            case "contract":
                latest = self._registry.latest(id_.name) if id_.name in subjects else None
                if latest is None:
                    return None
                return Found(id_, ours, digest_of(json.loads(latest.schema)), "ready")
            case "tableflow":
                return self._found_copy(id_, ours, noted.get(id_))
            case "statement":
                return self._found_statement(id_, live.get(id_.name), noted)
        raise ValueError(id_.kind)

    def _found_statement(
        self, id_: Id, there: cloud_statement.Statement | None, noted: Mapping[Id, str]
    ) -> Found | None:
        statement = self._statements[id_.name]
        if not statement.runs:
            return self._found_table(id_, statement, noted)
        if there is None and statement.created_table in self._tables:
            # made anew, it would find its table in its way
            why = f"only its table {statement.created_table} is left"
            return Found(id_, id_ in noted, noted.get(id_), "failed", "deleted", why, resumes=False)
        return self._found_running(id_, there, noted)

    def _found_copy(self, id_: Id, ours: bool, digest: str | None) -> Found | None:
        copy = self._tableflow.topic(id_.name)
        if copy is None:
            return None
        trouble = "; ".join(copy.faults)
        state: State = "stopped" if copy.suspended else "failed" if copy.phase == "FAILED" else "ready"
        return Found(id_, ours, digest, state, "SUSPENDED" if copy.suspended else copy.phase, trouble)

    def _found_running(self, id_: Id, there: cloud_statement.Statement | None, noted: Mapping[Id, str]) -> Found | None:
        if there is None:
            return None
        warnings = [
            f"{one.severity} {one.reason}: {one.message}" for one in there.warnings if one.severity == "CRITICAL"
        ]
        if there.scaling_state == "POOL_EXHAUSTED":
            warnings.append("the compute pool is exhausted")
        digest = noted.get(id_) if noted.get(id_) == BEING_REMOVED else there.labels.get(_DIGEST)
        state = _STATES.get(there.phase, "changing")
        facts = {"warning": "; ".join(warnings)} if warnings and state == "ready" else {}
        ours = LABEL in there.labels
        found = Found(id_, ours, digest, state, there.phase, there.detail, facts=facts, since=there.created_at)
        # a failed one cannot be resumed: it is made anew, without what it knew
        return replace(found, resumes=False) if state == "failed" else found

    def _found_table(self, id_: Id, statement: Statement, noted: Mapping[Id, str]) -> Found | None:
        """A table that a statement made or altered, whether the service still lists that statement or not."""
        if not self._is_done(statement):
            return None
        digest = noted.get(id_)
        return Found(id_, digest is not None or statement.created_table is None, digest, "ready", "COMPLETED")

    def _is_done(self, statement: Statement) -> bool:
        if statement.created_table:
            return statement.created_table in self._tables
        if match := _WATERMARK.match(statement.text):
            table = self._tables.get(match["table"])
            same = table is not None and _plain(table.watermark or "") == _plain(match["expression"])
            return same and table is not None and table.watermark_column == match["column"]
        if match := _OPTION.match(statement.text):
            table = self._tables.get(match["table"])
            return table is not None and table.options.get(match["key"]) == match["value"]
        raise DeployError(
            f"The statement {statement.name} alters a table in a way that cannot be seen in INFORMATION_SCHEMA.",
            "Put it into the CREATE TABLE, or use MODIFY WATERMARK or SET with one option.",
        )

    def _make_statement(self, step: Step, wanted: Wanted) -> None:
        name = step.id.name
        if step.action is Action.RESUME:
            self._flink.resume(name)
            return
        statement = self._statements[name]
        if self._flink.statement(name) is not None:
            # finished or failed, it keeps its name
            self._flink.delete(name)
            self._flink.wait_deleted(name, _STATEMENT_SECONDS)
        labels = {LABEL: "true", _DIGEST: wanted.digest}
        self._flink.create(name, statement.text, statement.properties, labels)

    def _remove_statement(self, name: str) -> None:
        self._flink.delete(name)
        self._flink.wait_deleted(name, _STATEMENT_SECONDS)

    def _drop_table(self, maker: str, table: str) -> None:
        drop = f"drop-{maker}"
        self._flink.create(drop, f"DROP TABLE IF EXISTS `{table}`", {}, {LABEL: "true"})
        self._until(lambda: self._ended(drop), f"The table {table} is still being dropped")
        self._flink.delete(drop)
        # they outlive the table, and one of another shape would keep it from being made again
        for part in ("key", "value"):
            self._registry.delete(f"{table}-{part}")

    def _ended(self, name: str) -> bool:
        statement = self._flink.statement(name)
        if statement is not None and statement.phase in cloud_statement.FAILED:
            raise DeployError(f"The statement {name} failed: {statement.detail.rstrip('.')}.")
        return statement is not None and statement.phase == "COMPLETED"

    def _wait_for_statement(self, name: str, waits_for: Callable[[str], None]) -> None:
        """COMPLETED for what makes or alters a table, RUNNING for a moment for what goes on."""
        wanted, looks = ("RUNNING", _STABLE_LOOKS) if self._statements[name].runs else ("COMPLETED", 1)
        seen = 0

        def ready() -> bool:
            nonlocal seen
            statement = self._flink.statement(name)
            if statement is None:
                raise DeployError(f"The statement {name} was deleted meanwhile.", "Plan and apply again.")
            if statement.phase in cloud_statement.FAILED:
                newest = next(iter(self._flink.exceptions(name)), "")
                raise DeployError(f"The statement {name} failed: {statement.detail or newest or 'no reason is given'}.")
            seen = seen + 1 if statement.phase == wanted else 0
            waits_for(f"{name}: {statement.phase} {statement.detail}".strip())
            return seen >= looks

        self._until(ready, f"The statement {name} is not {wanted}")

    def _wait_for_table(self, topic: str, waits_for: Callable[[str], None]) -> None:
        def ready() -> bool:
            table = self._tableflow.topic(topic)
            if table is None:
                raise DeployError(f"The table of {topic} was deleted meanwhile.", "Plan and apply again.")
            if table.phase == "FAILED":
                raise DeployError(f"The table of {topic} failed: {'; '.join(table.faults) or 'no reason is given'}.")
            waits_for(f"table of {topic}: {table.phase}")
            return table.phase == "RUNNING"

        self._until(ready, f"The table of {topic} is not RUNNING", _TABLE_SECONDS)

    def _until(self, ready: Callable[[], bool], fault: str, within_seconds: float = _STATEMENT_SECONDS) -> None:
        deadline = time.monotonic() + within_seconds
        while not ready():
            if time.monotonic() > deadline:
                raise DeployError(
                    f"{fault} after {within_seconds:.0f} s.", "Look at it in Confluent Cloud; then apply again."
                )
            time.sleep(self._poll_seconds)

    def _contract(self, subject: str) -> Contract:
        return Contract(json.dumps(self._contracts[subject]))


def _plain(expression: str) -> str:
    """Without what INFORMATION_SCHEMA adds to or takes from an expression's text."""
    return re.sub(r"[`\s]", "", expression).lower()
