"""Contracts with rules on the local stack's registry, planned and applied with everything else or alone."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer
from pydantic import SecretStr

from dashboard.card_numbers import HIDDEN
from dashboard.deploy.apply import destroy_plan_for, plan_for
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.open_source_target import OpenSourceTarget, Rules
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.plan import Action
from dashboard.deploy.raw_records import RawRecords
from dashboard.deploy.resources import Id
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statements import Deployment
from dashboard.deploy.stopped import StopList
from dashboard.errors import ContractError
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.flink import Flink, Job
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import carried_out
from tests.fakes.kafka import FakeKafka
from tests.registry_server import registry_at

CONTRACT, KEY, LETTERS = Id("contract", "payments-value"), Id("key", "CSFLE_Key"), Id("topic", "error-payments")
NOBODY = SecretStr("")
CARD = "4111-1111-1111-1111"
CIPHERTEXT = "AAAAAGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ=="


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with registry_at(tmp_path) as address:
        yield address


class IdleFlink(Flink):
    def jobs(self) -> list[Job]:
        return []


def target_on(
    address: str, kafka: FakeKafka, home: Path, *, encrypts: bool = True, knows_rules: bool = True, **changes: Any
) -> OpenSourceTarget:
    """Topics and contracts without statements; `changes` are of the contract of payments."""
    whole = load_pipeline(PipelineSettings(encrypt_fields=encrypts))
    topics = [replace(one, contract=replace(one.contract, **changes)) if one.contract else one for one in whole.topics]
    pipeline = replace(whole, topics=topics, statements=[], tableflow_topics=[])
    where = Addresses("127.0.0.1:1", address, address, "lkc-1", home.as_uri())
    lists = SkipList(home / "skipped.json"), home / "hold", StopList(home / "stopped.json")
    registry = CloudRegistry(address, NOBODY, NOBODY, key_setting="", pace=Pace(repeat_seconds=0))
    return OpenSourceTarget(
        "here",
        Deployment(IdleFlink(address, address), pipeline, PipelineSettings(), where, *lists),
        kafka,
        Registry(address),
        lambda _name: None,
        lambda _name: False,
        makes_given=True,
        holds_back=True,
        rules=Rules(registry, KmsKey("mine", "local-kms")) if knows_rules else None,
    )


def applied(target: OpenSourceTarget) -> list[tuple[Action, Id]]:
    plan = plan_for(target)
    carried_out(target, plan)
    return [(step.action, step.id) for step in plan.acts]


def rules_in(address: str) -> list[str]:
    """Names of the rules that the real client is told."""
    with SchemaRegistryClient({"url": address}) as client:
        held = client.get_latest_version("payments-value").schema.rule_set
    return [rule.name for rule in held.domain_rules or []] if held else []


def test_the_contract_comes_with_its_rules_after_its_key_and_is_then_as_described(
    address: str, kafka: FakeKafka, tmp_path: Path
) -> None:
    target = target_on(address, kafka, tmp_path)
    order = [id_ for _, id_ in applied(target)]
    assert order.index(KEY) < order.index(CONTRACT) > order.index(LETTERS)
    assert rules_in(address) == ["validateConfirmationCode", "Encrypt_PII"]
    assert httpx.get(f"{address}/dek-registry/v1/keks/CSFLE_Key").json()["kmsKeyId"] == "mine"
    assert plan_for(target).changes == []
    (view,) = target.contracts()
    assert (view.version, view.encrypts, view.dead_letter_topics) == (1, True, ["error-payments"])
    assert view.key == "CSFLE_Key (local-kms, mine)"
    assert [field["name"] for field in view.fields if field["tags"] == ["PII"]] == ["cc_number"] == view.secret
    assert not view.differences


def test_a_stack_from_before_contracts_had_rules_gets_them(address: str, kafka: FakeKafka, tmp_path: Path) -> None:
    applied(target_on(address, kafka, tmp_path, knows_rules=False))
    assert rules_in(address) == []
    assert applied(target_on(address, kafka, tmp_path)) == [(Action.CREATE, KEY), (Action.CHANGE_CONTRACT, CONTRACT)]
    assert rules_in(address) == ["validateConfirmationCode", "Encrypt_PII"]


def test_encryption_is_turned_on_by_one_new_version_shown_before_and_off_again(
    address: str, kafka: FakeKafka, tmp_path: Path
) -> None:
    clear, secret = (target_on(address, kafka, tmp_path, encrypts=encrypts) for encrypts in (False, True))
    applied(clear)
    assert rules_in(address) == ["validateConfirmationCode"]
    (view,) = clear.contracts()
    assert (view.encrypts, view.key, view.secret) == (False, "", ["cc_number"])

    plan = plan_for(secret)
    (change,) = [step for step in plan.acts if step.id == CONTRACT]
    assert "rule Encrypt_PII" in change.why
    assert "tags of cc_number" in change.why
    assert "Encrypt_PII" in change.after
    assert "Encrypt_PII" not in change.before
    carried_out(secret, plan)
    (view,) = secret.contracts()
    assert (view.version, view.encrypts) == (2, True)

    # the key stays: what it encrypted is to be read for ever
    assert applied(clear) == [(Action.CHANGE_CONTRACT, CONTRACT)]
    assert rules_in(address) == ["validateConfirmationCode"]
    assert [(step.action, step.id) for step in plan_for(clear).changes] == [(Action.ORPHAN, KEY)]
    (view,) = clear.contracts()
    assert view.version == 3


def test_a_change_that_readers_could_not_follow_is_refused_while_planning_with_the_field(
    address: str, kafka: FakeKafka, tmp_path: Path
) -> None:
    target = target_on(address, kafka, tmp_path)
    applied(target)
    (payments, *_) = load_pipeline(PipelineSettings()).topics
    assert payments.value is not None
    more = {**payments.value, "fields": [*payments.value["fields"], {"name": "shop", "type": "string"}]}
    with pytest.raises(ContractError, match="shop"):
        plan_for(target_on(address, kafka, tmp_path, schema=more))
    assert plan_for(target).changes == []


def test_what_somebody_else_changed_in_the_registry_is_named_and_set_right(
    address: str, kafka: FakeKafka, tmp_path: Path
) -> None:
    target = target_on(address, kafka, tmp_path)
    applied(target)
    latest = httpx.get(f"{address}/subjects/payments-value/versions/latest").json()
    rules = [rule for rule in latest["ruleSet"]["domainRules"] if rule["name"] == "Encrypt_PII"]
    rules[0]["disabled"] = True
    changed = {"schema": latest["schema"], "ruleSet": {"domainRules": rules}}
    assert httpx.post(f"{address}/subjects/payments-value/versions", json=changed).status_code == 200
    (view,) = target.contracts()
    assert view.differences == {
        "rule Encrypt_PII": "changed (disabled)",
        "rule validateConfirmationCode": "added",
    }
    assert not view.encrypts
    assert applied(target) == [(Action.CHANGE_CONTRACT, CONTRACT)]
    assert rules_in(address) == ["validateConfirmationCode", "Encrypt_PII"]


def test_a_key_of_the_same_name_that_is_another_one_is_never_replaced(
    address: str, kafka: FakeKafka, tmp_path: Path
) -> None:
    stranger = {"name": "CSFLE_Key", "kmsType": "aws-kms", "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/2"}
    assert httpx.post(f"{address}/dek-registry/v1/keks", json=stranger).status_code == 200
    plan = plan_for(target_on(address, kafka, tmp_path))
    (step,) = [step for step in plan.steps if step.id == KEY]
    assert step.action is Action.ADOPT


def test_all_of_it_goes_by_name_alone(address: str, kafka: FakeKafka, tmp_path: Path) -> None:
    target = target_on(address, kafka, tmp_path)
    applied(target)
    carried_out(target, destroy_plan_for(target))
    assert rules_in(address)
    carried_out(target, destroy_plan_for(target, delete=["CSFLE_Key", "payments"]), "CSFLE_Key", "payments")
    assert httpx.get(f"{address}/dek-registry/v1/keks", params={"deleted": "true"}).json() == []
    assert "payments-value" not in httpx.get(f"{address}/subjects", params={"deleted": "true"}).json()


class OneRecord(FakeKafka):
    """A topic `payments` with one record."""

    def __init__(self, value: bytes) -> None:
        super().__init__()
        self.topics = {"payments": 1}
        self.appended = {"payments": [value]}


def on_the_wire(address: str, card: str, code: str = "ABCD1234") -> bytes:
    (payments, *_) = load_pipeline(PipelineSettings()).topics
    assert payments.value is not None
    schema_id = Registry(address).register("payments-value", payments.value)
    values = [7, 1, 2, code, card, "01/30", 12.5, 1_790_000_000_000]
    body = BytesIO()
    record = dict(zip((field["name"] for field in payments.value["fields"]), values, strict=True))
    schemaless_writer(body, parse_schema(payments.value), record)
    return struct.pack(">bI", 0, schema_id) + body.getvalue()


def records_of(address: str, value: bytes) -> RawRecords:
    return RawRecords(OneRecord(value), Registry(address), {"payments": ["cc_number"]})


def test_a_card_number_in_the_clear_is_hidden_until_that_record_is_asked_for(address: str) -> None:
    records = records_of(address, on_the_wire(address, CARD))
    (shown,) = records.newest("payments", 5)
    assert shown.fields["cc_number"] == HIDDEN
    assert (shown.hidden, shown.encrypted, shown.place) == (("cc_number",), (), "0:0")
    assert shown.fields["amount"] == "12.5"
    assert CARD not in repr(shown)
    assert records.uncovered("payments", 0, 0).fields["cc_number"] == CARD


def test_ciphertext_is_shown_as_it_is(address: str) -> None:
    (shown,) = records_of(address, on_the_wire(address, CIPHERTEXT)).newest("payments", 5)
    assert shown.fields["cc_number"] == CIPHERTEXT
    assert (shown.hidden, shown.encrypted) == ((), ("cc_number",))


@pytest.mark.parametrize("number", ["4111111111111111", "4111 1111 1111 1111", "411111111111111"])
def test_a_card_number_in_another_field_is_hidden_too(address: str, number: str) -> None:
    (shown,) = records_of(address, on_the_wire(address, CIPHERTEXT, code=f"my card {number}")).newest("payments", 5)
    assert shown.hidden == ("confirmation_code",)
    assert number not in repr(shown)


@pytest.mark.parametrize("value", [b"", b"plain text", b"\0\0\0\x03\xe7rest", b"\0\0\0\0"])
def test_a_record_that_nobody_can_read_is_listed_with_its_fault(address: str, value: bytes) -> None:
    (shown,) = records_of(address, value).newest("payments", 5)
    assert shown.fault
    assert shown.fields == {}


def test_of_a_topic_that_is_not_there_nothing_is_shown_and_a_missing_record_is_named(address: str) -> None:
    records = records_of(address, on_the_wire(address, CARD))
    assert records.newest("nothing", 5) == []
    with pytest.raises(ContractError, match="payments has no record 0:9"):
        records.uncovered("payments", 0, 9)
