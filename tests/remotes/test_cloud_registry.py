"""Contracts and encryption keys, in the shapes and with the error numbers of the registry."""

from typing import Any

import httpx
import pytest

from dashboard.errors import ContractError, SettingsError, UnreachableError
from dashboard.remotes.cloud_errors import Conflict, NotFound, Refused
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from tests.remotes.scripted import CUT, KEY, SECRET, Script, done, refused, registry_refused

SCHEMA = '{"type":"record","name":"Sale","fields":[]}'
RULE = {"name": "code", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true", "onFailure": "DLQ"}
RULES = {"domainRules": [RULE]}
NO_SUBJECT = registry_refused(404, 40401, "Subject 'x' not found.")
NO_PATH = registry_refused(404, 404, "HTTP 404 Not Found")
NO_KEY = registry_refused(404, 40470, "Key not found")
KEK: dict[str, Any] = {
    "name": "CSFLE_Key",
    "kmsType": "aws-kms",
    "kmsKeyId": "arn:aws:kms:us-east-1:1:key/k",
    "kmsProps": {},
    "shared": False,
    "ts": 1,
}


def registry(script: Script) -> CloudRegistry:
    address = "https://psrc-1.us-east-1.aws.confluent.cloud"
    return CloudRegistry(
        address,
        KEY,
        SECRET,
        key_setting="SALES_STAGING__SCHEMA_REGISTRY_API_KEY",
        transport=script.transport,
        pace=script.pace,
    )


def test_subjects_are_names() -> None:
    assert registry(Script(httpx.Response(200, json=["a-value", "b-value"]))).subjects() == ["a-value", "b-value"]


def test_the_latest_version_carries_its_whole_contract() -> None:
    script = Script(
        done(subject="x", version=3, id=100_003, schema=SCHEMA, metadata={"tags": {}}, ruleSet=RULES, guid="g")
    )
    found = registry(script).latest("payments-value")
    assert found is not None
    assert (found.schema, found.id, found.version, found.schema_type) == (SCHEMA, 100_003, 3, "AVRO")
    assert (found.metadata, found.rule_set, found.references) == ({"tags": {}}, RULES, ())
    assert script.requests[0].url.path == "/subjects/payments-value/versions/latest"


def test_a_contract_without_rules_has_none() -> None:
    found = registry(Script(done(version=1, id=1, schema=SCHEMA))).latest("x")
    assert found is not None
    assert (found.metadata, found.rule_set) == ({}, {})


@pytest.mark.parametrize("code", [40401, 40402, 40404])
def test_a_subject_that_is_not_there_is_none(code: int) -> None:
    assert registry(Script(registry_refused(404, code, "no"))).latest("x") is None


@pytest.mark.parametrize("answer", [NO_PATH, refused(404, "no such service")])
def test_a_wrong_address_is_not_an_empty_registry(answer: httpx.Response) -> None:
    script = Script(answer, answer, answer, answer)
    for ask in (registry(script).latest, registry(script).kek, registry(script).delete, registry(script).delete_kek):
        with pytest.raises(NotFound):
            ask("x")


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    script = Script(NO_SUBJECT)
    registry(script).latest("a/../b?c")
    assert script.requests[0].url.raw_path == b"/subjects/a%2F..%2Fb%3Fc/versions/latest"


# registering


def test_a_contract_is_registered_with_everything_in_it() -> None:
    script = Script(done(id=7, version=2))
    contract = Contract(
        SCHEMA, {"properties": {"owner": "payments"}}, RULES, [{"name": "r", "subject": "s", "version": 1}]
    )
    assert registry(script).register("payments-value", contract) == 7
    assert script.requests[0].headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
    assert script.requests[0].url.path == "/subjects/payments-value/versions"
    assert script.body() == {
        "schemaType": "AVRO",
        "references": [{"name": "r", "subject": "s", "version": 1}],
        "schema": SCHEMA,
        "metadata": {"tags": {}, "properties": {"owner": "payments"}, "sensitive": []},
        "ruleSet": {"migrationRules": [], "domainRules": [RULE]},
    }


def test_no_rules_are_said_or_those_of_the_version_before_would_stay() -> None:
    script = Script(done(id=7))
    registry(script).register("x", Contract(SCHEMA))
    assert script.body()["ruleSet"] == {"migrationRules": [], "domainRules": []}
    assert script.body()["metadata"] == {"tags": {}, "properties": {}, "sensitive": []}


@pytest.mark.parametrize(("status", "code"), [(409, 40901), (422, 42201), (422, 42210)])
def test_a_contract_that_is_not_taken_is_a_contract_error(status: int, code: int) -> None:
    with pytest.raises(ContractError, match="refused to register the contract of x: A field was removed"):
        registry(Script(registry_refused(status, code, "A field was removed."))).register("x", Contract(SCHEMA))


def test_another_refusal_stays_what_it_is() -> None:
    with pytest.raises(Refused, match="Operation not permitted"):
        registry(Script(registry_refused(422, 42205, "Operation not permitted"))).register("x", Contract(SCHEMA))


def test_registering_is_asked_once() -> None:
    script = Script(CUT)
    with pytest.raises(UnreachableError):
        registry(script).register("x", Contract(SCHEMA))
    assert script.asked == ["POST versions"]


def test_a_contract_is_compared_in_the_registrys_own_words() -> None:
    script = Script(CUT, done(is_compatible=False, messages=["a", "b"]), done(is_compatible=True))
    assert registry(script).compatible("x", Contract(SCHEMA, rule_set=RULES)) == ["a", "b"]
    assert registry(script).compatible("x", Contract(SCHEMA)) == []
    assert script.requests[0].url.path == "/compatibility/subjects/x/versions"
    assert script.params(0) == {"verbose": "true"}
    assert script.body(0)["ruleSet"]["domainRules"] == [RULE]


def test_a_first_version_is_compatible_and_a_silent_refusal_is_not() -> None:
    assert registry(Script(NO_SUBJECT)).compatible("x", Contract(SCHEMA)) == []
    assert registry(Script(done(is_compatible=False))).compatible("x", Contract(SCHEMA))


def test_the_compatibility_of_a_subject_is_set() -> None:
    script = Script(done(compatibility="FULL_TRANSITIVE"))
    registry(script).set_compatibility("x", "FULL_TRANSITIVE")
    assert (script.asked, script.body()) == (["PUT x"], {"compatibility": "FULL_TRANSITIVE"})
    assert script.requests[0].url.path == "/config/x"


# deleting


def test_a_subject_goes_into_the_bin_before_it_goes_for_good() -> None:
    script = Script(httpx.Response(200, json=[1, 2]), httpx.Response(200, json=[1, 2]))
    registry(script).delete("x")
    assert script.asked == ["DELETE x"] * 2
    assert [script.params(0), script.params(1)] == [{}, {"permanent": "true"}]


def test_a_subject_that_is_in_the_bin_goes_for_good() -> None:
    script = Script(registry_refused(404, 40404, "was soft deleted"), httpx.Response(200, json=[1]))
    registry(script).delete("x")
    assert script.params() == {"permanent": "true"}


def test_a_subject_that_was_never_there_is_no_failure() -> None:
    registry(Script(NO_SUBJECT, NO_SUBJECT)).delete("x")


def test_a_deletion_whose_answer_was_cut_is_finished() -> None:
    script = Script(CUT, registry_refused(404, 40404, "was soft deleted"), CUT, NO_SUBJECT)
    registry(script).delete("x")
    assert script.asked == ["DELETE x"] * 4


# encryption keys


def test_keys_are_listed_by_name_and_shown_whole() -> None:
    script = Script(httpx.Response(200, json=["CSFLE_Key"]), done(**KEK), NO_KEY)
    cloud = registry(script)
    assert cloud.keks() == ["CSFLE_Key"]
    found = cloud.kek("CSFLE_Key")
    assert found is not None
    assert (found.name, found.kms_type, found.kms_key_id, found.shared, found.doc) == (
        "CSFLE_Key",
        "aws-kms",
        "arn:aws:kms:us-east-1:1:key/k",
        False,
        "",
    )
    assert cloud.kek("other") is None
    assert script.requests[0].url.path == "/dek-registry/v1/keks"


def test_a_key_is_made_known() -> None:
    script = Script(done(**KEK))
    registry(script).create_kek("CSFLE_Key", "aws-kms", KEK["kmsKeyId"])
    assert script.body() == {
        "name": "CSFLE_Key",
        "kmsType": "aws-kms",
        "kmsKeyId": "arn:aws:kms:us-east-1:1:key/k",
        "kmsProps": {},
        "doc": "",
        "shared": False,
    }


def test_a_key_whose_making_was_cut_is_found_unless_it_is_another() -> None:
    found = Script(CUT, done(**KEK))
    assert registry(found).create_kek("CSFLE_Key", "aws-kms", KEK["kmsKeyId"]).name == "CSFLE_Key"
    assert found.asked == ["POST keks", "GET CSFLE_Key"]
    with pytest.raises(Conflict, match="is another one"):
        registry(Script(CUT, done(**KEK))).create_kek("CSFLE_Key", "aws-kms", "arn:other")


def test_a_name_that_is_taken_is_a_conflict() -> None:
    with pytest.raises(Conflict) as caught:
        registry(Script(registry_refused(409, 40971, "exists"))).create_kek("CSFLE_Key", "aws-kms", "arn")
    assert caught.value.code == 40971


def test_a_key_goes_into_the_bin_before_it_goes_for_good() -> None:
    script = Script(httpx.Response(204), CUT, NO_KEY)
    registry(script).delete_kek("CSFLE_Key")
    assert [script.params(at) for at in range(3)] == [{}, {"permanent": "true"}, {"permanent": "true"}]


def test_a_key_that_is_in_use_is_not_deleted() -> None:
    script = Script(registry_refused(422, 42272, "References to key exist."))
    with pytest.raises(Refused, match="References to key exist"):
        registry(script).delete_kek("CSFLE_Key")
    assert script.asked == ["DELETE CSFLE_Key"]


def test_a_key_that_is_not_taken_is_the_schema_registry_api_key() -> None:
    with pytest.raises(SettingsError) as caught:
        registry(Script(registry_refused(401, 401, "Unauthorized"))).subjects()
    assert "the Schema Registry API key in SALES_STAGING__SCHEMA_REGISTRY_API_KEY" in caught.value.hint


def test_no_secret_is_in_the_object() -> None:
    cloud = registry(Script())
    assert SECRET.get_secret_value() not in repr(cloud) + repr(vars(cloud))


# listings


def listed(*names: str) -> httpx.Response:
    return httpx.Response(200, json=[{"subject": name, "version": 2, "id": 1, "schema": SCHEMA} for name in names])


def test_the_latest_versions_come_page_after_page() -> None:
    script = Script(listed(*(f"a-{number}" for number in range(500))), listed("a-500"))
    found = registry(script).all_latest("a")
    assert (len(found), found["a-500"].version) == (501, 2)
    assert [script.params(at)["offset"] for at in range(2)] == ["0", "500"]
    assert script.params() == {"subjectPrefix": "a", "latestOnly": "true", "offset": "500", "limit": "500"}


def test_the_level_of_a_subject_is_its_own_or_none() -> None:
    script = Script(done(compatibilityLevel="FULL"), registry_refused(404, 40408, "no level"), NO_SUBJECT, NO_PATH)
    cloud = registry(script)
    assert [cloud.compatibility("x") for _ in range(3)] == ["FULL", None, None]
    with pytest.raises(NotFound):
        cloud.compatibility("x")


def test_the_keys_of_fields_go_by_subject_and_algorithm_first_into_the_bin() -> None:
    gone = [httpx.Response(204), httpx.Response(204), NO_KEY, NO_KEY, NO_KEY, NO_KEY]
    script = Script(httpx.Response(200, json=["payments-value"]), *gone)
    registry(script).delete_deks("CSFLE_Key")
    assert script.params(0) == {"deleted": "true"}
    assert script.requests[1].url.path == "/dek-registry/v1/keks/CSFLE_Key/deks/payments-value"
    assert [script.params(at) for at in (1, 2)] == [
        {"algorithm": "AES256_GCM"},
        {"algorithm": "AES256_GCM", "permanent": "true"},
    ]


def test_a_key_that_is_not_there_has_no_keys_of_fields() -> None:
    registry(Script(NO_KEY)).delete_deks("CSFLE_Key")
