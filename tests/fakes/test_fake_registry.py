"""The fake Schema Registry and DEK registry, by plain httpx and by the real client of confluent-kafka."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import (
    Rule,
    RuleKind,
    RuleMode,
    RuleParams,
    RuleSet,
    Schema,
    SchemaRegistryClient,
)
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import client

CONTRACT = Path(__file__).resolve().parents[2] / "pipeline_sql" / "contracts" / "payments-value.avsc"
RULE = {"name": "validate", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true", "onFailure": "DLQ"}
RULES = {"domainRules": [RULE]}
KEKS = "/dek-registry/v1/keks"
KEK = {"name": "CSFLE_Key", "kmsType": "aws-kms", "kmsKeyId": "arn:aws:kms:us-east-1:1:key/2"}


def schema(*names: str) -> str:
    fields = [{"name": name, "type": ["null", "int"], "default": None} for name in names]
    return json.dumps({"type": "record", "name": "Sale", "fields": fields})


def register(registry: httpx.Client, text: str, **body: Any) -> httpx.Response:
    return registry.post("/subjects/payments-value/versions", json={"schema": text} | body)


def latest(registry: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = registry.get("/subjects/payments-value/versions/latest").json()
    return found


def refused(response: httpx.Response) -> int:
    """The error code; the body has the registry's form, never the cloud's `errors`."""
    body = response.json()
    assert body.keys() == {"error_code", "message"}
    assert response.status_code == int(str(body["error_code"])[:3])
    return int(body["error_code"])


def test_a_wrong_key_is_refused_in_the_registrys_own_form(cloud: FakeConfluentCloud) -> None:
    for key in (None, cloud.flink_key):
        with client(cloud.registry_url, key) as http:
            assert refused(http.get("/subjects")) == 401


def test_the_real_client_registers_a_contract_with_rules(cloud: FakeConfluentCloud) -> None:
    rule = Rule(
        "validateConfirmationCode",
        None,
        RuleKind.CONDITION,
        RuleMode.WRITE,
        "CEL",
        None,
        RuleParams({"dlq.topic": "error-payments"}),
        "message.confirmation_code.matches('^[A-Z0-9]{8}$')",
        None,
        "DLQ",
        False,
    )
    user, secret = cloud.registry_key
    with SchemaRegistryClient({"url": cloud.registry_url, "basic.auth.user.info": f"{user}:{secret}"}) as real:
        contract = Schema(CONTRACT.read_text(), "AVRO", [], None, RuleSet(None, [rule]))
        real.register_schema("payments-value", contract, normalize_schemas=True)
        found = real.get_latest_version("payments-value")

        assert found.schema.rule_set.domain_rules[0].params.params == {"dlq.topic": "error-payments"}
        assert found.schema.rule_set.domain_rules[0].on_failure == "DLQ"
        with pytest.raises(SchemaRegistryError) as refusal:
            real.get_latest_version("orders-value")
        assert refusal.value.error_code == 40401


def test_a_version_without_rules_inherits_them_and_an_empty_set_removes_them(registry: httpx.Client) -> None:
    metadata = {"properties": {"owner": "payments"}}
    register(registry, schema("a"), ruleSet=RULES, metadata=metadata).raise_for_status()
    register(registry, schema("a", "b")).raise_for_status()
    assert latest(registry)["version"] == 2
    assert (latest(registry)["ruleSet"], latest(registry)["metadata"]) == (RULES, metadata)

    register(registry, schema("a", "b"), ruleSet={}).raise_for_status()
    assert not latest(registry)["ruleSet"]


def test_the_same_contract_is_not_registered_twice(registry: httpx.Client) -> None:
    first = register(registry, schema("a"), ruleSet=RULES).json()
    second = registry.post(
        "/subjects/payments-value/versions", params={"normalize": "true"}, json={"schema": schema("a")}
    ).json()

    assert second["id"] == first["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        RULE | {"name": "9 lives"},
        RULE | {"mode": "UPGRADE"},
        RULE | {"onFailure": "ERROR,NONE"},
        {key: value for key, value in RULE.items() if key != "type"},
    ],
)
def test_wrong_rules_are_42210(registry: httpx.Client, wrong: dict[str, str]) -> None:
    assert refused(register(registry, schema("a"), ruleSet={"domainRules": [wrong]})) == 42210


def test_an_incompatible_schema_is_40901_and_the_check_tells_why(registry: httpx.Client) -> None:
    assert registry.put("/config/payments-value", json={"compatibility": "FULL_TRANSITIVE"}).status_code == 200
    assert registry.get("/config/payments-value").json() == {"compatibilityLevel": "FULL_TRANSITIVE"}
    register(registry, schema("a")).raise_for_status()
    other = schema("a").replace('"int"', '"string"')

    assert refused(register(registry, other)) == 40901
    path = "/compatibility/subjects/payments-value/versions/latest"
    verdict = registry.post(path, params={"verbose": "true"}, json={"schema": other}).json()
    assert verdict["is_compatible"] is False
    assert verdict["messages"]
    assert registry.post(path, json={"schema": schema("a", "b")}).json() == {"is_compatible": True}


def test_a_subject_is_deleted_for_good_only_after_a_soft_delete(registry: httpx.Client) -> None:
    register(registry, schema("a")).raise_for_status()
    permanent = {"permanent": "true"}

    assert refused(registry.delete("/subjects/payments-value", params=permanent)) == 40405
    assert registry.delete("/subjects/payments-value").json() == [1]
    assert refused(registry.delete("/subjects/payments-value")) == 40404
    assert registry.get("/subjects", params={"deleted": "true"}).json() == ["payments-value"]
    assert registry.delete("/subjects/payments-value", params=permanent).json() == [1]
    assert refused(registry.delete("/subjects/payments-value")) == 40401


def test_keks_are_listed_by_name_and_their_type_is_spelled_as_the_registry_does(registry: httpx.Client) -> None:
    made = registry.post(KEKS, json=KEK | {"kmsType": "AWS_KMS"})

    assert made.status_code == 200
    assert made.json().items() >= {"kmsType": "aws-kms", "shared": False, "kmsProps": {}}.items()
    assert registry.get(KEKS).json() == ["CSFLE_Key"]
    assert registry.get(f"{KEKS}/CSFLE_Key").json() == made.json()


def test_a_kek_is_refused_twice_or_without_its_parts(registry: httpx.Client) -> None:
    registry.post(KEKS, json=KEK).raise_for_status()

    assert refused(registry.post(KEKS, json=KEK)) == 40971
    for missing in KEK:
        body = {key: value for key, value in KEK.items() if key != missing}
        assert refused(registry.post(KEKS, json=body)) == 42271
    assert refused(registry.get(f"{KEKS}/other")) == 40470


def test_a_kek_goes_for_good_only_after_a_soft_delete(registry: httpx.Client) -> None:
    registry.post(KEKS, json=KEK).raise_for_status()
    one, permanent = f"{KEKS}/CSFLE_Key", {"permanent": "true"}

    assert refused(registry.delete(one, params=permanent)) == 40471
    assert registry.delete(one).status_code == 204
    assert refused(registry.get(one)) == 40470
    assert registry.get(one, params={"deleted": "true"}).json()["deleted"] is True
    assert registry.post(f"{one}/undelete").status_code == 204
    registry.delete(one)
    assert registry.delete(one, params=permanent).status_code == 204
    assert registry.get(KEKS, params={"deleted": "true"}).json() == []


def test_a_kek_with_deks_stays_until_they_are_gone_for_good(registry: httpx.Client) -> None:
    registry.post(KEKS, json=KEK).raise_for_status()
    one, permanent = f"{KEKS}/CSFLE_Key", {"permanent": "true"}
    dek = {"subject": "payments-value", "version": 1, "algorithm": "AES256_GCM"}
    assert refused(registry.post(f"{one}/deks", json=dek)) == 42271  # without the key itself
    registry.post(f"{one}/deks", json=dek | {"encryptedKeyMaterial": "b64"}).raise_for_status()
    assert registry.get(f"{one}/deks/payments-value/versions/1").json()["encryptedKeyMaterial"] == "b64"

    assert refused(registry.delete(one)) == 42272
    assert refused(registry.delete(f"{one}/deks/payments-value", params=permanent)) == 40471
    assert registry.delete(f"{one}/deks/payments-value").status_code == 204
    assert registry.delete(one).status_code == 204
    assert refused(registry.delete(one, params=permanent)) == 42272
    assert registry.delete(f"{one}/deks/payments-value", params=permanent).status_code == 204
    assert registry.delete(one, params=permanent).status_code == 204


def test_a_kek_is_changed_in_parts(registry: httpx.Client) -> None:
    registry.post(KEKS, json=KEK).raise_for_status()

    changed = registry.put(f"{KEKS}/CSFLE_Key", json={"shared": True, "kmsKeyId": "ignored"}).json()
    assert (changed["shared"], changed["kmsKeyId"]) == (True, KEK["kmsKeyId"])


def test_schemas_are_listed_by_prefix_and_latest_version_in_pages(registry: httpx.Client) -> None:
    for subject, fields in (
        ("a-value", []),
        ("a-value", [{"name": "x", "type": "int", "default": 0}]),
        ("b-value", []),
    ):
        schema = json.dumps({"type": "record", "name": "R", "fields": fields})
        assert registry.post(f"/subjects/{subject}/versions", json={"schema": schema}).status_code == 200

    def listed(**params: str) -> list[tuple[str, int]]:
        return [(one["subject"], one["version"]) for one in registry.get("/schemas", params=params).json()]

    assert listed() == [("a-value", 1), ("a-value", 2), ("b-value", 1)]
    assert listed(latestOnly="true") == [("a-value", 2), ("b-value", 1)]
    assert listed(latestOnly="true", subjectPrefix="b") == [("b-value", 1)]
    assert listed(offset="1", limit="1") == [("a-value", 2)]
    registry.delete("/subjects/b-value")
    assert listed(subjectPrefix="b") == []
    assert listed(subjectPrefix="b", deleted="true") == [("b-value", 1)]
