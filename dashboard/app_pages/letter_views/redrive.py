"""Sending letters again: what is corrected, when they count, what would happen, and then exactly that."""

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.app_pages.faults import show_fault
from dashboard.dead_letters.redrive import Choices, Planned, RedrivePlan
from dashboard.desks.dead_letters import DeadLetterDesk, Row
from dashboard.errors import SalesTrendsError
from dashboard.wording import amount, as_markdown, counted

_DRAFT = "redrive_draft"
_WHEN = {"Booked now": "now", "At their own time": "own"}


def redrive_view(desk: DeadLetterDesk, target: str, chosen: list[Row]) -> None:
    st.subheader("Redrive", anchor=False)
    if not visitor.caller().may(Role.ADMIN):
        st.caption("An admin corrects payments and sends them again.")
        return
    open_ones = [row for row in chosen if row.redriven is None]
    if not open_ones:
        st.caption("All of these were sent again already.")
        return
    st.markdown(f"**{len(open_ones):,}** chosen: those picked in the table, or all of it where none is.")
    choices = _choices(open_ones)
    if st.button("Dry run", type="primary", icon=":material/science:", key="redrive_plan"):
        st.session_state.pop(_DRAFT, None)
        with st.spinner("Looking at orders, payments and rules", show_time=True):
            try:
                ids = tuple(row.id for row in open_ones)
                st.session_state[_DRAFT] = desk.plan(visitor.caller(), target, ids, choices)
            except SalesTrendsError as fault:
                show_fault(fault)
    draft: RedrivePlan | None = st.session_state.get(_DRAFT)
    if draft is not None and draft.target == target:
        _planned(desk, draft)


def _choices(rows: list[Row]) -> Choices:
    names = list(dict.fromkeys(name for row in rows for name in row.shown.fields if name != "ts"))
    corrected = st.multiselect(
        "Correct",
        names,
        key="redrive_fields",
        placeholder="Nothing: send them as they are",
        help="The same value for every chosen letter.",
    )
    corrections = {
        name: st.text_input(name, key=f"redrive_value_{name}", type="password" if name == "cc_number" else "default")
        for name in corrected
    }
    when = st.segmented_control(
        "When they count",
        list(_WHEN),
        default="Booked now",
        required=True,
        key="redrive_when",
        help="Now is the time of the newest payment; the original time goes into a header. At their own time they are "
        "late for a closed window, and add nothing.",
    )
    lost = sum(row.is_redacted for row in rows)
    without_card = bool(lost) and st.checkbox(
        f"Send the {lost:,} whose card number was blacked out, without it", key="redrive_without_card"
    )
    orderless = st.checkbox("Also send those without an order, which count nowhere", key="redrive_orderless")
    return Choices(
        corrections=corrections,
        when="own" if _WHEN[when or "Booked now"] == "own" else "now",
        without_card=without_card,
        including_orderless=orderless,
    )


def _planned(desk: DeadLetterDesk, plan: RedrivePlan) -> None:
    st.markdown(f"**{as_markdown(plan.summary)}**")
    st.caption(f"By the stream's clock, {plan.clock:%Y-%m-%d %H:%M:%S} UTC. Nothing was sent yet.")
    st.dataframe(
        pa.table(
            {
                "letter": [one.letter.id for one in plan.letters],
                "order": ["" if one.order_id is None else str(one.order_id) for one in plan.letters],
                "amount": ["" if one.amount is None else amount(one.amount) for one in plan.letters],
                "outcome": [("✓ sent: " if one.sent else "✗ not sent: ") + one.outcome for one in plan.letters],
                "": [_detail(one) for one in plan.letters],
            }
        ),
        hide_index=True,
        height=min(420, 38 + 35 * len(plan.letters)),
        key=f"redrive_table_{plan.digest}",
        column_config={
            "order": st.column_config.TextColumn(alignment="right"),
            "amount": st.column_config.TextColumn(alignment="right"),
        },
        alt="What would become of each letter",
    )
    with st.container(horizontal=True):
        if st.button("Discard", key="redrive_discard", help="Nothing was sent, and nothing is."):
            st.session_state.pop(_DRAFT, None)
            st.rerun()
        count = len(plan.sent)
        if count and st.button(f"Send {counted(count, 'payment')}", type="primary", key=f"redrive_send_{plan.digest}"):
            try:
                desk.redrive(visitor.caller(), plan)
            except SalesTrendsError as fault:
                show_fault(fault)
                return
            st.session_state.pop(_DRAFT, None)
            st.rerun()


def _detail(one: Planned) -> str:
    if one.window_start is not None:
        return f"in the window from {one.window_start:%H:%M:%S} UTC"
    return f"from {one.not_before:%H:%M:%S} UTC on" if one.not_before is not None else one.detail
