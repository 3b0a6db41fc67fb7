"""Contracts and the keys that they encrypt with, in a registry that knows rules.

A key encrypts the keys of fields. It is made before the contract that names it: rules that are registered without it
would let the first writer make one of its own, or keep every writer out.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.deploy.contract import ENCRYPT, TAGS, Declaration, told_of
from dashboard.deploy.resources import Found, Id, Wanted, digest_of, readable
from dashboard.errors import ContractError, SettingsError
from dashboard.remotes.cloud_registry import CloudRegistry, Kek, Subject


@dataclass(frozen=True)
class KmsKey:
    """A key in a cloud's key management, which never leaves it."""

    id: str
    """On AWS its ARN."""
    type: str = "aws-kms"


def wanted_contracts(declared: Iterable[Declaration], kms_key: KmsKey | None) -> list[Wanted]:
    """Contracts, and the keys that they name."""
    contracts = list(declared)
    keys = sorted({one.key for one in contracts if one.key})
    return [*(_wanted_key(name, kms_key) for name in keys), *map(_wanted_contract, contracts)]


def _wanted_key(name: str, kms_key: KmsKey | None) -> Wanted:
    holds = f"key {name}, without which what it encrypted can never be read"
    facts = [kms_key.type, kms_key.id] if kms_key else []
    return Wanted(Id("key", name), digest_of(facts), holds=holds, text=readable(facts))


def _wanted_contract(declared: Declaration) -> Wanted:
    topic = declared.subject.removesuffix("-value")
    needs = {Id("topic", one) for one in declared.dead_letter_topics}
    return Wanted(
        Id("contract", declared.subject),
        digest_of(declared.facts()),
        needs=frozenset(needs | ({Id("key", declared.key)} if declared.key else set())),
        holds=f"contract {declared.subject}, by which {topic} is read",
        data=topic,
        text=readable(declared.told()),
    )


_NOTHING_TOLD: dict[str, Any] = {"schema": {}, "rules": [], "compatibility": ""}


@dataclass(frozen=True)
class ContractView:
    """A contract as a registry holds it, for people."""

    subject: str
    version: int | None
    """None where the registry has none."""
    fields: list[dict[str, Any]]
    """The schema's fields, as Avro names them, each with `tags`: a list of names."""
    rules: list[dict[str, Any]]
    """In the registry's own words, in the order in which they run."""
    compatibility: str
    """The subject's own level; empty where that of the whole registry counts."""
    key: str
    """Name and place of the key that encrypts; empty where nothing is encrypted."""
    secret: list[str]
    """Names of the fields that the files want encrypted, whether the registry's contract does so or not."""
    differences: dict[str, str]
    """What the files describe otherwise, by part; empty where they agree."""

    @property
    def topic(self) -> str:
        return self.subject.rpartition("-")[0]

    @property
    def encrypts(self) -> bool:
        return any(rule.get("type") == ENCRYPT and not rule.get("disabled") for rule in self.rules)

    @property
    def dead_letter_topics(self) -> list[str]:
        topics = [str((rule.get("params") or {}).get("dlq.topic") or "") for rule in self.rules]
        return list(dict.fromkeys(filter(None, topics)))


def view_of_schema(declared: Declaration, schema: Mapping[str, Any] | None) -> ContractView:
    """Of a registry that is told nothing but schemas."""
    return ContractView(
        subject=declared.subject,
        version=None,
        fields=[{**field, "tags": []} for field in (schema or {}).get("fields", [])],
        rules=[],
        compatibility="",
        key="",
        secret=declared.secret_fields,
        differences={} if schema == declared.schema else {"schema": "changed" if schema else "not registered"},
    )


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

    def found_key(self, wanted: Wanted, *, ours: bool) -> Found | None:
        """Compared by what it is, never by a digest: nothing may replace it, since what it encrypted would be lost."""
        there = self.keys.get(wanted.id.name)
        if there is None:
            return None
        facts: dict[str, str] = {}
        if self._kms_key:
            pairs = (
                ("kms_type", there.kms_type, self._kms_key.type),
                ("kms_key_id", there.kms_key_id, self._kms_key.id),
            )
            facts = {name: f"{has} instead of {meant}" for name, has, meant in pairs if has != meant}
        return Found(wanted.id, ours, None, "ready", facts=facts)

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

    def views(self) -> list[ContractView]:
        """Each declared contract as it was at the last `look`."""
        return [self._view(one) for one in self._declared.values()]

    def _view(self, declared: Declaration) -> ContractView:
        subject, there = declared.subject, self.subjects.get(declared.subject)
        level = self._levels.get(subject)
        told = told_of(there, level) if there else _NOTHING_TOLD
        names = {name for rule in told["rules"] if (name := (rule.get("params") or {}).get("encrypt.kek.name"))}
        keys = [self.keys.get(name) or self._registry.kek(name) for name in sorted(names)]
        return ContractView(
            subject=subject,
            version=there.version if there else None,
            fields=[{**field, "tags": field.get(TAGS) or []} for field in told["schema"].get("fields", [])],
            rules=told["rules"],
            compatibility=told["compatibility"],
            key=", ".join(f"{key.name} ({key.kms_type}, {key.kms_key_id})" for key in keys if key)
            or ", ".join(f"{name}, which does not exist" for name in sorted(names)),
            secret=declared.secret_fields,
            differences=declared.differences(there, level) if there else {},
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
