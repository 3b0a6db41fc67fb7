"""A table's columns: their types as INFORMATION_SCHEMA spells them, and as Avro carries them.

Sources: ColumnsStreamProvider of Confluent's Flink planner, which builds INFORMATION_SCHEMA.COLUMNS; the page
"Data Type Mappings" of Confluent Cloud for Apache Flink.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST = 2**31 - 1
_NAMESPACE = "org.apache.flink.avro.generated.record"
_PLAIN = {
    "INT": "int",
    "SMALLINT": "int",
    "TINYINT": "int",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
}
_LOGICAL = {
    "timestamp-millis": "TIMESTAMP(3) WITH LOCAL TIME ZONE",
    "timestamp-micros": "TIMESTAMP(6) WITH LOCAL TIME ZONE",
    "local-timestamp-millis": "TIMESTAMP(3)",
    "local-timestamp-micros": "TIMESTAMP(6)",
    "date": "DATE",
    "time-millis": "TIME(3)",
}
_FROM_AVRO = {
    "int": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "string": f"VARCHAR({_LONGEST})",
    "bytes": f"VARBINARY({_LONGEST})",
}


@dataclass(frozen=True)
class Column:
    """One column; its type is written as INFORMATION_SCHEMA writes FULL_DATA_TYPE, without NOT NULL."""

    name: str
    full_type: str
    nullable: bool = True
    metadata: bool = False
    metadata_key: str | None = None
    virtual: bool = False
    expression: str | None = None
    """Of a computed column."""
    comment: str | None = None
    hidden: bool = False

    @property
    def physical(self) -> bool:
        return not self.metadata and self.expression is None

    @property
    def root(self) -> str:
        """INFORMATION_SCHEMA's DATA_TYPE."""
        if self.full_type.endswith("WITH LOCAL TIME ZONE"):
            return "TIMESTAMP_LTZ"
        root = re.split(r"[(<]", self.full_type)[0]
        return "INTEGER" if root == "INT" else root

    def described(self) -> dict[str, Any]:
        """As the traits of a statement tell it."""
        return {"name": self.name, "type": {"type": self.root, "nullable": self.nullable}}


# on read access each table has it, after its own columns
ROWTIME = Column(
    "$rowtime",
    "TIMESTAMP(3) WITH LOCAL TIME ZONE",
    nullable=False,
    metadata=True,
    virtual=True,
    comment="SYSTEM",
    hidden=True,
)


def full_type(text: str) -> str:
    """A type as the catalog keeps it: STRING and TIMESTAMP_LTZ are only other words."""
    text = re.sub(r"\s*([(),<>])\s*", r"\1", text.strip()).replace(",", ", ")
    text = re.sub(r"(?i)^TIMESTAMP_LTZ$", "TIMESTAMP_LTZ(6)", text)
    text = re.sub(r"(?i)^TIMESTAMP_LTZ\((\d)\)$", r"TIMESTAMP(\1) WITH LOCAL TIME ZONE", text)
    text = re.sub(r"(?i)^(TIMESTAMP\(\d\))WITH", r"\1 WITH", text)
    words = {
        "STRING": f"VARCHAR({_LONGEST})",
        "BYTES": f"VARBINARY({_LONGEST})",
        "INTEGER": "INT",
        "TIMESTAMP": "TIMESTAMP(6)",
        "DECIMAL": "DECIMAL(10, 0)",
    }
    return words.get(text.upper(), text if "<" in text else text.upper())


def avro_schema(table: str, part: str, columns: Sequence[Column]) -> str:
    """The schema that Flink registers for `<table>-value` or `<table>-key`."""
    name = f"{re.sub(r'[^A-Za-z0-9_]', '_', table)}_{part}"
    fields = [_avro_field(column) for column in columns]
    return json.dumps({"type": "record", "name": name, "namespace": _NAMESPACE, "fields": fields})


def columns_of(schema: str, *, key: bool = False) -> list[Column]:
    """What Flink infers from a topic's schema; a key is never null."""
    record = json.loads(schema)
    return [_column(field, key=key) for field in record["fields"]]


def shape(schema: str) -> list[tuple[str, str]]:
    """Names and types alone: what Flink compares when a subject is there before its table."""
    return [(field["name"], _bare(field["type"])) for field in json.loads(schema)["fields"]]


def _bare(kind: Any) -> str:
    if isinstance(kind, list):
        return "|".join(_bare(one) for one in kind)
    if isinstance(kind, dict):
        extras = [str(kind[key]) for key in ("logicalType", "precision", "scale") if key in kind]
        return ":".join([str(kind["type"]), *extras])
    return str(kind)


def _avro_field(column: Column) -> dict[str, Any]:
    kind = _avro_type(column.full_type)
    if column.nullable:
        return {"name": column.name, "type": ["null", kind], "default": None}
    return {"name": column.name, "type": kind}


def _avro_type(text: str) -> Any:
    if text in _PLAIN:
        return _PLAIN[text]
    for logical, spelled in _LOGICAL.items():
        if text == spelled:
            return {"type": "int" if logical in ("date", "time-millis") else "long", "logicalType": logical}
    if decimal := re.fullmatch(r"DECIMAL\((\d+), (\d+)\)", text):
        precision, scale = map(int, decimal.groups())
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    return "bytes" if text.startswith(("VARBINARY", "BINARY")) else "string"


def _column(field: dict[str, Any], *, key: bool) -> Column:
    kind = field["type"]
    nullable = isinstance(kind, list) and "null" in kind
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    return Column(field["name"], _sql_type(kind), nullable=nullable and not key)


def _sql_type(kind: Any) -> str:
    if isinstance(kind, dict):
        if kind.get("logicalType") == "decimal":
            return f"DECIMAL({kind['precision']}, {kind.get('scale', 0)})"
        plain = str(kind["type"])
        return _LOGICAL.get(kind.get("logicalType", ""), _FROM_AVRO.get(plain, plain.upper()))
    return _FROM_AVRO.get(str(kind), str(kind).upper())
