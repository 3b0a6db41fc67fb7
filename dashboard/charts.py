"""Tables in, Plotly figures out; pure. Colours, fonts and grid are left to Streamlit's theme, light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
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
_FAINT = 0.5


@dataclass(frozen=True)
class _Kind:
    """What a part of a bar is."""

    column: str
    windows: str
    """The column with how many there are."""
    words: str


_COMMITTED = _Kind("revenue", "windows", "saved in Iceberg")
_STREAMED = _Kind("streamed", "streamed_windows", "streamed: final, not saved yet")
_OPEN = _Kind("open", "open_windows", "open: so far, not final")


def revenue_bars(
    buckets: pa.Table, *, start: datetime, end: datetime, bucket: timedelta, zone: ZoneInfo, is_ahead: bool = False
) -> go.Figure:
    """One bar per bucket from zero, over [start, end) in the time of `zone`; a bucket without a row stays a gap.

    `buckets` is as in `Trend`. What is committed is solid; on it stand, where `is_ahead`, what is streamed, fainter,
    and what is open, hatched. Without it the whole bar is hatched while it is still being filled. Hours that the clock
    shows twice in autumn stand on each other.
    """
    rows = buckets.to_pylist()
    parts = _parts(rows, is_ahead=is_ahead)
    widths = [_milliseconds(row["bucket_end"] - row["bucket_start"]) * (1 - _GAP) for row, _ in parts]
    total = sum((row["revenue"] + row["streamed"] for row in rows), Decimal(0))
    hatched = [kind is _OPEN or (not is_ahead and row["bucket_end"] > end) for row, kind in parts]
    # one trace for all parts, which gives them one hue in every theme; of one time, each stands on those before it
    marks = go.Bar(
        x=[_wall(row["bucket_start"], zone) for row, _ in parts],
        y=np.array([float(row[kind.column]) for row, kind in parts]),
        width=widths[0] if len(set(widths)) == 1 else widths,
        offset=0,
        marker={
            "line": {"width": 0},
            "opacity": [_FAINT if kind is _STREAMED else 1 for _, kind in parts] if is_ahead else None,
            "pattern": {"shape": ["/" if one else "" for one in hatched], "size": 6, "solidity": 0.5},
        },
        customdata=[
            [
                *_facts(row, kind, end=end, bucket=bucket, zone=zone, total=total),
                _state(row, kind, end, zone, is_ahead=is_ahead),
            ]
            for row, kind in parts
        ],
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
    final = [row for row in rows if row["windows"] or row["streamed_windows"]]
    if not final:
        return f"Bar chart of revenue {stretch}, without a bar"
    top = max(final, key=_final)
    told = (
        f"Bar chart of revenue {stretch}, {len(final)} bars; "
        f"the highest is {amount(_final(top))} at {moment(top['bucket_start'], zone, end, seconds=False)}"
    )
    streamed, open_ = (sum((row[kind.column] for row in rows), Decimal(0)) for kind in (_STREAMED, _OPEN))
    told += f"; {amount(streamed)} of all is streamed and not saved yet" if streamed else ""
    return told + (f"; {amount(open_)} more is in open windows so far" if open_ else "")


def _parts(rows: list[dict[str, Any]], *, is_ahead: bool) -> list[tuple[dict[str, Any], _Kind]]:
    """What is committed of every bucket, then what stands on it."""
    if not is_ahead:
        return [(row, _COMMITTED) for row in rows]
    return [(row, kind) for kind in (_COMMITTED, _STREAMED, _OPEN) for row in rows if row[kind.windows]]


def _final(row: dict[str, Any]) -> Decimal:
    return Decimal(row["revenue"] + row["streamed"])


def _facts(
    row: dict[str, Any], kind: _Kind, *, end: datetime, bucket: timedelta, zone: ZoneInfo, total: Decimal
) -> list[str]:
    """What the hover tells of one part of a bar: amount, time, share and windows."""
    first, last = row["bucket_start"], row["bucket_end"]
    if bucket >= timedelta(days=1):
        when = f"{first.astimezone(zone):%a} {day(first, zone, end)}"
    else:
        seconds = bucket < timedelta(minutes=1)
        when = f"{moment(first, zone, end, seconds=seconds)} to {moment(last, zone, first, seconds=seconds)}"
    value = row[kind.column]
    share = "no part" if kind is _OPEN else f"{value / total:.1%}" if total else "0%"
    return [amount(value), when, f"{row[kind.windows]:,}", share]


def _state(row: dict[str, Any], kind: _Kind, end: datetime, zone: ZoneInfo, *, is_ahead: bool) -> str:
    """How certain a part is, where it is not all of a bar that is saved: 750 times the same words weigh 15 kB."""
    if is_ahead:
        is_all = kind is _COMMITTED and not row["streamed_windows"] and not row["open_windows"]
        return "" if is_all else f"<br>{kind.words}"
    return f"<br>still filling, known until {moment(end, zone, end)}" if row["bucket_end"] > end else ""


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Plotly knows no time zones: it draws the clock time it is given."""
    return at.astimezone(zone).replace(tzinfo=None)


def _milliseconds(span: timedelta) -> float:
    return span / timedelta(milliseconds=1)
