"""Whatever a tag is on is encrypted, once, with the key of whoever writes; on the real registry."""

import threading
from dataclasses import replace

import pytest
from pydantic import SecretStr

from dashboard.enforcement.enforcement import Enforcement
from dashboard.enforcement.self_check import ScratchRegistry
from dashboard.errors import ContractError
from dashboard.remotes.cloud_registry import Contract
from tests.enforcement.conftest import DECLARED, GOOD, Topic
from tests.enforcement.records import CARD, letter_of, read


def test_another_secret_cannot_use_a_key_that_this_one_made(topic: Topic) -> None:
    topic.promise()
    assert CARD not in topic.writer()(GOOD)
    with pytest.raises(ContractError, match=f"failed to decrypt with all KEKs for {topic.key}"):
        topic.writer(kms_secret=SecretStr("another one"))(GOOD)
    with pytest.raises(ContractError, match=r"failed to (de|en)crypt"):
        topic.writer(kms_secret=None)(GOOD)


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
    tag_beside(topic)
    writer = topic.writer()
    assert CARD not in writer(GOOD)
    assert CARD not in letter_of(writer).value


def test_a_tag_that_a_new_version_has_beside_the_same_schema_counts_while_it_runs(topic: Topic) -> None:
    topic.promise(replace(DECLARED, tags={}))
    writer = topic.writer(cache_seconds=0)
    assert CARD in writer(GOOD)
    tag_beside(topic)
    wire = writer(GOOD)
    assert CARD not in wire
    assert read(topic, wire)["cc_number"] == GOOD["cc_number"]


def tag_beside(topic: Topic) -> None:
    """The next version: the same schema and rules, with the tag in its metadata."""
    latest = topic.registry.latest(topic.subject)
    assert latest is not None
    metadata = {"tags": {"**.Sale.cc_number": ["PII"]}, "properties": {"confluent:version": str(latest.version + 1)}}
    topic.registry.register(topic.subject, Contract(latest.schema, metadata, dict(latest.rule_set)))


def test_two_rules_for_one_tag_encrypt_once(topic: Topic) -> None:
    encrypt = next(rule for rule in DECLARED.rules if rule["type"] == "ENCRYPT")
    topic.promise(replace(DECLARED, rules=(*DECLARED.rules, {**encrypt, "name": "Encrypt_again"})))
    wire = topic.writer(scratch=None)(GOOD)
    assert read(topic, wire)["cc_number"] == GOOD["cc_number"]
