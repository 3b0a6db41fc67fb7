"""The registry's memory: schemas, versions, soft deletes and settings in one SQLite file.

Written in WAL mode with synchronous=NORMAL: what was answered survives the death of the process at any moment.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_TABLES = Path(__file__).with_name("tables.sql")
_GUIDS = uuid.UUID("2c1a6a0e-6f0b-5d0e-9d0c-4a3b7f1e5a11")


@dataclass(frozen=True)
class Contract:
    """A schema with all that makes it different from another one."""

    text: str
    """Compact JSON."""
    references: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] | None = None
    """As sent; None means that the schema has none."""
    rule_set: dict[str, Any] | None = None
    """As sent; None means never given, an empty one means removed."""

    @property
    def guid(self) -> str:
        """A UUID made from the contract: the same contract has the same one in every registry of this kind."""
        parts = [self.text, self.references, self.metadata, self.rule_set]
        return str(uuid.uuid5(_GUIDS, json.dumps(parts, sort_keys=True)))


@dataclass(frozen=True)
class Registered:
    """A contract under its subject."""

    subject: str
    version: int
    schema_id: int
    contract: Contract
    deleted: bool


class Store:
    """One connection, one caller at a time."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_TABLES.read_text(encoding="utf-8"))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else in between."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                # a full disk has rolled back by itself
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def subjects(self) -> dict[str, bool]:
        """Every subject by name, and whether all its versions are soft deleted."""
        rows = self.rows("SELECT subject, MIN(deleted) FROM versions GROUP BY subject ORDER BY subject")
        return {subject: bool(deleted) for subject, deleted in rows}

    def versions(self, subject: str) -> list[Registered]:
        """All versions of a subject, the soft deleted ones too, oldest first."""
        rows = self.rows("SELECT * FROM registered WHERE subject = ? ORDER BY version", subject)
        return [_registered(row) for row in rows]

    def uses(self, schema_id: int) -> list[Registered]:
        """Every version, the soft deleted ones too, that carries this id; empty if the id is unknown."""
        rows = self.rows("SELECT * FROM registered WHERE id = ? ORDER BY subject, version", schema_id)
        return [_registered(row) for row in rows]

    def id_of(self, guid: str) -> int | None:
        rows = self.rows("SELECT id FROM schemas WHERE guid = ?", guid)
        return int(rows[0][0]) if rows else None

    def referrers(self, subject: str, version: int) -> list[Registered]:
        """Every version, the soft deleted ones too, whose schema references this one."""
        source = "SELECT r.* FROM registered AS r, json_each(r.refs) AS ref WHERE ref.value ->> 'subject' = ?"
        rows = self.rows(f"{source} AND ref.value ->> 'version' = ? ORDER BY r.id", subject, version)
        return [_registered(row) for row in rows]

    def add(self, subject: str, version: int, contract: Contract) -> Registered:
        """A new version; the contract keeps its id if it already has one."""
        schema_id = self.id_of(contract.guid)
        if schema_id is None:
            columns = "INSERT INTO schemas (guid, text, refs, metadata, rule_set) VALUES (?, ?, ?, ?, ?) RETURNING id"
            kept = (json.dumps(contract.references), _dumped(contract.metadata), _dumped(contract.rule_set))
            schema_id = int(self.rows(columns, contract.guid, contract.text, *kept)[0][0])
        self.rows("INSERT INTO versions (subject, version, schema_id) VALUES (?, ?, ?)", subject, version, schema_id)
        return Registered(subject, version, schema_id, contract, deleted=False)

    def soft_delete(self, subject: str, version: int) -> None:
        self.rows("UPDATE versions SET deleted = 1 WHERE subject = ? AND version = ?", subject, version)

    def erase(self, subject: str, version: int) -> None:
        """Forget a version, its schema once nothing carries it, and the settings of a subject that is gone."""
        self.rows("DELETE FROM versions WHERE subject = ? AND version = ?", subject, version)
        self.rows("DELETE FROM schemas WHERE id NOT IN (SELECT schema_id FROM versions)")
        self.rows("DELETE FROM settings WHERE subject = ?1 AND ?1 NOT IN (SELECT subject FROM versions)", subject)

    def setting(self, name: Literal["compatibility", "mode"], subject: str = "") -> str | None:
        """A setting of the subject, or of the whole registry for the empty subject; None if it is not set."""
        rows = self.rows("SELECT compatibility, mode FROM settings WHERE subject = ?", subject)
        return rows[0][("compatibility", "mode").index(name)] if rows else None

    def set_setting(self, name: Literal["compatibility", "mode"], value: str | None, subject: str = "") -> None:
        with self.transaction():
            self.rows("INSERT OR IGNORE INTO settings (subject) VALUES (?)", subject)
            if name == "mode":
                self.rows("UPDATE settings SET mode = ? WHERE subject = ?", value, subject)
            else:
                self.rows("UPDATE settings SET compatibility = ? WHERE subject = ?", value, subject)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a statement answers; for the parts of this memory that have a module of their own."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()


def _dumped(part: dict[str, Any] | None) -> str | None:
    return None if part is None else json.dumps(part)


def _registered(row: tuple[Any, ...]) -> Registered:
    subject, version, schema_id, _, text, references, metadata, rule_set, deleted = row
    contract = Contract(
        text=text,
        references=tuple(json.loads(references)),
        metadata=None if metadata is None else json.loads(metadata),
        rule_set=None if rule_set is None else json.loads(rule_set),
    )
    return Registered(subject, version, schema_id, contract, deleted=bool(deleted))
