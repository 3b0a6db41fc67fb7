"""Confluent's own client on the real process: rules run, keys are made, and no card number leaves in clear."""

import sqlite3
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import Clock
from confluent_kafka.serialization import SerializationError

from tests.local.conftest import Program
from tests.local.registry.encrypting import CARD, SECRET, Sides, payment, rules, schema

KEKS = "/dek-registry/v1/keks"
DELETED = {"deleted": "true"}
DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Topic:
    """A topic with a contract that encrypts, which no other test uses."""

    name: str
    http: httpx.Client

    @property
    def subject(self) -> str:
        return f"{self.name}-value"

    @property
    def kek(self) -> str:
        return f"key_{self.name}"

    @property
    def dek(self) -> str:
        """The path of the key of its fields."""
        return f"{KEKS}/{self.kek}/deks/{self.subject}"

    def register(self, text: str, **parts: Any) -> dict[str, Any]:
        answer = self.http.post(f"/subjects/{self.subject}/versions", json={"schema": text, **parts})
        assert answer.status_code == 200, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    def delete(self, path: str) -> None:
        assert self.http.delete(path).status_code == 204

    def make_kek(self) -> None:
        made = self.http.post(KEKS, json={"name": self.kek, "kmsType": "local-kms", "kmsKeyId": "mine"})
        assert made.status_code == 200, made.text


@pytest.fixture
def sides(program: Program) -> Iterator[Sides]:
    with Sides(program.url) as sides:
        yield sides


@pytest.fixture
def topic(program: Program) -> Iterator[Topic]:
    with httpx.Client(base_url=program.url) as http:
        yield Topic(f"payments_{uuid4().hex}", http)


@dataclass
class LaterClock(Clock):
    """So many days ahead. Asked for the first time, which is between finding no key and making one, it waits."""

    days: int = 0
    meeting: threading.Barrier | None = None

    def now(self) -> int:
        meeting, self.meeting = self.meeting, None
        if meeting:
            meeting.wait(timeout=60)
        return int(super().now()) + self.days * DAY_MS


def why(caught: pytest.ExceptionInfo[SerializationError]) -> str:
    """The client's own error says nothing; its cause does."""
    assert str(caught.value) == ""
    return str(caught.value.__cause__)


def version_in(card: str) -> int:
    """Which version of a key that is rotated encrypted this."""
    magic, version = b64decode(card)[:1], b64decode(card)[1:5]
    assert magic == b"\0"
    return int.from_bytes(version)


def test_a_card_is_encrypted_on_the_way_out_and_read_with_the_key(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))

    sent = sides.producer(topic.name)(payment())

    assert CARD.encode() not in sent
    assert sides.outsider(topic.name)(sent)["cc_number"] != CARD
    assert sides.consumer(topic.name)(sent) == payment()
    assert topic.http.get(f"{KEKS}/{topic.kek}").json()["kmsKeyId"] == "mine"
    assert topic.http.get(f"{topic.dek}/versions").json() == [1]


def test_a_record_that_breaks_a_rule_is_not_written(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))

    with pytest.raises(SerializationError) as caught:
        sides.producer(topic.name)(payment(code="0"))

    assert "confirmation_code.matches" in why(caught)


@pytest.mark.parametrize("algorithm", ["AES128_GCM", "AES256_GCM", "AES256_SIV"])
def test_each_algorithm_has_a_key_of_its_own(sides: Sides, topic: Topic, algorithm: str) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek, algorithm=algorithm))
    send = sides.producer(topic.name)

    sent = [send(payment()) for _ in range(2)]

    assert [sides.consumer(topic.name)(one) for one in sent] == [payment()] * 2
    assert (sent[0] == sent[1]) == (algorithm == "AES256_SIV"), "only this one is deterministic"
    for other in ("AES128_GCM", "AES256_GCM", "AES256_SIV"):
        versions = topic.http.get(f"{topic.dek}/versions", params={"algorithm": other}).json()
        assert versions == ([1] if other == algorithm else [])


def test_two_producers_that_both_find_no_key_end_up_with_one(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    meeting = threading.Barrier(2)
    producers = [sides.producer(topic.name, LaterClock(meeting=meeting)) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda send: send(payment()), producers))

    read = sides.consumer(topic.name)
    assert [read(one) for one in sent] == [payment()] * 2
    assert topic.http.get(f"{topic.dek}/versions", params=DELETED).json() == [1]
    assert [read(send(payment(2))) for send in producers] == [payment(2)] * 2


