"""The pipeline on open-source Flink with Kafka, a registry and an Iceberg catalog, as a target of plan and apply.

What is ours is said by a ledger on the cluster. Tables live as long as a session there, so a table's definition is
part of every statement that uses it, and the topic of a table is a thing of its own.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dashboard.deploy import tableflow
from dashboard.deploy.contracts import Contracts, ContractView, KmsKey, view_of_schema
from dashboard.deploy.ledger import BEING_REMOVED, NO_TEXTS, Ledger
from dashboard.deploy.open_source_wanted import OpenSourceParts
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.deploy.resources import Found, Id, State, Wanted, digest_of, readable
from dashboard.deploy.savepoint_offsets import source_offsets
from dashboard.deploy.statements import Deployment
from dashboard.deploy.stoppable import stoppable, told
from dashboard.deploy.topics import created_topic, input_topic
from dashboard.errors import DeployError
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.flink import Job
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry

_PLANNED_AT_ONCE = 3
_EXPLAINED = (Action.CREATE, Action.REPLACE_LOSING_STATE, Action.REPLACE_KEEPING_OFFSETS)
_AT_ITS_OFFSETS = "at its offsets"
"""Stands for the digest of a stateless statement whose offsets are safe and whose state is being forgotten."""


@dataclass(frozen=True)
class Rules:
    """What it takes to deploy contracts with rules."""

    registry: CloudRegistry
    """The same registry, by all that it can do."""
    kms_key: KmsKey


class OpenSourceTarget:
    """One cluster; `start` submits a statement, in the way that whoever operates the cluster needs it."""

    at_once = 3

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        kafka: Kafka,
        registry: Registry,
        start: Callable[[str], None],
        stuck: Callable[[str], bool],
        *,
        makes_given: bool,
        holds_back: bool,
        rules: Rules | None = None,
    ) -> None:
        """`makes_given`: also the topics and contracts that elsewhere a connector makes are made and are ours.

        `holds_back`: a join that is made anew can be kept from payments until it has read the orders. `rules` is for a
        registry whose clients run the rules of contracts; without it the registry is told the schemas alone.
        """
        self.name = name
        self._deployment = deployment
        self._pipeline = deployment.pipeline
        self._holds_back = holds_back
        kms_key = rules.kms_key if rules else None
        self._parts = OpenSourceParts(self._pipeline, makes_given, holds_back, kms_key)
        self._inputs = self._parts.inputs
        self._contracts = Contracts(self._parts.declared, rules.registry, kms_key) if rules else None
        self._kafka = kafka
        self._registry = registry
        self._start = start
        self._stuck = stuck
        self._ledger = Ledger(kafka)
        self._noted: dict[Id, str] = {}
        self._topics: Collection[str] = ()

    @property
    def ledger_is_empty(self) -> bool:
        """Nothing was deployed here by plan and apply, as far as `found` saw."""
        return not self._noted

    def whole(self) -> set[str]:
        """Names of the statements that were deployed as the files describe them now; all, where there is no ledger."""
        noted, noting = self._ledger.entries(), self._ledger.exists
        ids = {self._statement_id(name): name for name in self._deployment.statement_names}
        whole = {one.id for one in self.wanted() if not noting or noted.get(one.id) == one.digest}
        return {name for id_, name in ids.items() if id_ in whole}

    def wanted(self) -> list[Wanted]:
        return self._parts.wanted()

    def found(self) -> dict[Id, Found]:
        self._noted = self._ledger.entries()
        found: dict[Id, Found] = {}
        partitions = self._kafka.partitions()
        self._topics = partitions.keys()
        wanted = {one.name: one.partitions for one in self._inputs}
        topics = {*wanted, *self._pipeline.created_tables, *(id_.name for id_ in self._noted if id_.kind == "topic")}
        for topic in topics & partitions.keys():
            other = wanted.get(topic, 1) != partitions[topic]
            facts = {"partitions": f"{partitions[topic]} instead of {wanted.get(topic, 1)}"} if other else {}
            there = replace(self._found(Id("topic", topic), "ready"), facts=facts)
            # what others write is compared by what it is: nothing here could make it anew
            found[there.id] = replace(there, digest=None) if topic in wanted else there
        for id_ in (Id("contract", subject) for subject in self._parts.schemas):
            schema = self._registry.latest(id_.name)
            if schema is not None:
                found[id_] = Found(id_, id_ in self._noted, digest_of(schema), "ready", text=readable(schema))
        found |= self._found_contracts()
        jobs = self._deployment.jobs()
        ids = {self._statement_id(name): name for name in self._deployment.statement_names}
        for id_, name in ids.items():
            job = jobs.get(name)
            lives = job is not None and not job.ended
            if lives or id_ in self._noted or self._deployment.has_state(name):
                found[id_] = self._found_statement(id_, name, job)
        missing = {Id("tableflow", topic) for topic in self._pipeline.tableflow_topics} - found.keys()
        tables = self._deployment.copies() if missing else set()
        for id_ in (one for one in missing if one.name in tables):
            # whatever is in it is none of ours: taken over, it is dropped and filled anew
            found[id_] = Found(id_, False, "", "stopped", "a table is there")
        for one in self.wanted():
            if one.id in found and one.id.kind == "topic" and one.comes_from - found.keys():
                # what fills it is missing: only what it holds can be wrong then
                holds_data = any(self._kafka.end_offsets(one.id.name).values())
                found[one.id] = replace(found[one.id], holds_data=holds_data)
        living = {job.name for job in self._deployment.flink.jobs() if not job.ended}
        for id_ in self._noted.keys() - found.keys() - {one.id for one in self.wanted()}:
            found[id_] = self._found(id_, "ready" if statement_name(id_) in living else "stopped")
        return found

    def contracts(self) -> list[ContractView]:
        """As the registry holds them; without rules where it is told the schemas alone."""
        if self._contracts is None:
            plain = {f"{one.name}-value": one.contract for one in self._inputs if one.contract}
            return [view_of_schema(one, self._registry.latest(subject)) for subject, one in plain.items()]
        self._contracts.look({})
        return self._contracts.views()

    def check(self, plan: Plan) -> None:
        if missing := sorted(
            {one.name for one in self._pipeline.topics if one not in self._inputs} - set(self._topics)
        ):
            raise DeployError(
                f"Kafka at {self._kafka.bootstrap} has no topic {', '.join(missing)}.",
                "Others make it on this target, such as the connector of the orders' database; start that first.",
            )
        new = [step for step in plan.acts if step.action in _EXPLAINED]
        statements = [step.id.name for step in new if step.id.kind == "statement"]
        with ThreadPoolExecutor(max_workers=_PLANNED_AT_ONCE) as pool:
            for _ in pool.map(self._check_statement, statements):
                pass
        for step in plan.acts:
            if step.action is not Action.CHANGE_CONTRACT:
                continue
            if self._contracts and step.id.name in self._parts.declared:
                self._contracts.check(step.id.name)
            else:
                self._registry.check(step.id.name, self._parts.schemas[step.id.name])

    def adopt(self, wanted: list[Wanted]) -> None:
        """Says that these are ours, made as the files describe them."""
        self._note({one.id: one.digest for one in wanted}, {one.id: one.text for one in wanted})

    def make(self, step: Step, wanted: Wanted) -> None:
        id_ = step.id
        if step.action is Action.REPLACE_KEEPING_OFFSETS:
            self._keep_offsets(wanted)
        # before it is made: when this process is killed in between, the next one makes it
        self._note({id_: wanted.digest}, {id_: wanted.text})
        match id_.kind:
            case "topic":
                topic = next((one for one in self._pipeline.topics if one.name == id_.name), None)
                self._kafka.create_topics([input_topic(topic) if topic else created_topic(id_.name)])
            case "key" if self._contracts:
                self._contracts.make_key(id_.name)
            case "contract" if self._contracts and id_.name in self._parts.declared:
                self._contracts.make(id_.name)
            case "contract":
                self._registry.register(id_.name, self._parts.schemas[id_.name])
            case "statement" | "tableflow":
                self._start(statement_name(id_))

    def wait_ready(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        if id_.kind in ("statement", "tableflow"):
            self._deployment.wait_running([statement_name(id_)], waits_for, stuck=self._stuck)

    def stoppable(self, name: str) -> Id:
        copies = {tableflow.statement_name(topic): topic for topic in self._pipeline.tableflow_topics}
        return stoppable(self._pipeline, name, copies)

    def stop(self, id_: Id, waits_for: Callable[[str], None]) -> str:
        name = statement_name(id_)
        job = self._deployment.jobs().get(name)
        if job is None or job.ended:
            raise DeployError(f"{told(id_)} does not run, so there is nothing to stop.", "`sales-trends status` tells.")
        # the local stack is ours as a whole
        if not self._holds_back and id_ not in self._ledger.entries():
            raise DeployError(
                f"Nothing says that we made the statement {name}, so it is left to whoever did.",
                f"If it is ours, `sales-trends apply --adopt {id_.name}` takes it over.",
            )
        waits_for(f"savepoint of {name}")
        if self._deployment.stop_one(name):
            return "stopped with a savepoint"
        return "cancelled, for it could make no savepoint; it will go on from its newest checkpoint"

    def resume(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        self._start(statement_name(id_))
        self.wait_ready(id_, waits_for)

    def remove(self, id_: Id, *, data: bool) -> None:
        if id_.kind == "tableflow" and not data:
            # with its state, so that it goes on where it was as long as its topic and its table are the same
            self._deployment.stop_one(statement_name(id_))
            return
        # when this process is killed in the middle, what is left is not taken for what it was
        self._note({id_: BEING_REMOVED})
        match id_.kind:
            case "topic":
                self._kafka.delete_topics([id_.name])
                # of a table Flink made them; those of other topics are contracts of their own
                inputs = {topic.name for topic in self._pipeline.topics}
                for part in ("key", "value") if id_.name not in inputs else ():
                    self._registry.delete(f"{id_.name}-{part}")
            case "key" if self._contracts:
                self._contracts.remove_key(id_.name)
            case "contract":
                self._registry.delete(id_.name)
            case "statement":
                self._forget(id_.name)
            case "tableflow":
                self._forget(statement_name(id_))
                self._deployment.drop_copy(id_.name)
        self._note({id_: None})

    def offsets(self, id_: Id) -> dict[str, dict[int, int]]:
        reads = next(
            (one.comes_from for one in self.wanted() if one.id == id_ and (one.keeps_state or one.flow)), frozenset()
        )
        there = self._topics or self._kafka.topic_names()
        topics = [read.name for read in sorted(reads) if read.kind == "topic" and read.name in there]
        return {topic: self._kafka.committed_offsets(statement_name(id_), topic) for topic in topics}

    def forget(self) -> None:
        if not self._ledger.entries().keys() & self.found().keys():
            self._ledger.drop()
            self._noted = {}

    def _keep_offsets(self, wanted: Wanted) -> None:
        """Stops it, tells Kafka how far it has read, and forgets its state; killed anywhere, it can run again.

        Flink itself tells Kafka after each checkpoint, but not always after the savepoint that it ends with.
        """
        id_, mark = wanted.id, f"{wanted.flow}: {_AT_ITS_OFFSETS}"
        if self._noted.get(id_) != mark:
            savepoint = self._deployment.stop_at_offsets(id_.name)
            topics = sorted(source.name for source in wanted.comes_from)
            # without a savepoint it never ran, and has read nothing
            for topic, metadata in ((topic, savepoint) for topic in topics if savepoint is not None):
                offsets = source_offsets(metadata, topic)
                if not offsets:
                    raise DeployError(
                        f"The statement {id_.name} was stopped, but its savepoint does not tell how far it had read "
                        f"{topic}.",
                        "Nothing is lost: applied as it was before, it goes on from its savepoint.",
                    )
                read = {partition: offset for partition, offset in offsets.items() if offset > 0}
                self._kafka.commit_offsets(id_.name, topic, read)
            self._note({id_: mark})
        self._deployment.remove(id_.name)

    def _forget(self, statement: str) -> None:
        """Its job, its state, and how far it had read, which would be taken for how far the next one has."""
        self._deployment.remove(statement)
        self._kafka.delete_group(statement)

    def _note(self, changes: Mapping[Id, str | None], texts: Mapping[Id, str] = NO_TEXTS) -> None:
        news = {id_: digest for id_, digest in changes.items() if self._noted.get(id_) != digest}
        if news:
            self._ledger.note(news, texts)
        for id_, digest in news.items():
            if digest is None:
                self._noted.pop(id_, None)
            else:
                self._noted[id_] = digest

    def _statement_id(self, name: str) -> Id:
        topics = {tableflow.statement_name(topic): topic for topic in self._pipeline.tableflow_topics}
        return Id("tableflow", topics[name]) if name in topics else Id("statement", name)

    def _found(self, id_: Id, state: State, phase: str = "", trouble: str = "") -> Found:
        digest = self._noted.get(id_)
        flow = digest.rpartition(": ")[0] if digest and id_.kind == "statement" else ""
        text = self._ledger.texts.get(id_, "")
        return Found(id_, digest is not None, digest, state, phase, trouble, flow=flow, text=text)

    def lost_state(self, name: str) -> bool:
        """It wrote by what it knew, and that is gone: begun anew, it would write all of it a second time."""
        id_ = self._statement_id(name)
        stateless = any(one.id == id_ and not one.keeps_state for one in self.wanted())
        if stateless or self._deployment.has_state(name):
            return False
        return any(offset > 0 for offsets in self.offsets(id_).values() for offset in offsets.values())

    def _found_statement(self, id_: Id, name: str, job: Job | None) -> Found:
        if id_ not in self._noted and not self._holds_back:
            # on a cluster of others nothing tells what it was made of: taken over, it is made anew
            return Found(id_, False, "", "ready" if job and job.running else "stopped", job.state if job else "")
        if (job is None or job.ended) and self.lost_state(name):
            why = "its state is gone, and it had written already"
            return replace(self._found(id_, "failed", job.state if job else "absent", why), resumes=False)
        if job is None:
            return self._found(id_, "stopped")
        if job.state in ("CANCELED", "FINISHED"):
            return replace(self._found(id_, "stopped", job.state), since=job.started)
        if job.running:
            return replace(self._found(id_, "ready", job.state), since=job.started)
        reason = self._deployment.flink.job_failure(job.id)
        return replace(self._found(id_, "failed" if job.ended else "changing", job.state, reason), since=job.started)

    def _check_statement(self, name: str) -> None:
        plan = self._deployment.explain(name)
        statement = next(one for one in self._pipeline.statements if one.name == name)
        if " BETWEEN " in statement.text and " INTERVAL " in statement.text and "IntervalJoin" not in plan:
            raise DeployError(
                f"Flink would run {name} as a join that keeps every row for ever, not as an interval join.",
                "Both sides need event time: see the watermarks of the tables that it joins.",
            )

    def _found_contracts(self) -> dict[Id, Found]:
        """Contracts with rules, and their keys."""
        if self._contracts is None:
            return {}
        self._contracts.look({id_: digest for id_, digest in self._noted.items() if id_.kind == "key"})
        looks = {"contract": self._contracts.found, "key": self._contracts.found_key}
        declared = [one for one in self.wanted() if one.id.name in self._parts.declared or one.id.kind == "key"]
        there = [looks[one.id.kind](one, ours=one.id in self._noted) for one in declared]
        return {one.id: one for one in there if one is not None}


def statement_name(id_: Id) -> str:
    """Of the statement that a running thing is."""
    return tableflow.statement_name(id_.name) if id_.kind == "tableflow" else id_.name
