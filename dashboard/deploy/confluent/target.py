"""The pipeline on Confluent Cloud as a target of plan and apply.

Each plan costs as many requests as the listings have pages, a query of INFORMATION_SCHEMA, one request for each
contract's compatibility and for each key, and a dry run of each changed statement. What is ours a label says of
statements, and the ledger on the Kafka cluster of everything else.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property

from dashboard.deploy.confluent.modes import Modes
from dashboard.deploy.confluent.retention import Retention
from dashboard.deploy.confluent.statements import TEXT, Statements
from dashboard.deploy.confluent.tableflow import Lake
from dashboard.deploy.confluent.versions import LABEL
from dashboard.deploy.confluent.wait import Patience
from dashboard.deploy.confluent.wanted import NOTHING_BESIDE, CloudPlace, declared_contracts, wanted_on_confluent
from dashboard.deploy.contracts import Contracts, ContractView
from dashboard.deploy.ledger import BEING_REMOVED, Ledger
from dashboard.deploy.pipeline import Pipeline
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.deploy.resources import Found, Id, Kind, Wanted
from dashboard.deploy.stoppable import stoppable
from dashboard.deploy.topics import input_topic
from dashboard.remotes import cloud_statement, ecs
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.cloud_tableflow import CloudTableflow
from dashboard.remotes.kafka import Kafka

__all__ = ["LABEL", "ConfluentTarget"]
_TRIED = (Action.CREATE, Action.REPLACE_LOSING_STATE, Action.REPLACE_KEEPING_OFFSETS)


class ConfluentTarget:
    """One environment, Kafka cluster and compute pool, and what lies beside them."""

    at_once = 4

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        kafka: Kafka,
        flink: CloudFlink,
        registry: CloudRegistry,
        tableflow: CloudTableflow,
        place: CloudPlace = NOTHING_BESIDE,
        *,
        poll_seconds: float = 5,
    ) -> None:
        self.name = name
        self._pipeline = pipeline
        self._kafka = kafka
        self._flink = flink
        self._place = place
        self._ledger = Ledger(kafka)
        patience = Patience(poll_seconds)
        self._statements = Statements(pipeline, flink, registry, patience)
        self._contracts = Contracts(declared_contracts(pipeline), registry, place.kms_key)
        self._lake = Lake(tableflow, place.storage, place.glue, patience)
        self._retention = Retention(pipeline, kafka)

    def wanted(self) -> list[Wanted]:
        return self._wanted

    @cached_property
    def _wanted(self) -> list[Wanted]:
        return wanted_on_confluent(self._pipeline, self._place)

    def found(self) -> dict[Id, Found]:
        noted = self._ledger.entries()
        partitions = self._kafka.partitions()
        # side by side: a query takes as long as ten pages of statements
        with ThreadPoolExecutor() as pool:
            looks = [pool.submit(self._statements.look_at_tables)]
            looks += [pool.submit(self._statements.look, noted, self._ledger.uids)]
            looks += [pool.submit(one.look, noted) for one in (self._contracts, self._lake)]
            looks += [pool.submit(self._retention.look, one) for one in self._retention.topics & partitions.keys()]
        for look in looks:
            look.result()
        wanted = self.wanted()
        found = {one.id: there for one in wanted if (there := self._found(one, noted, partitions)) is not None}
        found |= {
            one.id: replace(found[one.id], holds_data=self._holds_data(one))
            for one in wanted
            if one.holds and one.id in found and one.comes_from - found.keys()
        }
        found |= self._statements.orphans()
        given = (Id("topic", one.name) for one in self._pipeline.topics if one.given and one.name in partitions)
        found |= {id_: Found(id_, False, None, "ready") for id_ in given}
        exists: Mapping[Kind, Collection[str]] = {
            "topic": partitions,
            "key": self._contracts.keys,
            "contract": self._contracts.subjects,
            "statement": self._statements.versions,
            "tableflow": self._lake.copies,
            "catalog": self._lake.catalogs,
        }
        for id_ in noted.keys() - found.keys() - {one.id for one in wanted}:
            if id_.name in exists[id_.kind]:
                found[id_] = Found(id_, True, noted[id_], "ready")
        tables = self._statements.tables
        found = {id_: replace(one, keeps_for=self._retention.keeps_for(id_, tables)) for id_, one in found.items()}
        return {id_: self._with_text(one, noted.get(id_)) for id_, one in found.items()}

    def _holds_data(self, wanted: Wanted) -> bool:
        """What fills it is missing: only what it holds can be wrong then."""
        topic = wanted.data_name
        return topic not in self._kafka.topic_names() or any(self._kafka.end_offsets(topic).values())

    def contracts(self) -> list[ContractView]:
        self._contracts.look({})
        return self._contracts.views()

    def check(self, plan: Plan) -> None:
        """Asks Flink and the registry whether they would take what is new or changed."""
        self._contracts.check_keys()
        self._lake.check()
        Modes(self._pipeline, self._flink, self._statements.tables).check(plan)
        for step in plan.acts:
            if step.action is Action.CHANGE_CONTRACT:
                self._contracts.check(step.id.name)
            elif step.id.kind == "statement" and step.action in _TRIED:
                self._statements.check(step.id.name)

    def adopt(self, wanted: list[Wanted]) -> None:
        self._ledger.note({one.id: one.digest for one in wanted}, {one.id: one.text for one in wanted})

    def make(self, step: Step, wanted: Wanted) -> None:
        id_ = step.id
        if id_.kind == "statement":
            self._statements.clear(id_)
        self._ledger.note({id_: wanted.digest}, {id_: wanted.text})
        match id_.kind:
            case "topic":
                described = next(one for one in self._pipeline.topics if one.name == id_.name)
                self._kafka.create_topics([input_topic(described)])
            case "key":
                self._contracts.make_key(id_.name)
            case "contract":
                self._contracts.make(id_.name)
            case "statement":
                self._statements.make(step, wanted)
            case "tableflow":
                self._lake.make(step)
            case "catalog":
                self._lake.make_catalog(id_.name)

    def note_uids(self) -> None:
        """By which ids statements are ours, whatever the cluster is called later; as at the last look."""
        self._ledger.note_uids(self._statements.uids())

    def wait_ready(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        match id_.kind:
            case "statement":
                self._statements.wait_ready(id_.name, waits_for)
                self.note_uids()
            case "tableflow":
                self._lake.wait_ready(id_.name, waits_for)
            case "catalog":
                self._lake.wait_catalog(id_.name, waits_for)

    def remove(self, id_: Id, *, data: bool) -> None:
        self._ledger.note({id_: BEING_REMOVED})
        match id_.kind:
            case "topic":
                self._kafka.delete_topics([id_.name])
            case "key":
                self._contracts.remove_key(id_.name)
            case "contract":
                self._contracts.remove(id_.name)
            case "statement":
                if not self._statements.remove(id_.name, data=data):
                    return
            case "tableflow":
                self._lake.remove(id_.name)
            case "catalog":
                self._lake.remove_catalog(id_.name)
        self._ledger.note({id_: None})

    def offsets(self, id_: Id) -> dict[str, dict[int, int]]:
        return self._statements.offsets(id_.name) if id_.kind == "statement" else {}

    def stoppable(self, name: str) -> Id:
        return stoppable(self._pipeline, name)

    def stop(self, id_: Id, waits_for: Callable[[str], None]) -> str:
        self._look_at_statements()
        self._statements.stop(id_, waits_for)
        return "stopped"

    def resume(self, id_: Id, waits_for: Callable[[str], None]) -> None:
        self._look_at_statements()
        self._statements.resume(id_, waits_for)

    def runs(self, id_: Id) -> bool:
        """As a new look tells: it has not ended, whether somebody asked it to or not."""
        there = self._newest(id_)
        return there is not None and there.phase not in cloud_statement.OVER

    def rests(self, id_: Id) -> bool:
        """As a new look tells: somebody stopped it, or is stopping it."""
        there = self._newest(id_)
        return there is not None and (there.stopping or there.phase == "STOPPED")

    def check_ours(self, id_: Id) -> None:
        """Raises DeployError for a statement that a stop or resume would refuse to touch."""
        self._look_at_statements()
        self._statements.of_ours(id_)

    def _newest(self, id_: Id) -> cloud_statement.Statement | None:
        self._look_at_statements()
        versions = self._statements.versions.get(id_.name)
        return versions[-1] if versions else None

    def _look_at_statements(self) -> None:
        noted = self._ledger.entries()
        self._statements.look(noted, self._ledger.uids)

    def forget(self) -> None:
        self._statements.delete_helpers()
        noted, found = self._ledger.entries(), self.found()
        # a removal that was killed may have left what no listing shows: subjects of a table, keys in the bin
        for id_ in sorted(noted.keys() - found.keys()):
            if noted[id_] == BEING_REMOVED and id_.kind == "statement":
                self._statements.clear(id_)
            elif noted[id_] == BEING_REMOVED and id_.kind in ("contract", "key"):
                self.remove(id_, data=True)
        self._statements.check_none_is_lost()
        if not noted.keys() & found.keys():
            self._ledger.drop()

    def restart_app(self, done: Iterable[Step]) -> str:
        """After an apply: what became of the payment app, in a sentence; empty when no contract changed.

        It goes on with the contract that it read when it began. Restarted where its place is known.
        """
        if not any(step.action is Action.CHANGE_CONTRACT for step in done):
            return ""
        app = self._place.app
        if app is None:
            return "Restart the payment app: until then it writes by the contract that it began with."
        ecs.restart(app.cluster, app.service, app.region)
        return f"{app.service} is being restarted, and will write by the changed contract."

    def _found(self, wanted: Wanted, noted: Mapping[Id, str], partitions: Mapping[str, int]) -> Found | None:
        id_, ours = wanted.id, wanted.id in noted
        match id_.kind:
            case "topic":
                return self._found_topic(id_, partitions, ours=ours)
            case "key":
                return self._contracts.found_key(wanted, ours=ours)
            case "contract":
                return self._contracts.found(wanted, ours=ours)
            case "statement":
                return self._statements.found(wanted)
            case "tableflow":
                return self._lake.found(id_, noted.get(id_), ours=ours)
            case "catalog":
                return self._lake.found_catalog(id_, ours=ours)

    def _with_text(self, found: Found, noted: str | None) -> Found:
        """The ledger's, which is what was sent and not how the service writes it, unless it is of something else."""
        same = (found.digest is None or found.digest == noted) and TEXT not in (found.facts or {})
        return replace(found, text=(self._ledger.texts.get(found.id) if same else None) or found.text)

    def _found_topic(self, id_: Id, partitions: Mapping[str, int], *, ours: bool) -> Found | None:
        if id_.name not in partitions:
            return None
        count = next(one.partitions for one in self._pipeline.topics if one.name == id_.name)
        facts = {"partitions": f"{partitions[id_.name]} instead of {count}"}
        # compared by what it is: nothing here could fill it anew
        there = Found(id_, ours, None, "ready")
        return there if count == partitions[id_.name] else replace(there, facts=facts)