# rotation


def test_a_key_that_is_too_old_gets_a_next_version_and_the_old_one_still_reads(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek, expiry_days="1"))
    first = sides.producer(topic.name)(payment(1))
    same = sides.producer(topic.name)(payment(2))

    later = sides.producer(topic.name, LaterClock(days=2))(payment(3))

    in_kafka, read = sides.outsider(topic.name), sides.consumer(topic.name)
    assert [version_in(in_kafka(sent)["cc_number"]) for sent in (first, same, later)] == [1, 1, 2]
    assert [read(sent) for sent in (first, same, later)] == [payment(1), payment(2), payment(3)]
    assert topic.http.get(f"{topic.dek}/versions").json() == [1, 2]


def test_of_two_that_rotate_a_key_at_once_one_makes_it_and_both_write_what_can_be_read(
    sides: Sides, topic: Topic
) -> None:
    """The other one's client goes on with the version before: it keeps the latest it knew and never asks again."""
    topic.register(schema(), ruleSet=rules(topic.kek, expiry_days="1"))
    sides.producer(topic.name)(payment())
    meeting = threading.Barrier(2)
    producers = [sides.producer(topic.name, LaterClock(2, meeting)) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda send: send(payment()), producers))

    in_kafka, read = sides.outsider(topic.name), sides.consumer(topic.name)
    assert sorted(version_in(in_kafka(one)["cc_number"]) for one in sent) == [1, 2]
    assert [read(one) for one in sent] == [payment()] * 2
    assert topic.http.get(f"{topic.dek}/versions").json() == [1, 2]


# deleted keys


def test_without_its_key_nothing_is_written_in_clear_and_what_was_written_stays_readable(
    sides: Sides, topic: Topic
) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    written = sides.producer(topic.name)(payment())
    topic.delete(topic.dek)

    with pytest.raises(SerializationError) as caught:
        sides.producer(topic.name)(payment())
    assert why(caught) == f"no dek found for {topic.kek} during produce"
    assert sides.consumer(topic.name)(written) == payment(), "a reader asks for deleted keys too"

    assert topic.http.post(f"{topic.dek}/undelete").status_code == 204
    assert sides.consumer(topic.name)(sides.producer(topic.name)(payment(2))) == payment(2)
    assert topic.http.get(f"{topic.dek}/versions").json() == [1]


def test_a_kek_in_the_bin_stops_writers_and_readers_until_it_is_out_again(sides: Sides, topic: Topic) -> None:
    topic.make_kek()
    topic.register(schema(), ruleSet=rules(topic.kek, kms=False))
    written = sides.producer(topic.name)(payment())
    topic.delete(topic.dek)
    topic.delete(f"{KEKS}/{topic.kek}")

    with pytest.raises(SerializationError) as caught:
        sides.producer(topic.name)(payment())
    assert why(caught) == f"no kms type found for {topic.kek} during produce"
    assert sides.consumer(topic.name)(written)["cc_number"] != CARD, "on a failure to read, the rule says NONE"

    for path in (f"{KEKS}/{topic.kek}", topic.dek):
        assert topic.http.post(f"{path}/undelete").status_code == 204
    assert sides.consumer(topic.name)(written) == payment()
    assert sides.consumer(topic.name)(sides.producer(topic.name)(payment(2))) == payment(2)


def test_a_rule_that_names_the_key_of_the_kms_takes_the_kek_out_of_the_bin_by_itself(
    sides: Sides, topic: Topic
) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    sides.producer(topic.name)(payment())
    topic.delete(topic.dek)
    topic.delete(f"{KEKS}/{topic.kek}")

    with pytest.raises(SerializationError) as caught:
        sides.producer(topic.name)(payment())

    assert why(caught) == f"no dek found for {topic.kek} during produce"
    assert "deleted" not in topic.http.get(f"{KEKS}/{topic.kek}").json()


def test_a_rule_whose_kek_is_nowhere_writes_nothing(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek, kms=False))

    with pytest.raises(SerializationError) as caught:
        sides.producer(topic.name)(payment())

    assert why(caught) == f"no kms type found for {topic.kek} during produce"


