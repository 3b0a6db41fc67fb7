"""What is noted of our things, on a cluster in memory."""

import json

import pytest

from dashboard.deploy.ledger import BEING_REMOVED, LEDGER_TOPIC, Ledger
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from tests.fakes.kafka import FakeKafka

FIRST, SECOND = Id("statement", "first"), Id("statement", "second")


def noted(kafka: FakeKafka) -> tuple[dict[Id, str], dict[Id, str]]:
    ledger = Ledger(kafka)
    return ledger.entries(), ledger.texts


def test_another_process_reads_digest_and_text(kafka: FakeKafka) -> None:
    Ledger(kafka).note({FIRST: "1", SECOND: "2"}, {FIRST: "SELECT 1;"})
    assert noted(kafka) == ({FIRST: "1", SECOND: "2"}, {FIRST: "SELECT 1;", SECOND: ""})


def test_what_is_half_removed_is_still_known_by_its_text_and_what_is_gone_by_nothing(kafka: FakeKafka) -> None:
    Ledger(kafka).note({FIRST: "1", SECOND: "2"}, {FIRST: "SELECT 1;", SECOND: "SELECT 2;"})
    ledger = Ledger(kafka)
    ledger.entries()
    ledger.note({FIRST: BEING_REMOVED, SECOND: None})
    assert noted(kafka) == ({FIRST: BEING_REMOVED}, {FIRST: "SELECT 1;"})


def test_what_was_noted_before_there_were_texts_is_ours_too(kafka: FakeKafka) -> None:
    Ledger(kafka).note({})
    kafka.append(LEDGER_TOPIC, [(None, json.dumps({"kind": "topic", "name": "payments", "digest": "1"}))])
    assert noted(kafka) == ({Id("topic", "payments"): "1"}, {Id("topic", "payments"): ""})


def test_a_record_of_others_is_refused(kafka: FakeKafka) -> None:
    Ledger(kafka).note({})
    kafka.append(LEDGER_TOPIC, [(None, "hello")])
    with pytest.raises(DeployError, match="is not ours"):
        noted(kafka)


def test_a_secret_that_an_older_version_noted_is_neither_read_nor_noted_again(kafka: FakeKafka) -> None:
    script = (
        "SET 'sql.secrets.a''b' = 'hu''sh';\nSET 'sql.secrets.c' = 'quiet\nhere';\nSET 'sql.state-ttl' = '1 h';\nX;"
    )
    Ledger(kafka).note({FIRST: "1"}, {FIRST: script})
    masked = "SET 'sql.secrets.a''b' = '***';\nSET 'sql.secrets.c' = '***';\nSET 'sql.state-ttl' = '1 h';\nX;"
    ledger = Ledger(kafka)
    assert (ledger.entries(), ledger.texts) == ({FIRST: "1"}, {FIRST: masked})
    ledger.note({FIRST: BEING_REMOVED})
    newest = kafka.values(LEDGER_TOPIC)[-1].decode()
    assert "***" in newest
    assert "hu''sh" not in newest
    assert "quiet" not in newest


def test_statements_are_known_by_their_uids_until_they_are_gone_and_what_is_not_noted_is_not(kafka: FakeKafka) -> None:
    Ledger(kafka).note({FIRST: "1", SECOND: "2"}, {FIRST: "SELECT 1;"})
    ledger = Ledger(kafka)
    ledger.entries()
    ledger.note_uids({FIRST: ("a", "b"), SECOND: ("c",), Id("statement", "third"): ("d",)})
    ledger.note({FIRST: BEING_REMOVED, SECOND: None})
    again = Ledger(kafka)
    assert (again.entries(), again.texts) == ({FIRST: BEING_REMOVED}, {FIRST: "SELECT 1;"})
    assert again.uids == {"a", "b"}
    written = len(kafka.values(LEDGER_TOPIC))
    again.note_uids({FIRST: ("a", "b")})
    assert len(kafka.values(LEDGER_TOPIC)) == written
