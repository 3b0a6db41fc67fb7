"""Revenue: is it right and new, how much, how it moves, the rows."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached
from dashboard.access import Role
from dashboard.app_pages.figure_sql import figure_sql
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.app_pages.revenue_words import ahead_notices, parts_in_words
from dashboard.charts import HEIGHT, describe
from dashboard.errors import SalesTrendsError
from dashboard.freshness.verdict import State
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.revenue import RANGES, Trend
from dashboard.settings import Settings
from dashboard.shown_rows import as_csv, bars_as_rows, faults_as_rows
from dashboard.visitor import caller, gate
from dashboard.wording import amount, as_markdown, compact_amount, length, moment

# what is saved is to be seen within a second
REFRESH_SECONDS = 0.8
_MONEY = {name: st.column_config.NumberColumn(format="%,.2f") for name in ("revenue", "streamed", "open")}
_STATUS = "`sales-trends status` tells what runs, `sales-trends up` starts what does not."


def page() -> None:
    st.title("Revenue", anchor=False)
    board()


@st.fragment(run_every=REFRESH_SECONDS)
def board() -> None:
    gate(Role.VIEWER, "Revenue")  # the timer runs this alone, without what the app asks first
    settings: Settings = st.session_state["settings"]
    zone = reader_zone()
    header, notices = st.container(), st.container()
    chosen = st.segmented_control(
        "Range",
        list(RANGES),
        default="1 h",
        required=True,
        key="revenue_range",
        bind="query-params",
        label_visibility="collapsed",
    )
    with st.skeleton(height=HEIGHT + 180):
        glance = cached.glance(settings)
        answer, fault = None, glance.fault
        try:
            answer = cached.revenue(settings, glance, chosen or "1 h", zone.key)
        except SalesTrendsError as error:
            fault = error
    trend = None if answer is None else answer.trend
    if fault:
        notices.error(_sentence(fault, shown=trend is not None), icon=":material/cloud_off:")
    if answer is not None and (trend is not None or not fault):
        with notices:
            ahead_notices(answer, zone)
    if answer is None or trend is None:
        if not fault:
            _nothing_yet()
        return
    with header:
        _freshness(trend, glance.snapshot, zone, settings, connected=fault is None)
    if answer.figure is None:
        _faults(trend, zone)
        return
    _figures(trend, zone)
    st.plotly_chart(
        answer.figure,
        key="revenue_chart",
        config={"displayModeBar": False},
        alt=describe(trend.buckets, start=trend.start, end=trend.end, zone=zone),
    )
    st.caption(
        f"One bar is {length(trend.bucket)}, from {moment(trend.start, zone, trend.end, seconds=False)} "
        f"to {moment(trend.end, zone, trend.end)}. {parts_in_words(trend)}"
    )
    _rows(trend, zone)
    figure_sql(_inquiry(trend, zone), key="revenue_sql")


def _freshness(trend: Trend, snapshot: Snapshot | None, zone: ZoneInfo, settings: Settings, *, connected: bool) -> None:
    now = datetime.now(UTC)
    age = now - trend.end
    if len(trend.faults):
        badge = ":red-badge[:material/error: Wrong]"
    elif not connected:
        badge = ":red-badge[:material/cloud_off: Not connected]"
    elif age > _old_after(trend.window, settings):
        badge = ":orange-badge[:material/schedule: Old]"
    else:
        badge = ":green-badge[:material/check_circle: Up to date]"
    st.markdown(
        f"{badge} Data as of **{moment(trend.end, zone, now)}** ({length(age)} ago) · "
        f"{_saved(trend, snapshot, zone, now)} · {zone.key}"
    )
    if not connected or age <= _old_after(trend.window, settings):
        return
    verdict = cached.freshness_desk().verdict(caller())
    since = f"No new window since {moment(trend.end, zone, now)}."
    if verdict is None or verdict.held_at is None:
        st.warning(
            f"{since} Either nothing was sold, or a part of the pipeline stands still: {_STATUS}",
            icon=":material/schedule:",
        )
    elif verdict.state is State.WAITING:
        st.info(f"{since} {as_markdown(verdict.held_at.reason)}", icon=":material/hourglass_empty:")
    else:
        where = as_markdown(verdict.held_at.title)
        st.warning(f"{since} Held at: {where}. {as_markdown(verdict.held_at.reason)}", icon=":material/schedule:")


def _saved(trend: Trend, snapshot: Snapshot | None, zone: ZoneInfo, now: datetime) -> str:
    if snapshot is None or trend.committed_until is None:
        return "nothing saved yet"
    saved = f"saved {moment(snapshot.committed_at, zone, now)}"
    return saved if trend.committed_until >= trend.end else f"{saved} until {moment(trend.committed_until, zone, now)}"


def _old_after(window: timedelta, settings: Settings) -> timedelta:
    """A window closes a whole window after the one before, then passes watermarks and the commit to the table."""
    return 2 * window + 3 * settings.pipeline.commit_interval + timedelta(minutes=1)


def _figures(trend: Trend, zone: ZoneInfo) -> None:
    quiet = trend.windows_passed - trend.windows
    by_window = trend.end - trend.start <= timedelta(hours=1)
    average = trend.average_per(trend.window if by_window else timedelta(hours=1))
    newest = Decimal(0) if trend.newest_revenue is None else trend.newest_revenue
    with st.grid(4, min_column_width=150):
        _figure(
            "Revenue",
            trend.total,
            f"since {moment(trend.start, zone, trend.end, seconds=False)}",
            f"Exactly {amount(trend.total)}, from {moment(trend.start, zone, trend.end, seconds=False)} "
            f"to {moment(trend.end, zone, trend.end)}."
            + (f" Of that, {amount(trend.streamed)} is streamed and not saved yet." if trend.streamed else ""),
        )
        _figure(
            "Per window" if by_window else "Per hour",
            average,
            "on average",
            f"Exactly {amount(trend.total)} over {length(trend.end - trend.known_from)}, quiet times included.",
        )
        _figure(
            "Windows",
            f"{trend.windows:,}",
            f"of {trend.windows_passed:,}",
            f"Windows with orders. A window is {length(trend.window)} long; the other {quiet:,} had none.",
        )
        _figure(
            "Newest window",
            newest,
            f"{moment(trend.newest_start, zone, trend.end)} to {moment(trend.end, zone, trend.end)}",
            f"Exactly {amount(newest)}.",
        )


def _figure(label: str, value: Decimal | str, note: str, explanation: str) -> None:
    st.metric(
        label,
        value if isinstance(value, str) else compact_amount(value),
        delta=note,
        delta_color="off",
        delta_arrow="off",
        help=explanation,
        border=True,
    )


def _inquiry(trend: Trend, zone: ZoneInfo) -> Inquiry:
    """What the bars are asked with; longer ones than a day are put together of days."""
    if trend.bucket % timedelta(days=1):
        return Inquiry("revenue_by_bucket", trend.start, trend.end, zone, trend.bucket, trend.window)
    return Inquiry("revenue_by_day", trend.start, trend.end, zone, window=trend.window)


def _rows(trend: Trend, zone: ZoneInfo) -> None:
    panel = st.expander("Table and download", key="revenue_rows", on_change="rerun", icon=":material/table_rows:")
    if not panel.open:
        return
    rows = bars_as_rows(trend.buckets, end=trend.end, zone=zone, is_ahead=trend.is_ahead)
    with panel:
        st.dataframe(
            rows,
            hide_index=True,
            height=320,
            key="revenue_table",
            column_config=_MONEY,
            alt="Revenue per bar of the chart above, newest first",
        )
        st.download_button(
            "Download as CSV",
            data=as_csv(rows),  # not a callable: a refresh would cancel the download of what it makes
            file_name=f"revenue_{trend.start:%Y%m%dT%H%M%SZ}_{trend.end:%Y%m%dT%H%M%SZ}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )


def _faults(trend: Trend, zone: ZoneInfo) -> None:
    doubled = sum(fault == "doubled" for fault in trend.faults["fault"].to_pylist())
    what = (
        f"{doubled:,} {'window stands' if doubled == 1 else 'windows stand'} in the table more than once"
        if doubled
        else f"{len(trend.faults):,} {'window has' if len(trend.faults) == 1 else 'windows have'} no amount"
    )
    first = moment(trend.faults["window_start"][0].as_py(), zone, trend.end)
    st.error(
        f"{what}, the first at {first}. A sum over this range would be wrong, so none is shown. "
        "`sales-trends verify` lists what is wrong; a range without these windows is shown as always.",
        icon=":material/error:",
    )
    st.dataframe(
        faults_as_rows(trend.faults.slice(0, 100), zone=zone),
        hide_index=True,
        key="revenue_faults",
        column_config=_MONEY,
        alt="The windows at fault, oldest first",
    )


def _nothing_yet() -> None:
    st.info(
        "No window is complete yet. Revenue appears here as one bar for every few seconds of sales, about a minute "
        "after `sales-trends up` and half a minute after the first order is paid. "
        f"Still nothing? {_STATUS}",
        icon=":material/hourglass_empty:",
    )


def _sentence(fault: SalesTrendsError, *, shown: bool) -> str:
    message = re.sub(r"https?://[^\s,]+", r"`\g<0>`", fault.message)  # as code, or it would become a link
    ending = "Shown is what was read last; this page keeps trying." if shown else "This page keeps trying."
    return f"{message} {fault.hint} {ending}"


page()
