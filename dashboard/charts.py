"""Tables in, Plotly figures out; pure. Colours, fonts and grid are left to Streamlit's theme, light and dark."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard.readers.order_counts import Second
from dashboard.wording import amount, counted, moment

HEIGHT = 340
"""Pixels, on every screen; the page keeps this room free while it loads."""

LIVE_HEIGHT = 150
GAP = 0.12
"""Part of a bar's time that stays empty beside it, so that neighbours can be told apart."""

TICKS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [43_200_000, "M1"], "value": "%-d %b\n%Y"},
    {"dtickrange": ["M1", None], "value": "%b %Y"},
]
"""24 hours, day before month; the second line appears where it changes."""


class SharedFigure(go.Figure):  # type: ignore[misc]  # Plotly tells no types
    """A figure that is drawn once and shown to many, each second: what is sent of it is made when it is shown first.

    Plotly would copy all its values each time, which was a quarter of what a refresh of Revenue took. Once it was
    shown, what is changed on it is not seen.
    """

    _shown: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same object each time: only to be read."""
        if self._shown is None:
            self._shown = dict(super().to_dict())
        return self._shown


def live_bars(buckets: Sequence[Second], *, until: datetime, bucket: timedelta, zone: ZoneInfo) -> SharedFigure:
    """One bar for each bucket, in the time of `zone`: amounts, or how many where there are none.

    The last is hatched while `until`, how far it is known, lies before its end.
    """
    amounts = [one.amount for one in buckets]
    heights = [
        float(one) if one is not None else float(count) for one, count in zip(amounts, _counts(buckets), strict=True)
    ]
    marks = go.Bar(
        x=[wall(one.start, zone) for one in buckets],
        y=np.array(heights),
        width=milliseconds(bucket) * (1 - GAP),
        offset=0,
        marker={
            "line": {"width": 0},
            "pattern": {
                "shape": ["/" if one.start + bucket > until else "" for one in buckets],
                "size": 6,
                "solidity": 0.5,
            },
        },
        customdata=[_live_facts(one, bucket, zone) for one in buckets],
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>%{{customdata[1]}}<br>{zone.key}<extra></extra>",
        name="live",
    )
    figure = SharedFigure(marks)
    figure.update_layout(
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        type="date",
        range=[wall(buckets[0].start, zone), wall(buckets[-1].start + bucket, zone)] if buckets else None,
        showgrid=False,
        tickformat="%H:%M:%S",
        nticks=5,
        fixedrange=True,
        automargin=True,
    )
    figure.update_yaxes(rangemode="tozero", tickformat="~s", nticks=3, fixedrange=True, automargin=True, zeroline=False)
    return figure


def describe_live(buckets: Sequence[Second], *, zone: ZoneInfo) -> str:
    """What the chart of live records shows, for those who cannot see it."""
    if not buckets:
        return "Bar chart without a bar"
    total = sum(_counts(buckets))
    start, end = buckets[0].start, buckets[-1].start
    return f"Bar chart of {total:,} records from {moment(start, zone, end)} to {moment(end, zone, end)}"


def _counts(buckets: Sequence[Second]) -> list[int]:
    return [one.count for one in buckets]


def _live_facts(one: Second, bucket: timedelta, zone: ZoneInfo) -> list[str]:
    end = one.start + bucket
    when = f"{moment(one.start, zone, end)} to {moment(end, zone, end)}"
    if one.amount is None:
        return [counted(one.count, "record"), when]
    return [amount(one.amount), f"{counted(one.count, 'order')}, {when}"]


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Plotly knows no time zones: it draws the clock time it is given."""
    return at.astimezone(zone).replace(tzinfo=None)


def milliseconds(span: timedelta) -> float:
    return span / timedelta(milliseconds=1)
