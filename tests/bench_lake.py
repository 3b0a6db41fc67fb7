"""`make bench-lake`: a year of five-second windows in 100, 1,000 and 3,000 files, through the mirror and others.

Every comparison is of one run on tables that it makes: our 95th percentile against the best of five of the others.
`--files 1000` measures one of them. Quote ratios: a busy machine slows all, but not evenly.
"""

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFile
from rich.console import Console
from rich.table import Table as Grid

from dashboard.readers.engine import Limits, Parameter
from dashboard.readers.lake import Lake
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.readers.zones import pieces
from dashboard.settings import PROJECT
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog

WINDOWS, WINDOW = 6_307_200, timedelta(seconds=5)
START = datetime(2025, 11, 1, tzinfo=UTC)
END = START + WINDOWS * WINDOW
DAY = timedelta(days=1)
COMMITS = {100: 10, 1_000: 100, 3_000: 300}
_UTC, _BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
_PATIENT = Limits(timedelta(minutes=5))
_OURS, _OTHERS, _REFRESHES, _ASKERS = 200, 5, 20, 50
_CONSOLE = Console(width=118)


@dataclass(frozen=True)
class Made:
    """A table of the bench."""

    files: int
    folder: Path
    catalog: SqlCatalog

    @property
    def data(self) -> Path:
        """Below the table, where alone chDB finds them."""
        return self.folder / "warehouse" / NAMESPACE / "revenue_summary" / "data"

    @property
    def paths(self) -> list[str]:
        return sorted(str(path) for path in self.data.glob("*.parquet"))

    @property
    def metadata(self) -> str:
        return str(self.catalog.load_table((NAMESPACE, "revenue_summary")).metadata_location)

    def lake(self) -> Lake:
        return Lake("bench", NAMESPACE, self.catalog)


@contextmanager
def made(files: int, folder: Path) -> Iterator[Made]:
    """Time-ordered, unpartitioned, zstd, as many manifests as commits."""
    with sqlite_catalog(folder) as catalog:
        table = revenue_table(catalog)
        with table.transaction() as changed:
            changed.set_properties({"commit.manifest-merge.enabled": "false"})
        here = Made(files, folder, catalog)
        here.data.mkdir(parents=True)
        cents = np.random.default_rng(1).integers(100, 50_000, WINDOWS)
        edges = np.linspace(0, WINDOWS, files + 1).astype(int)
        step = WINDOW // timedelta(microseconds=1)
        first = int(START.timestamp()) * 1_000_000
        for number in range(files):
            low, high = edges[number], edges[number + 1]
            starts = first + np.arange(low, high) * step
            amounts = np.stack([cents[low:high], np.zeros(high - low, np.int64)], axis=1)
            rows = pa.table(
                {
                    "window_start": pa.array(starts, pa.timestamp("us")),
                    "window_end": pa.array(starts + step, pa.timestamp("us")),
                    "total_revenue": pa.Array.from_buffers(
                        pa.decimal128(18, 2), high - low, [None, pa.py_buffer(amounts.tobytes())]
                    ),
                }
            )
            pq.write_table(rows, here.data / f"{number:05}.parquet", compression="zstd")
        for part in np.array_split(np.array(here.paths), COMMITS[files]):
            table.add_files([str(path) for path in part], check_duplicate_files=False)
        yield here


def _piece(start: datetime, end: datetime, zone: ZoneInfo) -> dict[str, Parameter]:
    return pieces(start, end, zone)[0].parameters


