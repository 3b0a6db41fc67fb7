"""Tags, metadata and rules changed in one step: a new version of a contract, made by the registry."""

import json
from typing import Any

import httpx
import pytest

RULE: dict[str, Any] = {"name": "codeIsValid", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}
ENCRYPT: dict[str, Any] = {"name": "Encrypt_PII", "kind": "TRANSFORM", "type": "ENCRYPT", "tags": ["PII"]}
OWNER = {"properties": {"owner": "shop"}, "tags": {}, "sensitive": []}
CARD: dict[str, Any] = {"type": "record", "name": "Card", "fields": [{"name": "number", "type": "string"}]}
SALE: dict[str, Any] = {
    "type": "record",
    "name": "Sale",
    "namespace": "shop.avro",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "card", "type": ["null", CARD]},
        {"name": "others", "type": {"type": "array", "items": {"type": "map", "values": CARD | {"name": "Other"}}}},
    ],
}


@pytest.fixture
def versions(http: httpx.Client, subject: str) -> str:
    """The path of a subject's versions, of which there is one."""
    path = f"/subjects/{subject}/versions"
    contract = {"schema": json.dumps(SALE), "ruleSet": {"domainRules": [RULE]}, "metadata": OWNER}
    assert http.post(path, json=contract).status_code == 200
    return path


def entity(path: str, *tags: str, kind: str = "sr_field") -> dict[str, Any]:
    return {"schemaEntity": {"entityPath": path, "entityType": kind}, "tags": list(tags)}


def changed(http: httpx.Client, versions: str, at: str = "latest", **change: Any) -> dict[str, Any]:
    answer = http.post(f"{versions}/{at}/tags", json=change)
    assert answer.status_code == 200, answer.text
    assert answer.json() == http.get(f"{versions}/latest").json()
    found: dict[str, Any] = answer.json()
    return found


def test_a_tag_is_added_with_its_rule_in_one_new_version(http: httpx.Client, versions: str) -> None:
    change: dict[str, Any] = {
        "tagsToAdd": [entity("Sale.id", "PII", "KEY")],
        "rulesToMerge": {"domainRules": [ENCRYPT]},
    }

    version = changed(http, versions, **change)

    assert version["version"] == 2
    assert json.loads(version["schema"])["fields"][0] == {"name": "id", "type": "int", "confluent:tags": ["PII", "KEY"]}
    assert version["ruleSet"] == {"domainRules": [RULE, ENCRYPT]}
    assert version["metadata"] == OWNER | {"properties": {"owner": "shop", "confluent:version": "2"}}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Sale.card", "sr_field"),
        (".Sale.card", "sr_field"),
        ("shop.avro.Sale.card", "sr_field"),
        ("Card.number", "sr_field"),
        ("shop.avro.Card.number", "sr_field"),
        ("Other.number", "sr_field"),
        ("Sale", "sr_record"),
        ("shop.avro.Other", "sr_record"),
    ],
)
def test_a_path_leads_to_records_and_fields_however_deep(
    http: httpx.Client, versions: str, path: str, kind: str
) -> None:
    added = changed(http, versions, tagsToAdd=[entity(path, "PII", kind=kind)])

    assert added["schema"].count('"confluent:tags":["PII"]') == 1
    removed = changed(http, versions, tagsToRemove=[entity(path, "PII", kind=kind)])
    assert json.loads(removed["schema"]) == SALE
    assert (removed["version"], removed["metadata"]["properties"]["confluent:version"]) == (3, "3")


def test_tags_are_added_once_and_before_any_is_removed(http: httpx.Client, versions: str) -> None:
    changed(http, versions, tagsToAdd=[entity("Sale.id", "A", "B")])
    change: dict[str, Any] = {
        "tagsToAdd": [entity("Sale.id", "B", "C")],
        "tagsToRemove": [entity("Sale.id", "A", "C", "never there")],
    }

    version = changed(http, versions, **change)

    assert json.loads(version["schema"])["fields"][0]["confluent:tags"] == ["B"]


