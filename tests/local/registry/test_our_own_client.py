"""Our client for Confluent Cloud's registry, on the local one: what plans and applies call works here as there."""

from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from dashboard.errors import ContractError
from dashboard.remotes import cloud_registry
from dashboard.remotes.cloud_errors import Conflict, Refused
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from tests.local.registry.encrypting import rules, schema

KEKS = "/dek-registry/v1/keks"


@pytest.fixture
def registry(address: str) -> CloudRegistry:
    """The local registry asks for no key, and minds none."""
    return CloudRegistry(address, SecretStr("nobody"), SecretStr("nothing"), key_setting="SALES_LOCAL_KEY")


@pytest.fixture
def kek(subject: str) -> str:
    return f"key_{subject.removesuffix('-value').rpartition('.')[2]}"


def test_a_contract_is_registered_listed_compared_and_deleted(registry: CloudRegistry, subject: str, kek: str) -> None:
    contract = Contract(schema(), rule_set=rules(kek))
    assert registry.latest(subject) is None
    assert registry.compatibility(subject) is None
    assert registry.compatible(subject, contract) == []

    schema_id = registry.register(subject, contract)
    registry.set_compatibility(subject, "FULL_TRANSITIVE")

    latest = registry.latest(subject)
    assert latest is not None
    assert (latest.id, latest.version, latest.rule_set["domainRules"]) == (schema_id, 1, rules(kek)["domainRules"])
    assert registry.all_latest(subject) == {subject: latest}
    assert registry.compatibility(subject) == "FULL_TRANSITIVE"
    broken = replace(contract, schema='{"type": "record", "name": "Sale", "fields": []}', rule_set={})
    assert registry.compatible(subject, replace(contract, schema=schema("note"))) == []
    assert registry.compatible(subject, broken)
    with pytest.raises(ContractError, match="incompatible"):
        registry.register(subject, broken)
    with pytest.raises(ContractError, match="initial character"):
        registry.register(subject, replace(contract, rule_set={"domainRules": [{"name": "1st", "type": "CEL"}]}))

    registry.delete(subject)
    assert registry.latest(subject) is None
    assert subject not in registry.subjects()


def test_the_latest_versions_of_more_subjects_than_a_page_holds_are_all_listed(
    registry: CloudRegistry, http: httpx.Client, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_registry, "_SCHEMAS_A_PAGE", 3)
    names = [f"{subject}-{number}" for number in range(7)]
    for name in names:
        http.post(f"/subjects/{name}/versions", json={"schema": '"string"'}).raise_for_status()

    assert list(registry.all_latest(subject)) == names


def test_a_key_is_made_found_and_deleted_with_all_that_it_encrypts(
    registry: CloudRegistry, http: httpx.Client, subject: str, kek: str
) -> None:
    assert registry.kek(kek) is None
    made = registry.create_kek(kek, "local-kms", "mine", kms_props={"a": "b"}, doc="cards")
    assert registry.kek(kek) == made
    assert (made.kms_type, made.kms_key_id, made.kms_props, made.doc) == ("local-kms", "mine", {"a": "b"}, "cards")
    assert kek in registry.keks()
    with pytest.raises(Conflict):
        registry.create_kek(kek, "local-kms", "another")
    for algorithm in ("AES256_GCM", "AES128_GCM", "AES256_SIV"):
        for version in (1, 2):
            dek = {"algorithm": algorithm, "version": version, "encryptedKeyMaterial": "bXk="}
            http.post(f"{KEKS}/{kek}/deks/{subject}%2Fodd", json=dek).raise_for_status()
    http.delete(f"{KEKS}/{kek}/deks/{subject}%2Fodd").raise_for_status()
    with pytest.raises(Refused) as caught:
        registry.delete_kek(kek)
    assert caught.value.code == 42272

    registry.delete_deks(kek)
    registry.delete_kek(kek)

    assert registry.kek(kek) is None
    assert kek not in http.get(f"{KEKS}?deleted=true").json()
    registry.delete_deks(kek)
    registry.delete_kek(kek)


def test_a_shared_key_is_refused_here(registry: CloudRegistry, kek: str) -> None:
    with pytest.raises(Refused, match="knows no key of any KMS"):
        registry.create_kek(kek, "local-kms", "mine", shared=True)
    assert registry.kek(kek) is None
