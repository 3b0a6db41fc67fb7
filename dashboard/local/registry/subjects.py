"""What a registry promises about a subject: which contract may follow, which id it gets, what a delete leaves behind.

Source: AbstractSchemaRegistry.java and KafkaSchemaRegistry.java of Confluent Schema Registry @794611bd.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from avro.schema import Schema

from dashboard.local.registry.compatibility import LEVELS, compact, incompatibilities, normal, parse_avro
from dashboard.local.registry.refusals import (
    CompatibilityInvalid,
    Incompatible,
    ModeInvalid,
    NotPermitted,
    SchemaInvalid,
    SchemaUnknown,
    StillReferenced,
    SubjectInvalid,
    SubjectNotSoftDeleted,
    SubjectSoftDeleted,
    SubjectUnknown,
    VersionInvalid,
    VersionNotSoftDeleted,
    VersionSoftDeleted,
    VersionUnknown,
)
from dashboard.local.registry.rules import check_rule_set, merged, without
from dashboard.local.registry.store import Contract, Registered, Store
from dashboard.local.registry.tags import TagChange, retagged

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE")
DEFAULT_LEVEL = "BACKWARD"
DEFAULT_MODE = "READWRITE"
LATEST = ("latest", "-1")
_LARGEST_INT = 2**31 - 1
_VERSION_PROPERTY = "confluent:version"


@dataclass(frozen=True)
class Candidate:
    """A schema as a client sends it, before the registry fills in what it left out."""

    text: str
    """Empty means: the text and references of the latest version."""
    references: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] | None = None
    """None means: as the latest version; so with the rule set."""
    rule_set: dict[str, Any] | None = None
    normalize: bool = False

    def filled_from(self, previous: Registered | None) -> Contract:
        """The contract this becomes after `previous`; raises SchemaInvalid if there is no text at all."""
        text, references = self.text, self.references
        if not text.strip():
            if previous is None:
                raise SchemaInvalid("Empty schema")
            text, references = previous.contract.text, previous.contract.references
        inherited = previous.contract if previous else Contract("")
        text = compact(text)
        return Contract(
            text=normal(text) if self.normalize else text,
            references=references,
            metadata=inherited.metadata if self.metadata is None else self.metadata,
            rule_set=inherited.rule_set if self.rule_set is None else self.rule_set,
        )


class Subjects:
    """The subjects of one registry."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, subject: str, candidate: Candidate) -> Registered:
        """The version that carries this contract: the one that already does, or a new one."""
        check_subject(subject)
        if candidate.rule_set is not None:
            check_rule_set(candidate.rule_set)
        with self.store.transaction():
            self._check_writable(subject)
            known = self.store.versions(subject)
            live = [version for version in known if not version.deleted]
            contract = candidate.filled_from(live[-1] if live else None)
            self._parsed(contract)
            return _same(contract, live) or self._added(subject, contract, known)

    def change_tags(self, subject: str, version: str, change: TagChange) -> Registered:
        """A new version: this one with other tags, and with them its metadata and the rules of the latest changed."""
        for rule_set in (change.rule_set, change.rules_to_merge):
            if rule_set is not None:
                check_rule_set(rule_set)
        with self.store.transaction():
            self._check_writable(subject)
            target = self.version(subject, version)
            known = self.store.versions(subject)
            number = known[-1].version + 1
            if change.new_version not in (None, number):
                raise SchemaInvalid(f"Version is not one more than previous version: the next one is {number}")
            rule_set = change.rule_set
            if rule_set is None:
                latest = self.version(subject, LATEST[0]).contract
                rule_set = without(merged(latest.rule_set, change.rules_to_merge), change.rules_to_remove)
                check_rule_set(rule_set or {})
            metadata = (target.contract.metadata if change.metadata is None else change.metadata) or {}
            # with its number in it, it is never taken for one of the versions before
            properties = metadata.get("properties") or {}
            if not isinstance(properties, dict):
                raise SchemaInvalid(f"The properties of metadata are an object, got {properties!r}")
            contract = replace(
                target.contract,
                text=retagged(target.contract.text, change),
                metadata=metadata | {"properties": properties | {_VERSION_PROPERTY: str(number)}},
                rule_set=rule_set,
            )
            return self._added(subject, contract, known)

    def look_up(self, subject: str, candidate: Candidate, *, deleted: bool = False) -> Registered:
        """The version with exactly this contract, or with it once filled in from the latest version."""
        known = self._known(subject, deleted=deleted)
        exact = candidate.filled_from(None)
        self._parsed(exact)
        live = [version for version in known if not version.deleted]
        found = _same(exact, known) or (live and _same(candidate.filled_from(live[-1]), known))
        if not found:
            raise SchemaUnknown
        return found

    def reasons_against(self, subject: str, candidate: Candidate, version: str | None) -> list[str]:
        """Why the schema may not follow this version (None: all versions the level looks at); empty means it may."""
        live = [one for one in self.store.versions(subject) if not one.deleted]
        if version is not None and (live or version not in LATEST):
            live = [self.version(subject, version)]
        parsed = self._parsed(candidate.filled_from(live[-1] if live else None))
        return incompatibilities(self.level(subject), parsed, self._parsed_all(live))

    def version(self, subject: str, version: str, *, deleted: bool = False) -> Registered:
        number = None if version in LATEST else version_number(version)
        known = self._known(subject, deleted=deleted)
        for candidate in reversed(known):
            if number in (None, candidate.version):
                return candidate
        raise VersionUnknown(version)

    def latest_with(self, subject: str, properties: dict[str, str], *, deleted: bool = False) -> Registered:
        """The latest version whose metadata has all these properties."""
        for candidate in reversed(self._known(subject, deleted=deleted)):
            kept = (candidate.contract.metadata or {}).get("properties")
            if kept is not None and properties.items() <= kept.items():
                return candidate
        raise SchemaUnknown

    def delete(self, subject: str, *, permanent: bool) -> list[int]:
        """The versions that went; permanent only after a soft delete."""
        with self.store.transaction():
            self._check_writable(subject)
            known = self.store.versions(subject)
            if not known:
                raise SubjectUnknown(subject)
            gone = known if permanent else [version for version in known if not version.deleted]
            if not gone:
                raise SubjectSoftDeleted(subject)
            if permanent and not all(version.deleted for version in known):
                raise SubjectNotSoftDeleted(subject)
            for version in gone:
                self._check_unreferenced(version, permanent=permanent, within=subject)
            for version in gone:
                self._remove(version, permanent=permanent)
            return [version.version for version in gone]

    def delete_version(self, subject: str, version: str, *, permanent: bool) -> int:
        with self.store.transaction():
            self._check_writable(subject)
            target = self.version(subject, version, deleted=version not in LATEST or permanent)
            if permanent and not target.deleted:
                raise VersionNotSoftDeleted(subject, target.version)
            if not permanent and target.deleted:
                raise VersionSoftDeleted(subject, target.version)
            self._check_unreferenced(target, permanent=permanent)
            self._remove(target, permanent=permanent)
            return target.version

    def level(self, subject: str = "") -> str:
        """The compatibility level in force."""
        return self.store.setting("compatibility", subject) or self.store.setting("compatibility") or DEFAULT_LEVEL

    def mode(self, subject: str = "") -> str:
        """The mode in force; READONLY_OVERRIDE of the whole registry wins over the subject's own."""
        if self.store.setting("mode") == "READONLY_OVERRIDE":
            return "READONLY_OVERRIDE"
        return self.store.setting("mode", subject) or self.store.setting("mode") or DEFAULT_MODE

    def set_level(self, level: str, subject: str = "") -> None:
        if level not in LEVELS:
            raise CompatibilityInvalid(level, LEVELS)
        self._check_writable(subject)
        self.store.set_setting("compatibility", level, subject)

    def set_mode(self, mode: str, subject: str = "") -> None:
        if mode not in MODES:
            raise ModeInvalid(mode, MODES)
        self.store.set_setting("mode", mode, subject)

    def _known(self, subject: str, *, deleted: bool) -> list[Registered]:
        known = [version for version in self.store.versions(subject) if deleted or not version.deleted]
        if not known:
            raise SubjectUnknown(subject)
        return known

    def _added(self, subject: str, contract: Contract, known: Sequence[Registered]) -> Registered:
        live = [version for version in known if not version.deleted]
        if reasons := incompatibilities(self.level(subject), self._parsed(contract), self._parsed_all(live)):
            raise Incompatible(subject, reasons)
        return self.store.add(subject, known[-1].version + 1 if known else 1, contract)

    def _check_writable(self, subject: str) -> None:
        if self.mode(subject) != "READWRITE":
            raise NotPermitted(f"Subject {subject or 'of the whole registry'} is in read-only mode")

    def _check_unreferenced(self, target: Registered, *, permanent: bool, within: str | None = None) -> None:
        for referrer in self.store.referrers(target.subject, target.version):
            if referrer.subject != within and (permanent or not referrer.deleted):
                raise StillReferenced(target.subject, target.version)

    def _remove(self, target: Registered, *, permanent: bool) -> None:
        if permanent:
            self.store.erase(target.subject, target.version)
        else:
            self.store.soft_delete(target.subject, target.version)

    def _parsed(self, contract: Contract) -> Schema:
        return parse_avro(contract.text, list(self._referenced(contract).values()))

    def _parsed_all(self, versions: Sequence[Registered]) -> list[Schema]:
        return [self._parsed(version.contract) for version in versions]

    def _referenced(self, contract: Contract) -> dict[tuple[str, int], str]:
        """The texts a contract needs, its references' own references first; soft deleted ones still serve."""
        texts: dict[tuple[str, int], str] = {}
        for reference in contract.references:
            try:
                target = self.version(str(reference["subject"]), str(reference["version"]), deleted=True)
            except (KeyError, SubjectUnknown, VersionUnknown, VersionInvalid) as exc:
                raise SchemaInvalid(f"Invalid schema: no schema reference found for {reference}") from exc
            texts |= self._referenced(target.contract)
            texts[target.subject, target.version] = target.contract.text
        return texts


def check_subject(subject: str) -> None:
    """Raises SubjectInvalid for a name that could not be a topic's, or that names a context of its own."""
    if not subject.strip() or not subject.isprintable() or len(subject) > 512 or subject.startswith(":."):
        raise SubjectInvalid(subject)


def _same(contract: Contract, versions: Sequence[Registered]) -> Registered | None:
    """The first version with this very contract, else the latest whose schema has the same normal form."""
    for version in versions:
        if version.contract == contract:
            return version
    form = replace(contract, text=normal(contract.text))
    for version in reversed(versions):
        if replace(version.contract, text=normal(version.contract.text)) == form:
            return version
    return None


def version_number(version: str) -> int:
    """Raises VersionInvalid for what is no number of a version; `latest` is none either."""
    if not version.isascii() or not version.isdecimal() or not 1 <= int(version[:11]) <= _LARGEST_INT:
        raise VersionInvalid(version)
    return int(version)
