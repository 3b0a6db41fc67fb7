"""The rows behind the chart, to read and to take away; and the windows at fault where there is no chart."""

from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from dashboard.app_pages.revenue_views.files import downloads_view
from dashboard.revenue.view import HEAT
from dashboard.settings import Settings
from dashboard.shown_rows import buckets_as_rows, faults_as_rows, hours_as_rows
from dashboard.trends.trend import Trend
from dashboard.wording import moment

_MONEY = ("revenue", "running", "streamed", "open", "average", "low", "expected", "high")


def rows_view(trend: Trend, show: str, settings: Settings, *, is_ahead: bool) -> None:
    panel = st.expander("Table and download", key="revenue_rows", on_change="rerun", icon=":material/table_rows:")
    if not panel.open:
        return
    rows = hours_as_rows(trend) if show == HEAT else buckets_as_rows(trend, is_ahead=is_ahead)
    with panel:
        st.dataframe(
            rows,
            hide_index=True,
            height=320,
            key="revenue_table",
            column_config=_money(rows),
            placeholder="–",
            alt="The numbers of the chart above"
            + (", by weekday and hour" if show == HEAT else ", one row for each bar, newest first"),
        )
        downloads_view(trend, settings)


def faults_view(trend: Trend, zone: ZoneInfo) -> None:
    doubled = sum(fault == "doubled" for fault in trend.faults["fault"].to_pylist())
    what = (
        f"{doubled:,} {'window stands' if doubled == 1 else 'windows stand'} in the table more than once"
        if doubled
        else f"{len(trend.faults):,} {'window has' if len(trend.faults) == 1 else 'windows have'} no amount"
    )
    first = moment(trend.faults["window_start"][0].as_py(), zone, trend.stretch.until)
    st.error(
        f"{what}, the first at {first}. A sum over this range would be wrong, so none is shown. "
        "`sales-trends verify` lists what is wrong; a range without these windows is shown as always.",
        icon=":material/error:",
    )
    rows = faults_as_rows(trend.faults.slice(0, 100), zone=zone)
    st.dataframe(
        rows,
        hide_index=True,
        key="revenue_faults",
        column_config=_money(rows),
        alt="The windows at fault, oldest first",
    )


def _money(rows: pa.Table) -> dict[str, Any]:
    names = [name for name in rows.column_names if name in _MONEY or name.startswith("compared")]
    return {name: st.column_config.NumberColumn(format="%,.2f") for name in names}
