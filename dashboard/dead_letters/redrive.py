"""What happens to each dead letter when it is sent again as a payment: the plan, which changes nothing.

"Now" is always the stream's clock, the newest record timestamp in `payments`: a payment stamped ahead of the stream
would make payments of others late.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

from dashboard.dead_letters.fields import Fields, Unfit
from dashboard.dead_letters.letters import Letter, milliseconds, rounded
from dashboard.dead_letters.stream import Known
from dashboard.enforcement.outcomes import REDACTED, Refused
from dashboard.errors import SettingsError
from dashboard.wording import amount as spoken
from dashboard.wording import counted

BEYOND_DOUBT = timedelta(seconds=60)
"""More than a window and this behind, a payment is late whatever the pipeline's pace."""

When = Literal["now", "own"]


class Write(Protocol):
    """Makes the bytes of one payment by its contract; raises Refused when a rule refuses it.

    It may alter what it is given.
    """

    def __call__(self, value: dict[str, Any], /) -> bytes: ...


@dataclass(frozen=True)
class Contract:
    """The contract of payments, as a letter meets it when it is sent again."""

    fields: Fields
    write: Write
    ciphertext: Callable[[str], object]
    """Marks a field that is encrypted already, or blacked out, so that `write` lets it stand."""


class Outcome(StrEnum):
    """What becomes of one letter."""

    COUNTS = "counts"
    LATE = "late"
    NO_ORDER = "no order"
    ALREADY_PAID = "already paid"
    STILL_REFUSED = "still refused"
    CARD_LOST = "card lost"
    UNREADABLE = "unreadable"
    REDRIVEN_ALREADY = "redriven already"
    TOO_FRESH = "too fresh"


@dataclass(frozen=True)
class Choices:
    """How letters are sent again."""

    corrections: Mapping[str, str] = field(default_factory=dict)
    """Field to value, for all of them."""
    of_letter: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The same for one letter by its id, which comes before what is for all."""
    when: When = "now"
    """`now`: it counts as paid at the stream's clock. `own`: at its own time, so it is late and adds nothing."""
    without_card: bool = False
    """Agreed: a card number that was blacked out stays lost."""
    again: bool = False
    """Agreed: a payment that was refused after it was sent again is sent once more."""
    including_orderless: bool = False
    """Also those without an order, which count nowhere."""


@dataclass(frozen=True)
class Planned:
    """One letter of a plan."""

    letter: Letter
    outcome: Outcome
    detail: str
    """The rule that refuses it, what is wrong with it, who has paid; empty where the outcome says all."""
    amount: Decimal | None
    """To cents; after corrections."""
    window_start: datetime | None
    """UTC; of what counts, by the stream's clock at the time of the plan."""
    not_before: datetime | None
    """UTC, by the stream's clock; of what is too fresh, from when on it can be sent."""
    sent: bool
    value: Mapping[str, Any] | None = field(default=None, repr=False)
    """The payment without its time, card number and all; None for what is not sent."""

    @property
    def order_id(self) -> int | None:
        return self.value["order_id"] if self.value is not None else self.letter.order_id


