"""Renders the pipeline's Confluent Cloud SQL for open-source Flink. The logic stays in pipeline_sql/; this layer adds

- the connector's options, which Confluent Cloud knows by itself;
- the tables of topics that others write, from their Avro schemas, with `$rowtime` and its watermark;
- TIMESTAMP(3) for TIMESTAMP_LTZ(3): the avro-confluent format of Flink 2.1 refuses the latter, and in a session
  pinned to UTC both carry the same instants;
- CREATE TABLE … AS as CREATE TABLE and INSERT: tables live as long as a gateway session here, so every session
  makes those it needs, and a resumed statement must not create its own again;
- state TTL, statement name, checkpoints and recovery as session properties.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from dashboard.deploy.pipeline import InputTopic, Statement
from dashboard.errors import DeployError

_ROWTIME = re.compile(r"(?<!`)\$rowtime\b")
_LTZ = re.compile(r"TIMESTAMP_LTZ\(3\)")
_AVRO_TYPES = {"int": "INT", "long": "BIGINT", "double": "DOUBLE", "string": "STRING", "boolean": "BOOLEAN"}
_DURATION = re.compile(r"\s*(?P<count>\d+)\s*(?P<unit>[A-Za-z]*)\s*")
# as in Flink's TimeUtils; a number without a unit is in milliseconds there
_UNITS = {
    "days": ("d", "day", "days"),
    "hours": ("h", "hour", "hours"),
    "minutes": ("m", "min", "minute", "minutes"),
    "seconds": ("s", "sec", "second", "seconds"),
    "milliseconds": ("", "ms", "milli", "millis", "millisecond", "milliseconds"),
}
_PROPERTIES = {"sql.state-ttl": "table.exec.state.ttl"}

_SYSTEM_COLUMNS = [
    "`$rowtime` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL",
    "`$$partition` INT METADATA FROM 'partition' VIRTUAL",
    "`$$offset` BIGINT METADATA FROM 'offset' VIRTUAL",
]
_DEFAULT_WATERMARK = "WATERMARK FOR `$rowtime` AS `$rowtime` - INTERVAL '5' SECOND"
"""Stands for the watermark that Confluent Cloud gives a table by itself."""

AT_GROUP_OFFSETS = {"scan.startup.mode": "group-offsets", "properties.auto.offset.reset": "earliest"}
"""For a statement without state: where there is no snapshot, what its group committed tells all that it knew."""

TRANSACTION_TIMEOUT = timedelta(days=7)
"""A stack that sleeps longer loses what was prepared; the broker must allow as much."""


@dataclass(frozen=True)
class Addresses:
    """Where the statements, which run inside Flink, find the other systems."""

    bootstrap: str
    registry: str
    catalog: str
    namespace: str
    """The Kafka cluster's id: the namespace of its Iceberg tables, as with Tableflow."""
    state: str
    """Folder of checkpoints and savepoints, as a URI that Flink can write."""
    kafka_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More of Kafka's client, such as how to log in; holds a password, which Flink's own messages leave out."""
    registry_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More of the format avro-confluent, without its prefix; as secret."""