def test_rules_are_replaced_by_name_removed_or_set_and_otherwise_stay(http: httpx.Client, versions: str) -> None:
    stricter = RULE | {"expr": "false"}
    migration = {"name": "up", "kind": "TRANSFORM", "mode": "UPGRADE", "type": "JSONATA", "expr": "$"}

    assert changed(http, versions)["ruleSet"] == {"domainRules": [RULE]}
    merged = changed(http, versions, rulesToMerge={"domainRules": [ENCRYPT, stricter], "migrationRules": [migration]})
    assert merged["ruleSet"] == {"domainRules": [ENCRYPT, stricter], "migrationRules": [migration]}
    fewer = changed(http, versions, rulesToRemove=["codeIsValid", "up", "never there"])
    assert fewer["ruleSet"] == {"domainRules": [ENCRYPT], "migrationRules": []}
    assert changed(http, versions, ruleSet={})["ruleSet"] == {}
    assert changed(http, versions, rulesToMerge={"domainRules": [RULE]})["ruleSet"] == {"domainRules": [RULE]}


def test_an_older_version_gives_text_and_metadata_and_the_latest_the_rules(http: httpx.Client, versions: str) -> None:
    changed(http, versions, tagsToAdd=[entity("Sale.id", "PII")], metadata={}, rulesToRemove=["codeIsValid"])

    version = changed(http, versions, at="1", newVersion=3, tagsToAdd=[entity("Sale.card", "PII")])

    assert "confluent:tags" not in json.loads(version["schema"])["fields"][0]
    assert version["metadata"]["properties"] == {"owner": "shop", "confluent:version": "3"}
    assert version["ruleSet"] == {"domainRules": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tagsToAdd": [entity("Sale.none", "PII")]}, 42201),
        ({"tagsToRemove": [entity("None.id", "PII")]}, 42201),
        ({"tagsToAdd": [entity("other.Sale.id", "PII")]}, 42201),
        ({"tagsToAdd": [entity("Sale", "PII")]}, 42201),
        ({"newVersion": 3}, 42201),
        ({"rulesToMerge": {"domainRules": [RULE | {"name": "1st"}]}}, 42210),
        ({"rulesToMerge": {"migrationRules": [RULE | {"mode": "UPGRADE"}]}}, 42210),
        ({"ruleSet": {"domainRules": [RULE, RULE]}}, 42210),
        ({"ruleSet": {}, "rulesToRemove": ["codeIsValid"]}, 42210),
        ({"tagsToAdd": {"Sale.id": ["PII"]}}, 400),
        ({"tagsToAdd": ["Sale.id"]}, 400),
        ({"tagsToAdd": [entity("Sale.id", "PII", kind="sr_schema")]}, 400),
        ({"tagsToAdd": [entity("Sale.id") | {"tags": "PII"}]}, 400),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_made_makes_no_version(
    http: httpx.Client, versions: str, change: dict[str, Any], code: int
) -> None:
    refused = http.post(f"{versions}/latest/tags", json=change)

    assert refused.json()["error_code"] == code
    assert refused.status_code == int(str(code)[:3])
    assert http.get(versions).json() == [1]


def test_what_is_not_there_is_odd_or_is_read_only_is_not_changed(
    http: httpx.Client, versions: str, subject: str
) -> None:
    assert http.post(f"/subjects/{subject}-2/versions/latest/tags", json={}).json()["error_code"] == 40401
    assert http.post(f"{versions}/2/tags", json={}).json()["error_code"] == 40402
    assert http.post(f"{versions}/first/tags", json={}).json()["error_code"] == 42202
    odd = {"schema": json.dumps(SALE | {"confluent:tags": "PII"}), "metadata": {"properties": ["owner"]}}
    assert http.post(versions, json=odd).status_code == 200
    assert http.post(f"{versions}/latest/tags", json={}).json()["error_code"] == 42201
    tagged = {"metadata": {}, "tagsToAdd": [entity("Sale", "KEY", kind="sr_record")]}
    assert http.post(f"{versions}/latest/tags", json=tagged).json()["error_code"] == 42201
    http.put(f"/mode/{subject}", json={"mode": "READONLY"})
    assert http.post(f"{versions}/1/tags", json={}).json()["error_code"] == 42205
