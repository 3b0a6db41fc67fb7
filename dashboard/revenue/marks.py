"""What happened, drawn on a chart of revenue: a sign above the bar that it happened in, its words in the hover."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from dashboard.annotations import Annotation, Kind, within
from dashboard.charts import wall
from dashboard.revenue.axis import axis_zone
from dashboard.trends.trend import Trend
from dashboard.wording import moment

MOST = 40
"""Bars with a sign, the newest ones; Notes lists what else there is."""
SIGNS = {Kind.NOTE: "▼", Kind.DEPLOY: "■", Kind.REDRIVE: "▶"}
_SYMBOLS = {Kind.NOTE: "triangle-down", Kind.DEPLOY: "square", Kind.REDRIVE: "triangle-right"}
_GREY, _SPAN = "rgba(128,134,142,1)", "rgba(128,134,142,0.12)"
_TOLD, _WIDTH = 4, 60
_CAPTION_BELOW = 36
"""Pixels below the axis, whose labels are up to two lines."""


def happened_in(trend: Trend, happened: Sequence[Annotation]) -> list[Annotation]:
    """What of it shares time with the bars, the earliest first."""
    return within(happened, trend.periods.bounds[0], trend.periods.bounds[-1])


def add_happened(figure: go.Figure, trend: Trend, happened: Sequence[Annotation]) -> None:
    """`happened` as `happened_in` gives it. What lasted longer than a bar is shaded besides."""
    by_bar: dict[datetime, list[Annotation]] = {}
    for one in happened:
        by_bar.setdefault(trend.periods.start_of(one.start), []).append(one)
    if not by_bar:
        return
    zone, (first, last) = axis_zone(trend.periods), (trend.periods.bounds[0], trend.periods.bounds[-1])
    places = {start: wall(start, zone) + (end - start) / 2 for start, end in trend.periods.spans}
    shown = list(by_bar.items())[-MOST:]
    x = [places[start].isoformat() for start, _ in shown]
    figure.add_scatter(
        x=x,
        y=[1] * len(x),
        yaxis="y2",
        mode="markers",
        marker={"symbol": [_SYMBOLS[found[0].kind] for _, found in shown], "size": 9, "color": _GREY},
        cliponaxis=False,
        customdata=[_words(found, trend) for _, found in shown],
        hovertemplate="%{customdata}<extra></extra>",
        name="happened",
    )
    shapes: list[dict[str, Any]] = [
        {"type": "line", "x0": at, "x1": at, "line": {"width": 1, "dash": "dot", "color": _GREY}} for at in x
    ]
    for start, found in shown:
        for one in found:
            if trend.periods.start_of(min(one.end, trend.periods.spans[-1][0])) > start:
                ends = [wall(min(max(at, first), last), zone).isoformat() for at in (one.start, one.end)]
                shapes.append({"type": "rect", "x0": ends[0], "x1": ends[1], "fillcolor": _SPAN, "line": {"width": 0}})
    figure.update_layout(
        shapes=[{**one, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"} for one in shapes],
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        margin={"t": 14},
    )


def add_caption(figure: go.Figure, trend: Trend, source: str, *, has_bars: bool, is_ahead: bool) -> None:
    """What a picture of the chart stands on, for those who get nothing but the picture; `source` is where it is of."""
    zone, stretch = trend.asked.calendar.zone, trend.stretch
    start, until = moment(stretch.start, zone, stretch.until, seconds=False), moment(stretch.until, zone, stretch.until)
    bars = f"{len(trend.buckets):,} × {trend.choice.grain.name}, " if has_bars else ""
    state = "nothing saved yet" if trend.snapshot is None else f"snapshot {trend.snapshot.id}"
    if is_ahead and (trend.total.streamed or trend.total.open):
        state += " and what is not saved yet"
    day = f"{stretch.until.astimezone(zone):%-d %b %Y}"
    figure.add_annotation(
        text=f"{escape(source)} · {bars}{start} to {until}<br>{day} · {zone.key} · {state}",
        xref="paper",
        yref="paper",
        x=1,
        y=0,
        xanchor="right",
        yanchor="top",
        yshift=-_CAPTION_BELOW,
        align="right",
        showarrow=False,
        font={"size": 9, "color": _GREY},
    )
    # pictures have another font, whose numbers are wider
    figure.update_layout(margin={"l": 8, "b": _CAPTION_BELOW + 26})


def _words(found: Sequence[Annotation], trend: Trend) -> str:
    """Of one bar; people wrote some of it, and Plotly takes some signs for markup."""
    zone, until = trend.asked.calendar.zone, trend.stretch.until
    told = []
    for one in found[:_TOLD]:
        when = moment(one.start, zone, until, seconds=False)
        told.append(f"{when} · " + "<br>".join(escape(line, quote=False) for line in wrap(one.text, _WIDTH)))
    if len(found) > _TOLD:
        told.append(f"and {len(found) - _TOLD} more")
    return "<br>".join(told)
