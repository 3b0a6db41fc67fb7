"""The keys of the DEK registry, in the same SQLite file as the schemas: what a key is, and how it is kept."""

import json
from dataclasses import dataclass
from typing import Any

from dashboard.local.registry.store import Store


@dataclass(frozen=True)
class Kek:
    """A key encryption key: where it is to be found; the key itself never leaves its KMS."""

    name: str
    kms_type: str
    kms_key_id: str
    kms_props: dict[str, str]
    doc: str | None
    ts_ms: int
    """When it was last changed, its deletion and undeletion included."""
    deleted: bool = False


@dataclass(frozen=True)
class DekId:
    """What tells one data encryption key from another."""

    kek: str
    subject: str
    algorithm: str
    version: int


@dataclass(frozen=True)
class Dek:
    """A data encryption key, encrypted by its kek."""

    id: DekId
    encrypted_material: str
    """As the client sent it."""
    ts_ms: int
    """When it was last changed; a client that rotates keys counts their age from here."""
    deleted: bool = False


class KeyStore:
    """Keys by their names; the store is the caller's to close, and its transactions hold here too."""

    def __init__(self, store: Store) -> None:
        self._rows = store.rows
        self.transaction = store.transaction

    def keks(self) -> list[Kek]:
        """Every kek, the soft deleted ones too, by name."""
        return [_kek(row) for row in self._rows("SELECT * FROM keks ORDER BY name")]

    def kek(self, name: str) -> Kek | None:
        rows = self._rows("SELECT * FROM keks WHERE name = ?", name)
        return _kek(rows[0]) if rows else None

    def put_kek(self, kek: Kek) -> None:
        """Makes it, or puts it in the place of the one of this name."""
        parts = (kek.name, kek.kms_type, kek.kms_key_id, json.dumps(kek.kms_props), kek.doc, kek.ts_ms, kek.deleted)
        self._rows("INSERT OR REPLACE INTO keks VALUES (?, ?, ?, ?, ?, ?, ?)", *parts)

    def erase_kek(self, name: str) -> None:
        self._rows("DELETE FROM keks WHERE name = ?", name)

    def keks_of_subjects(self) -> list[tuple[str, str, bool]]:
        """Each kek with each subject it has deks of, and whether those are all soft deleted."""
        rows = self._rows("SELECT kek, subject, MIN(deleted) FROM deks GROUP BY kek, subject ORDER BY kek, subject")
        return [(kek, subject, bool(deleted)) for kek, subject, deleted in rows]

    def versions(self, kek: str, subject: str, algorithm: str) -> list[Dek]:
        """The versions of one dek, the soft deleted ones too, oldest first."""
        wanted = "SELECT * FROM deks WHERE kek = ? AND subject = ? AND algorithm = ? ORDER BY version"
        return [_dek(row) for row in self._rows(wanted, kek, subject, algorithm)]

    def put_dek(self, dek: Dek) -> None:
        """Makes it, or puts it in the place of the one with this id."""
        own = (dek.id.kek, dek.id.subject, dek.id.algorithm, dek.id.version)
        kept = (dek.encrypted_material, dek.ts_ms, dek.deleted)
        self._rows("INSERT OR REPLACE INTO deks VALUES (?, ?, ?, ?, ?, ?, ?)", *own, *kept)

    def erase_dek(self, dek: DekId) -> None:
        where = "DELETE FROM deks WHERE kek = ? AND subject = ? AND algorithm = ? AND version = ?"
        self._rows(where, dek.kek, dek.subject, dek.algorithm, dek.version)

    def counted(self) -> tuple[int, int]:
        """How many keks and how many deks there are, the soft deleted ones included."""
        keks, deks = self._rows("SELECT (SELECT COUNT(*) FROM keks), (SELECT COUNT(*) FROM deks)")[0]
        return int(keks), int(deks)


def _kek(row: tuple[Any, ...]) -> Kek:
    name, kms_type, kms_key_id, kms_props, doc, ts_ms, deleted = row
    return Kek(name, kms_type, kms_key_id, json.loads(kms_props), doc, ts_ms, deleted=bool(deleted))


def _dek(row: tuple[Any, ...]) -> Dek:
    kek, subject, algorithm, version, encrypted_material, ts_ms, deleted = row
    return Dek(DekId(kek, subject, algorithm, version), encrypted_material, ts_ms, deleted=bool(deleted))
