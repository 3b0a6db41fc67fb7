"""Revenue as Plotly figures; pure. What is certain looks certain: final solid, streamed faint, open hatched.

Times are text by the clock that `axis_zone` says: a number would be taken for one of the browser's zone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.charts import GAP, HEIGHT, SharedFigure, milliseconds, wall
from dashboard.revenue.axis import axis_zone, ticks
from dashboard.trends.comparisons import Compared
from dashboard.trends.grains import WINDOW
from dashboard.trends.periods import CLOSING, FINAL, INCOMPLETE, OPEN, REVISED
from dashboard.trends.trend import Trend
from dashboard.wording import amount, clock, counted, moment

DASHES = ("solid", "dash", "dot")
"""Of comparisons, in their order: grey alone does not tell them apart."""
SOLID_LINE, DOTTED_LINE = "saved in Iceberg", "final, not all of it saved yet"
"""What the parts of a running total are."""
_LINE = "#3191CF"
"""Both parts are of one hue, which the theme gives to bars alone; it is seen on light and on dark."""
_GREY = "rgba(128,134,142,0.9)"
_BAND = "rgba(128,134,142,0.16)"
_RING = "#E69F00"
_HEAT = ((0.0, "rgba(86,180,233,0.06)"), (1.0, "rgba(0,114,178,1)"))
_FAINT = 0.5
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STATES = {
    CLOSING: "<br>closed, not all of it saved yet",
    OPEN: "<br>still filling",
    REVISED: "<br>◆ revised: not what it was at first",
    INCOMPLETE: "<br>a part of it: the range or the table begins or ends within",
}


@dataclass(frozen=True)
class _Part:
    """What a part of a bar is."""

    column: str
    windows: str
    words: str


_COMMITTED = _Part("revenue", "windows", "<br>saved in Iceberg")
_STREAMED = _Part("streamed", "streamed_windows", "<br>streamed: final, not saved yet")
_OPEN = _Part("open", "open_windows", "<br>open: so far, not final")


def revenue_bars(trend: Trend, *, is_ahead: bool = False, is_selectable: bool = True) -> SharedFigure:
    """One bar for each bucket in which something was sold, from zero; one without stays a gap.

    What is committed is solid; on it stand, where it `is_ahead`, what is streamed, fainter, and what is open, hatched.
    Without, the whole bar is hatched while it is still being filled. Behind them lie the band of what was to be
    expected and, thin and grey, what the same time came to in the periods that it is compared with.
    """
    rows, figure = trend.buckets.to_pylist(), SharedFigure()
    if trend.band is not None and trend.band.rows is not None:
        _add_band(figure, trend, trend.band.rows.to_pylist(), rows)
    _add_bars(figure, trend, rows, is_ahead=is_ahead)
    middles = _middles(trend)
    for compared, dash in zip(trend.compared, DASHES, strict=False):
        _add_line(figure, middles, _values(compared, "total"), dash, f"<b>%{{y:,.2f}}</b><br>{compared.name}")
    at = [place for place, row in enumerate(rows) if row["state"] == REVISED]
    tops = np.array([float(rows[place]["total"] or 0) for place in at])
    _add_marks(figure, [middles[place] for place in at], tops, "diamond", "revised: not what it was at first", size=7)
    _dress(figure, trend, is_selectable=is_selectable)
    return figure


def running_lines(trend: Trend, *, is_ahead: bool = False, is_selectable: bool = True) -> SharedFigure:
    """The total so far, solid where it is saved and dotted where it is not yet, beside those of earlier periods."""
    rows, figure = trend.buckets.to_pylist(), SharedFigure()
    zone, known = axis_zone(trend.periods), [min(row["bucket_end"], trend.stretch.until) for row in rows]
    ends = [wall(at, zone) for at in known]
    for compared, dash in zip(trend.compared, DASHES, strict=False):
        _add_line(figure, ends, _values(compared, "running"), dash, f"<b>%{{y:,.2f}}</b><br>{compared.name}")
    total = _floats(row["running"] for row in rows)
    saved = np.array([row["state"] not in (CLOSING, OPEN) for row in rows], np.bool_)
    # the dotted line begins where the other ends
    dotted = ~saved
    dotted[:-1] |= ~saved[1:]
    for kind, shown, words in (
        ("solid", saved, SOLID_LINE),
        ("dot", dotted & (total == total), DOTTED_LINE),  # NaN
    ):
        if shown.any():
            figure.add_scatter(
                x=_clock([at for at, is_shown in zip(ends, shown, strict=True) if is_shown]),
                y=total[shown],
                mode="lines+markers" if shown.sum() < 3 else "lines",
                line={"dash": kind, "width": 2, "color": _LINE},
                customdata=[_until(at, trend) for at, is_shown in zip(known, shown, strict=True) if is_shown],
                hovertemplate=f"<b>%{{y:,.2f}}</b><br>until %{{customdata}}<br>{words}<extra></extra>",
                name="running",
            )
    _dress(figure, trend, is_selectable=is_selectable)
    return figure


def heat_map(trend: Trend) -> SharedFigure:
    """What an hour of each weekday brings on average, by the reader's clock; one the range has none of stays empty."""
    calendar = trend.asked.calendar
    days = [(calendar.week_start + n) % 7 for n in range(7)]
    values = np.full((7, 24), np.nan)
    texts = [[""] * 24 for _ in days]
    for row in [] if trend.heat is None else trend.heat.to_pylist():
        place = days.index(row["weekday"])
        values[place, row["hour"]] = float(row["average"])
        hours = counted(row["hours"], "hour")
        texts[place][row["hour"]] = f"<b>{amount(row['average'])}</b> an hour<br>{amount(row['revenue'])} in {hours}"
    figure = SharedFigure(
        go.Heatmap(
            x=[f"{hour:02}" for hour in range(24)],
            y=[_DAYS[day] for day in days],
            z=values,
            customdata=texts,
            hovertemplate="%{customdata}<br>%{y}, hour of %{x}:00<extra></extra>",
            hoverongaps=False,
            colorscale=_HEAT,
            zmin=0,
            xgap=2,
            ygap=2,
            colorbar={"thickness": 10, "tickformat": "~s", "outlinewidth": 0},
        )
    )
    figure.update_layout(height=HEIGHT, margin={"l": 0, "r": 8, "t": 8, "b": 0}, dragmode=False)
    figure.update_xaxes(fixedrange=True, showgrid=False, type="category", nticks=12, automargin=True)
    figure.update_yaxes(fixedrange=True, showgrid=False, autorange="reversed", automargin=True)
    return figure