def session_properties(statement_name: str, more: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """What a session needs so that a statement run in it has its name, its state and its settings."""
    return {
        "execution.runtime-mode": "streaming",
        "table.local-time-zone": "UTC",
        "table.exec.sink.not-null-enforcer": "ERROR",
        "pipeline.name": statement_name,
        "execution.checkpointing.dir": f"{addresses.state}/{statement_name}",
        "execution.checkpointing.savepoint-dir": f"{addresses.state}/{statement_name}",
        **{_PROPERTIES.get(key, key): value for key, value in more.items()},
    }


def input_columns(topic: InputTopic) -> str:
    """`CREATE TABLE name (…` of a topic that others write, as Confluent Cloud infers it from the registry."""
    if topic.value is None:
        raise DeployError(f"The topic {topic.name} has no Avro schema, so no statement can read it.")
    columns = ",\n    ".join(f"`{field['name']}` {_flink_type(field['type'])}" for field in topic.value["fields"])
    return f"CREATE TABLE `{topic.name}` (\n    {columns}"


def created_columns(statement: Statement) -> str:
    """`CREATE TABLE name (…` as it stands in the file, without the query of a CREATE TABLE … AS."""
    return statement.text.partition("\nAS\n")[0].rstrip().removesuffix(")").rstrip()


def kafka_table(
    columns: str,
    topic: str,
    user: str,
    addresses: Addresses,
    *,
    bounded: bool,
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The whole CREATE TABLE of a topic for a session of the statement `user`, from its canonical columns.

    `more` are further options of the connector.
    """
    parts = [_LTZ.sub("TIMESTAMP(3)", columns), *_SYSTEM_COLUMNS]
    if "WATERMARK FOR" not in columns:
        parts.append(_DEFAULT_WATERMARK)
    connector = _kafka_options(topic, user, addresses) | ({"scan.bounded.mode": "latest-offset"} if bounded else {})
    return ",\n    ".join(parts) + f"\n) WITH (\n{options(connector | dict(more))}\n)"


def shape_table(columns: str) -> str:
    """A table of the canonical columns that holds nothing: it is made to be described."""
    return f"{columns}\n) WITH ('connector' = 'blackhole')"


def running_statement(statement: Statement) -> str:
    """The INSERT that goes on running."""
    if statement.kind == "create table as":
        query = statement.text.partition("\nAS\n")[2]
        return f"INSERT INTO {statement.created_table}\n{_ROWTIME.sub('`$rowtime`', query)}"
    return _ROWTIME.sub("`$rowtime`", statement.text)


def altering_statement(statement: Statement) -> str | None:
    """An ALTER TABLE for this session; None for one that only Confluent Cloud knows or that alters no input."""
    return statement.text if " MODIFY WATERMARK " in statement.text else None


def _flink_type(avro: Any) -> str:
    if isinstance(avro, list):
        (other,) = (branch for branch in avro if branch != "null")
        return _flink_type(other).removesuffix(" NOT NULL")
    if isinstance(avro, dict):
        if avro.get("logicalType") == "timestamp-millis":
            return "TIMESTAMP_LTZ(3) NOT NULL"
        avro = avro["type"]
    if avro not in _AVRO_TYPES:
        raise DeployError(f"The Avro type {avro!r} has no column type here.", "Add it to deploy/open_source.py.")
    return f"{_AVRO_TYPES[avro]} NOT NULL"


def _kafka_options(topic: str, user: str, addresses: Addresses) -> dict[str, str]:
    milliseconds = int(TRANSACTION_TIMEOUT.total_seconds() * 1000)
    return {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": addresses.bootstrap,
        **{f"properties.{key}": value for key, value in addresses.kafka_options.items()},
        "properties.group.id": user,
        "properties.isolation.level": "read_committed",
        # small fetches, so that while it catches up no partition runs hours of event time ahead of another
        "properties.max.partition.fetch.bytes": "65536",
        "scan.startup.mode": "earliest-offset",
        "value.format": "avro-confluent",
        "value.avro-confluent.url": addresses.registry,
        **{f"value.avro-confluent.{key}": value for key, value in addresses.registry_options.items()},
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": user,
        # the default makes a new id at each checkpoint, each of which the broker remembers for days
        "sink.transaction-naming-strategy": "POOLING",
        "properties.transaction.timeout.ms": str(milliseconds),
    }


def flink_duration(text: str) -> timedelta:
    """What Flink reads in `1 h`, `90 min` or `3600 s`; raises DeployError for what it would not read."""
    match = _DURATION.fullmatch(text)
    unit = next((unit for unit, names in _UNITS.items() if match and match["unit"].lower() in names), None)
    if match is None or unit is None:
        raise DeployError(f"{text!r} is not a duration of Flink.", "Write it such as '1 h', '90 min' or '3600 s'.")
    return timedelta(**{unit: int(match["count"])})


def options(values: Mapping[str, str]) -> str:
    """The lines of a WITH clause; a quote in a value is doubled."""
    return ",\n".join(f"    '{key}' = '{_quoted(value)}'" for key, value in values.items())


def _quoted(value: str) -> str:
    return value.replace("'", "''")
