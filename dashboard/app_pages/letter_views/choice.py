"""Which letters somebody looks for."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboard.dead_letters.reading import Wanted

_SINCE = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 days": timedelta(days=7), "all": None}
_REDRIVEN = {"Not redriven": False, "Redriven": True, "Both": None}


def wanted() -> Wanted:
    """By the controls in one row; each is kept in the page's address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        since = _SINCE[
            st.segmented_control(
                "Since", list(_SINCE), default="all", required=True, key="letters_since", bind="query-params"
            )
            or "all"
        ]
        redriven = _REDRIVEN[
            st.segmented_control(
                "Which",
                list(_REDRIVEN),
                default="Not redriven",
                required=True,
                key="letters_redriven",
                bind="query-params",
            )
            or "Both"
        ]
        order = st.text_input("Order", key="letters_order", bind="query-params", width=120, placeholder="all")
        rule = st.text_input("Rule", key="letters_rule", bind="query-params", width=220, placeholder="all")
        reason = st.text_input("Reason contains", key="letters_reason", bind="query-params", width=220)
        st.button("Look again", icon=":material/refresh:", key="letters_again")
    order_id = int(order) if order.strip().isdecimal() else None
    if order.strip() and order_id is None:
        st.caption(":red[An order is a number, such as 3000; all are shown.]")
    return Wanted(
        rule=rule.strip(),
        reason=reason.strip(),
        order_id=order_id,
        since=datetime.now(UTC) - since if since else None,
        redriven=redriven,
    )
