"""What the pipeline consists of on open-source Flink: topics, contracts, statements, copies, and how they depend."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.deploy.contract import Declaration
from dashboard.deploy.contracts import KmsKey, wanted_contracts
from dashboard.deploy.pipeline import InputTopic, Pipeline, Statement
from dashboard.deploy.resources import Id, Wanted, digest_of, readable
from dashboard.deploy.statements import DEDUPLICATION, JOIN


@dataclass(frozen=True)
class OpenSourceParts:
    """The pipeline as one cluster is to have it."""

    pipeline: Pipeline
    makes_given: bool
    """Also the topics and contracts that elsewhere a connector makes are made and are ours."""
    holds_back: bool
    """A join that is made anew can be kept from payments until it has read the orders."""
    kms_key: KmsKey | None = None
    """What encrypts; without it the registry is told the schemas alone, for it may not know rules."""

    @cached_property
    def inputs(self) -> list[InputTopic]:
        return [one for one in self.pipeline.topics if self.makes_given or not one.given]

    @cached_property
    def declared(self) -> dict[str, Declaration]:
        """Contracts with rules, by subject."""
        contracts = [topic.contract for topic in self.inputs if topic.contract] if self.kms_key else []
        return {one.subject: one for one in contracts}

    @cached_property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Contracts that are a schema and nothing else, by subject."""
        found = {
            f"{topic.name}-{part}": schema
            for topic in self.inputs
            for part, schema in (("key", topic.key), ("value", topic.value))
            if schema is not None
        }
        return {subject: schema for subject, schema in found.items() if subject not in self.declared}

    def wanted(self) -> list[Wanted]:
        pipeline = self.pipeline
        contracts = [Id("contract", subject) for subject in (*self.schemas, *self.declared)]
        return [
            *(_input(topic) for topic in self.inputs),
            *(_contract(subject, schema) for subject, schema in self.schemas.items()),
            *wanted_contracts(self.declared.values(), self.kms_key),
            *(self._table(table, statement) for table, statement in pipeline.created_tables.items()),
            *(self._statement(one, contracts) for one in pipeline.statements if one.runs),
            *(self._copy(topic) for topic in pipeline.tableflow_topics),
        ]

    def _table(self, table: str, created_by: Statement) -> Wanted:
        """The topic of a table that statements fill."""
        filled_by = {Id("statement", one.name) for one in self.pipeline.writers([table])}
        definition = created_by.text.partition("\nAS\n")[0]
        return Wanted(
            Id("topic", table),
            digest_of(definition),
            comes_from=frozenset(filled_by),
            holds=f"topic {table}",
            text=f"{definition};",
        )

    def _statement(self, statement: Statement, contracts: Collection[Id]) -> Wanted:
        uses = self.pipeline.used(statement)
        writes = {table for table in uses if self.pipeline.writes(statement, table)}
        statements = (one for one in self.pipeline.statements if not one.sets_retention)
        tables = [one.text for one in statements if not one.runs or one.created_table]
        about = [text for text in tables if any(name in text for name in uses)]
        needs = {Id("topic", name) for name in uses}
        needs |= {id_ for id_ in contracts if id_.name.rpartition("-")[0] in uses}
        if statement.name == DEDUPLICATION:
            # payments follow when the orders are read: docs/decisions/0006
            needs.add(Id("statement", JOIN))
        reads = [name for name in uses if name not in writes]
        comes_from = {Id("topic", name) for name in reads}
        if statement.name == DEDUPLICATION and not self.holds_back:
            # a join that is made anew must not find the payments there before it has read their orders
            comes_from.add(Id("statement", JOIN))
        flow = f"{reads[0]} > {min(writes)}" if statement.is_stateless and len(reads) == len(writes) == 1 else ""
        digest = digest_of([statement.text, dict(statement.properties), about])
        return Wanted(
            Id("statement", statement.name),
            f"{flow}: {digest}" if flow else digest,
            needs=frozenset(needs),
            comes_from=frozenset(comes_from),
            keeps_state=not flow,
            flow=flow,
            text="\n\n".join([*(f"{one};" for one in about if one.startswith("ALTER TABLE")), statement.script]),
        )

    def _copy(self, topic: str) -> Wanted:
        created = self.pipeline.created_tables.get(topic)
        source = next((one for one in self.pipeline.topics if one.name == topic), None)
        shape = created.text.partition("\nAS\n")[0] if created else source.value if source else None
        read = frozenset({Id("topic", topic)})
        return Wanted(
            Id("tableflow", topic),
            digest_of(shape),
            needs=read,
            comes_from=read,
            holds=f"Iceberg table {topic}",
            keeps_state=True,
            text=shape if isinstance(shape, str) else readable(shape),
        )


def _input(topic: InputTopic) -> Wanted:
    shape = {"partitions": topic.partitions}
    return Wanted(
        Id("topic", topic.name), digest_of(topic.partitions), holds=f"topic {topic.name}", text=readable(shape)
    )


def _contract(subject: str, schema: Mapping[str, Any]) -> Wanted:
    topic = subject.rpartition("-")[0]
    holds = f"contract {subject}, by which {topic} is read"
    return Wanted(Id("contract", subject), digest_of(schema), holds=holds, data=topic, text=readable(schema))