@dataclass(frozen=True)
class RedrivePlan:
    """What would happen now. Its texts hold no card number; `value` of its letters does."""

    target: str
    choices: Choices = field(repr=False)
    clock: datetime
    """The stream's, UTC."""
    letters: Sequence[Planned]
    complete: bool = True
    """Whether these are all the letters that were chosen; else they were too many for one plan."""

    @property
    def sent(self) -> list[Planned]:
        return [one for one in self.letters if one.sent]

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many letters come to each end; those without are left out."""
        counted = Counter(one.outcome for one in self.letters)
        return {outcome: counted[outcome] for outcome in Outcome if counted[outcome]}

    @property
    def booked(self) -> Decimal:
        """What the payments that count add to revenue."""
        return _sum(one for one in self.sent if one.outcome is Outcome.COUNTS)

    @property
    def digest(self) -> str:
        """The same as long as the same would happen to the same letters, whatever the time.

        It is shown and logged, so nothing of a payment but its amount goes into it: from a hash, the few digits of a
        card number can be found by trying. A letter never changes, and the choices are part of the plan.
        """
        choices = self.choices
        corrected = {"": sorted(choices.corrections)} | {id_: sorted(of) for id_, of in choices.of_letter.items()}
        told = [[one.letter.id, one.outcome, one.detail, one.sent, str(one.amount)] for one in self.letters]
        parts = [self.target, choices.when, choices.without_card, choices.again, corrected, told]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """A sentence: how many payments, how much of it counts, what is not sent and why."""
        counting = [one for one in self.sent if one.outcome is Outcome.COUNTS]
        told = [f"{counted(len(counting), 'payment')}, {spoken(self.booked)} booked now"] if counting else []
        late = sum(one.outcome is Outcome.LATE for one in self.sent)
        if late:
            told.append(f"{counted(late, 'payment')} at {_its(late)} own time, late: sent, and adding nothing")
        orderless = [one for one in self.letters if one.outcome is Outcome.NO_ORDER]
        if orderless:
            has = "has" if len(orderless) == 1 else "have"
            sent = ", sent all the same" if orderless[0].sent else ""
            told.append(f"{len(orderless)} {has} no order and will not count{sent}")
        told += [
            f"{count} {outcome}"
            for outcome, count in self.counts.items()
            if outcome not in (Outcome.COUNTS, Outcome.LATE, Outcome.NO_ORDER)
        ]
        more = "" if self.complete else " There are more letters than these."
        return ("; ".join(told) or "No letter was chosen") + f".{more}"


def made_plan(
    target: str,
    letters: Sequence[Letter],
    choices: Choices,
    contract: Contract,
    *,
    clock_ms: int,
    window: timedelta,
    redriven: Iterable[str],
    known: Callable[[set[int]], Known],
) -> RedrivePlan:
    """What would happen to these letters by this clock (ms); `redriven` are those sent already.

    `known` is asked once for what the topics hold of the orders in question. Raises SettingsError for a correction
    that cannot be.
    """
    planner = _Planner(choices, contract, clock_ms, window, frozenset(redriven))
    judged = [planner.judged(letter) for letter in letters]
    orders = {one.value["order_id"] for one in judged if one.value is not None}
    holds = known(orders)
    taken: dict[int, str] = {}
    planned = [planner.settled(one, holds, taken) for one in judged]
    return RedrivePlan(target, choices, _utc(clock_ms), planned)


@dataclass(frozen=True)
class _Planner:
    choices: Choices
    contract: Contract
    clock_ms: int
    window: timedelta
    redriven: frozenset[str]

    def judged(self, letter: Letter) -> Planned:
        """What can be told of a letter by itself."""
        corrections = {
            name: self.contract.fields.corrected(name, text)
            for name, text in {**self.choices.corrections, **self.choices.of_letter.get(letter.id, {})}.items()
        }
        if letter.id in self.redriven:
            return _left(letter, Outcome.REDRIVEN_ALREADY)
        try:
            value = self.contract.fields.payment(letter, corrections)
        except Unfit as unfit:
            return _left(letter, Outcome.UNREADABLE, str(unfit))
        ts_ms, fault = self._ts_ms(letter)
        amount = rounded(value["amount"])
        if fault is not None or amount is None:
            return _left(letter, Outcome.UNREADABLE, fault or "its amount is no sum of money")
        if letter.redriven_from and not self.choices.again:
            return _left(letter, Outcome.REDRIVEN_ALREADY, "it was redriven before, and refused again", amount)
        if self.choices.when == "own" and (from_then := self._not_before(ts_ms)) is not None:
            return Planned(letter, Outcome.TOO_FRESH, "", amount, None, from_then, sent=False)
        lost = {name for name, held in value.items() if held == REDACTED} - corrections.keys()
        if lost and not self.choices.without_card:
            return _left(letter, Outcome.CARD_LOST, "", amount)
        # what is blacked out goes out as it is too: encrypted, it would look like a card number to whoever has the key
        for name in lost | (letter.encrypted & value.keys() - corrections.keys()):
            value[name] = self.contract.ciphertext(str(value[name]))
        if rule := self._refusing_rule(value, ts_ms):
            return _left(letter, Outcome.STILL_REFUSED, rule, amount)
        return Planned(letter, Outcome.COUNTS, "", amount, None, None, sent=True, value=value)

    def settled(self, one: Planned, known: Known, taken: dict[int, str]) -> Planned:
        """With what the topics and the letters before it say; `taken` grows by the orders that are paid by this one."""
        if one.value is None:
            return one
        letter, order_id = one.letter, one.value["order_id"]
        if order_id in known.paid:
            return _left(letter, Outcome.ALREADY_PAID, "", one.amount)
        if order_id in taken:
            return _left(letter, Outcome.ALREADY_PAID, f"by {taken[order_id]}", one.amount)
        if self.choices.when == "own":
            taken[order_id] = letter.id
            return Planned(letter, Outcome.LATE, "", one.amount, None, None, sent=True, value=one.value)
        if not known.completes(order_id, self.clock_ms):
            if not self.choices.including_orderless:
                return _left(letter, Outcome.NO_ORDER, "", one.amount)
            taken[order_id] = letter.id
            return Planned(letter, Outcome.NO_ORDER, "", one.amount, None, None, sent=True, value=one.value)
        taken[order_id] = letter.id
        window_ms = self.window // timedelta(milliseconds=1)
        start = _utc(self.clock_ms - self.clock_ms % window_ms)
        return Planned(letter, Outcome.COUNTS, "", one.amount, start, None, sent=True, value=one.value)

    def _ts_ms(self, letter: Letter) -> tuple[int, str | None]:
        """When it counts as paid (ms), and why that cannot be told."""
        if self.choices.when == "now":
            return self.clock_ms, None
        paid_at = letter.paid_at
        return (0, "its ts is no time") if paid_at is None else (milliseconds(paid_at), None)

    def _not_before(self, ts_ms: int) -> datetime | None:
        """From when on it is late beyond doubt; None when it is already."""
        late_after = self.window + BEYOND_DOUBT
        behind = timedelta(milliseconds=self.clock_ms - ts_ms)
        return _utc(ts_ms) + late_after + timedelta(milliseconds=1) if behind <= late_after else None

    def _refusing_rule(self, value: Mapping[str, Any], ts_ms: int) -> str:
        """The rule that still refuses the payment; empty when none does."""
        try:
            self.contract.write({**value, "ts": ts_ms})
        except Refused as refused:
            return refused.rule
        return ""


def check_choices(choices: Choices, chosen: Iterable[str]) -> None:
    """Raises SettingsError for corrections of letters that nobody chose."""
    strange = sorted(set(choices.of_letter) - set(chosen))
    if strange:
        raise SettingsError(f"Corrections are given for letters that are not chosen: {', '.join(strange)}.")


def _left(letter: Letter, outcome: Outcome, detail: str = "", amount: Decimal | None = None) -> Planned:
    """A letter that is not sent."""
    return Planned(letter, outcome, detail, letter.amount if amount is None else amount, None, None, sent=False)


def _sum(planned: Iterable[Planned]) -> Decimal:
    return sum((one.amount for one in planned if one.amount is not None), Decimal("0.00"))


def _its(count: int) -> str:
    return "its" if count == 1 else "their"


def _utc(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def chunks(planned: Sequence[Planned], size: int) -> Iterator[Sequence[Planned]]:
    """In order, `size` at most in each."""
    for start in range(0, len(planned), size):
        yield planned[start : start + size]
