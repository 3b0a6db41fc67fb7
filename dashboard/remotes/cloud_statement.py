"""A Flink statement of Confluent Cloud as its interface describes it, and the tables that statements work on.

Source: docs.confluent.io/cloud/current/api.html, section "Statements (sql/v1)"; fields that are not named here are
ignored, and one that is missing, null or empty is no fault: what has not begun or has failed has no traits.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from dashboard.errors import DeployError

DATABASE = "sql.current-database"
"""The property that names the Kafka cluster on which a statement works."""
DELETING = "DELETING"
FAILED = frozenset({"FAILED", "FAILING"})
ENDED = frozenset({"COMPLETED", "STOPPED", "FAILED"})
OVER = ENDED | FAILED
_OFFSET = re.compile(r"partition:(?P<partition>\d+),offset:(?P<offset>\d+)")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")


class Column(NamedTuple):
    name: str
    type: str
    """The service's own words; nullability stands beside it."""
    nullable: bool


class ServiceWarning(NamedTuple):
    severity: str
    """LOW, MODERATE or CRITICAL."""
    reason: str
    message: str


@dataclass(frozen=True)
class Statement:
    """One statement as it was when asked."""

    name: str
    text: str
    properties: Mapping[str, str] = field(repr=False)
    """May hold secrets."""
    labels: Mapping[str, str]
    phase: str
    """The service's word: PENDING, RUNNING, COMPLETED, STOPPED, FAILED, …; new ones may come."""
    detail: str
    """Why it failed; in PENDING a passing message, which is no failure."""
    stopped: bool
    """What was asked for; the phase follows later."""
    sql_kind: str
    """Such as CREATE_TABLE_AS; empty while the service does not know."""
    is_append_only: bool | None
    """None while the service does not know."""
    upsert_columns: tuple[int, ...]
    """Positions of the columns by which later rows replace earlier ones; none where nothing tells them apart."""
    columns: tuple[Column, ...]
    """Of its answer; none while the service does not know, and where there is no answer."""
    warnings: tuple[ServiceWarning, ...]
    scaling_state: str
    """OK, PENDING_SCALE_UP, PENDING_SCALE_DOWN, POOL_EXHAUSTED or empty."""
    latest_offsets: Mapping[str, str]
    """By topic, as `partition:0,offset:100;partition:1,offset:200`; an offset may not fit into 64 bits."""
    created_at: datetime | None
    resource_version: str
    uid: str
    """Empty for a dry run."""
    principal: str
    compute_pool: str

    @property
    def stopping(self) -> bool:
        """Somebody asked it to stop, and it has not ended yet."""
        return self.stopped and self.phase not in OVER


@dataclass(frozen=True)
class Table:
    """A table of the database."""

    columns: tuple[Column, ...] = ()
    """In their order, without hidden ones such as $rowtime."""
    watermark_column: str | None = None
    watermark: str | None = None
    """The expression; SOURCE_WATERMARK() on $rowtime unless another one was set."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Such as changelog.mode; those that the service shows."""


def checked_name(name: str) -> str:
    """The name, if a statement may have it; otherwise raises DeployError."""
    if not _NAME.fullmatch(name):
        raise DeployError(
            f"{name!r} cannot be a statement's name.",
            "Up to 100 lower-case letters, digits and hyphens, with a letter or digit at both ends.",
        )
    return name


def parsed(answer: Mapping[str, Any]) -> Statement:
    spec, status, metadata = (answer.get(part) or {} for part in ("spec", "status", "metadata"))
    traits = status.get("traits") or {}
    schema = traits.get("schema") or {}
    return Statement(
        name=_text(answer, "name"),
        text=_text(spec, "statement"),
        properties=spec.get("properties") or {},
        labels=metadata.get("labels") or {},
        phase=_text(status, "phase"),
        detail=_text(status, "detail"),
        stopped=bool(spec.get("stopped")),
        sql_kind=_text(traits, "sql_kind"),
        is_append_only=traits.get("is_append_only"),
        upsert_columns=tuple(traits.get("upsert_columns") or ()),
        columns=tuple(
            Column(_text(column, "name"), _type(column.get("type") or {}), _nullable(column))
            for column in schema.get("columns") or []
        ),
        warnings=tuple(
            ServiceWarning(_text(one, "severity"), _text(one, "reason"), _text(one, "message"))
            for one in status.get("warnings") or []
        ),
        scaling_state=_text(status.get("scaling_status") or {}, "scaling_state"),
        latest_offsets={topic: str(offsets) for topic, offsets in (status.get("latest_offsets") or {}).items()},
        created_at=moment(_text(metadata, "created_at")),
        resource_version=_text(metadata, "resource_version"),
        uid=_text(metadata, "uid"),
        principal=_text(spec, "principal"),
        compute_pool=_text(spec, "compute_pool_id"),
    )


def read_offsets(statement: Statement) -> dict[str, dict[int, int]]:
    """Of each topic and partition the offset that a statement has come to; what cannot be read is left out."""
    return {
        topic: {int(one["partition"]): int(one["offset"]) for one in _OFFSET.finditer(text)}
        for topic, text in statement.latest_offsets.items()
    }


def tables_of(rows: Iterable[Mapping[str, str | None]]) -> dict[str, Table]:
    """The tables from what pipeline_sql/catalog/tables.sql found."""
    columns: dict[str, list[tuple[int, Column]]] = {}
    options: dict[str, dict[str, str]] = {}
    watermarks: dict[str, tuple[str | None, str | None]] = {}
    for row in rows:
        table, name, value = row["table_name"] or "", row["item_name"] or "", row["item_value"]
        if row["part"] == "table":
            watermarks[table] = (row["item_name"], value)
        elif row["part"] == "option":
            options.setdefault(table, {})[name] = value or ""
        else:
            column = Column(name, value or "", row["is_nullable"] == "YES")
            columns.setdefault(table, []).append((int(row["ordinal_position"] or 0), column))
    return {
        table: Table(tuple(column for _, column in sorted(columns.get(table, []))), *watermark, options.get(table, {}))
        for table, watermark in watermarks.items()
    }


def moment(text: str) -> datetime | None:
    """None also for the year 1, which stands for never."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.year > 1 else None


def _text(part: Mapping[str, Any], key: str) -> str:
    value = part.get(key)
    return "" if value is None else str(value)


def _nullable(column: Mapping[str, Any]) -> bool:
    return bool((column.get("type") or {}).get("nullable", True))


def _type(described: Mapping[str, Any]) -> str:
    sizes = [str(described[size]) for size in ("length", "precision", "scale") if described.get(size) is not None]
    return _text(described, "type") + (f"({', '.join(sizes)})" if sizes else "")