def _add_bars(figure: go.Figure, trend: Trend, rows: list[dict[str, Any]], *, is_ahead: bool) -> None:
    zone, places, until = trend.asked.calendar.zone, axis_zone(trend.periods), trend.stretch.until
    parts = [(row, part) for part in (_COMMITTED, _STREAMED, _OPEN) for row in rows if row[part.column] is not None]
    if not is_ahead:
        parts = [(row, part) for row, part in parts if part is _COMMITTED]
    widths = [milliseconds(row["bucket_end"] - row["bucket_start"]) * (1 - GAP) for row, _ in parts]
    is_hatched = [part is _OPEN or (not is_ahead and row["bucket_end"] > until) for row, part in parts]
    # one trace for all parts, which gives them one hue in every theme; of one time, each stands on those before it
    figure.add_bar(
        x=_clock([wall(row["bucket_start"], places) for row, _ in parts]),
        y=np.array([float(row[part.column]) for row, part in parts]),
        width=widths[0] if len(set(widths)) == 1 else widths,
        offset=0,
        marker={
            "line": {"width": 0},
            "opacity": [_FAINT if part is _STREAMED else 1 for _, part in parts] if is_ahead else None,
            "pattern": {
                "shape": ["/" if one else "" for one in is_hatched] if any(is_hatched) else "",
                "size": 6,
                "solidity": 0.5,
            },
        },
        customdata=[_facts(row, part, trend, is_ahead=is_ahead) for row, part in parts],
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>%{{customdata[1]}}<br>{zone.key}<br>"
        "%{customdata[2]} of the range%{customdata[3]}<extra></extra>"
        if trend.choice.grain == WINDOW
        else f"<b>%{{customdata[0]}}</b><br>%{{customdata[1]}}<br>{zone.key}<br>"
        "%{customdata[2]} of the range · windows: %{customdata[4]}%{customdata[3]}<extra></extra>",
        name="revenue",
        # what lies outside of a selection would be faint, which is how what is not saved looks
        unselected={"marker": {"opacity": 1}} if not is_ahead else None,
    )


