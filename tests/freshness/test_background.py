"""Alerts and checks go on beside the looks, whatever fails in them."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from dashboard.freshness import background
from dashboard.freshness.background import Quality, Teller
from dashboard.freshness.quality import Outcome, QualityChecks, QualityResult
from dashboard.freshness.telling import Alerts
from tests.conftest import eventually
from tests.freshness.looks import AT

SOON = timedelta(milliseconds=10)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What was written of faults of our own; everything is tried again at once."""
    found: list[BaseException] = []
    monkeypatch.setattr(background, "_TELL_SECONDS", 0.01)
    monkeypatch.setattr(background, "_QUALITY_FIRST_SECONDS", 0)

    def save(error: BaseException) -> Path:
        found.append(error)
        return Path("crash.log")

    monkeypatch.setattr(background, "save_trace", save)
    return found


class Failing:
    """Fails as nobody foresaw until it is mended."""

    settling = SOON

    def __init__(self) -> None:
        self.asked = 0
        self.mended = threading.Event()

    def tell(self) -> list[str]:
        self.asked += 1
        if not self.mended.is_set():
            raise KeyError("unforeseen")
        return []

    def run(self) -> Iterator[QualityResult]:
        self.tell()
        yield QualityResult("x", "X", Outcome.PASSED, "So it is.", AT, SOON, 0)


def test_a_fault_nobody_foresaw_is_told_and_kept_once_and_telling_goes_on(traces: list[BaseException]) -> None:
    failing = Failing()
    with Teller(cast(Alerts, failing), None) as teller:
        eventually(lambda: failing.asked > 3, 20, every_seconds=0.01)
        assert teller.faults == ["Telling of alerts failed by a fault of Sales Trends itself. See crash.log."]
        failing.mended.set()
        eventually(lambda: not teller.faults, 20, every_seconds=0.01)
    assert len(traces) == 1


def test_a_check_that_fails_as_nobody_foresaw_is_run_again(traces: list[BaseException]) -> None:
    failing = Failing()
    with Quality(cast(QualityChecks, failing), SOON) as quality:
        eventually(lambda: failing.asked > 3, 20, every_seconds=0.01)
        failing.mended.set()
        eventually(lambda: quality.results, 20, every_seconds=0.01)
    assert len(traces) == 1
