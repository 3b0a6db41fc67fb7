"""What a DEK registry promises about keys: who may take a name, what a delete leaves, and what comes back from it.

No key of any KMS is known here, so nothing is encrypted or decrypted: a shared kek, for which the registry itself would
use the KMS, is refused.
Source: AbstractDekRegistry.java and DekRegistryResource.java of Confluent Schema Registry @794611bd.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboard.local.registry.key_store import Dek, DekId, Kek, KeyStore
from dashboard.local.registry.refusals import (
    KeyExists,
    KeyInvalid,
    KeyNotSoftDeleted,
    KeyReferenced,
    KeySoftDeleted,
    KeyUnknown,
    TooManyKeys,
)

ALGORITHMS = ("AES256_GCM", "AES128_GCM", "AES256_SIV")
"""The first is what counts where none is named."""
MOST_KEYS = 20_000
_NAME_MAX_LENGTH = 256
_KEY_IDS = {
    "aws-kms": ("arn:aws:kms:",),
    "azure-kms": ("https://",),
    "gcp-kms": ("projects/",),
    "hcvault": ("https://", "http://"),
}


class Keys:
    """The keys of one registry."""

    def __init__(self, store: KeyStore) -> None:
        self.store = store

    def kek(self, name: str, *, deleted: bool = False) -> Kek:
        """A kek that is there, or with `deleted` one that is in the bin as well."""
        check_name(name)
        kek = self.store.kek(name)
        if kek is None or (kek.deleted and not deleted):
            raise KeyUnknown(name)
        return kek

    def create_kek(self, kek: Kek) -> Kek:
        """A new kek; the very same one comes back from the bin, another of its name is refused."""
        check_name(kek.name)
        if not kek.kms_key_id.startswith(_KEY_IDS.get(kek.kms_type, ("",))):
            raise KeyInvalid("kmsKeyId", f"One of {kek.kms_type} begins with {' or '.join(_KEY_IDS[kek.kms_type])}")
        made = replace(kek, kms_type=_normal(kek.kms_type), ts_ms=_now_ms())
        with self.store.transaction():
            if self.store.counted()[0] >= MOST_KEYS:
                raise TooManyKeys(MOST_KEYS)
            known = self.store.kek(kek.name)
            if known and not (known.deleted and replace(known, ts_ms=made.ts_ms, deleted=False) == made):
                raise KeyExists(kek.name)
            self.store.put_kek(made)
        return made

    def change_kek(self, name: str, changes: Mapping[str, Any]) -> Kek:
        """The kek with other `kms_props` or another `doc`; which key of the KMS it is never changes."""
        with self.store.transaction():
            known = self.kek(name)
            changed = replace(known, **changes)
            if changed == known:
                return known
            changed = replace(changed, ts_ms=_now_ms())
            self.store.put_kek(changed)
        return changed

    def delete_kek(self, name: str, *, permanent: bool) -> None:
        """Into the bin, or for good out of it; neither while it has deks, for good also none in the bin."""
        with self.store.transaction():
            known = self.kek(name, deleted=True)
            if self.subjects(name, deleted=permanent):
                raise KeyReferenced(name)
            if permanent and not known.deleted:
                raise KeyNotSoftDeleted(name)
            if permanent:
                self.store.erase_kek(name)
            elif not known.deleted:
                self.store.put_kek(replace(known, ts_ms=_now_ms(), deleted=True))

    def undelete_kek(self, name: str) -> None:
        with self.store.transaction():
            known = self.kek(name, deleted=True)
            if known.deleted:
                self.store.put_kek(replace(known, ts_ms=_now_ms(), deleted=False))

    def subjects(self, kek: str, *, deleted: bool) -> list[str]:
        """The subjects that have deks under this kek."""
        all_of_them = self.store.keks_of_subjects()
        return [subject for name, subject, gone in all_of_them if name == kek and (deleted or not gone)]

    def create_dek(self, dek: Dek, *, rewrap: bool = False) -> Dek:
        """A new dek; the very same one comes back from the bin, another with its id is refused.

        Of clients that make one at the same time, one wins: the others are refused and read what it made. With `rewrap`
        the material of a known one is replaced, which is how the same dek is kept under a rotated key of the KMS.
        """
        check_subject(dek.id.subject)
        made = replace(dek, ts_ms=_now_ms())
        with self.store.transaction():
            self.kek(dek.id.kek)
            if self.store.counted()[1] >= MOST_KEYS:
                raise TooManyKeys(MOST_KEYS)
            known = next((one for one in self._versions(dek.id) if one.id == dek.id), None)
            same = known and known.deleted and known.encrypted_material == dek.encrypted_material
            if known and not same and not rewrap:
                raise KeyExists(dek.id.subject)
            if not dek.encrypted_material:
                raise KeyInvalid("encryptedKeyMaterial", "This registry knows no key that it could encrypt one with.")
            self.store.put_dek(made)
        return made

    def dek(self, wanted: DekId, *, latest: bool = False, deleted: bool = False) -> Dek:
        """The dek with this id, or the latest of its versions."""
        self.kek(wanted.kek, deleted=deleted)
        known = [one for one in self._versions(wanted) if deleted or not one.deleted]
        found = known[-1:] if latest else [one for one in known if one.id == wanted]
        if not found:
            raise KeyUnknown(wanted.subject)
        return found[0]

    def dek_versions(self, wanted: DekId, *, deleted: bool) -> list[int]:
        self.kek(wanted.kek, deleted=deleted)
        return [one.id.version for one in self._versions(wanted) if deleted or not one.deleted]

    def delete_deks(self, wanted: DekId, *, every_version: bool, permanent: bool) -> None:
        with self.store.transaction():
            found = self._found(wanted, every_version=every_version)
            if permanent and not all(one.deleted for one in found):
                raise KeyNotSoftDeleted(wanted.subject)
            for one in found:
                if permanent:
                    self.store.erase_dek(one.id)
                elif not one.deleted:
                    self.store.put_dek(replace(one, ts_ms=_now_ms(), deleted=True))

    def undelete_deks(self, wanted: DekId, *, every_version: bool) -> None:
        with self.store.transaction():
            found = self._found(wanted, every_version=every_version)
            if self.kek(wanted.kek, deleted=True).deleted:
                raise KeySoftDeleted(wanted.kek)
            for one in found:
                if one.deleted:
                    self.store.put_dek(replace(one, ts_ms=_now_ms(), deleted=False))

    def _found(self, wanted: DekId, *, every_version: bool) -> Sequence[Dek]:
        """In the bin or not; raises KeyUnknown if there is none."""
        latest_or_wanted = self.dek(wanted, latest=every_version, deleted=True)
        return self._versions(wanted) if every_version else [latest_or_wanted]

    def _versions(self, wanted: DekId) -> list[Dek]:
        check_subject(wanted.subject)
        return self.store.versions(wanted.kek, wanted.subject, wanted.algorithm)


def check_name(name: str) -> None:
    """Raises KeyInvalid for what cannot be the name of a kek; a rule names one, and it stands in paths."""
    first, rest = name[:1], name[1:]
    fine = (first.isalpha() or first == "_") and all(sign.isalnum() or sign in "_-" for sign in rest)
    if not fine or len(name) > _NAME_MAX_LENGTH:
        raise KeyInvalid("name")


def check_subject(subject: str) -> None:
    """Raises KeyInvalid for an empty one or one with control characters."""
    if not subject or any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in subject):
        raise KeyInvalid("subject")


def _normal(kms_type: str) -> str:
    """AWS_KMS and the like are one type with `aws-kms`."""
    known = next((kind for kind in ("aws", "azure", "gcp") if kms_type.lower().startswith(kind)), "")
    return f"{known}-kms" if known else kms_type


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
