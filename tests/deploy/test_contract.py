"""A contract as a file declares it, and in what the registry's differs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.deploy.contract import Declaration, load_declarations, told_of
from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import ContractError
from dashboard.remotes.cloud_registry import Subject
from dashboard.settings import PipelineSettings

AVSC = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}]}
ENCRYPTS = '[[rule]]\nname = "Hide"\nkind = "TRANSFORM"\nmode = "WRITEREAD"\ntype = "ENCRYPT"\ntags = ["PII"]\n'


@pytest.fixture
def payments() -> Declaration:
    (declared,) = (one.contract for one in load_pipeline(PipelineSettings()).topics if one.contract)
    return declared


def held(declared: Declaration, **changes: Any) -> Subject:
    contract = declared.registered()
    subject = Subject(contract.schema, 1, 1, {}, dict(contract.rule_set), (), "AVRO")
    return replace(subject, **changes)


def test_the_contract_of_payments_is_the_one_that_confluents_demo_registers(payments: Declaration) -> None:
    contract = payments.registered()
    (card,) = [field for field in json.loads(contract.schema)["fields"] if field["name"] == "cc_number"]
    assert card["confluent:tags"] == ["PII"]
    assert contract.rule_set == {
        "domainRules": [
            {
                "name": "validateConfirmationCode",
                "kind": "CONDITION",
                "mode": "WRITE",
                "type": "CEL",
                "expr": "message.confirmation_code.matches('^[A-Z0-9]{8}$')",
                "onFailure": "DLQ",
                "params": {"dlq.topic": "error-payments", "dlq.auto.flush": "true"},
                "disabled": False,
            },
            {
                "name": "Encrypt_PII",
                "kind": "TRANSFORM",
                "mode": "WRITEREAD",
                "type": "ENCRYPT",
                "tags": ["PII"],
                "params": {"encrypt.kek.name": "CSFLE_Key"},
                "onFailure": "ERROR,NONE",
                "disabled": False,
            },
        ]
    }
    assert (payments.compatibility, payments.key) == ("FULL_TRANSITIVE", "CSFLE_Key")
    assert payments.dead_letter_topics == {"error-payments"}


def test_the_schema_of_the_open_source_target_has_no_tags(payments: Declaration) -> None:
    (topic,) = [one for one in load_pipeline(PipelineSettings()).topics if one.name == "payments"]
    assert "confluent:tags" not in json.dumps(topic.value)


def test_what_the_registry_writes_another_way_is_no_difference(payments: Declaration) -> None:
    told = held(payments)
    rules = [
        {"doc": None, "onSuccess": "NONE,NONE", "tags": None, **rule} for rule in reversed(told.rule_set["domainRules"])
    ]
    same = replace(
        told,
        schema=json.dumps(json.loads(told.schema), indent=3, sort_keys=True),
        metadata={"tags": {}, "properties": {"confluent:version": "1"}, "sensitive": []},
        rule_set={"migrationRules": [], "domainRules": rules[::-1], "encodingRules": None},
    )
    assert payments.differences(same, "FULL_TRANSITIVE") == {}


def test_tags_in_the_schema_and_beside_it_are_told_alike(payments: Declaration) -> None:
    there = held(payments)
    plain = json.loads(there.schema)
    tags = {field["name"]: field.pop("confluent:tags") for field in plain["fields"] if "confluent:tags" in field}
    beside = replace(there, schema=json.dumps(plain), metadata={"tags": tags})
    assert told_of(beside, "FULL_TRANSITIVE") == told_of(there, "FULL_TRANSITIVE") == payments.told()


def test_each_thing_that_differs_is_named(payments: Declaration) -> None:
    validate, encrypt = (dict(rule) for rule in payments.rules)
    schema = json.loads(held(payments).schema)
    schema["fields"] = [*schema["fields"][:-1], {"name": "tip", "type": "double"}]
    schema["fields"][4].pop("confluent:tags")
    other = held(
        payments,
        schema=json.dumps(schema),
        metadata={"properties": {"owner": "shop"}, "tags": {"**.expiration": ["PII"]}},
        rule_set={"domainRules": [{**validate, "expr": "true"}], "migrationRules": [{**encrypt, "name": "Old"}]},
    )
    assert payments.differences(other, "BACKWARD") == {
        "schema": "added ts; removed tip",
        "tags of **.expiration": "none instead of PII",
        "tags of cc_number": "PII instead of none",
        "rule Encrypt_PII": "added",
        "rule Old": "removed",
        "rule validateConfirmationCode": "changed (expr)",
        "properties": "owner removed",
        "compatibility": "FULL_TRANSITIVE instead of BACKWARD",
    }


def test_the_order_of_rules_counts_since_they_run_in_it(payments: Declaration) -> None:
    turned = held(payments, rule_set={"domainRules": list(payments.rules)[::-1]})
    assert payments.differences(turned, "FULL_TRANSITIVE") == {"rules": "in another order"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('owner = "x"', "says owner, which means nothing"),
        ('[tags]\nc = ["PII"]', "tags c, which its schema does not have"),
        ('key = "K"', "names the key K, with which no rule encrypts"),
        (f'[tags]\na = ["PII"]\n{ENCRYPTS}', "encrypts by Hide and names no key"),
        (f'key = "K"\n{ENCRYPTS}', "has a rule Hide for the tag PII, which no field has"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r.avsc").write_text(json.dumps(AVSC))
    (tmp_path / "r.toml").write_text(f'subject = "r-value"\nschema = "r.avsc"\n{text}\n')
    with pytest.raises(ContractError, match=said):
        load_declarations(tmp_path)


def test_a_declaration_without_a_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('compatibility = "FULL"\n')
    with pytest.raises(ContractError, match="does not say schema and subject"):
        load_declarations(tmp_path)
