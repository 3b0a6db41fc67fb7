"""Waiting for what Confluent Cloud does in its own time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.errors import DeployError

STATEMENT_SECONDS = 600
TABLE_SECONDS = 1_200


@dataclass(frozen=True)
class Patience:
    """Looks again and again."""

    poll_seconds: float

    def until(self, ready: Callable[[], bool], fault: str, within_seconds: float = STATEMENT_SECONDS) -> None:
        """Returns when it is ready; raises DeployError that begins with `fault` when it is not in time."""
        deadline = time.monotonic() + within_seconds
        while not ready():
            if time.monotonic() > deadline:
                raise DeployError(
                    f"{fault} after {within_seconds:.0f} s.", "Look at it in Confluent Cloud; then apply again."
                )
            time.sleep(self.poll_seconds)
