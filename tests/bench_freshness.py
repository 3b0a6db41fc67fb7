"""`make bench-freshness`: how long a look at the whole pipeline takes, and what looking costs the stack.

On a local stack of its own at 100 payments a second; then, on another one, what the pipeline takes at most with and
without looking. Nine minutes. A look is to take less than a second.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.endpoints import Newest, endpoints
from dashboard.freshness.gatherer import Gatherer, patience_of
from dashboard.freshness.hops import ways_of
from dashboard.freshness.judgement import judge
from dashboard.freshness.open_source import OpenSourceParts
from dashboard.freshness.readings import Readings
from dashboard.freshness.thresholds import Thresholds, default_thresholds
from dashboard.lifecycle import LocalStack
from tests.bench_throughput import EVERY, RUNS, throughput
from tests.conftest import eventually, running_stack, stack_settings
from tests.measured_stack import parts_of

_LOOKS = 60
_PATIENCE = patience_of(EVERY)
_EVERY_SECONDS = 1.0
_COST_SECONDS = 40
_PROGRAMS = ("kafka", "registry", "jobmanager", "taskmanager")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _times(name: str, seconds: list[float]) -> None:
    p95 = quantiles(seconds, n=20)[-1]
    _say(f"{name}: p50 {median(seconds):.3f} s, p95 {p95:.3f} s, longest {max(seconds):.3f} s of {len(seconds)}")


def _looks(parts: OpenSourceParts) -> None:
    gatherer = Gatherer(parts.looks, _PATIENCE)
    first = gatherer.look()
    _say(f"the first look: {first.took.total_seconds():.3f} s")
    took: list[float] = []
    silent = 0
    for _ in range(_LOOKS):
        readings = gatherer.look()
        took.append(readings.took.total_seconds())
        silent += bool(readings.silences)
        time.sleep(_EVERY_SECONDS)
    _times("a look at everything", took)
    _say(f"looks in which a part was silent: {silent}")
    _say(f"statements {len(readings.statements)}, topics {len(readings.topics)}, tables {len(readings.tables)}")


def _each(parts: OpenSourceParts) -> None:
    """One after the other, as nobody does it."""
    for part, look in parts.looks.items():
        took = []
        for _ in range(20):
            began = time.monotonic()
            look()
            took.append(time.monotonic() - began)
            time.sleep(_EVERY_SECONDS)
        _times(f"{part} alone", took)


def _cost(stack: LocalStack, parts: OpenSourceParts) -> None:
    """Of a core, by program, with a look every two seconds and without."""
    shares = {}
    gatherer = Gatherer(parts.looks, _PATIENCE)
    for looking in (False, True):
        shares[looking] = _shares(stack, gatherer.look if looking else None)
    for name in _PROGRAMS:
        _say(f"{name}: {shares[False][name]:.1f}% of a core, {shares[True][name]:.1f}% while looked at every 2 s")


def _shares(stack: LocalStack, look: Callable[[], Readings] | None) -> dict[str, float]:
    processes = {name: process for name in _PROGRAMS if (process := stack.processes.find(name)) is not None}

    def used() -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}

    before, began = used(), time.monotonic()
    while time.monotonic() - began < _COST_SECONDS:
        if look is not None:
            look()
        time.sleep(EVERY.total_seconds())
    seconds = time.monotonic() - began
    return {name: 100 * (after - before[name]) / seconds for name, after in used().items()}


def _scrapes(stack: LocalStack, parts: OpenSourceParts) -> None:
    """Of /metrics, over the last look; less than 20 ms."""
    pipeline, settings = stack.deployment.pipeline, stack.settings.pipeline
    ways, seen = ways_of(pipeline, settings, "local"), Gatherer(parts.looks, _PATIENCE).look()
    verdict = judge(seen, ways, Thresholds(default_thresholds(ways, settings.window_size)))
    _scrapes_of(lambda: (verdict, seen))


def _scrapes_of(newest: Newest) -> None:
    routes = endpoints(newest, listens_on=lambda: "127.0.0.1", token=lambda: SecretStr(""))
    client, took = TestClient(Starlette(routes=routes)), []
    for _ in range(200):
        began = time.monotonic()
        answer = client.get("/metrics")
        took.append(time.monotonic() - began)
    _times(f"a scrape of {len(answer.content):,} bytes", took)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_stack(stack_settings(Path(folder) / "home")) as stack:
        eventually(lambda: stack.revenue_rows() > 0, 120)
        parts = parts_of(stack)
        _say(f"load average at the start: {os.getloadavg()[0]:.1f}")
        _looks(parts)
        _each(parts)
        _scrapes(stack, parts)
        _cost(stack, parts)
        _say(f"load average at the end: {os.getloadavg()[0]:.1f}")
        parts.close()
    throughput(RUNS)
    _say(f"load average after that: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
