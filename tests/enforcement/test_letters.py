"""Dead letters say why, can be sent again, and hold no secret in the clear; on the real registry."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dashboard.card_numbers import holds_card_number
from dashboard.enforcement.outcomes import ENCRYPTED_HEADER, REDACTED, REDACTED_HEADER, Ciphertext
from tests.enforcement.conftest import BAD, DECLARED, GOOD, Topic
from tests.enforcement.records import CARD, letter_of, read, refused


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


def test_a_missing_code_is_refused_with_a_letter_without_it(topic: Topic) -> None:
    topic.promise()
    value = {name: text for name, text in GOOD.items() if name != "confirmation_code"}
    assert "confirmation_code" not in json.loads(letter_of(topic.writer(), value).value)


def test_without_an_action_it_is_refused_without_a_letter(topic: Topic) -> None:
    topic.promise(validateConfirmationCode={"onFailure": "ERROR"})
    told = refused(topic.writer())
    assert (told.letter, told.rule) == (None, "validateConfirmationCode")
