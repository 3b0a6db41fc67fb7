"""What the pipeline consists of on Confluent Cloud: topics, contracts, statements, Tableflow, and how they depend."""

from collections.abc import Iterable

from dashboard.deploy.pipeline import InputTopic, Pipeline, Statement
from dashboard.deploy.resources import Id, Wanted, digest_of
from dashboard.remotes.cloud_tableflow import Storage


def wanted_on_confluent(pipeline: Pipeline, storage: Storage) -> list[Wanted]:
    """Everything that we make there. A statement that makes a table stands for the table and its topic."""
    ours = [topic for topic in pipeline.topics if not topic.given]
    return [
        *(Wanted(Id("topic", topic.name), digest_of(topic.partitions), holds=f"topic {topic.name}") for topic in ours),
        *(_contract(topic) for topic in ours if topic.value),
        *(_statement(pipeline, one) for one in pipeline.statements),
        *(_copy(pipeline, topic, storage) for topic in pipeline.tableflow_topics),
    ]


def tables_used(pipeline: Pipeline, statement: Statement) -> list[str]:
    """Topics and tables that a statement names."""
    every = [*(topic.name for topic in pipeline.topics), *pipeline.created_tables]
    return [table for table in every if pipeline.uses(statement, table)]


def _statement(pipeline: Pipeline, statement: Statement) -> Wanted:
    used = tables_used(pipeline, statement)
    makers = [one for one in pipeline.statements if one.created_table in used]
    changers = [one for one in pipeline.statements if one.kind == "alter table" and _names_any(pipeline, one, used)]
    # a table is made before it is altered, and altered before others use it
    before = [*makers, *(changers if statement.kind == "insert" else ())]
    needs = {Id("topic", table) for table in used} | {Id("contract", f"{table}-value") for table in used}
    itself = Id("statement", statement.name)
    return Wanted(
        itself,
        digest_of([statement.text, dict(statement.properties), sorted(one.text for one in (*makers, *changers))]),
        needs=frozenset(needs | _ids(before)) - {itself},
        comes_from=frozenset(_ids(_sources(pipeline, statement, used, makers))) - {itself},
        holds=f"table {statement.created_table}, its topic and its contract" if statement.created_table else "",
        data=statement.created_table or "",
        keeps_state=statement.runs,
    )


def _sources(pipeline: Pipeline, statement: Statement, used: list[str], makers: list[Statement]) -> Iterable[Statement]:
    """What a running statement reads the work of; what fills a table that is only made; what made an altered one."""
    if statement.kind == "alter table":
        return makers
    tables = used if statement.runs else [table for table in used if table == statement.created_table]
    read = [table for table in tables if not pipeline.writes(statement, table)]
    return [one for one in pipeline.statements if any(pipeline.writes(one, table) for table in read)]


def _contract(topic: InputTopic) -> Wanted:
    id_ = Id("contract", f"{topic.name}-value")
    holds = f"contract {id_.name}, by which {topic.name} is read"
    return Wanted(id_, digest_of(topic.value), holds=holds, data=topic.name)


def _copy(pipeline: Pipeline, topic: str, storage: Storage) -> Wanted:
    makers = [one for one in pipeline.statements if one.created_table == topic]
    fillers = [one for one in pipeline.statements if pipeline.writes(one, topic)]
    return Wanted(
        Id("tableflow", topic),
        digest_of(storage.body()),
        needs=frozenset(_ids(makers) | {Id("topic", topic)}),
        comes_from=frozenset(_ids(fillers)),
        holds=f"Iceberg table {topic}",
    )


def _names_any(pipeline: Pipeline, statement: Statement, tables: list[str]) -> bool:
    return any(pipeline.uses(statement, table) for table in tables)


def _ids(statements: Iterable[Statement]) -> set[Id]:
    return {Id("statement", one.name) for one in statements}