def _asked(turn: int = 0) -> dict[str, Callable[[MirrorEngine | PyicebergEngine], Any]]:
    """Each turn asks of another stretch of the same length: the mirror keeps its answers."""
    later = turn * WINDOW
    until = END - timedelta(hours=9, minutes=54, seconds=50) + later

    def ask(question: str, given: Mapping[str, Parameter]) -> Callable[[MirrorEngine | PyicebergEngine], Any]:
        return lambda engine: engine.ask(question, given, limits=_PATIENT).rows

    hours = {"bucket_seconds": 3600}
    return {
        "days of the year, UTC": ask("revenue_by_day", _piece(START, END + later, _UTC)),
        "days of the year, Berlin": ask("revenue_by_day", _piece(START, END + later, _BERLIN)),
        "hours of 30 days, UTC": ask("revenue_by_bucket", {**_piece(END - 30 * DAY, END + later, _UTC), **hours}),
        "hours of 30 days, Berlin": ask("revenue_by_bucket", {**_piece(END - 30 * DAY, END + later, _BERLIN), **hours}),
        "24 h against 24 h": ask("revenue_compared", {"start": until - 2 * DAY, "middle": until - DAY, "end": until}),
    }


def _others(here: Made) -> dict[str, dict[str, Callable[[], object]]]:
    """The fastest engines that read Iceberg or its files themselves, each in its own words."""
    import chdb
    import datafusion
    import polars as pl

    until, month = END - timedelta(hours=9, minutes=54, seconds=50), END - 30 * DAY
    naive = {name: at.replace(tzinfo=None) for name, at in {"until": until, "month": month}.items()}
    before, middle = naive["until"] - 2 * DAY, naive["until"] - DAY
    lazy = pl.scan_iceberg(here.catalog.load_table((NAMESPACE, "revenue_summary")))
    start, revenue = pl.col("window_start"), pl.col("total_revenue").sum()
    duck = duckdb.connect(config={"threads": 2})
    for extension in ("avro", "httpfs", "iceberg"):
        [file] = Path(_package(f"duckdb_extension_{extension}")).rglob(f"{extension}.duckdb_extension")
        duck.load_extension(str(file))
    fusion = datafusion.SessionContext()
    fusion.register_parquet("windows", str(here.data))
    scan, ice = (
        f"iceberg_scan('{here.metadata}')",
        f"icebergLocal('warehouse/{NAMESPACE}/revenue_summary')",
    )
    chdb_query: Any = chdb.query
    sums = "sum(total_revenue)"
    month_sql, before_sql, until_sql = (f"TIMESTAMP '{at}'" for at in (naive["month"], before, naive["until"]))
    day = "days of the year, UTC"
    hour = "hours of 30 days, UTC"
    compared = "24 h against 24 h"
    return {
        "Polars with polars_iceberg": {
            day: lambda: lazy.group_by(start.dt.date()).agg(revenue).collect(),
            hour: lambda: lazy.filter(start >= naive["month"]).group_by(start.dt.truncate("1h")).agg(revenue).collect(),
            compared: lambda: (
                lazy.filter(start >= before, start < naive["until"]).group_by(start >= middle).agg(revenue).collect()
            ),
        },
        "DuckDB iceberg_scan": {
            day: lambda: duck.sql(f"SELECT window_start::DATE, {sums} FROM {scan} GROUP BY 1").fetchall(),  # noqa: S608
            hour: lambda: duck.sql(
                f"SELECT date_trunc('hour', window_start), {sums} FROM {scan} "  # noqa: S608
                f"WHERE window_start >= {month_sql} GROUP BY 1"
            ).fetchall(),
            compared: lambda: duck.sql(
                f"SELECT window_start >= TIMESTAMP '{middle}', {sums} FROM {scan} "  # noqa: S608
                f"WHERE window_start >= {before_sql} AND window_start < {until_sql} GROUP BY 1"
            ).fetchall(),
        },
        "chDB": {
            day: lambda: chdb_query(f"SELECT toDate(window_start) d, {sums} FROM {ice} GROUP BY d", "Arrow"),  # noqa: S608
        },
        "DataFusion, plain files": {
            day: lambda: fusion.sql(
                f"SELECT date_trunc('day', window_start), {sums} FROM windows GROUP BY 1"  # noqa: S608
            ).to_arrow_table(),
            hour: lambda: fusion.sql(
                f"SELECT date_trunc('hour', window_start), {sums} FROM windows "  # noqa: S608
                f"WHERE window_start >= {month_sql} GROUP BY 1"
            ).to_arrow_table(),
            compared: lambda: fusion.sql(
                f"SELECT window_start >= TIMESTAMP '{middle}', {sums} FROM windows "  # noqa: S608
                f"WHERE window_start >= {before_sql} AND window_start < {until_sql} GROUP BY 1"
            ).to_arrow_table(),
        },
    }


