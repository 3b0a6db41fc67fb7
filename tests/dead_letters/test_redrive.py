"""The plan by itself: outcomes, sums and sentences, without a broker."""

import json
from base64 import b64encode
from datetime import timedelta
from decimal import Decimal

import pytest

from dashboard.dead_letters.fields import Fields, Unfit, fields_of
from dashboard.dead_letters.letters import Letter, parsed
from dashboard.dead_letters.redrive import Choices, Contract, Outcome, RedrivePlan, check_choices, made_plan
from dashboard.dead_letters.stream import Known
from dashboard.errors import SettingsError, UnreachableError
from dashboard.remotes.kafka import Record
from tests.dead_letters.world import CIPHERTEXT, CLOCK, HOUR, WINDOW, Cipher, MemoryRegistry, contract, headers, payment

FIELDS = fields_of(MemoryRegistry().latest("payments-value") or {})
OFFSETS = iter(range(1_000_000))


def letter(value: object, **more: str) -> Letter:
    told = tuple((name, text.encode()) for name, text in headers(**more).items())
    return parsed(Record(0, next(OFFSETS), CLOCK, json.dumps(value).encode(), None, told))


def plan(
    letters: list[Letter],
    choices: Choices | None = None,
    orders: dict[int, int] | None = None,
    window: timedelta = WINDOW,
    by: Contract | None = None,
) -> RedrivePlan:
    known = Known({3000: CLOCK - HOUR} if orders is None else orders, frozenset())
    return made_plan(
        "local",
        letters,
        choices or Choices(),
        by or contract(None, None, FIELDS),
        clock_ms=CLOCK,
        window=window,
        redriven=(),
        known=lambda _orders: known,
    )


@pytest.mark.parametrize(
    ("before_ms", "outcome"),
    [
        (0, Outcome.COUNTS),
        (96 * HOUR, Outcome.COUNTS),
        (96 * HOUR + 1, Outcome.NO_ORDER),
        (-1, Outcome.NO_ORDER),
    ],
)
def test_an_order_is_completed_up_to_and_including_ninety_six_hours_later(before_ms: int, outcome: Outcome) -> None:
    [one] = plan([letter(payment(3000))], orders={3000: CLOCK - before_ms}).letters
    assert one.outcome is outcome


def test_each_amount_is_rounded_before_the_sum() -> None:
    letters = [letter(payment(order, amount=0.005)) for order in (3000, 3001)]
    found = plan(letters, orders=dict.fromkeys((3000, 3001), CLOCK))
    assert str(found.booked) == "0.02"
    assert found.summary == "2 payments, 0.02 booked now."


def test_the_window_is_that_of_the_streams_clock() -> None:
    [one] = plan([letter(payment(3000))], window=timedelta(hours=1)).letters
    assert one.window_start is not None
    assert one.window_start.timestamp() * 1000 == CLOCK - CLOCK % HOUR


def test_a_payment_of_the_same_order_in_the_same_plan_is_sent_once() -> None:
    first, second = letter(payment(3000, amount=1)), letter(payment(3000, amount=2))
    found = plan([first, second])
    assert [one.outcome for one in found.letters] == [Outcome.COUNTS, Outcome.ALREADY_PAID]
    assert found.letters[1].detail == f"by {first.id}"
    refused = letter(payment(3000, confirmation_code="0"))
    assert [one.outcome for one in plan([refused, second]).letters] == [Outcome.STILL_REFUSED, Outcome.COUNTS]


def test_only_what_is_ciphertext_is_kept_from_being_encrypted_whatever_a_header_says() -> None:
    says_so = {"sales-trends.encrypted": "cc_number"}
    nothing = b64encode(bytes(28)).decode()
    for card, stands in (
        (CIPHERTEXT, True),
        (nothing, True),
        ("4111-1111-1111-1234", False),
        ("4111111111111234", False),
        # base64, and long enough
        (3 * "4111111111111234", False),
        ("4111111111111234" + 24 * "A", False),
        ("4111/1111/1111/1234" + 25 * "A", False),
    ):
        [one] = plan([letter(payment(3000, cc_number=card), **says_so)]).sent
        assert one.value is not None
        assert isinstance(one.value["cc_number"], Cipher) is stands, card


def test_an_error_of_the_contract_that_names_no_rule_is_passed_on() -> None:
    def fails(_value: object) -> bytes:
        raise UnreachableError("The registry did not answer.")

    with pytest.raises(UnreachableError):
        plan([letter(payment(3000))], by=Contract(FIELDS, fails, str))


def test_the_digest_tells_what_happens_and_nothing_of_a_card() -> None:
    one = letter(payment(3000))
    digests = {plan([one], Choices({"cc_number": card})).digest for card in ("4111-1111-1111-1234", "5")}
    assert len(digests) == 1
    others = {
        plan([one]).digest,
        plan([one], Choices({"amount": "1"})).digest,
        plan([one], Choices({"amount": "2"})).digest,
        plan([one], orders={}).digest,
        plan([one], Choices(including_orderless=True), orders={}).digest,
        plan([one], Choices(when="own")).digest,
    }
    assert len(digests | others) == 7


def test_a_plan_that_is_not_all_of_what_was_chosen_says_so() -> None:
    found = plan([])
    assert (found.summary, found.booked) == ("No letter was chosen.", Decimal(0))
    assert RedrivePlan("local", Choices(), found.clock, [], complete=False).summary.endswith("more letters than these.")


def test_corrections_of_letters_that_are_not_chosen_are_refused() -> None:
    with pytest.raises(SettingsError, match="0:9"):
        check_choices(Choices(of_letter={"0:1": {}, "0:9": {}}), ["0:1"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"order_id": "3000"}, "order_id is no whole number"),
        ({"order_id": 2**31}, "order_id is no whole number"),
        ({"order_id": True}, "order_id is no whole number"),
        ({"amount": "1"}, "amount is no number"),
        ({"amount": 10**400}, "amount is no number"),
        ({"confirmation_code": None}, "confirmation_code is no text"),
        ({"expiration": {"nested": 1}}, "expiration is no text"),
    ],
)
def test_a_field_that_is_not_as_the_schema_wants_it_is_named_without_its_value(
    change: dict[str, object], fault: str
) -> None:
    with pytest.raises(Unfit, match=fault):
        FIELDS.payment(letter({**payment(3000), **change}), {})


def test_a_field_that_is_missing_has_its_default_or_is_named() -> None:
    without = {name: value for name, value in payment(3000).items() if name != "expiration"}
    with pytest.raises(Unfit, match="no field expiration"):
        FIELDS.payment(letter(without), {})
    assert FIELDS.payment(letter(without), {"expiration": "01/30"})["expiration"] == "01/30"
    with_default = Fields(FIELDS.types, {"expiration": "12/99"})
    assert with_default.payment(letter(without), {})["expiration"] == "12/99"
    assert set(FIELDS.payment(letter({**payment(3000), "strange": 1}), {})) == set(FIELDS.types) - {"ts"}
