"""How much: revenue, orders, average order and the best bar, each with its course and how it stands beside before."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard.trends.changes import Change, Kind, change
from dashboard.trends.grains import WINDOW
from dashboard.trends.trend import Trend
from dashboard.wording import amount, compact_amount, day, moment

_ICONS = {
    Kind.UP: ":material/trending_up:",
    Kind.DOWN: ":material/trending_down:",
    Kind.SAME: ":material/trending_flat:",
}
_UNKNOWN = "–"
_HOUR = timedelta(hours=1)


def figures(trend: Trend, zone: ZoneInfo, currency: str) -> None:
    """Of all windows that have closed; nothing that is open is in any of them."""
    total, sparks, compared = trend.total, trend.sparks, trend.compared
    known = f"{_span(trend, zone)}, {currency}"
    streamed = f" Of that, {amount(total.streamed)} is streamed and not saved yet." if total.streamed else ""
    average = trend.average_per(_HOUR)
    per_hour = f" {amount(average)} an hour, quiet times included." if average is not None else ""
    orders = total.counted_orders
    without = (
        f"The orders of {total.uncounted:,} windows are not known: completed_orders does not hold them."
        if total.uncounted
        else "Not known yet: all of this is streamed, and orders are known of what is saved alone."
    )
    saved_only = " Orders are known of what is saved alone." if total.streamed_windows else ""
    with st.grid(4, min_column_width=150):
        _figure(
            "Revenue",
            compact_amount(total.revenue),
            f"Exactly {amount(total.revenue)}, {known}.{streamed}{per_hour}",
            sparks.revenue,
            [one.revenue for one in compared],
        )
        _figure(
            "Orders",
            _UNKNOWN if orders is None else f"{orders:,}",
            f"Orders of {known}.{saved_only}" if orders is not None else without,
            sparks.orders,
            [] if orders is None else [one.orders for one in compared],
        )
        _figure(
            "Average order",
            _UNKNOWN if total.average_order is None else compact_amount(total.average_order),
            f"Revenue by orders, rounded half-up, {known}.{saved_only}" if orders is not None else without,
            sparks.average_order,
            [] if total.average_order is None else [one.average_order for one in compared],
        )
        _best(trend, zone)


def _best(trend: Trend, zone: ZoneInfo) -> None:
    grain = trend.choice.grain
    label = "Best window" if grain == WINDOW else f"Best {grain.name}"
    best, best_day = trend.best_bucket, trend.best_day
    if best is None:
        _figure(label, _UNKNOWN, "Nothing was sold in this time.", (), [])
        return
    when = trend.periods.grid.label(best.start, best.end, trend.stretch.until)
    notes = [f"{when}, {best.revenue / trend.total.revenue:.1%} of all"]
    if best_day is not None and not grain.is_days:
        when_best = f"{best_day.start.astimezone(zone):%a} {day(best_day.start, zone, trend.stretch.until)}"
        notes.append(f"Best day: {when_best}, {amount(best_day.revenue)}")
    changes = [
        _of_best(one.rows["total"], best.revenue, one.name)
        for one in trend.compared
        # else there is no such time, or only a part of it
        if one.rows is not None and one.revenue.before is not None
    ]
    _figure(label, compact_amount(best.revenue), f"Exactly {amount(best.revenue)}, {when}.", (), changes, notes)


def _span(trend: Trend, zone: ZoneInfo) -> str:
    until = trend.stretch.until
    return f"from {moment(trend.known_from, zone, until, seconds=False)} to {moment(until, zone, until)}"


def _of_best(before: pa.ChunkedArray, best: Decimal, name: str) -> Change:
    return change(best, pc.max(before).as_py() or Decimal("0.00"), f"the best of {name}")


def _figure(
    label: str,
    value: str,
    explanation: str,
    course: Sequence[float | None],
    changes: Sequence[Change],
    notes: Sequence[str] = (),
) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.metric(
            label,
            value,
            help=explanation,
            chart_data=list(course) if value != _UNKNOWN and len(course) > 1 and None not in course else None,
            chart_type="area",
        )
        why = [explanation] if value == _UNKNOWN else []
        lines = [*why, *notes, *(f"{_ICONS.get(one.kind, ':material/info:')} {one.text}" for one in changes)]
        if lines:
            st.caption("  \n".join(lines))
