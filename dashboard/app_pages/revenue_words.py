"""What is ahead of the commit, in words: what each part of a bar is, and what keeps any of it from being known."""

from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.cached import Answer
from dashboard.errors import SalesTrendsError
from dashboard.readers.revenue import Trend
from dashboard.wording import amount, as_markdown, moment


def parts_in_words(trend: Trend) -> str:
    """What the bars add up to, and what of it is not saved or not final."""
    together = f"Together exactly {amount(trend.total)}."
    if not trend.is_ahead:
        return together + (" The hatched bar is still filling." if trend.is_filling else "")
    parts = [f"▉ solid: {amount(trend.committed)} saved in Iceberg"]
    if trend.streamed:
        parts.append(f"▒ faint: {amount(trend.streamed)} streamed, final and saved with the next commit")
    if trend.open:
        parts.append(f"▨ hatched: {amount(trend.open)} in open windows so far, not final and not in any total")
    if trend.open_later:
        windows = "1 open window is" if trend.open_later == 1 else f"{trend.open_later:,} open windows are"
        parts.append(f"{windows} too far ahead to be drawn")
    return f"{together}  \n{' · '.join(parts)}"


def ahead_notices(answer: Answer, zone: ZoneInfo) -> None:
    """Why not all is known that is ahead, and what is wrong with it; nothing where all is well.

    Whatever it is, what is committed stays as it is.
    """
    ahead, fault = answer.ahead, answer.fault
    if fault is not None:
        shown = "Shown is what is saved in Iceberg; what is streamed is not known."
        if answer.trend is not None and answer.trend.is_ahead:
            shown = "What is streamed is shown as it was read last."
        st.caption(f":material/cloud_off: {shown} {_told(fault)}")
    if ahead is None:
        return
    if ahead.doubled:
        many = len(ahead.doubled)
        what = "1 window" if many == 1 else f"{many:,} windows"
        first = moment(ahead.doubled[0][0], zone, ahead.doubled[-1][1])
        st.warning(
            f"{what} came to Kafka more than once or beside another of the same time, the first at {first}. None is "
            "counted twice. `sales-trends verify` tells whether the table is right.",
            icon=":material/content_copy:",
        )
    if ahead.undecodable:
        what = "1 record" if ahead.undecodable == 1 else f"{ahead.undecodable:,} records"
        st.warning(
            f"{what} of revenue_summary or completed_orders cannot be read, and may be missing in what is streamed or "
            "open. `sales-trends tail` shows why.",
            icon=":material/broken_image:",
        )


def _told(fault: SalesTrendsError) -> str:
    return f"{as_markdown(fault.message)} {as_markdown(fault.hint)}"