# contracts that change


def test_a_next_version_without_rules_inherits_them_and_still_encrypts(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    topic.register(schema("note"))

    sent = sides.producer(topic.name)({**payment(), "note": "gift"})

    assert CARD.encode() not in sent
    assert sides.consumer(topic.name)(sent) == {**payment(), "note": "gift"}


def test_rules_that_are_removed_encrypt_no_longer_and_old_records_are_still_read(sides: Sides, topic: Topic) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    before = sides.producer(topic.name)(payment())

    topic.register(schema(), ruleSet={})

    after = sides.producer(topic.name)(payment(code="0"))
    assert CARD.encode() in after
    assert sides.consumer(topic.name)(before) == payment()


def test_levels_are_set_and_asked_by_the_client(program: Program, topic: Topic) -> None:
    with SchemaRegistryClient({"url": program.url}) as client:
        client.set_compatibility(topic.subject, "FULL_TRANSITIVE")
        topic.register(schema(), ruleSet=rules(topic.kek))

        assert client.get_compatibility(topic.subject) == "FULL_TRANSITIVE"
        latest = client.get_latest_version(topic.subject)
        assert client.test_compatibility(topic.subject, latest.schema)
        assert [rule.type for rule in latest.schema.rule_set.domain_rules] == ["CEL", "ENCRYPT"]


# another process, a restart


def test_after_the_registry_was_killed_another_process_reads_with_the_secret_and_not_without(
    program: Program, sides: Sides, topic: Topic
) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    sent = sides.producer(topic.name)(payment())
    program.kill()
    program.start()

    def read_elsewhere(secret: str) -> str:
        command = [sys.executable, "-W", "error", "-m", "tests.local.registry.encrypting"]
        reader = subprocess.run(
            [*command, program.url, topic.name, secret], input=b64encode(sent), capture_output=True, check=True
        )
        return reader.stdout.decode()

    assert CARD in read_elsewhere(SECRET)
    stranger = read_elsewhere("another secret")
    assert "ABCD1234" in stranger
    assert CARD not in stranger


def test_a_kill_in_the_middle_of_keys_being_made_loses_none_that_was_answered(program: Program, topic: Topic) -> None:
    topic.make_kek()
    answered: list[int] = []
    busy = threading.Event()

    def make() -> None:
        with httpx.Client(base_url=program.url) as http:
            while True:
                version = len(answered) + 1
                dek = {"version": version, "encryptedKeyMaterial": f"v{version}"}
                try:
                    assert http.post(topic.dek, json=dek).status_code == 200
                except httpx.TransportError:
                    return
                answered.append(version)
                if version == 20:
                    busy.set()

    maker = threading.Thread(target=make)
    maker.start()
    assert busy.wait(timeout=60)
    program.kill()
    maker.join()

    program.start()

    kept = httpx.get(f"{program.url}{topic.dek}/versions").json()
    assert kept[: len(answered)] == answered
    assert len(kept) <= len(answered) + 1, "at most the one whose answer was on its way"
    for version in kept:
        shown = httpx.get(f"{program.url}{topic.dek}/versions/{version}").json()
        assert shown["encryptedKeyMaterial"] == f"v{version}"


def test_neither_log_nor_file_holds_a_key_in_clear_nor_the_log_an_encrypted_one(
    program: Program, sides: Sides, topic: Topic
) -> None:
    topic.register(schema(), ruleSet=rules(topic.kek))
    sides.producer(topic.name)(payment())
    material = topic.http.get(topic.dek).json()["encryptedKeyMaterial"]
    clear = {"version": 2, "encryptedKeyMaterial": "wrapped", "keyMaterial": "in-the-clear"}
    assert topic.http.post(topic.dek, json=clear).status_code == 200
    assert topic.http.post(topic.dek, json={**clear, "version": "two"}).status_code == 422
    assert topic.http.post(topic.dek, content=b'{"encryptedKeyMaterial": "wrapped",').status_code == 400

    said = program.said.read_text()
    assert not any(secret in said for secret in (material, "wrapped", "in-the-clear", SECRET))
    with sqlite3.connect(program.home / "registry" / "registry.sqlite") as file:
        kept = "\n".join(file.iterdump())
    file.close()
    assert material in kept
    assert "in-the-clear" not in kept
