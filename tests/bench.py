"""`make bench`: what the parts that need no running stack cost, each over several runs. `python -m tests.bench [RUNS]`.

Quote medians and ratios: a wide spread says that the machine was busy.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from dashboard.deploy.pipeline import load_pipeline
from dashboard.local.shop.truth import cents
from dashboard.settings import PipelineSettings
from tests.bench_contract import contracts

_RUNS = 5
_AMOUNTS = [number * 0.1731 % 1000 for number in range(200_000)]


def _round_amounts() -> object:
    return sum(map(cents, _AMOUNTS))


def _read_pipeline() -> object:
    return load_pipeline(PipelineSettings(window_size=timedelta(hours=1)))


def _start_command() -> object:
    import subprocess

    return subprocess.run([sys.executable, "-m", "dashboard", "--version"], check=True, capture_output=True)


def _start_registry() -> object:
    from dashboard.local.registry_and_catalog import create_app

    with tempfile.TemporaryDirectory() as folder:
        return create_app(Path(folder) / "registry", Path(folder) / "warehouse")


_MEASURED: list[tuple[str, Callable[[], object]]] = [
    ("round 200,000 amounts to cents", _round_amounts),
    ("read and render pipeline_sql/", _read_pipeline),
    ("sales-trends --version, a new process", _start_command),
    ("registry and catalog on new files", _start_registry),
]


def main(runs: int) -> None:
    table = Table("measured", "min ms", "median ms", "max ms", title=f"{runs} runs each, after one to warm up")
    with contracts() as writing:
        for name, run in (*_MEASURED, *writing):
            run()
            times = []
            for _ in range(runs):
                started = time.perf_counter()
                run()
                times.append((time.perf_counter() - started) * 1000)
            table.add_row(name, *(f"{figure:,.1f}" for figure in (min(times), median(times), max(times))))
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _RUNS)
