"""What a topic promises beside its schema, as a file in pipeline_sql/contracts/ declares it: tags, rules, the key.

A tag stands within the schema's text (`confluent:tags`), because confluent-kafka 2.16.0 fails on metadata.tags.
Source: docs.confluent.io/platform/current/schema-registry/fundamentals/data-contracts.html.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dashboard.errors import ContractError
from dashboard.remotes.cloud_registry import Contract, Subject

TAGS = "confluent:tags"
_VERSION = "confluent:version"
ENCRYPT = "ENCRYPT"
_KNOWN = frozenset({"subject", "schema", "compatibility", "key", "tags", "rule"})
_PHASES = ("domainRules", "migrationRules", "encodingRules")
_SAME_AS_NOTHING = {"onSuccess": ("NONE", "NONE,NONE"), "onFailure": ("ERROR", "ERROR,ERROR"), "mode": ("WRITEREAD",)}
"""What the registry does anyway, and some of its clients write."""


@dataclass(frozen=True)
class Declaration:
    """The contract of one subject."""

    subject: str
    schema: Mapping[str, Any]
    """Avro, without tags."""
    compatibility: str = ""
    """Such as FULL_TRANSITIVE; empty leaves it to the registry."""
    tags: Mapping[str, Sequence[str]] | None = None
    """By field."""
    rules: tuple[Mapping[str, Any], ...] = ()
    """In the registry's own words."""
    key: str = ""
    """The name of the key that encrypts the keys of fields; empty where no field is encrypted."""
    left_clear: tuple[str, ...] = ()
    """Fields that would be encrypted, had nobody asked for their being left in the clear."""

    @property
    def dead_letter_topics(self) -> set[str]:
        """Where records go that break a rule."""
        return {topic for rule in self.rules if (topic := (rule.get("params") or {}).get("dlq.topic"))}

    def registered(self, version: int | None = None) -> Contract:
        """As the registry is to hold it; rules are always said, or those of the version before would stay.

        With a number it becomes that version: a contract that an older version has already is otherwise answered with
        that one, and the latest stays what it was (KafkaSchemaRegistry.java of Schema Registry @794611bd, `register`).
        """
        metadata = {"properties": {_VERSION: str(version)}} if version else {}
        rules = [dict(rule) for rule in self.rules]
        return Contract(json.dumps(self._tagged()), metadata, {"domainRules": rules})

    def unencrypted(self) -> "Declaration":
        """Without key, the rules that encrypt, and the tags that only they name."""
        rules = tuple(rule for rule in self.rules if not _encrypts(rule))
        named = {tag for rule in rules for tag in rule.get("tags") or ()}
        kept = {field: [tag for tag in tags if tag in named] for field, tags in (self.tags or {}).items()}
        return replace(
            self,
            rules=rules,
            key="",
            tags={field: tags for field, tags in kept.items() if tags},
            left_clear=tuple(self.secret_fields),
        )

    @property
    def secret_fields(self) -> list[str]:
        """Names of the fields that a rule encrypts, or would, in the schema's order."""
        encrypting = {tag for rule in self.rules if _encrypts(rule) for tag in rule.get("tags") or ()}
        tags = self.tags or {}
        names = [field["name"] for field in self.schema.get("fields", [])]
        return [name for name in names if name in self.left_clear or encrypting & set(tags.get(name) or ())]

    def facts(self) -> list[Any]:
        """All that makes it what it is."""
        return [self._tagged(), [dict(rule) for rule in self.rules], self.compatibility]

    def told(self) -> dict[str, Any]:
        """All that makes it what it is, for people; comparable with `told_of` what a registry holds."""
        return _told(self._tagged(), self.rules, self.compatibility)

    def differences(self, there: Subject, level: str | None) -> dict[str, str]:
        """What the registry holds otherwise, by part, in words; `level` is the subject's own compatibility, if any.

        Compared by meaning: neither white space nor what is left out because it is the default counts.
        """
        held = json.loads(there.schema)
        found = _schema_differences(_without_tags(held), dict(self.schema))
        found |= _tag_differences({**_tags_in(held), **(there.metadata.get("tags") or {})}, dict(self.tags or {}))
        found |= _rule_differences(_rules_in(there.rule_set), [_plain(rule) for rule in self.rules])
        properties = [key for key in there.metadata.get("properties") or {} if not key.startswith("confluent:")]
        if properties:
            found["properties"] = f"{', '.join(sorted(properties))} removed"
        if self.compatibility and level != self.compatibility:
            found["compatibility"] = f"{self.compatibility} instead of {level or 'the whole registry’s'}"
        return found

    def _tagged(self) -> dict[str, Any]:
        tags = self.tags or {}
        fields = [
            {**field, TAGS: list(tags[field["name"]])} if field["name"] in tags else field
            for field in self.schema.get("fields", [])
        ]
        return {**self.schema, **({"fields": fields} if fields else {})}


def told_of(there: Subject, level: str | None) -> dict[str, Any]:
    """What a registry holds, as `Declaration.told`; `level` is the subject's own compatibility, if any."""
    schema = json.loads(there.schema)
    outside = there.metadata.get("tags") or {}
    for field in schema.get("fields", []) if isinstance(schema, dict) and outside else ():
        if field["name"] in outside:
            field[TAGS] = list(outside[field["name"]])
    return _told(schema, _rules_in(there.rule_set), level or "")


def _told(schema: Any, rules: Iterable[Mapping[str, Any]], level: str) -> dict[str, Any]:
    return {"compatibility": level, "rules": [_plain(rule) for rule in rules], "schema": schema}


