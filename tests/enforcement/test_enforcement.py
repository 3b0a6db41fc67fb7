"""Records are written as the newest contract says, or not at all; with the real client on the real registry."""

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import SecretStr

from dashboard.card_numbers import holds_card_number
from dashboard.enforcement.encryption import Encryption
from dashboard.enforcement.enforcement import Enforcement
from dashboard.enforcement.outcomes import (
    ENCRYPTED_HEADER,
    REDACTED,
    REDACTED_HEADER,
    Ciphertext,
    DeadLetter,
    Refused,
)
from dashboard.enforcement.self_check import ScratchRegistry
from dashboard.errors import ContractError, SalesTrendsError, UnreachableError
from dashboard.remotes.cloud_registry import Contract
from tests.conftest import eventually
from tests.enforcement.conftest import BAD, DECLARED, GOOD, KMS_SECRET, Topic
from tests.registry_server import registry_at

CARD = GOOD["cc_number"].encode()


def read(topic: Topic, wire: bytes) -> dict[str, Any]:
    """As whoever may use the key reads it, by the client alone."""
    executors = RuleRegistry()  # type: ignore[no-untyped-call]
    executors.register_executor(FieldEncryptionExecutor())
    with SchemaRegistryClient({"url": topic.address}) as client:
        reader = AvroDeserializer(client, rule_conf={"secret": KMS_SECRET.get_secret_value()}, rule_registry=executors)
        found = reader(wire, SerializationContext(topic.name, MessageField.VALUE))
        reader.close()
    assert isinstance(found, dict)
    return found


def refused(writer: Enforcement, value: dict[str, Any] = BAD) -> Refused:
    with pytest.raises(Refused) as caught:
        writer(value)
    assert caught.value.__suppress_context__
    return caught.value


def letter_of(writer: Enforcement, value: dict[str, Any] = BAD) -> DeadLetter:
    letter = refused(writer, value).letter
    assert letter is not None
    return letter


def test_both_rules_run_and_the_payment_is_read_back_with_the_key(topic: Topic) -> None:
    topic.promise()
    writer = topic.writer()
    writer.begin()
    wire = writer(GOOD)
    assert CARD not in wire
    assert read(topic, wire)["cc_number"] == GOOD["cc_number"]
    told = refused(writer)
    assert told.rule == "validateConfirmationCode"
    assert writer.dead_letter_topics == {"error-payments"}


def test_the_callers_payment_stays_what_it_is_and_the_same_twice_is_the_same(topic: Topic) -> None:
    topic.promise()
    writer = topic.writer()
    payment = dict(GOOD)
    first, second = writer(payment), writer(payment)
    assert payment == GOOD
    assert read(topic, first) == read(topic, second)
    assert read(topic, second)["cc_number"] == GOOD["cc_number"]


def test_a_letter_holds_the_card_number_as_ciphertext_that_can_be_sent_again(topic: Topic) -> None:
    topic.promise()
    writer = topic.writer()
    letter = letter_of(writer)
    fields, headers = json.loads(letter.value), dict(letter.headers)
    assert letter.topic == "error-payments"
    assert fields == {**BAD, "cc_number": fields["cc_number"]}
    assert headers[ENCRYPTED_HEADER] == b"cc_number"
    assert REDACTED_HEADER not in headers
    assert headers["__rule.name"] == b"validateConfirmationCode"
    assert headers["__rule.subject"] == topic.subject.encode()
    assert headers["__rule.topic"] == topic.name.encode()
    assert headers["__rule.mode"] == b"WRITE"
    assert b"^[A-Z0-9]{8}$" in headers["__rule.exception"]

    again = topic.writer(kms_secret=None, scratch=None, sample=None)
    mended = {**fields, "confirmation_code": "ABCD1234", "cc_number": Ciphertext(fields["cc_number"])}
    assert read(topic, again(mended)) == read(topic, writer({**BAD, "confirmation_code": "ABCD1234"}))


@pytest.mark.parametrize("changes", [{"Encrypt_PII": None}, {"Encrypt_PII": {"disabled": True}}])
@pytest.mark.parametrize("tagged", [True, False])
def test_no_letter_holds_a_card_number_whatever_the_contract(topic: Topic, changes: Any, tagged: bool) -> None:
    topic.promise(DECLARED if tagged else replace(DECLARED, tags={}), **changes)
    letter = letter_of(topic.writer())
    assert json.loads(letter.value)["cc_number"] == REDACTED
    assert dict(letter.headers)[REDACTED_HEADER] == b"cc_number"


