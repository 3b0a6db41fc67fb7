"""A local stack of its own as people start it, for measurements."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.freshness.open_source import OpenSourceParts
from dashboard.freshness.tables import TableReadings
from dashboard.lifecycle import LocalStack
from dashboard.narration import Narrator, Step
from dashboard.settings import Settings, load_settings
from tests.conftest import stack_settings


class Stopwatch(Narrator):
    """Notes when each step ended, in seconds since `started`."""

    def __init__(self) -> None:
        super().__init__()
        self.go_quiet()
        self.started = time.monotonic()
        self.ended: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        with super().step(title) as step:
            yield step
        self.ended[title] = time.monotonic() - self.started


@contextmanager
def measured_stack(settings: Settings, *, page: bool = True) -> Iterator[LocalStack]:
    """A started one; afterwards nothing is left of it."""
    stack = LocalStack(settings, Stopwatch())
    try:
        stack.up(page=page)
        yield stack
    finally:
        stack.down(delete_data=True)
        stack.kill()


def default_settings(home: Path, **shop: object) -> Settings:
    """Of a stack on free ports, all else as it is by default but for the shop."""
    ours = stack_settings(home)
    return load_settings(local=ours.local, shop=shop, web=ours.web)


def parts_of(stack: LocalStack) -> OpenSourceParts:
    """What a look at it looks at."""
    deployment = stack.deployment
    tables = TableReadings(stack.lake, deployment.pipeline.tableflow_topics, stack.settings.local.catalog_interval)
    return OpenSourceParts(
        deployment.statements, deployment.statuses, deployment.kafka, deployment.registry, tables.look
    )