def rule_words(rule: Mapping[str, Any]) -> str:
    """What a rule does, in a sentence; of one that we have no words for, its type and what it says."""
    params = rule.get("params") or {}
    off = " It is disabled." if rule.get("disabled") else ""
    if _encrypts(rule):
        tagged = " or ".join(map(str, rule.get("tags") or ()))
        return f"Fields with the tag {tagged} are encrypted by the key {params.get('encrypt.kek.name')}.{off}"
    fates = {"DLQ": f"goes to {params.get('dlq.topic')}", "NONE": "is written all the same"}
    fate = fates.get(str(rule.get("onFailure") or ""), "is refused")
    when = {"WRITE": "Who writes checks", "READ": "Who reads checks"}.get(str(rule.get("mode")), "Everybody checks")
    return f"{when} that {rule.get('expr') or rule.get('type')}; what breaks it {fate}.{off}"


def type_words(avro: Any) -> str:
    """An Avro type in as few words as possible."""
    if isinstance(avro, dict):
        return str(avro.get("logicalType") or avro.get("type"))
    return " or ".join(map(type_words, avro)) if isinstance(avro, list) else str(avro)


def load_declarations(folder: Path) -> dict[str, Declaration]:
    """By subject, one of each .toml in `folder`; raises ContractError for one that contradicts itself."""
    declared = [_load(path) for path in sorted(folder.glob("*.toml"))]
    return {one.subject: one for one in declared}


def _load(path: Path) -> Declaration:
    described = tomllib.loads(path.read_text())

    def wrong(what: str, hint: str = "") -> ContractError:
        return ContractError(f"The contract {path.name} {what}.", hint)

    if unknown := sorted(described.keys() - _KNOWN):
        raise wrong(f"says {', '.join(unknown)}, which means nothing", f"It may say {', '.join(sorted(_KNOWN))}.")
    if missing := sorted({"subject", "schema"} - described.keys()):
        raise wrong(f"does not say {' and '.join(missing)}")
    schema = json.loads((path.parent / described["schema"]).read_text())
    tags, key = described.get("tags", {}), described.get("key", "")
    if strangers := sorted(tags.keys() - {field["name"] for field in schema.get("fields", [])}):
        raise wrong(f"tags {', '.join(strangers)}, which its schema does not have")
    rules = tuple(_rule(rule, key) for rule in described.get("rule", []))
    known = {tag for of_field in tags.values() for tag in of_field}
    for rule in rules:
        if idle := sorted(set(rule.get("tags", [])) - known):
            raise wrong(f"has a rule {rule['name']} for the tag {', '.join(idle)}, which no field has")
    encrypts = [rule["name"] for rule in rules if _encrypts(rule)]
    if encrypts and not key:
        raise wrong(f"encrypts by {', '.join(encrypts)} and names no key", 'Add `key = "…"`.')
    if key and not encrypts:
        raise wrong(f"names the key {key}, with which no rule encrypts")
    return Declaration(described["subject"], schema, described.get("compatibility", ""), tags, rules, key)


def _rule(rule: Mapping[str, Any], key: str) -> dict[str, Any]:
    params = dict(rule.get("params", {})) | ({"encrypt.kek.name": key} if _encrypts(rule) else {})
    return {**rule, **({"params": params} if params else {}), "disabled": rule.get("disabled", False)}


def _encrypts(rule: Mapping[str, Any]) -> bool:
    return rule.get("type") == ENCRYPT


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says no more than its absence."""
    return {
        key: value
        for key, value in rule.items()
        if value and key != "doc" and value not in _SAME_AS_NOTHING.get(key, ())
    }


def _rules_in(rule_set: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_plain(rule) for phase in _PHASES for rule in rule_set.get(phase) or []]


def _rule_differences(there: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> dict[str, str]:
    before, after = ({rule.get("name", ""): rule for rule in rules} for rules in (there, wanted))
    found = {f"rule {name}": "added" for name in after.keys() - before.keys()}
    found |= {f"rule {name}": "removed" for name in before.keys() - after.keys()}
    for name in after.keys() & before.keys():
        if changed := [
            key for key in sorted({*before[name], *after[name]}) if before[name].get(key) != after[name].get(key)
        ]:
            found[f"rule {name}"] = f"changed ({', '.join(changed)})"
    if not found and list(before) != list(after):
        found["rules"] = "in another order"
    return dict(sorted(found.items()))


def _tag_differences(there: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {
        f"tags of {field}": f"{_listed(wanted.get(field))} instead of {_listed(there.get(field))}"
        for field in sorted({*there, *wanted})
        if set(there.get(field) or ()) != set(wanted.get(field) or ())
    }


def _listed(tags: Sequence[str] | None) -> str:
    return " ".join(sorted(tags or ())) or "none"


def _schema_differences(there: Any, wanted: Any) -> dict[str, str]:
    if there == wanted:
        return {}
    before, after = ({field["name"] for field in one.get("fields", [])} for one in (there, wanted))
    parts = {"added": after - before, "removed": before - after}
    said = [f"{what} {', '.join(sorted(names))}" for what, names in parts.items() if names]
    return {"schema": "; ".join(said) or "changed"}


def _tags_in(schema: Any) -> dict[str, list[str]]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return {field["name"]: list(field[TAGS]) for field in fields if field.get(TAGS)}


def _without_tags(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_tags(value) for key, value in schema.items() if key != TAGS}
    return [_without_tags(one) for one in schema] if isinstance(schema, list) else schema
