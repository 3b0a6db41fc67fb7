"""Contracts and the keys that they encrypt with, on Confluent Cloud.

A key encrypts the keys of fields. It is made before the contract that names it: rules that are registered without it
would let the first writer make one of its own, or keep every writer out.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.deploy.contract import Declaration, told_of
from dashboard.deploy.resources import Found, Id, Wanted, digest_of, readable
from dashboard.errors import ContractError, SettingsError
from dashboard.remotes.cloud_registry import CloudRegistry, Kek, Subject


@dataclass(frozen=True)
class KmsKey:
    """A key in a cloud's key management, which never leaves it."""

    id: str
    """On AWS its ARN."""
    type: str = "aws-kms"


class Contracts:
    """The contracts of our topics, as they were at the last `look`."""

    def __init__(self, declared: Mapping[str, Declaration], registry: CloudRegistry, kms_key: KmsKey | None) -> None:
        self._declared = declared
        self._registry = registry
        self._kms_key = kms_key
        self.subjects: Mapping[str, Subject] = {}
        self.keys: Mapping[str, Kek] = {}
        self._levels: Mapping[str, str | None] = {}

    def look(self, noted: Mapping[Id, str]) -> None:
        """Pages of schemas, and a request for each key and each level that is set: no listing tells of them."""
        names = {*self._declared, *(id_.name for id_ in noted if id_.kind == "contract")}
        prefix = os.path.commonprefix(sorted(names))  # noqa: RUF071  # of names, which are no paths
        listed = self._registry.all_latest(prefix) if names else {}
        self.subjects = {name: one for name, one in listed.items() if name in names}
        levels = {name for name in self.subjects if name in self._declared and self._declared[name].compatibility}
        self._levels = {name: self._registry.compatibility(name) for name in sorted(levels)}
        keys = {*self._key_names(), *(id_.name for id_ in noted if id_.kind == "key")}
        self.keys = {name: one for name in sorted(keys) if (one := self._registry.kek(name)) is not None}

    def found(self, wanted: Wanted, *, ours: bool) -> Found | None:
        """With what the registry holds otherwise, which makes its digest another one."""
        there, declared = self.subjects.get(wanted.id.name), self._declared[wanted.id.name]
        if there is None:
            return None
        level = self._levels.get(wanted.id.name)
        differences = declared.differences(there, level)
        digest = digest_of(differences) if differences else wanted.digest
        return Found(wanted.id, ours, digest, "ready", facts=differences, text=readable(told_of(there, level)))

    def found_key(self, id_: Id, *, ours: bool) -> Found | None:
        """Compared by what it is, never by a digest: nothing may replace it, since what it encrypted would be lost."""
        there = self.keys.get(id_.name)
        if there is None:
            return None
        facts: dict[str, str] = {}
        if self._kms_key:
            pairs = (
                ("kms_type", there.kms_type, self._kms_key.type),
                ("kms_key_id", there.kms_key_id, self._kms_key.id),
            )
            facts = {name: f"{has} instead of {wanted}" for name, has, wanted in pairs if has != wanted}
        return Found(id_, ours, None, "ready", facts=facts)

    def check_keys(self) -> None:
        """Raises SettingsError for fields that are to be encrypted where no key is given to do it with."""
        encrypting = [one for one in self._declared.values() if one.key]
        if encrypting and self._kms_key is None:
            named = ", ".join(f"{one.subject} encrypts fields with {one.key}" for one in encrypting)
            raise SettingsError(
                f"The contract of {named}, and the setting kms_key_id names no key of a key management.",
                "Set kms_key_id, on AWS to the key's ARN. Its other rules alone are not registered: a record that "
                "breaks one would stand in the dead-letter topic with its secrets in the clear.",
            )

    def check(self, subject: str) -> None:
        """Raises ContractError with the registry's reasons when it would not take the contract."""
        if faults := self._registry.compatible(subject, self._declared[subject].registered()):
            raise ContractError(
                f"The registry would refuse the contract {subject}: {'; '.join(faults)}.",
                "A change must let old records be read; give a new field a default.",
            )

    def make(self, subject: str) -> None:
        """The level comes first: the registry takes or refuses the contract by it."""
        declared = self._declared[subject]
        if declared.compatibility:
            self._registry.set_compatibility(subject, declared.compatibility)
        latest = self._registry.latest(subject)
        if latest is None:
            self._registry.register(subject, declared.registered())
        elif declared.differences(latest, declared.compatibility):
            self._registry.register(subject, declared.registered(latest.version + 1))

    def make_key(self, name: str) -> None:
        self.check_keys()
        if self._kms_key:
            self._registry.create_kek(name, self._kms_key.type, self._kms_key.id)

    def remove(self, subject: str) -> None:
        self._registry.delete(subject)

    def remove_key(self, name: str) -> None:
        """The keys of fields go first: the registry keeps a key on which others depend."""
        self._registry.delete_deks(name)
        self._registry.delete_kek(name)

    def _key_names(self) -> set[str]:
        return {one.key for one in self._declared.values() if one.key}
