"""What is kept of freshness, as Plotly figures; pure. Times are drawn on the clock of the reader's zone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard.charts import milliseconds, wall
from dashboard.freshness.history import Latencies, Stretch
from dashboard.freshness.verdict import State
from dashboard.wording import length, moment

STRIP_HEIGHT, LINES_HEIGHT = 150, 200
_SECOND = timedelta(seconds=1)
_SPANS = [n * _SECOND for n in (1, 5, 30, 180, 900, 7200, 86_400, 604_800)]
_NEAR_SPANS = [n * _SECOND for n in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400)]
"""For lines that lie so near each other that between two of the others there may be all of them."""
_NEAR = 60
_SHORTEST = 0.1
"""Seconds, for a scale on which nothing is zero."""
_COLOURS = {
    State.FRESH: "#009E73",
    State.WAITING: "#8C8C8C",
    State.LATE: "#E69F00",
    State.STALE: "#D55E00",
    State.UNKNOWN: "#CC79A7",
}
"""Okabe and Ito's, which colour-blind readers tell apart; the word stands in the legend and the hover too."""
_PATTERNS = {State.FRESH: "", State.WAITING: ".", State.LATE: "/", State.STALE: "x", State.UNKNOWN: "-"}
_LINES = (
    ("p50", "half of them within", "#56B4E9"),
    ("p95", "95% within", "#0072B2"),
    ("longest", "longest", "#D55E00"),
)
_MARGIN = {"l": 0, "r": 8, "t": 8, "b": 0}


def state_strip(
    stretches: Sequence[Stretch], *, start: datetime, end: datetime, step: timedelta, zone: ZoneInfo
) -> go.Figure:
    """One mark for each step that somebody looked in, coloured and hatched by the worst state; others stay empty."""
    figure = go.Figure()
    for state in State:
        ours = [one for one in stretches if one.state is state]
        if ours:
            figure.add_bar(
                x=[wall(one.start, zone) for one in ours],
                y=np.ones(len(ours)),
                width=milliseconds(step),
                offset=0,
                marker={
                    "color": _COLOURS[state],
                    "line": {"width": 0},
                    "pattern": {"shape": _PATTERNS[state], "size": 5},
                },
                customdata=[[moment(one.start, zone, end), one.held_at or "nowhere", _age(one)] for one in ours],
                hovertemplate=f"<b>{state.value}</b> %{{customdata[0]}}<br>held at: %{{customdata[1]}}"
                "<br>data at most %{customdata[2]} old<extra></extra>",
                name=state.value,
            )
    _dress(figure, STRIP_HEIGHT, start, end, zone)
    figure.update_yaxes(visible=False, fixedrange=True, range=[0, 1])
    figure.update_layout(barmode="overlay", showlegend=True)
    return figure


def latency_lines(latencies: Sequence[Latencies], *, start: datetime, end: datetime, zone: ZoneInfo) -> go.Figure:
    """Three lines: half, 95% and all of each step's windows came within so long.

    On a logarithmic scale: after a stop, or while a past is loaded, windows come days after their end, and seconds
    matter all the same.
    """
    figure = go.Figure()
    at = [wall(one.start, zone) for one in latencies]
    for name, title, colour in _LINES:
        seconds = np.array([getattr(one, name).total_seconds() for one in latencies])
        figure.add_scatter(
            x=at,
            y=np.maximum(seconds, _SHORTEST),
            mode="lines+markers" if len(at) < 3 else "lines",
            line={"color": colour, "dash": "dot" if name == "longest" else "solid", "width": 2},
            customdata=[
                [moment(one.start, zone, end), length(getattr(one, name)), f"{one.windows:,}"] for one in latencies
            ],
            hovertemplate=f"{title} <b>%{{customdata[1]}}</b>"
            "<br>%{customdata[0]}, %{customdata[2]} windows<extra></extra>",
            name=title,
        )
    _dress(figure, LINES_HEIGHT, start, end, zone)
    shown = [max(one.p50.total_seconds(), _SHORTEST) for one in latencies]
    shown += [max(one.longest.total_seconds(), _SHORTEST) for one in latencies]
    spans = _NEAR_SPANS if max(shown, default=1) < _NEAR * min(shown, default=1) else _SPANS
    figure.update_yaxes(
        type="log",
        tickvals=[span.total_seconds() for span in spans],
        ticktext=list(map(length, spans)),
        fixedrange=True,
        automargin=True,
        zeroline=False,
    )
    figure.update_layout(showlegend=True)
    return figure


def describe_states(stretches: Sequence[Stretch], *, zone: ZoneInfo) -> str:
    """What the strip shows, for those who cannot see it."""
    last = stretches[-1].start
    bad = [one for one in stretches if one.state in (State.LATE, State.STALE, State.UNKNOWN)]
    if not bad:
        return f"States from {moment(stretches[0].start, zone, last)} to {moment(last, zone, last)}: never late"
    return (
        f"States from {moment(stretches[0].start, zone, last)} to {moment(last, zone, last)}: {len(bad)} of "
        f"{len(stretches)} steps were not well, the last at {moment(bad[-1].start, zone, last)}, "
        f"{bad[-1].state.value}, held at {bad[-1].held_at or 'no hop'}"
    )


def describe_latencies(latencies: Sequence[Latencies], *, zone: ZoneInfo) -> str:
    worst = max(latencies, key=lambda one: one.longest)
    return (
        f"How long windows took from their end to the table; the longest took {length(worst.longest)} at "
        f"{moment(worst.start, zone, latencies[-1].start)}, lately 95% came within {length(latencies[-1].p95)}"
    )


def _dress(figure: go.Figure, height: int, start: datetime, end: datetime, zone: ZoneInfo) -> None:
    figure.update_layout(
        height=height,
        margin=_MARGIN,
        dragmode=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(
        type="date",
        range=[wall(start, zone), wall(end, zone)],
        showgrid=False,
        tickformat="%H:%M\n%-d %b",
        nticks=8,
        fixedrange=True,
        automargin=True,
    )


def _age(one: Stretch) -> str:
    return "?" if one.behind is None else length(one.behind)
