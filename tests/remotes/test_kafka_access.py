"""A cluster that asks for a user: the right one works, a wrong one is one clear sentence, and no password is shown."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from dashboard.deploy.audit import AuditLog
from dashboard.errors import SettingsError
from dashboard.remotes import kafka as kafka_module
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.kafka_access import KafkaAccess
from dashboard.remotes.kafka_membership import Membership
from tests.guarded_broker import RIGHT, Guarded, guarded_broker

WRONG = "wrong-password"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_broker(tmp_path_factory.mktemp("guarded") / "home") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def topic(guarded: Guarded) -> str:
    kafka = Kafka(guarded.plain)
    kafka.create_topics([Topic("secured", 1)])
    kafka.append("secured", [(None, "one")])
    return "secured"


def test_the_right_password_opens_everything(guarded: Guarded, topic: str) -> None:
    kafka = Kafka(guarded.by(RIGHT))

    kafka.append(topic, [("key", "two")])
    assert b"two" in kafka.values(topic)
    assert topic in kafka.topic_names()
    assert kafka.committed_offsets("nobody", topic) == {}
    with AuditLog(kafka, "guarded").only_writer() as writer:
        writer.check()


CALLS: dict[str, Callable[[Kafka], object]] = {
    "topics": lambda kafka: kafka.topic_names(2),
    "ends": lambda kafka: kafka.end_offsets("secured"),
    "committed": lambda kafka: kafka.committed_offsets("nobody", "secured"),
    "records": lambda kafka: list(kafka.records("secured", {0: 0}, {0: 1})),
    "append": lambda kafka: kafka.append("secured", [(None, "x")]),
    "create": lambda kafka: kafka.create_topics([Topic("another", 1)]),
    "delete": lambda kafka: kafka.delete_topics(["secured"]),
    "delete a group": lambda kafka: kafka.delete_group("nobody"),
    "lock": lambda kafka: Membership(kafka.access, "group", "secured", "me").holder(),
}


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_password_is_one_clear_sentence_within_the_usual_time(
    guarded: Guarded, call: Callable[[Kafka], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # the library blocks for a call's whole time, whatever it has heard
    monkeypatch.setattr(kafka_module, "_TIMEOUT_SECONDS", 2)
    began = time.monotonic()

    with pytest.raises(SettingsError) as refused:
        call(Kafka(guarded.by(WRONG)))

    assert refused.value.message == f"Kafka at {guarded.bootstrap} refused the user or key."
    assert "SALES_X__KEY" in refused.value.hint
    assert WRONG not in repr(refused.value) + repr(refused.value.__cause__)
    assert time.monotonic() - began < 8


@pytest.mark.usefixtures("topic")
def test_a_member_with_a_wrong_password_learns_it_at_once(guarded: Guarded) -> None:
    membership = Membership(guarded.by(WRONG), "group", "secured", "me")
    began = time.monotonic()

    with pytest.raises(SettingsError, match="refused the user or key"), membership.sought(30):
        pass

    assert time.monotonic() - began < 15


def test_no_password_is_in_what_an_access_shows() -> None:
    access = KafkaAccess("kafka:9092", "SASL_SSL", "PLAIN", "shop", SecretStr(RIGHT))

    assert RIGHT not in repr(access) + str(access) + f"{access}"
    assert RIGHT not in repr(Kafka(access)) + repr(Membership(access, "g", "t", "n"))


def test_an_access_becomes_the_librarys_options() -> None:
    access = KafkaAccess("kafka:9092", "SASL_SSL", "SCRAM-SHA-512", "shop", SecretStr(RIGHT), "ca.pem")

    assert access.config() == {
        "bootstrap.servers": "kafka:9092",
        "log_level": 0,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "shop",
        "sasl.password": RIGHT,
        "ssl.ca.location": "ca.pem",
    }
    assert KafkaAccess("kafka:9092").config() == {"bootstrap.servers": "kafka:9092", "log_level": 0}


def test_a_file_of_certificates_that_is_not_there_is_told_by_who_seeks_a_right(tmp_path: Path) -> None:
    access = KafkaAccess("127.0.0.1:1", "SSL", ca_file=str(tmp_path / "none.pem"))
    with (
        pytest.raises(SettingsError, match=r"Kafka at 127\.0\.0\.1:1 cannot be asked: .*ssl\.ca\.location"),
        Membership(access, "group", "secured", "me").sought(1),
    ):
        pass