def _facts(row: dict[str, Any], part: _Part, trend: Trend, *, is_ahead: bool) -> list[str]:
    """What the hover tells of one part of a bar: amount, time, share, and what is not as usual."""
    value, total = row[part.column], trend.total.revenue
    share = "no part" if part is _OPEN else f"{value / total:.1%}" if total else "0%"
    when = trend.periods.grid.label(row["bucket_start"], row["bucket_end"], trend.stretch.until)
    several = sum(row[one.column] is not None for one in (_COMMITTED, _STREAMED, _OPEN)) > 1
    words = ""
    if is_ahead and (part is not _COMMITTED or several):
        words = part.words
    elif not is_ahead and row["bucket_end"] > trend.stretch.until:
        until = moment(trend.stretch.until, trend.asked.calendar.zone, trend.stretch.until)
        words = f"<br>still filling, known until {until}"
    elif row["state"] != FINAL:
        words = _STATES[row["state"]]
    facts = [amount(value), when, share, words]
    if trend.choice.grain != WINDOW:
        facts.append(f"{row[part.windows]:,}")
    return facts


def _add_band(figure: go.Figure, trend: Trend, band: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    middles = _middles(trend)
    for column, fill in (("high", None), ("low", "tonexty")):
        figure.add_scatter(
            **_along(middles),
            y=_floats(row[column] for row in band),
            mode="lines",
            line={"width": 0, "shape": "hvh"},
            fill=fill,
            fillcolor=_BAND if fill else None,
            hoverinfo="skip",
            name="expected",
        )
    at = [place for place, row in enumerate(band) if row["is_anomaly"]]
    words = [f"expected {amount(band[place]['low'])} to {amount(band[place]['high'])}" for place in at]
    tops = np.array([float(rows[place]["total"] or 0) for place in at])
    _add_marks(
        figure,
        [middles[place] for place in at],
        tops,
        "circle-open",
        "outside of what was expected",
        size=13,
        more=words,
    )


def _add_marks(
    figure: go.Figure,
    times: Sequence[datetime],
    y: NDArray[np.float64],
    symbol: str,
    words: str,
    *,
    size: int,
    more: list[str] | None = None,
) -> None:
    if not times:
        return
    marker = {"symbol": symbol, "size": size, "line": {"width": 2, "color": _RING}, "color": _RING}
    figure.add_scatter(
        x=_clock(times),
        y=y,
        mode="markers",
        marker=marker,
        customdata=more,
        hovertemplate=f"<b>%{{y:,.2f}}</b><br>{words}" + ("<br>%{customdata}" if more else "") + "<extra></extra>",
        name=words,
    )


def _add_line(figure: go.Figure, times: Sequence[datetime], y: NDArray[np.float64], dash: str, words: str) -> None:
    if np.isnan(y).all():
        return
    figure.add_scatter(
        **_along(times),
        y=y,
        mode="lines",
        line={"width": 1.2, "dash": dash, "color": _GREY},
        hovertemplate=f"{words}<extra></extra>",
        connectgaps=False,
        name="compared",
    )


def _dress(figure: go.Figure, trend: Trend, *, is_selectable: bool) -> None:
    zone, bounds = axis_zone(trend.periods), trend.periods.bounds
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        barmode="relative",
        # a zoom would last until the next window; and with either a finger on the chart would not scroll the page
        dragmode="select" if is_selectable else False,
        selectdirection="h",
        hovermode="closest",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        type="date",
        range=_clock([wall(bounds[0], zone), wall(bounds[-1], zone)]),
        showgrid=False,
        fixedrange=True,
        automargin=True,
        **ticks(trend.periods),
    )
    figure.update_yaxes(rangemode="tozero", tickformat="~s", nticks=5, fixedrange=True, automargin=True, zeroline=False)


def _until(at: datetime, trend: Trend) -> str:
    zone = trend.asked.calendar.zone
    return f"{clock(at, zone)}, {at.astimezone(zone):%-d %b}"


def _middles(trend: Trend) -> list[datetime]:
    """Of the bars, on the axis."""
    zone = axis_zone(trend.periods)
    return [wall(start, zone) + (end - start) * ((1 - GAP) / 2) for start, end in trend.periods.spans]


def _clock(times: Sequence[datetime]) -> list[str]:
    """As short as it can be: a chart has hundreds of them."""
    return [f"{at:%Y-%m-%dT%H:%M:%S}".removesuffix(":00") for at in times]


def _along(times: Sequence[datetime]) -> dict[str, Any]:
    """Where the points of a line are: the first one and the step, if there is one."""
    steps = {later - at for at, later in pairwise(times)}
    if len(steps) != 1:
        return {"x": _clock(times)}
    return {"x0": times[0].isoformat(timespec="milliseconds"), "dx": milliseconds(*steps)}


def _values(compared: Compared, column: str) -> NDArray[np.float64]:
    return _floats([] if compared.rows is None else compared.rows[column].to_pylist())


def _floats(amounts: Iterable[Decimal | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else float(value) for value in amounts])
