"""`make bench-stack`: what the whole local stack does on this machine. `python -m tests.bench_stack [RUNS]`.

A run takes about nine minutes: a stack of its own with the default history, started twice; one at 100 payments/s and
one at 5,000. Give the machine nothing else to do.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import psutil
from rich.console import Console
from rich.table import Table

from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC
from dashboard.verify import verify
from tests.conftest import eventually, processes_of
from tests.measured_stack import Stopwatch, default_settings, measured_stack

_LATENCY_SECONDS = 120
_SUSTAINED_SECONDS = 180
_HISTORY_LIMIT_SECONDS = 300


def _history_and_second_start(home: Path) -> dict[str, float]:
    figures = {}
    started = time.monotonic()
    with measured_stack(default_settings(home)) as stack:
        live = datetime.now(UTC)

        def verified() -> bool:
            found = verify(stack.settings, stack.lake, wait_seconds=1)
            return found.ok and found.closed_until is not None and found.closed_until >= live

        eventually(verified, _HISTORY_LIMIT_SECONDS)
        figures["history closed and verified, s"] = time.monotonic() - started
        processes = [psutil.Process(pid) for pid in processes_of(stack.settings.local.home)]
        figures["memory of all processes, MB"] = sum(one.memory_info().rss for one in processes) / 2**20
        stack.down()
        watch = Stopwatch()
        stack.narrator = watch
        stack.up()
        rows_before = stack.revenue_rows()
        running = time.monotonic()
        figures["second up: SQL, s"] = watch.ended["Flink SQL gateway"]
        figures["second up: all statements, s"] = watch.ended[f"Statement {DEDUPLICATION}"]
        eventually(lambda: stack.revenue_rows() > rows_before, 120, every_seconds=0.2)
        figures["then the first live bar, s"] = time.monotonic() - running
    return figures


def _latency(home: Path) -> dict[str, float]:
    shop = {"history": timedelta(0), "rate": 100, "payment_delay": timedelta(seconds=10)}
    with measured_stack(default_settings(home, **shop)) as stack:
        eventually(lambda: stack.revenue_rows() > 0, 120)
        newest = stack.lake.revenue().column("window_end").to_pylist()[-1]
        seen: list[float] = []
        deadline = time.monotonic() + _LATENCY_SECONDS
        while time.monotonic() < deadline:
            for end in sorted(stack.lake.revenue(start=newest).column("window_end").to_pylist()):
                seen.append((datetime.now(UTC) - end).total_seconds())
                newest = end
            time.sleep(0.2)
    return {"window's end to Iceberg at 100/s, p50, s": median(seen), "… p95, s": quantiles(seen, n=20)[-1]}


def _sustained(home: Path) -> dict[str, float]:
    with measured_stack(default_settings(home, history=timedelta(0), rate=5_000)) as stack:
        time.sleep(_SUSTAINED_SECONDS)
        behind = {}
        for group, topic in ((DEDUPLICATION, PAYMENTS_TOPIC), (JOIN, ORDERS_TOPIC)):
            unread = stack.kafka.oldest_unread(group, topic)
            behind[group] = (datetime.now(UTC) - unread).total_seconds() if unread else 0.0
        found = verify(stack.settings, stack.lake)
        assert found.ok, "\n".join(found.lines())
    return {f"behind after {_SUSTAINED_SECONDS} s at 5,000/s: {name}, s": seconds for name, seconds in behind.items()}


def main(runs: int) -> None:
    measured: dict[str, list[float]] = {}
    for _ in range(runs):
        for measure in (_history_and_second_start, _latency, _sustained):
            with tempfile.TemporaryDirectory() as folder:
                for name, figure in measure(Path(folder) / "home").items():
                    measured.setdefault(name, []).append(figure)
    table = Table("measured", "min", "median", "max", title=f"{runs} runs")
    for name, figures in measured.items():
        table.add_row(name, *(f"{figure:,.1f}" for figure in (min(figures), median(figures), max(figures))))
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
