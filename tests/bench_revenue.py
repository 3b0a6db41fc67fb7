"""`make bench-revenue`: what the page of revenue costs over a year of five-second windows, without Kafka.

Goals: a run of the whole script p95 below 60 ms, a refresh in which nothing changed below 10 ms, at most 2,000 marks
and 80 kB a chart, and less than 300 kB for a first visit. Runs are Streamlit's own, in a process without a browser.
"""

import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table as Grid
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import context
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

from dashboard import cached, clusters, visitor
from dashboard.errors import SettingsError
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.revenue.drawn import Drawn, DrawnRevenue
from dashboard.revenue.view import HEAT, RUNNING, View
from dashboard.settings import Settings, ViewSettings
from dashboard.sql_files import ROOT
from dashboard.trends.trend import Asked
from tests.bench_lake import DAY, END, Made, made
from tests.bench_revenue_page import in_a_browser

_FILES = 100
_RUNS = 60
_BERLIN = ZoneInfo("Europe/Berlin")
_CONSOLE = Console(width=118)
_BARE_PAGE = """
import plotly.graph_objects as go
import streamlit as st

for name, place in zip("abcd", st.columns(4)):
    place.metric(name, "1")
st.plotly_chart(go.Figure(go.Bar(x=list(range(300)), y=list(range(300)))))
st.dataframe({"a": range(300), "b": range(300)})
"""
"""What Streamlit itself takes, to compare machines and moments with."""


@contextmanager
def _engine(here: Made) -> Iterator[MirrorEngine]:
    engine = MirrorEngine(here.lake(), here.folder / "mirror", DAY)
    engine.newest()
    yield engine
    engine.close()


def _no_kafka(_settings: Settings) -> object:
    raise SettingsError("The bench has no Kafka.", "None is needed.")


def _times(run: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - began))
    return found


def _say(name: str, took: list[float], goal: float) -> None:
    p95 = quantiles(took, n=20)[-1]
    _CONSOLE.print(f"{name}: p50 {median(took):.1f} ms, p95 {p95:.1f} ms of {goal:.0f}, best {min(took):.1f} ms")


def _no_browser() -> Any:
    """AppTest would make six mocks each time that somebody asks for the browser's headers, a tenth of a refresh."""
    return patch.object(context, "_get_client_context", lambda: None)


def _page() -> None:
    """The whole script, as a visitor has it run, and its part that the timer runs, in which nothing has changed."""
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    page.context = {"timezone": "Europe/Berlin"}
    sent: list[int] = []
    enqueue = ScriptRunContext.enqueue

    def counted(self: ScriptRunContext, message: ForwardMsg) -> None:
        sent.append(message.ByteSize())
        enqueue(self, message)

    with patch.object(ScriptRunContext, "enqueue", counted), _no_browser():
        [first] = _times(page.run, 1)
    assert not page.exception, page.exception
    _CONSOLE.print(f"the first run: {first:,.0f} ms, {sum(sent) / 1000:.0f} kB of 300, without Streamlit's own")
    bare = AppTest.from_string(_BARE_PAGE, default_timeout=120)
    bare.run()
    compared: list[float] = []
    parts: list[float] = []
    whole: list[float] = []
    gate, began = visitor.gate, [0.0]

    def begun(*given: Any) -> Any:
        # the part that is run by the timer begins with it
        began[:] = [time.perf_counter()]
        return gate(*given)

    with patch.object(visitor, "gate", begun), _no_browser():
        for _ in range(_RUNS):
            compared += _times(bare.run, 1)
            started = time.perf_counter()
            page.run()
            ended = time.perf_counter()
            parts.append(1000 * (ended - began[0]))
            whole.append(1000 * (ended - started))
    _say("a run of the whole script", whole, 60)
    _say("a refresh when nothing changed", parts, 10)
    bare_ms = median(compared)
    _CONSOLE.print(
        f"a bare page of four metrics, a chart and a table beside them: p50 {bare_ms:.1f} ms; "
        f"the whole script is {median(whole) / bare_ms:.1f} of it, a refresh {median(parts) / bare_ms:.1f}"
    )


def _draw(engine: MirrorEngine, asked: Asked, show: str) -> Drawn:
    return DrawnRevenue(asked, show).of(engine, engine.newest(), None)


def _charts(engine: MirrorEngine) -> None:
    grid = Grid("view", "first ms", "anew ms", "questions", "marks", "chart kB")
    views = {
        "1 h": View(),
        "24 h": View("24 h"),
        "7 d, three comparisons": View("7 d", compare=("previous", "week", "year")),
        "7 d by hour with the band": View("7 d", "hour", band=True),
        "1 y": View("1 y"),
        "All": View("All"),
        "1 y, running total": View("1 y", show=RUNNING),
        "90 d, weekday and hour": View("90 d", show=HEAT),
    }
    for name, view in views.items():
        asked = view.asked(ViewSettings(), _BERLIN, END)

        draw = partial(_draw, engine, asked, view.show)
        [first] = _times(draw, 1)
        again = median(_times(draw, 5))
        drawn = draw()
        assert drawn.trend is not None
        assert drawn.figure is not None
        marks = sum(7 * 24 if one.type == "heatmap" else len(one.y) for one in drawn.figure.data)
        size = len(drawn.figure.to_json()) / 1000
        grid.add_row(name, f"{first:.0f}", f"{again:.0f}", str(drawn.trend.questions), f"{marks:,}", f"{size:.0f}")
    _CONSOLE.print(grid)


def _as_the_dashboard_runs() -> None:
    """Streamlit finds its settings in the folder it is started in; Streamlit's own count each call of it, for one."""
    with (ROOT / ".streamlit" / "config.toml").open("rb") as file:
        sections = tomllib.load(file)
    for section in ("browser", "client", "global", "runner"):
        for name, value in sections[section].items():
            config.set_option(f"{section}.{name}", value)


def main() -> None:
    with tempfile.TemporaryDirectory() as place, made(_FILES, Path(place)) as here, chdir(place):
        _CONSOLE.print(f"load average at the start: {os.getloadavg()[0]:.1f}")
        with _engine(here) as engine:
            _charts(engine)
            _as_the_dashboard_runs()
            with (
                patch.object(cached, "engine_of", lambda *_: engine),
                patch.object(clusters, "kafka_and_registry", _no_kafka),
            ):
                _page()
        in_a_browser(here, _say, _CONSOLE)
        _CONSOLE.print(f"load average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
