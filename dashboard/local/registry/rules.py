"""The shape of a rule set: what the registry checks before it keeps one, exactly as it was sent.

Source: Rule.java and RuleSet.java of Confluent Schema Registry @794611bd.
"""

from collections.abc import Sequence
from typing import Any

from dashboard.local.registry.refusals import RuleSetInvalid

_DOMAIN_MODES = {"WRITE", "READ", "WRITEREAD"}
_MODES = {
    "migrationRules": {"UPGRADE", "DOWNGRADE", "UPDOWN"},
    "domainRules": _DOMAIN_MODES,
    "encodingRules": _DOMAIN_MODES,
}
_PAIRED_MODES = {"WRITEREAD", "UPDOWN"}
_KINDS = {"TRANSFORM", "CONDITION"}
_NAME_MAX_LENGTH = 256


def check_rule_set(rule_set: Any) -> None:
    """Raises RuleSetInvalid naming the rule and what is wrong with it; an empty rule set is fine."""
    if not isinstance(rule_set, dict):
        raise RuleSetInvalid(f"A ruleSet is an object, got {type(rule_set).__name__}.")
    names: set[str] = set()
    for phase, modes in _MODES.items():
        rules = rule_set.get(phase)
        if rules is None:
            continue
        if not isinstance(rules, list):
            raise RuleSetInvalid(f"{phase} is a list of rules, got {type(rules).__name__}.")
        for rule in rules:
            name = _checked_name(rule)
            if name in names:
                raise RuleSetInvalid(f"Found rule with duplicate name '{name}'")
            names.add(name)
            _check_rule(rule, phase, modes)


def merged(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any] | None:
    """The old rules without those that new ones have the name of, then the new ones; None when there is neither."""
    if old is None or new is None:
        return new if old is None else old
    rule_set = old | {key: part for key, part in new.items() if part is not None}
    for phase in _MODES:
        former, latter = old.get(phase) or [], new.get(phase) or []
        if former and latter:
            names = {rule["name"] for rule in latter}
            rule_set[phase] = [rule for rule in former if rule["name"] not in names] + latter
        elif former or latter:
            rule_set[phase] = former or latter
    return rule_set


def without(rule_set: dict[str, Any] | None, names: Sequence[str]) -> dict[str, Any] | None:
    if rule_set is None:
        return None
    kept = {phase: [rule for rule in rule_set[phase] if rule["name"] not in names] for phase in _lists(rule_set)}
    return rule_set | kept


def _lists(rule_set: dict[str, Any]) -> list[str]:
    return [phase for phase in _MODES if rule_set.get(phase) is not None]


def _checked_name(rule: Any) -> str:
    if not isinstance(rule, dict):
        raise RuleSetInvalid(f"A rule is an object, got {type(rule).__name__}.")
    name = rule.get("name")
    if not isinstance(name, str) or not name:
        raise RuleSetInvalid("Missing rule name")
    if len(name) > _NAME_MAX_LENGTH:
        raise RuleSetInvalid("Rule name too long")
    if not (name[0].isalpha() or name[0] == "_"):
        raise RuleSetInvalid(f"Illegal initial character in rule name: {name}")
    if not all(sign.isalnum() or sign in "_-" for sign in name):
        raise RuleSetInvalid(f"Illegal character in rule name: {name}")
    return name


def _check_rule(rule: dict[str, Any], phase: str, modes: set[str]) -> None:
    name = rule["name"]
    if not isinstance(rule.get("type"), str):
        raise RuleSetInvalid(f"Missing rule type in rule '{name}'")
    if rule.get("kind") is not None and rule["kind"] not in _KINDS:
        raise RuleSetInvalid(f"Rule '{name}' has the kind {rule['kind']!r}; known are {', '.join(sorted(_KINDS))}")
    mode = rule.get("mode") or "WRITEREAD"
    if mode not in modes:
        raise RuleSetInvalid(f"Rule '{name}' in {phase} has the mode {mode!r}; allowed are {', '.join(sorted(modes))}")
    for key in ("onSuccess", "onFailure"):
        action = rule.get(key)
        if action is not None and not isinstance(action, str):
            raise RuleSetInvalid(f"{key} of rule '{name}' is text, got {type(action).__name__}.")
        if action and "," in action and mode not in _PAIRED_MODES:
            raise RuleSetInvalid(f"Rule '{name}': Multiple actions only valid with WRITEREAD and UPDOWN")
