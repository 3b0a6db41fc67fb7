"""The engines that read a lake, and their answers side by side."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.readers.duckdb_engine import DuckdbEngine
from dashboard.readers.engine import Engine, Parameter
from dashboard.readers.lake import Lake
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.readers.questions import compose, question_names
from dashboard.readers.zones import pieces

ENGINES: dict[str, Callable[[Lake, timedelta, Path], Engine]] = {
    "pyiceberg": lambda lake, window, _folder: PyicebergEngine(lake, window),
    "duckdb": lambda lake, window, _folder: DuckdbEngine(lake, window),
    "mirror": lambda lake, _window, folder: MirrorEngine(lake, folder, timedelta(0), patience=timedelta(minutes=1)),
}
"""By name: all that answer from a lake, with windows of a length, and a folder for what they keep."""


def parameters_of_all(start: datetime, end: datetime, zone: ZoneInfo) -> dict[str, dict[str, Parameter]]:
    """What each question is given, for a range that is one piece."""
    (piece,) = pieces(start, end, zone)
    offered: dict[str, Parameter] = {**piece.parameters, "bucket_seconds": 900, "middle": start + (end - start) / 2}
    return {
        name: {one: offered[one] for one in compose(name, "direct").parameters & set(offered)}
        for name in question_names()
    }


def agreed(
    engines: Iterable[Engine], parameters: Mapping[str, Mapping[str, Parameter]], snapshot_id: int | None = None
) -> dict[str, list[dict[str, Any]]]:
    """What every engine says to every question; fails where one differs, be it in a type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for question, given in parameters.items():
        first, *others = (engine.ask(question, given, snapshot_id=snapshot_id) for engine in engines)
        for other in others:
            assert other.rows.schema.equals(first.rows.schema), f"{other.engine} has other columns: {question}"
            assert other.rows.to_pylist() == first.rows.to_pylist(), f"{other.engine} says otherwise: {question}"
            assert other.snapshot == first.snapshot, f"{other.engine} read another state: {question}"
        found[question] = first.rows.to_pylist()
    return found
