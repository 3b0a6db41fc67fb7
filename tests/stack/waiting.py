"""Waiting for a proof."""

from datetime import datetime

from dashboard.lifecycle import LocalStack
from dashboard.verify import Verification, verify
from tests.conftest import eventually


def verified_until(stack: LocalStack, moment: datetime) -> Verification:
    """The first verification that reaches `moment`; one that finds a fault ends the wait."""

    def reaches() -> Verification | None:
        found = verify(stack.settings, stack.lake)
        assert found.ok or not found.compared, "\n".join(found.lines())
        return found if found.closed_until and found.closed_until >= moment else None

    return eventually(reaches, within_seconds=180)
