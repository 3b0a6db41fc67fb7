"""Failed checks and rejected payments are concerns with names that last; what could not be asked is none."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.freshness.concerns import concerns_of
from dashboard.freshness.hops import Way
from dashboard.freshness.memory import Memory
from dashboard.freshness.quality import Outcome, QualityResult
from dashboard.freshness.readings import PartitionReading, TopicReading
from dashboard.freshness.verdict import Stage
from tests.freshness.looks import AT, readings

SOURCE = Way(
    Stage.INGEST, "ingest:payments", "Payments", ("payments",), "payments", timedelta(), letters="error-payments"
)


def remembered(*letters: int) -> Memory:
    """After looks ten seconds apart that found so many dead letters."""
    memory, seen = Memory(), readings()
    for number, end in enumerate(letters):
        topic = TopicReading("error-payments", (PartitionReading(0, end, AT, None),))
        look = replace(seen, at=AT + timedelta(seconds=10 * number), topics={**seen.topics, "error-payments": topic})
        memory = memory.after(look, [SOURCE])
    return memory


def test_only_a_check_that_failed_is_a_concern() -> None:
    asked = QualityResult("windows-once", "Each stands once", Outcome.FAILED, "3 stand twice", AT, timedelta())

    (concern,) = concerns_of([asked, *(replace(asked, outcome=one) for one in (Outcome.PASSED, Outcome.UNKNOWN))])

    assert concern.name == "quality-windows-once"
    assert concern.sentence == "A check failed. Each stands once: 3 stand twice."


def test_payments_that_are_rejected_one_after_the_other_are_a_concern() -> None:
    (concern,) = concerns_of([], [SOURCE], remembered(100, 104, 108))

    assert concern.name == "rejected-payments"
    assert concern.sentence == "8 payments broke their contract in 20 s and went to error-payments."


@pytest.mark.parametrize("letters", [(100, 101, 102), (100, 100, 100), (0,)])
def test_single_letters_are_none(letters: tuple[int, ...]) -> None:
    assert concerns_of([], [SOURCE], remembered(*letters)) == ()
