"""What is ahead of the commit, in words: what each part of a bar is, and what keeps any of it from being known."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.annotations import Kind
from dashboard.app_pages.faults import told
from dashboard.cached import Answer
from dashboard.revenue.charts import DOTTED_LINE, SOLID_LINE
from dashboard.revenue.drawn import Drawn
from dashboard.revenue.marks import SIGNS
from dashboard.revenue.view import HEAT, RUNNING, TOTAL
from dashboard.trends.grains import WINDOW
from dashboard.trends.periods import CLOSING, OPEN, REVISED
from dashboard.trends.trend import Trend
from dashboard.wording import amount, as_markdown, counted, length, moment

if TYPE_CHECKING:
    from dashboard.readers.streamed import Ahead


_LINES = ("thin line", "dashed line", "dotted line")
_HAPPENED = {Kind.NOTE: "a note", Kind.DEPLOY: "a deployment", Kind.REDRIVE: "payments sent again"}


def chart_in_words(drawn: Drawn, trend: Trend, show: str, currency: str) -> str:
    """What one bar is, what they add up to, what of it is not saved or not final, and what else is drawn."""
    zone, stretch = trend.asked.calendar.zone, trend.stretch
    start, until = moment(stretch.start, zone, stretch.until, seconds=False), moment(stretch.until, zone, stretch.until)
    if show == HEAT:
        return f"Averages of whole hours from {start} to {until}, in {currency}; hours in which nothing was sold count."
    name = trend.choice.grain.name
    said = name if name[:1].isdigit() else f"{'an' if name == 'hour' else 'a'} {name}"
    one = length(trend.extent.window) if trend.choice.grain == WINDOW else said
    what = f"One step is {one}" if show == RUNNING else f"One bar is {one}"
    parts = _lines(trend) if show == RUNNING else _parts(trend, is_ahead=drawn.is_ahead)
    told = [f"{what}, from {start} to {until}, in {currency}. {parts}"]
    lines = [
        f"{line}: {compared.name}"
        for line, compared in zip(_LINES, trend.compared, strict=False)
        if compared.rows is not None
    ]
    if show == TOTAL:
        states = set(trend.buckets["state"].to_pylist())
        lines += ["◆ revised: not what it was at first"] if REVISED in states else []
        if trend.band is not None and trend.band.rows is not None:
            lines.append("○ outside of what was expected, the grey area")
    kinds = sorted({one.kind for one in drawn.happened}, key=list(Kind).index)
    lines += [f"{SIGNS[kind]} {_HAPPENED[kind]}" for kind in kinds]
    if lines:
        told.append(" · ".join(lines))
    if trend.band is not None:
        told.append(as_markdown(trend.band.note))
    return "  \n".join(told)


def too_far_ahead(trend: Trend, ahead: "Ahead | None") -> str:
    """How many open windows are not drawn; nothing where all are, or nobody asked for the newest."""
    if ahead is None or not trend.stretch.moves:
        return ""
    many = sum(one.start >= trend.periods.bounds[-1] for one in ahead.open)
    windows = "1 open window is" if many == 1 else f"{many:,} open windows are"
    return f"  \n{windows} too far ahead to be drawn." if many else ""


def _lines(trend: Trend) -> str:
    together = f"Together exactly {amount(trend.total.revenue)}."
    is_dotted = not {CLOSING, OPEN}.isdisjoint(trend.buckets["state"].to_pylist())
    return together + (f" Solid: {SOLID_LINE}; dotted: {DOTTED_LINE}." if is_dotted else "")


def _parts(trend: Trend, *, is_ahead: bool) -> str:
    total = trend.total
    together = f"Together exactly {amount(total.revenue)}."
    if not is_ahead:
        is_filling = trend.buckets["bucket_end"][-1].as_py() > trend.stretch.until
        return together + (" The hatched bar is still filling." if is_filling else "")
    parts = [f"▉ solid: {amount(total.committed)} saved in Iceberg"]
    if total.streamed:
        parts.append(f"▒ faint: {amount(total.streamed)} streamed, final and saved with the next commit")
    if total.open:
        parts.append(f"▨ hatched: {amount(total.open)} in open windows so far, not final and not in any total")
    return f"{together}  \n{' · '.join(parts)}"


def ahead_notices(answer: Answer, zone: ZoneInfo) -> None:
    """Why not all is known that is ahead, and what is wrong with it; nothing where all is well.

    Whatever it is, what is committed stays as it is.
    """
    ahead, fault = answer.ahead, answer.fault
    if fault is not None:
        shown = "Shown is what is saved in Iceberg; what is streamed is not known."
        if answer.drawn.trend is not None and answer.drawn.is_ahead:
            shown = "What is streamed is shown as it was read last."
        st.caption(f":material/cloud_off: {shown} {told(fault)}")
    unknown = {"Which windows were revised": answer.unrevised, "What was noted": answer.unnoted}
    for what, reason in unknown.items():
        if reason is not None:
            st.caption(f":material/history: {what} is not known. {told(reason)}")
    if ahead is None:
        return
    if ahead.doubled:
        first = moment(ahead.doubled[0][0], zone, ahead.doubled[-1][1])
        st.warning(
            f"{counted(len(ahead.doubled), 'window')} came to Kafka more than once or beside another of the same time, "
            f"the first at {first}. None is counted twice. `sales-trends verify` tells whether the table is right.",
            icon=":material/content_copy:",
        )
    if ahead.undecodable:
        st.warning(
            f"{counted(ahead.undecodable, 'record')} of revenue_summary or completed_orders cannot be read, and may be "
            "missing in what is streamed or open. `sales-trends tail` shows why.",
            icon=":material/broken_image:",
        )