def test_a_card_number_in_another_field_is_blacked_out_too(topic: Topic) -> None:
    topic.promise()
    letter = letter_of(topic.writer(), {**GOOD, "confirmation_code": GOOD["cc_number"]})
    assert CARD not in letter.value
    assert json.loads(letter.value)["confirmation_code"] == REDACTED
    assert not any(holds_card_number(text.decode()) for _, text in letter.headers)


@pytest.mark.parametrize("code", ["0", "abcd1234", "ABCD123", "ABCD12345", "", "ABCD1234\n", "ÄBCD1234", " ABCD1234"])
def test_a_code_that_is_none_is_refused(topic: Topic, code: str) -> None:
    topic.promise()
    refused(topic.writer(), {**GOOD, "confirmation_code": code})


@pytest.mark.parametrize("code", [None, 12345678, 1.5])
def test_a_code_of_another_type_is_refused_too(topic: Topic, code: Any) -> None:
    topic.promise()
    told = refused(topic.writer(), {**GOOD, "confirmation_code": code})
    assert "could not be evaluated" in told.reason
    assert told.letter is not None


def test_a_missing_code_is_refused_with_a_letter_without_it(topic: Topic) -> None:
    topic.promise()
    value = {name: text for name, text in GOOD.items() if name != "confirmation_code"}
    assert "confirmation_code" not in json.loads(letter_of(topic.writer(), value).value)


def test_without_an_action_it_is_refused_without_a_letter(topic: Topic) -> None:
    topic.promise(validateConfirmationCode={"onFailure": "ERROR"})
    told = refused(topic.writer())
    assert (told.letter, told.rule) == (None, "validateConfirmationCode")


def test_a_contract_without_rules_lets_everything_pass(topic: Topic) -> None:
    topic.promise(replace(DECLARED, rules=(), tags={}, key=""))
    writer = topic.writer()
    writer.begin()
    assert CARD in writer(GOOD)
    writer(BAD)


# what changes while it runs


def test_a_changed_contract_counts_when_the_copy_has_expired_and_in_a_new_process_at_once(topic: Topic) -> None:
    topic.promise(DECLARED.unencrypted())
    patient, quick = topic.writer(cache_seconds=600), topic.writer(cache_seconds=0.05)
    assert CARD in patient(GOOD)
    assert CARD in quick(GOOD)
    topic.promise()
    eventually(lambda: CARD not in quick(GOOD), 10, 0.05)
    assert CARD in patient(GOOD)
    assert CARD not in topic.writer(cache_seconds=600)(GOOD)
    assert quick.version == 2


def test_a_new_version_is_proven_again_before_it_counts(topic: Topic) -> None:
    topic.promise()
    writer = topic.writer(cache_seconds=0)
    writer(GOOD)
    topic.promise(validateConfirmationCode={"type": "ORACLE"})
    with pytest.raises(ContractError, match="type ORACLE, which nothing here runs"):
        writer(GOOD)
    topic.promise()
    assert CARD not in writer(GOOD)


# what is wrong with a contract


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"validateConfirmationCode": {"type": "ORACLE", "onFailure": "NONE"}}, "type ORACLE"),
        ({"validateConfirmationCode": {"onFailure": "PAGER"}}, "action PAGER"),
        ({"validateConfirmationCode": {"expr": "message.confirmation_code.matches('[')"}}, "cannot be evaluated"),
        ({"validateConfirmationCode": {"expr": "message.confirmation_code.nonsense()"}}, "cannot be evaluated"),
        ({"validateConfirmationCode": {"expr": "message.("}}, "cannot be evaluated"),
        ({"Encrypt_PII": {"params": {"encrypt.kek.name": "no_such_key"}}}, "no kms type found for no_such_key"),
        ({"Encrypt_PII": {"tags": []}}, "names no tag"),
        ({"Encrypt_PII": {"params": {"encrypt.kek.name": "k", "encrypt.dek.algorithm": "ROT13"}}}, "KeyError"),
    ],
)
def test_a_contract_that_cannot_be_carried_out_lets_nothing_out(topic: Topic, changes: Any, told: str) -> None:
    topic.promise(**changes)
    writer = topic.writer()
    for act in (writer.begin, lambda: writer(GOOD)):
        with pytest.raises(ContractError, match=told) as caught:
            act()
        assert_silent(caught.value)


