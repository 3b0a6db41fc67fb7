"""Is it live, how much there is, how it moves. Runs by a timer for each who looks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.faults import show_fault, told
from dashboard.app_pages.live_views.controls import PAUSED, Cleared, cleared_of
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.charts import LIVE_HEIGHT, describe_live
from dashboard.desks.live import ORDERS, PAID, Live
from dashboard.errors import SalesTrendsError
from dashboard.readers.order_counts import Sums
from dashboard.readers.tail import TailView
from dashboard.wording import amount, as_markdown, compact_amount, length, moment

FIGURES_SECONDS = 2.0
_QUIET = timedelta(minutes=1)


@st.fragment(run_every=FIGURES_SECONDS)
def figures(target: str, topic: str) -> None:
    """How it stands and how much there is."""
    who = visitor.gate(Role.VIEWER, "Live orders")  # the timer runs this alone, without what the app asks first
    zone = reader_zone()
    try:
        live = cached.live_desk().look(who, target, topic)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    now = datetime.now(UTC)
    _state(live, zone, now)
    _notices(live.view, topic, zone, now)
    _tiles(live, cleared_of(live.view, topic), topic, zone, now)
    st.plotly_chart(
        live.chart.figure(zone),
        key="live_chart",
        height=LIVE_HEIGHT,
        config={"displayModeBar": False},
        alt=describe_live(live.chart.buckets, zone=zone),
    )


def _state(live: Live, zone: ZoneInfo, now: datetime) -> None:
    view = live.view
    if view.fault:
        badge = ":red-badge[:material/cloud_off: Not connected]"
    elif not view.is_live:
        badge = f":orange-badge[:material/fast_forward: Catching up, {view.behind:,} to read]"
    elif st.session_state.get(PAUSED):
        badge = ":blue-badge[:material/pause: List paused]"
    else:
        badge = ":green-badge[:material/bolt: Live]"
    newest = "nothing came yet"
    if view.newest_at:
        newest = (
            f"newest **{moment(view.newest_at, zone, now)}** ({length(max(now - view.newest_at, timedelta()))} ago)"
        )
    reads = "" if view.committed else " · also what is not committed yet"
    st.markdown(f"{badge} {newest} · {zone.key}{reads}")


def _notices(view: TailView, topic: str, zone: ZoneInfo, now: datetime) -> None:
    if view.fault:
        since = f"Since {moment(view.fault_since, zone, now)}: " if view.fault_since else ""
        st.error(
            f"{since}{told(view.fault)} Shown is what came before; this page keeps trying.",
            icon=":material/cloud_off:",
        )
    elif view.is_live and topic == ORDERS and (view.newest_at is None or now - view.newest_at > _QUIET):
        ago = f"since {moment(view.newest_at, zone, now)}" if view.newest_at else "in the last two minutes"
        st.info(
            f"No order was paid {ago}. Either nothing was sold, or a part of the pipeline stands still: "
            "`sales-trends status` tells what runs.",
            icon=":material/hourglass_empty:",
        )
    if view.anew:
        st.warning(
            f"{as_markdown(view.anew)} What is shown was counted anew from {moment(view.began, zone, now)} on.",
            icon=":material/restart_alt:",
        )
    if view.waiting:
        why = told(view.schema_fault) if view.schema_fault else "The registry is being asked for it."
        st.warning(f"{view.waiting:,} records wait for their schema and are in no sum. {why}", icon=":material/schema:")
    if left_out := view.sums.without_amount:
        are = "record is" if left_out == 1 else "records are"
        st.warning(
            f"{left_out:,} {are} counted and in no sum, for no amount can be read there.", icon=":material/error:"
        )
    elif view.undecodable:
        st.warning(f"{view.undecodable:,} records cannot be read; they are counted.", icon=":material/error:")


def _tiles(live: Live, since: Cleared | None, topic: str, zone: ZoneInfo, now: datetime) -> None:
    view, minute = live.view, live.last_minute
    seen = view.sums.since(since.sums if since else Sums())
    begin = moment(since.at if since else view.counted_from, zone, now)
    until = f"until {moment(live.until, zone, now)}"
    per_second = f"{Decimal(minute.count) / 60:.1f} a second"
    is_orders = topic == ORDERS
    what = "orders" if is_orders else "records"
    with st.grid(4 if is_orders else 3, min_column_width=150):
        if is_orders:
            _tile(
                "Revenue, 1 min",
                minute.amount or Decimal(0),
                until,
                f"The minute {until}, by the time at which each was written.",
            )
        _tile(f"{what.capitalize()}, 1 min", f"{minute.count:,}", per_second, f"The minute {until}.")
        if is_orders:
            _tile(f"Since {begin}", seen.amount, f"{seen.count:,} orders", f"Exactly {amount(seen.amount)}.")
        else:
            _tile(f"Since {begin}", f"{seen.count:,}", what, "Every record counts, whether it is shown or not.")
        age = f"{length(max(now - view.newest_at, timedelta()))} ago" if view.newest_at else "none yet"
        _tile("Newest", age, _delay(live), "When the newest was written, and how long that was after it was paid.")


def _delay(live: Live) -> str:
    """How long the newest one took from its own time to the topic."""
    fields = live.rows[0][1].value if live.rows else None
    paid = fields.get(PAID) if isinstance(fields, dict) else None
    if not (isinstance(paid, datetime) and paid.tzinfo):
        return f"{live.view.behind:,} to read" if live.view.behind else "all is read"
    return f"{length(max(live.rows[0][1].at - paid, timedelta()))} after it was paid"


def _tile(label: str, value: Decimal | str, note: str, explanation: str) -> None:
    st.metric(
        label,
        value if isinstance(value, str) else compact_amount(value),
        delta=note,
        delta_color="off",
        delta_arrow="off",
        help=explanation,
        border=True,
    )
