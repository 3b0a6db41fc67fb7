"""Tables in, Plotly figures out; pure. Colours, fonts and grid are left to Streamlit's theme, light and dark."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from dashboard.readers.order_counts import Second
from dashboard.wording import amount, day, moment

HEIGHT = 340
"""Pixels, on every screen; the page keeps this room free while it loads."""

LIVE_HEIGHT = 150
_GAP = 0.12
"""Part of a bar's time that stays empty beside it, so that neighbours can be told apart."""


def revenue_bars(
    buckets: pa.Table, *, start: datetime, end: datetime, bucket: timedelta, zone: ZoneInfo, zoom: bool = True
) -> go.Figure:
    """One bar per bucket from zero, over [start, end) in the time of `zone`; hatched while it is still being filled.

    `buckets` has bucket_start, bucket_end, windows and revenue; a bucket without a row stays a gap. Hours that the
    clock shows twice in autumn stand on each other.
    """
    rows = buckets.to_pylist()
    total = sum((row["revenue"] for row in rows), Decimal(0))
    widths = [_milliseconds(row["bucket_end"] - row["bucket_start"]) * (1 - _GAP) for row in rows]
    marks = go.Bar(
        x=[_wall(row["bucket_start"], zone) for row in rows],
        y=np.array([float(row["revenue"]) for row in rows]),
        width=widths[0] if len(set(widths)) == 1 else widths,
        offset=0,
        marker={
            "line": {"width": 0},
            "pattern": {"shape": ["/" if row["bucket_end"] > end else "" for row in rows], "size": 6, "solidity": 0.5},
        },
        customdata=[_facts(row, end=end, bucket=bucket, zone=zone, total=total) for row in rows],
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>%{{customdata[1]}}<br>{zone.key}<br>"
        "%{customdata[3]} of the range · windows: %{customdata[2]}%{customdata[4]}<extra></extra>",
        name="revenue",
    )
    last = rows[-1]["bucket_end"] if rows else end
    figure = go.Figure(marks)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        barmode="relative",
        # Streamlit 1.67 builds the chart anew when its data changes, so a zoom would last 10 seconds; and without it a
        # finger on the chart scrolls the page
        dragmode=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        type="date",
        range=[_wall(start, zone), _wall(max(last, end), zone)],
        showgrid=False,
        tickformatstops=_TICKS,
        ticklabelmode="instant",
        nticks=8,
        fixedrange=True,
        automargin=True,
    )
    figure.update_yaxes(rangemode="tozero", tickformat="~s", nticks=5, fixedrange=True, automargin=True, zeroline=False)
    return figure


def live_bars(buckets: Sequence[Second], *, until: datetime, bucket: timedelta, zone: ZoneInfo) -> go.Figure:
    """One bar for each bucket, in the time of `zone`: amounts, or how many where there are none.

    The last is hatched while `until`, how far it is known, lies before its end.
    """
    amounts = [one.amount for one in buckets]
    heights = [
        float(one) if one is not None else float(count) for one, count in zip(amounts, _counts(buckets), strict=True)
    ]
    marks = go.Bar(
        x=[_wall(one.start, zone) for one in buckets],
        y=np.array(heights),
        width=_milliseconds(bucket) * (1 - _GAP),
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
    figure = go.Figure(marks)
    figure.update_layout(
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        type="date",
        range=[_wall(buckets[0].start, zone), _wall(buckets[-1].start + bucket, zone)] if buckets else None,
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
        return [f"{one.count:,} {'record' if one.count == 1 else 'records'}", when]
    return [amount(one.amount), f"{one.count:,} {'order' if one.count == 1 else 'orders'}, {when}"]


_TICKS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [43_200_000, "M1"], "value": "%-d %b\n%Y"},
    {"dtickrange": ["M1", None], "value": "%b %Y"},
]
"""24 hours, day before month; the second line appears where it changes."""


def describe(buckets: pa.Table, *, start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """What the chart shows, for those who cannot see it."""
    stretch = f"from {moment(start, zone, end, seconds=False)} to {moment(end, zone, end)}"
    rows = buckets.to_pylist()
    if not rows:
        return f"Bar chart of revenue {stretch}, without a bar"
    top = max(rows, key=lambda row: row["revenue"])
    return (
        f"Bar chart of revenue {stretch}, {len(rows)} bars; "
        f"the highest is {amount(top['revenue'])} at {moment(top['bucket_start'], zone, end, seconds=False)}"
    )


def _facts(row: dict[str, Any], *, end: datetime, bucket: timedelta, zone: ZoneInfo, total: Decimal) -> list[str]:
    """What the hover tells of one bar: amount, time, windows, share, and what is still open."""
    first, last = row["bucket_start"], row["bucket_end"]
    if bucket >= timedelta(days=1):
        when = f"{first.astimezone(zone):%a} {day(first, zone, end)}"
    else:
        seconds = bucket < timedelta(minutes=1)
        when = f"{moment(first, zone, end, seconds=seconds)} to {moment(last, zone, first, seconds=seconds)}"
    return [
        amount(row["revenue"]),
        when,
        f"{row['windows']:,}",
        f"{row['revenue'] / total:.1%}" if total else "0%",
        f"<br>still filling, known until {moment(end, zone, end)}" if last > end else "",
    ]


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Plotly knows no time zones: it draws the clock time it is given."""
    return at.astimezone(zone).replace(tzinfo=None)


def _milliseconds(span: timedelta) -> float:
    return span / timedelta(milliseconds=1)