def test_an_encryption_that_is_told_to_go_on_without_its_key_lets_nothing_out_in_the_clear(topic: Topic) -> None:
    topic.promise(Encrypt_PII={"onFailure": "NONE,NONE", "params": {"encrypt.kek.name": "no_such_key"}})
    with pytest.raises(ContractError, match="was not encrypted") as caught:
        topic.writer(scratch=None)(GOOD)
    assert_silent(caught.value)


def test_a_record_that_the_schema_has_no_place_for_is_told_without_its_values(topic: Topic) -> None:
    topic.promise()
    with pytest.raises(ContractError, match="No record of") as caught:
        topic.writer()({**GOOD, "amount": GOOD["cc_number"]})
    assert_silent(caught.value)


def test_no_contract_at_all_is_said_with_what_registers_it(topic: Topic) -> None:
    with pytest.raises(ContractError, match="has no contract") as caught:
        topic.writer().begin()
    assert "sales-trends apply" in caught.value.hint


def test_a_key_of_another_secret_is_told(topic: Topic) -> None:
    topic.promise()
    wrapped = "A" * 60
    made = httpx.post(
        f"{topic.address}/dek-registry/v1/keks/{topic.key}/deks",
        json={"subject": topic.subject, "algorithm": "AES256_GCM", "version": 1, "encryptedKeyMaterial": wrapped},
    )
    assert made.status_code == 200
    with pytest.raises(ContractError, match=f"failed to decrypt with all KEKs for {topic.key}"):
        topic.writer().begin()


def test_a_key_in_the_bin_is_told_and_nothing_is_written(topic: Topic) -> None:
    topic.promise()
    httpx.delete(f"{topic.address}/dek-registry/v1/keks/{topic.key}").raise_for_status()
    with pytest.raises(ContractError, match=topic.key):
        topic.writer().begin()


def test_another_secret_cannot_use_a_key_that_this_one_made(topic: Topic) -> None:
    topic.promise()
    assert CARD not in topic.writer()(GOOD)
    with pytest.raises(ContractError, match=f"failed to decrypt with all KEKs for {topic.key}"):
        topic.writer(kms_secret=SecretStr("another one"))(GOOD)
    with pytest.raises(ContractError, match=r"failed to (de|en)crypt"):
        topic.writer(kms_secret=None)(GOOD)


# what is away


def test_a_registry_that_is_away_is_told_and_is_gone_on_with_when_it_is_back(
    tmp_path: Path, topic_at: Callable[[str], Topic]
) -> None:
    with registry_at(tmp_path) as address:
        topic = topic_at(address)
        topic.make_key()
        topic.promise()
        writer, new = topic.writer(cache_seconds=0.05), topic.writer()
        writer(GOOD)
    for one in (writer, new):
        with pytest.raises(UnreachableError, match=r"the registry at .* does not answer") as caught:
            goes_on_until_it_fails(one)
        assert_silent(caught.value)
    port = int(topic.address.rpartition(":")[2])
    with registry_at(tmp_path, port):
        assert CARD not in writer(GOOD)
        assert read(topic, new(GOOD))["cc_number"] == GOOD["cc_number"]


def goes_on_until_it_fails(writer: Enforcement) -> None:
    for _ in range(1_000):
        writer(GOOD)
        time.sleep(0.01)


# the self-check


def test_the_self_check_leaves_nothing_behind(topic: Topic) -> None:
    topic.promise()
    topic.writer().begin()
    everything = {"deleted": "true"}
    subjects = httpx.get(f"{topic.address}/subjects", params=everything).json()
    assert not [one for one in subjects if "self-check" in one]
    deks = httpx.get(f"{topic.address}/dek-registry/v1/keks/{topic.key}/deks", params=everything).json()
    assert deks == [topic.subject]


def test_what_a_check_that_was_killed_has_left_is_no_hindrance(topic: Topic) -> None:
    topic.promise()
    subject = f"sales-trends-self-check-{topic.name}-value"
    left = {"schema": '{"type": "record", "name": "Other", "fields": []}'}
    httpx.post(f"{topic.address}/subjects/{subject}/versions", json=left).raise_for_status()
    topic.writer().begin()
    assert subject not in httpx.get(f"{topic.address}/subjects", params={"deleted": "true"}).json()