def _package(name: str) -> str:
    from importlib.util import find_spec

    found = find_spec(name)
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent)


def _times(run: Callable[[], object], count: int) -> list[float]:
    run()
    found = []
    for _ in range(count):
        began = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - began))
    return found


def _p95(found: list[float]) -> float:
    return quantiles(found, n=20)[-1]


def _numpy(here: Made) -> float:
    """The least that summing a year to days can take: sorted numbers in memory, best of ten."""
    rows = pq.read_table(here.data, columns=["window_start", "total_revenue"])
    seconds = rows["window_start"].cast(pa.int64()).to_numpy() // 1_000_000
    cents = np.frombuffer(rows["total_revenue"].combine_chunks().buffers()[1], np.int64)[::2].copy()
    edges = np.arange(int(START.timestamp()), int(END.timestamp()), 86_400)
    return min(_times(lambda: np.add.reduceat(cents, np.searchsorted(seconds, edges)), 10))


def _cold(here: Made, folder: Path) -> None:
    """Without a mirror: the whole year until its first chart, beside PyIceberg reading it."""
    scan = here.catalog.load_table((NAMESPACE, "revenue_summary")).scan(
        selected_fields=("window_start", "window_end", "total_revenue")
    )
    read = _times(lambda: scan.to_arrow(), 1)
    before = psutil.Process().memory_info().rss
    engine = MirrorEngine(here.lake(), folder, timedelta(hours=1))
    began = time.perf_counter()
    _asked()["days of the year, UTC"](engine)
    took = 1000 * (time.perf_counter() - began)
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    engine.close()
    _say(
        f"{here.files:,} files, no mirror: first chart after {took:,.0f} ms, durable by then; PyIceberg reads them in "
        f"{read[0]:,.0f} ms ({took / read[0]:.2f} times); memory {grown:+,.0f} MiB"
    )


