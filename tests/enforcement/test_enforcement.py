"""Records are written as the newest contract says, or not at all; with the real client on the real registry."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboard.enforcement.encryption import Encryption
from dashboard.enforcement.enforcement import Enforcement
from dashboard.errors import ContractError, UnreachableError
from tests.conftest import eventually
from tests.enforcement.conftest import BAD, DECLARED, GOOD, KMS_SECRET, Topic
from tests.enforcement.records import CARD, assert_silent, read, refused
from tests.registry_server import registry_at


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


def test_a_contract_without_rules_lets_everything_pass(topic: Topic) -> None:
    topic.promise(replace(DECLARED, rules=(), tags={}, key=""))
    writer = topic.writer()
    writer.begin()
    assert CARD in writer(GOOD)
    writer(BAD)


def test_a_field_that_slips_through_is_caught_record_by_record(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    topic.promise()
    writer = topic.writer()
    writer.begin()
    monkeypatch.setattr(Encryption, "transform", lambda _self, _ctx, message: message)
    with pytest.raises(ContractError, match=r"cc_number of .* was not encrypted") as caught:
        writer(GOOD)
    assert_silent(caught.value)


def test_a_contract_whose_sample_slips_through_lets_no_other_record_out(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.promise()
    # without the proof that would find it out before
    writer = topic.writer(scratch=None)
    monkeypatch.setattr(Encryption, "transform", lambda _self, _ctx, message: message)
    for value in (GOOD, GOOD, GOOD | {"cc_number": "12345"}):
        # each time, also for what is too short for the check of single records
        with pytest.raises(ContractError):
            writer(value)


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
