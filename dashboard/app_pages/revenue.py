"""Revenue: is it right and new, how much, how it moves, the rows."""

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached
from dashboard.access import Role
from dashboard.app_pages.faults import told
from dashboard.app_pages.figure_sql import figure_sql
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.app_pages.revenue_views.address import (
    back,
    current_view,
    move_to,
    only_now,
    read_address,
    turn,
    what_was_wrong,
)
from dashboard.app_pages.revenue_views.controls import controls
from dashboard.app_pages.revenue_views.figures import figures
from dashboard.app_pages.revenue_views.headline import STATUS, headline
from dashboard.app_pages.revenue_views.keep import keep_view
from dashboard.app_pages.revenue_views.link import pinned_view
from dashboard.app_pages.revenue_views.rows import faults_view, rows_view
from dashboard.app_pages.revenue_words import ahead_notices, chart_in_words, too_far_ahead
from dashboard.charts import HEIGHT
from dashboard.components.double_click import on_double_click
from dashboard.errors import SalesTrendsError, SettingsError
from dashboard.readers.engine import Progress
from dashboard.revenue.alt import describe
from dashboard.revenue.axis import axis_zone
from dashboard.revenue.inquiries import inquiries
from dashboard.revenue.view import HEAT, View, selected
from dashboard.settings import Settings
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Trend
from dashboard.visitor import gate
from dashboard.wording import as_markdown

# what is saved is to be seen within a second
REFRESH_SECONDS = 0.6
_MENU = {"displaylogo": False, "modeBarButtons": [["toImage"]]}
"""A picture of the chart, which appears when one points at it."""


def page() -> None:
    st.title("Revenue", anchor=False)
    read_address(came_back=st.session_state.pop("page_before", None) is not None)
    board()


@st.fragment(run_every=REFRESH_SECONDS)
def board() -> None:
    gate(Role.VIEWER, "Revenue")  # the timer runs this alone, without what the app asks first
    settings: Settings = st.session_state["settings"]
    view, own_zone, now = current_view(), reader_zone(), datetime.now(UTC)
    zone = view.in_zone(own_zone)
    header, notices = st.container(), st.container()
    controls(settings.view, own_zone, now)
    with st.skeleton(height=HEIGHT + 260):
        glance = cached.glance(settings)
        if glance.reading is not None:
            _reading(glance.reading)
            return
        answer, fault = None, glance.fault
        try:
            asked = view.asked(settings.view, own_zone, now)
            answer = cached.revenue(settings, glance, asked, view.show, is_selectable=_has_mouse())
            fault = fault or answer.old
        except SalesTrendsError as error:
            fault = error
    trend = None if answer is None else answer.drawn.trend
    with notices:
        pinned_view(settings)
        for sentence in what_was_wrong():
            st.warning(as_markdown(sentence), icon=":material/link_off:")
        if fault:
            _fault(fault, shown=trend is not None)
        if answer is not None and (trend is not None or not fault):
            ahead_notices(answer, zone)
    with header:
        headline(trend, glance.snapshot, zone, view.week_starts(settings.view), settings, connected=fault is None)
    if answer is None or trend is None:
        if not fault:
            _nothing_yet()
    elif len(trend.faults):
        faults_view(trend, zone)
    else:
        _shown(answer, trend, view, zone, settings)


def _shown(answer: cached.Answer, trend: Trend, view: View, zone: ZoneInfo, settings: Settings) -> None:
    currency = settings.view.currency
    figures(trend, zone, currency)
    for note in trend.notes:
        st.caption(f":material/info: {as_markdown(note)}")
    st.plotly_chart(
        answer.drawn.figure,
        key=_chart(),
        config=_MENU | {"toImageButtonOptions": {"format": "png", "scale": 2, "filename": f"revenue {view.show}"}},
        alt=describe(trend, view.show, answer.drawn.happened),
        on_select=only_now(partial(_on_select, _chart(), trend)) if _has_mouse() and view.show != HEAT else "ignore",
        selection_mode="box",
    )
    st.caption(chart_in_words(answer.drawn, trend, view.show, currency) + too_far_ahead(trend, answer.ahead))
    with st.container(key="revenue_below"):
        keep_view(trend, settings, zone)
        rows_view(trend, view.show, settings, is_ahead=answer.drawn.is_ahead)
        figure_sql(partial(inquiries, trend), key="revenue_sql")
    if isinstance(view.range, Between):
        on_double_click(back, "revenue_double_click")


def _chart() -> str:
    return f"revenue_chart_{turn()}"


def _on_select(chart: str, trend: Trend) -> None:
    """What is drawn on the chart is the range of the whole page, until one goes back."""
    boxes = st.session_state[chart].selection.box
    if not boxes:
        return
    drawn = [datetime.fromisoformat(str(at)) for at in boxes[0]["x"]]
    if (range_ := selected(drawn, trend.periods.bounds, axis_zone(trend.periods))) is not None:
        move_to(range_)


def _has_mouse() -> bool:
    """Whether the reader can draw on a chart: a finger is to scroll the page."""
    return "Mobi" not in st.context.headers.get("User-Agent", "")


def _reading(progress: Progress) -> None:
    """Until the next run of the timer."""
    st.caption(f":material/hourglass_top: {progress.told}")
    st.skeleton(height=HEIGHT)


def _nothing_yet() -> None:
    st.info(
        "No window is complete yet. Revenue appears here as one bar for every few seconds of sales, about a minute "
        "after `sales-trends up` and half a minute after the first order is paid. "
        f"Still nothing? {STATUS}",
        icon=":material/hourglass_empty:",
    )


def _fault(fault: SalesTrendsError, *, shown: bool) -> None:
    if isinstance(fault, SettingsError):
        st.error(told(fault), icon=":material/tune:")
        return
    ending = "Shown is what was read last; this page keeps trying." if shown else "This page keeps trying."
    st.error(f"{told(fault)} {ending}", icon=":material/cloud_off:")


page()