def _warm(here: Made, folder: Path) -> None:
    """A new process with a mirror: from its first line to the rows of the chart."""
    program = (
        "import time; began = time.perf_counter()\n"
        "from datetime import timedelta\nfrom pathlib import Path\n"
        "from tests.bench_lake import *\n"
        f"with sqlite_catalog(Path({str(here.folder)!r})) as catalog:\n"
        f"    engine = MirrorEngine(Lake('bench', NAMESPACE, catalog), Path({str(folder)!r}), timedelta(hours=1))\n"
        "    began = time.perf_counter()\n"
        "    engine.ask('revenue_by_day', _piece(START, END, _UTC))\n"
        "    print(1000 * (time.perf_counter() - began))\n    engine.close()\n"
    )
    program = program.replace(
        "import *", "import MirrorEngine, Lake, NAMESPACE, START, END, _UTC, _piece, sqlite_catalog"
    )
    found = [
        float(
            subprocess.run(
                [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=PROJECT
            ).stdout
        )
        for _ in range(5)
    ]
    _say(f"{here.files:,} files, new process with a mirror: first chart data {median(found):,.0f} ms after it is asked")


def _questions(here: Made, engine: MirrorEngine, least: float) -> None:
    grid = Grid(
        "question",
        "ours p50",
        "p95",
        "fastest other",
        "ms",
        "times",
        "PyIceberg",
        "times",
        title=f"{here.files:,} files",
    )
    others = _others(here)
    direct = PyicebergEngine(here.lake(), WINDOW)
    for name, ask in _asked().items():
        turns = iter([_asked(turn)[name] for turn in range(_OURS + 1)])
        ours = _times(lambda: next(turns)(engine), _OURS)  # noqa: B023  # asked at once
        same = name.replace("Berlin", "UTC")
        best = {one: min(_times(asked[same], _OTHERS)) for one, asked in others.items() if same in asked}
        fastest = min(best, key=lambda one: best[one])
        slow = min(_times(partial(ask, direct), 2))
        p95 = _p95(ours)
        grid.add_row(
            name,
            f"{median(ours):.2f}",
            f"{p95:.2f}",
            fastest,
            f"{best[fastest]:.1f}",
            f"{best[fastest] / p95:.0f}",
            f"{slow:,.0f}",
            f"{slow / p95:,.0f}",
        )
        _say(f"  {name}: " + ", ".join(f"{one} {ms:.1f}" for one, ms in best.items()))
    _CONSOLE.print(grid)
    name = "days of the year, UTC"
    turns = iter([_asked(1_000 + turn)[name] for turn in range(_OURS + 1)])
    days = _p95(_times(lambda: next(turns)(engine), _OURS))
    once = _asked()[name]
    again = _p95(_times(lambda: once(engine), _OURS))
    _say(f"what was asked before of the same snapshot: {again:.3f} ms")
    _say(f"days of the year, UTC, against the bare NumPy sum of {least:.2f} ms: {days / least:.2f} times")


def _refreshes(here: Made, folder: Path) -> None:
    """A commit of a minute of windows, until it is in the file."""
    table = here.catalog.load_table((NAMESPACE, "revenue_summary"))
    reads: list[int] = []
    opened = PyArrowFile.open

    def counted(self: PyArrowFile, seekable: bool = True) -> Any:
        reads.append(len(self))
        return opened(self, seekable)

    engine = MirrorEngine(here.lake(), folder, timedelta(0), patience=timedelta(minutes=1))
    _asked()["days of the year, UTC"](engine)
    took, each = [], []
    for number in range(_REFRESHES):
        starts = [END + (12 * number + second) * WINDOW for second in range(12)]
        append(table, [(start, "1.00") for start in starts])
        reads.clear()
        PyArrowFile.open = counted  # type: ignore[method-assign]
        began = time.perf_counter()
        engine.newest()
        took.append(1000 * (time.perf_counter() - began))
        PyArrowFile.open = opened  # type: ignore[method-assign]
        each.append((len(reads), sum(reads)))
    total = engine.ask("revenue_totals", {"start": END, "end": END + DAY}).rows["revenue"][0].as_py()
    assert total == Decimal(12 * _REFRESHES)
    engine.close()
    files, size = max(count for count, _ in each), max(size for _, size in each)
    _say(
        f"{here.files:,} files, a new snapshot until it is durable: median {median(took):.1f} ms, p95 {_p95(took):.1f} "
        f"ms; at most {files} files of {size / 1000:.0f} kB opened, the metadata's included"
    )


def _crowd(engine: MirrorEngine) -> None:
    asks = list(_asked().values())
    took: list[float] = []

    def ask(turn: int) -> None:
        for number in range(10):
            time.sleep(0.001 * (turn % 20))
            began = time.perf_counter()
            asks[(turn + number) % len(asks)](engine)
            took.append(1000 * (time.perf_counter() - began))

    before = psutil.Process().memory_info().rss
    with ThreadPoolExecutor(_ASKERS) as askers:
        list(askers.map(ask, range(_ASKERS)))
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    _say(f"{_ASKERS} askers at once: p50 {median(took):.1f} ms, p95 {_p95(took):.1f} ms; memory {grown:+.0f} MiB")


def _say(text: str) -> None:
    _CONSOLE.print(text, highlight=False)


def main(sizes: list[int]) -> None:
    for files in sizes:
        # chDB reads files below the folder it is in
        with tempfile.TemporaryDirectory() as place, made(files, Path(place)) as here, chdir(place):
            folder = here.folder / "mirror"
            _cold(here, folder)
            _warm(here, folder)
            engine = MirrorEngine(here.lake(), folder, timedelta(hours=1))
            _questions(here, engine, _numpy(here))
            _crowd(engine)
            engine.close()
            gc.freeze()  # as the dashboard does once it is up
            _refreshes(here, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, choices=COMMITS, action="append")
    main(parser.parse_args().files or list(COMMITS))