@pytest.mark.parametrize("broken", ["conditions", "encryption"])
def test_a_client_that_runs_no_rules_is_found_out_before_the_first_record(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    topic.promise()
    if broken == "conditions":
        monkeypatch.setattr("dashboard.enforcement.conditions.Conditions.transform", lambda *_: True)
    else:
        monkeypatch.setattr(Encryption, "transform", lambda _self, _ctx, message: message)
    with pytest.raises(ContractError, match="not enforced here"):
        topic.writer().begin()


def test_a_field_that_slips_through_is_caught_record_by_record(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    topic.promise()
    writer = topic.writer()
    writer.begin()
    monkeypatch.setattr(Encryption, "transform", lambda _self, _ctx, message: message)
    with pytest.raises(ContractError, match=r"cc_number of .* was not encrypted") as caught:
        writer(GOOD)
    assert_silent(caught.value)


def test_two_writers_at_once_use_one_key_and_read_each_other(topic: Topic) -> None:
    topic.promise()
    apps = ("one", "two")
    writers, wires = [topic.writer(scratch=ScratchRegistry(topic.registry, app)) for app in apps], list[bytes]()
    start = threading.Barrier(2)

    def write(writer: Enforcement) -> None:
        start.wait(10)
        wires.append(writer(GOOD))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [read(topic, wire)["cc_number"] for wire in wires] == [GOOD["cc_number"]] * 2


def test_nothing_is_logged_of_a_record(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    topic.promise()
    writer = topic.writer()
    writer(GOOD)
    refused(writer)
    topic.promise(Encrypt_PII={"params": {"encrypt.kek.name": "no_such_key"}})
    with pytest.raises(ContractError):
        topic.writer()(GOOD)
    assert GOOD["cc_number"] not in caplog.text
    assert KMS_SECRET.get_secret_value() not in caplog.text


def assert_silent(error: SalesTrendsError) -> None:
    """Neither its words nor what a trace shows of it hold the card number."""
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert GOOD["cc_number"] not in shown
    assert error.__context__ is None or error.__suppress_context__


NESTED = {
    "type": "record",
    "name": "Nested",
    "fields": [
        {"name": "confirmation_code", "type": "string"},
        {"name": "cc_number", "type": ["null", "string"], "default": None, "confluent:tags": ["PII"]},
        {
            "name": "payer",
            "type": {
                "type": "record",
                "name": "Payer",
                "fields": [{"name": "card", "type": "string", "confluent:tags": ["PII"]}],
            },
        },
    ],
}


@pytest.mark.parametrize("card", [GOOD["cc_number"], None])
def test_fields_within_fields_and_those_that_may_be_missing_are_encrypted_too(topic: Topic, card: str | None) -> None:
    topic.promise(replace(DECLARED, schema=NESTED, tags={}))
    value = {"confirmation_code": "ABCD1234", "cc_number": card, "payer": {"card": GOOD["cc_number"]}}
    wire = topic.writer(sample=None)(value)
    assert CARD not in wire
    assert read(topic, wire) == value


def test_a_tag_beside_the_schema_counts_as_one_within(topic: Topic) -> None:
    topic.promise(replace(DECLARED, tags={}))
    latest = topic.registry.latest(topic.subject)
    assert latest is not None
    metadata = {"tags": {"**.Sale.cc_number": ["PII"]}, "properties": {"confluent:version": str(latest.version + 1)}}
    contract = Contract(latest.schema, metadata, dict(latest.rule_set))
    topic.registry.register(topic.subject, contract)
    writer = topic.writer()
    assert CARD not in writer(GOOD)
    assert CARD not in letter_of(writer).value


def test_two_rules_for_one_tag_encrypt_once(topic: Topic) -> None:
    encrypt = next(rule for rule in DECLARED.rules if rule["type"] == "ENCRYPT")
    topic.promise(replace(DECLARED, rules=(*DECLARED.rules, {**encrypt, "name": "Encrypt_again"})))
    wire = topic.writer(scratch=None)(GOOD)
    assert read(topic, wire)["cc_number"] == GOOD["cc_number"]
