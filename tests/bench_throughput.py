"""The most that the pipeline takes while nobody looks at it, and while somebody does; a part of `make bench-freshness`.

A run is a backlog of payments that is caught up with: the deduplication is stopped until it has gathered, then the shop
rests. Runs of both kinds take turns, because a machine does not stay as it is. Some five minutes; alone
by `python -m tests.bench_throughput [RUNS]`; give the machine nothing else to do.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from statistics import median

import psutil

from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.freshness.gatherer import Gatherer, patience_of
from dashboard.freshness.side_by_side import begun
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.settings import Settings
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC
from tests.conftest import eventually
from tests.measured_stack import default_settings, measured_stack, parts_of

_RATE = 6_000
_BACKLOG = 40_000
RUNS = 4
EVERY = timedelta(seconds=2)
_UNIQUE, _COMPLETED = "unique_payments", "completed_orders"
_SAMPLED_SECONDS = 0.1
_QUIET_SECONDS = 4.0
"""Longer than a checkpoint takes to pass something on: afterwards nothing more comes."""
_LIMIT_SECONDS = 300.0

Look = Callable[[], object]
Shop = list[psutil.Process]


@contextmanager
def _looked_at(look: Look) -> Iterator[None]:
    ending = threading.Event()

    def again() -> None:
        while not ending.is_set():
            look()
            ending.wait(EVERY.total_seconds())

    looked = begun("looks", again)
    try:
        yield
    finally:
        ending.set()
        looked.result(_LIMIT_SECONDS)


@contextmanager
def _shop_at_rest(stack: LocalStack) -> Iterator[Shop]:
    """Its programs, which stand still and can still be ended afterwards."""
    # it would take their rest for a fault
    stack.processes.stop(services.SUPERVISOR, _LIMIT_SECONDS)
    shop = [process for name in services.SHOP if (process := stack.processes.find(name))]
    for program in shop:
        program.suspend()
    try:
        yield shop
    finally:
        for program in shop:
            program.resume()


def _end(stack: LocalStack, topic: str) -> int:
    return sum(stack.kafka.end_offsets(topic).values())


def _gather(stack: LocalStack, shop: Shop) -> None:
    stack.stop(DEDUPLICATION)
    wanted = _end(stack, PAYMENTS_TOPIC) + _BACKLOG
    for program in shop:
        program.resume()
    eventually(lambda: _end(stack, PAYMENTS_TOPIC) >= wanted, _LIMIT_SECONDS, 0.1)
    for program in shop:
        program.suspend()
    eventually(lambda: stack.kafka.oldest_unread(JOIN, ORDERS_TOPIC) is None, _LIMIT_SECONDS)


def _caught_up(stack: LocalStack) -> float:
    """Payments that were completed a second, from the first one that was taken to the last one."""
    progress = _Progress(stack)
    watched = begun("watches the pipeline", progress.watch)
    stack.resume(DEDUPLICATION)
    watched.result(_LIMIT_SECONDS)
    return progress.per_second


class _Progress:
    """How the pipeline gets on until nothing more comes."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._seen: list[tuple[float, int, int]] = []
        """When, and the ends of what the first and the last statement write on the way from a payment to its order."""
        self._note()

    def watch(self) -> None:
        while self._is_moving():
            time.sleep(_SAMPLED_SECONDS)
            self._note()

    @property
    def per_second(self) -> float:
        _, unique, completed = self._seen[0]
        *_, end = self._seen[-1]
        idle_until = max(at for at, taken, _ in self._seen if taken == unique)
        return (end - completed) / (self._stands_since(end) - idle_until)

    def _stands_since(self, end: int) -> float:
        return next(at for at, _, completed in self._seen if completed == end)

    def _note(self) -> None:
        self._seen.append((time.monotonic(), _end(self._stack, _UNIQUE), _end(self._stack, _COMPLETED)))

    def _is_moving(self) -> bool:
        (began, _, before), (now, _, completed) = self._seen[0], self._seen[-1]
        assert now - began < _LIMIT_SECONDS, f"{completed - before} payments were completed, and it goes on"
        return completed == before or now - self._stands_since(completed) < _QUIET_SECONDS


def _settings(home: Path) -> Settings:
    # the payment app takes longer to encrypt payments than the pipeline to take them
    how = {"history": timedelta(0), "rate": _RATE, "payment_delay": timedelta(seconds=10)}
    return default_settings(home, **how).with_pipeline(encrypt_fields=False)


def throughput(runs: int) -> None:
    """So many runs of each kind, after one that nobody counts; with an even number both are as early on the whole."""
    measured: dict[bool, list[float]] = {False: [], True: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        measured_stack(_settings(Path(folder) / "home"), page=False) as stack,
        closing(parts_of(stack)) as parts,
        _shop_at_rest(stack) as shop,
    ):
        look = Gatherer(parts.looks, patience_of(EVERY)).look
        look()
        _gather(stack, shop)
        _caught_up(stack)
        for number in range(2 * runs):
            looking = number % 4 in (1, 2)
            _gather(stack, shop)
            with _looked_at(look) if looking else nullcontext():
                measured[looking].append(_caught_up(stack))
    for line in _told(measured[False], measured[True]):
        print(line, flush=True)  # noqa: T201


def _told(alone: Sequence[float], looked_at: Sequence[float]) -> Iterator[str]:
    for kind, figures in (("nobody looks", alone), ("looked at every 2 s", looked_at)):
        yield (
            f"completed a second, {kind}: median {median(figures):,.0f}, {min(figures):,.0f} to {max(figures):,.0f} "
            f"in {len(figures)} runs"
        )
    if len(alone) == 1:
        return  # one run says nothing of how runs differ
    spread = max(max(figures) - min(figures) for figures in (alone, looked_at))
    difference = median(looked_at) - median(alone)
    where = "within" if abs(difference) <= spread else "beyond"
    yield (
        f"looking changes the median by {difference:+,.0f} ({difference / median(alone):+.1%}), {where} what runs of "
        f"one kind differ by ({spread:,.0f})"
    )


if __name__ == "__main__":
    throughput(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
