"""What the pipeline consists of on Confluent Cloud: topics, contracts, statements, Tableflow, and how they depend."""

from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.deploy.contract import Declaration
from dashboard.deploy.contracts import KmsKey, wanted_contracts
from dashboard.deploy.pipeline import InputTopic, Pipeline, Statement
from dashboard.deploy.resources import Id, Wanted, digest_of, readable
from dashboard.remotes.cloud_tableflow import MANAGED, Storage

GLUE_NAME = "sales-trends"
"""Of the catalog integration; Confluent Cloud itself gives only an id."""


@dataclass(frozen=True)
class Glue:
    """AWS Glue as an outside catalog of the tables."""

    provider_integration: str
    """`cspi-…`, whose role may write to Glue."""
    database: str = ""
    """Empty stands for the Kafka cluster's id."""


@dataclass(frozen=True)
class PaymentApp:
    """Where the payment app runs on ECS."""

    cluster: str
    service: str
    region: str


@dataclass(frozen=True)
class CloudPlace:
    """What lies beside Confluent's own services; each part but the storage may be missing."""

    storage: Storage = MANAGED
    kms_key: KmsKey | None = None
    """The setting kms_key_id; without it no contract that encrypts is deployed."""
    glue: Glue | None = None
    app: PaymentApp | None = None


NOTHING_BESIDE = CloudPlace()


def declared_contracts(pipeline: Pipeline) -> dict[str, Declaration]:
    """Of our topics, by subject; a topic whose contract no file declares has its plain schema for one."""
    return {
        (subject := f"{topic.name}-value"): topic.contract or Declaration(subject, topic.value)
        for topic in pipeline.topics
        if topic.value and not topic.given
    }


def wanted_on_confluent(pipeline: Pipeline, place: CloudPlace) -> list[Wanted]:
    """Everything that we make there. A statement that makes a table stands for the table and its topic."""
    ours = [topic for topic in pipeline.topics if not topic.given]
    contracts = declared_contracts(pipeline).values()
    copies = [_copy(pipeline, topic, place.storage) for topic in pipeline.tableflow_topics]
    return [
        *(_topic(one) for one in ours),
        *wanted_contracts(contracts, place.kms_key),
        *(_statement(pipeline, one) for one in pipeline.statements),
        *copies,
        *([_catalog(place.glue, copies)] if place.glue else []),
    ]


def _topic(topic: InputTopic) -> Wanted:
    shape = readable({"partitions": topic.partitions})
    return Wanted(Id("topic", topic.name), digest_of(topic.partitions), holds=f"topic {topic.name}", text=shape)


def _statement(pipeline: Pipeline, statement: Statement) -> Wanted:
    used = pipeline.used(statement)
    makers, changers = pipeline.makers(used), pipeline.changers(used)
    # a table is made before it is altered, and altered before others use it
    before = [*makers, *(changers if statement.kind == "insert" else ())]
    needs = {Id("topic", table) for table in used} | {Id("contract", f"{table}-value") for table in used}
    itself = Id("statement", statement.name)
    reads = [table for table in used if not pipeline.writes(statement, table)]
    writes = [table for table in used if pipeline.writes(statement, table)]
    # opaque, because a label holds it
    flow = digest_of([*reads, *writes])[:8] if statement.is_stateless and len(reads) == len(writes) == 1 else ""
    about = sorted(one.text for one in (*makers, *changers) if not one.sets_retention)
    digest = digest_of([statement.text, dict(statement.properties), about])
    return Wanted(
        itself,
        f"{flow}-{digest}" if flow else digest,
        needs=frozenset(needs | _ids(before)) - {itself},
        comes_from=frozenset(_ids(_sources(pipeline, statement, used, makers)) | _inputs(pipeline, statement, reads))
        - {itself},
        reads=_read_as_they_are(pipeline, reads) if statement.runs else frozenset(),
        holds=f"table {statement.created_table}, its topic and its contract" if statement.created_table else "",
        data=statement.created_table or "",
        keeps_state=statement.runs and not flow,
        flow=flow,
        text=statement.script,
    )


def _inputs(pipeline: Pipeline, statement: Statement, reads: list[str]) -> set[Id]:
    """Topics of ours that a running statement reads."""
    ours = {topic.name for topic in pipeline.topics if not topic.given}
    return {Id("topic", name) for name in reads if name in ours} if statement.runs else set()


def _read_as_they_are(pipeline: Pipeline, topics: Iterable[str]) -> frozenset[Id]:
    """Those among them that the outside writes: nothing here fills them again."""
    outside = {one.name for one in pipeline.topics}
    return frozenset(Id("topic", name) for name in topics if name in outside)


def _sources(pipeline: Pipeline, statement: Statement, used: list[str], makers: list[Statement]) -> Iterable[Statement]:
    """What a running statement reads the work of; what fills a table that is only made; what made an altered one."""
    if statement.kind == "alter table":
        return makers
    tables = used if statement.runs else [table for table in used if table == statement.created_table]
    return pipeline.writers(table for table in tables if not pipeline.writes(statement, table))


def _catalog(glue: Glue, copies: list[Wanted]) -> Wanted:
    return Wanted(
        Id("catalog", GLUE_NAME),
        digest_of([glue.provider_integration, glue.database]),
        needs=frozenset(one.id for one in copies),
        text=readable({"provider integration": glue.provider_integration, "database": glue.database}),
    )


def _copy(pipeline: Pipeline, topic: str, storage: Storage) -> Wanted:
    return Wanted(
        Id("tableflow", topic),
        digest_of(storage.body()),
        needs=frozenset(_ids(pipeline.makers([topic])) | {Id("topic", topic)}),
        comes_from=frozenset(_ids(pipeline.writers([topic]))),
        reads=_read_as_they_are(pipeline, [topic]),
        holds=f"Iceberg table {topic}",
        text=readable(storage.body()),
    )


def _ids(statements: Iterable[Statement]) -> set[Id]:
    return {Id("statement", one.name) for one in statements}
