"""The letters as a table, grouped by reason, and one of them whole. What stands in them are texts of strangers."""

from decimal import Decimal

import pyarrow as pa
import streamlit as st

from dashboard.desks.dead_letters import Letters, Row
from dashboard.wording import amount, as_markdown, counted


def list_view(found: Letters) -> list[Row]:
    """Draws them; gives those that are picked in the table, or all where none is."""
    total = sum((group.amount for group in found.groups), start=Decimal("0.00"))
    more = "" if found.is_complete else "The newest "
    letters, reasons = counted(len(found.rows), "letter"), counted(len(found.groups), "reason")
    st.markdown(f"**{more}{letters}** · {amount(total)} in all · {reasons}")
    if clear := sum(row.shown.clear_card for row in found.rows):
        holds = "holds" if clear == 1 else "hold"
        st.warning(
            f"{clear:,} of them {holds} a card number in the clear, which everybody sees who reads the topic. It is "
            "not shown here. Whoever writes them runs a contract without encryption, or an old client.",
            icon=":material/lock_open:",
        )
    with st.expander("By reason", icon=":material/category:"):
        st.dataframe(
            pa.table(
                {
                    "letters": [group.count for group in found.groups],
                    "amount": [amount(group.amount) for group in found.groups],
                    "oldest (UTC)": [f"{group.oldest:%Y-%m-%d %H:%M:%S}" for group in found.groups],
                    "newest (UTC)": [f"{group.newest:%Y-%m-%d %H:%M:%S}" for group in found.groups],
                    "rule": [group.rule for group in found.groups],
                    "reason": [group.reason for group in found.groups],
                }
            ),
            hide_index=True,
            height="content",
            key="letters_groups",
            alt="Dead letters by rule and reason",
        )
    event = st.dataframe(
        pa.table(
            {
                "letter": [row.id for row in found.rows],
                "time (UTC)": [row.at.removesuffix("+00:00").replace("T", " ") for row in found.rows],
                "rule": [row.shown.rule for row in found.rows],
                "order": ["" if row.order_id is None else str(row.order_id) for row in found.rows],
                "amount": [row.amount for row in found.rows],
                "redriven": [row.redriven.at[:19].replace("T", " ") if row.redriven else "" for row in found.rows],
                "reason": [row.fault or row.shown.reason for row in found.rows],
            }
        ),
        hide_index=True,
        height=min(420, 38 + 35 * len(found.rows)),
        key="letters_table",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "order": st.column_config.TextColumn(alignment="right"),
            "amount": st.column_config.TextColumn(alignment="right"),
            "reason": st.column_config.TextColumn(width="large"),
        },
        alt="Dead letters, the newest first",
    )
    picked = [found.rows[place] for place in event["selection"]["rows"] if place < len(found.rows)]
    return picked or found.rows


def one_view(found: Letters) -> None:
    by_id = {row.id: row for row in found.rows}
    chosen = st.selectbox(
        "Letter", list(by_id), index=None, placeholder="Choose one to see all of it", key="letters_one", width=280
    )
    if not chosen or chosen not in by_id:
        return
    row = by_id[chosen]
    with st.container(border=True):
        st.markdown(
            f"**Letter `{row.id}`** · refused by {as_markdown(row.shown.rule)}: {as_markdown(row.shown.reason)}"
        )
        if row.redriven:
            st.markdown(f"Sent again {as_markdown(row.redriven.at)} by {as_markdown(row.redriven.by)}.")
        if row.fault:
            st.markdown(f":orange[It cannot be read:] {as_markdown(row.fault)}")
        fields, headers = st.columns(2)
        with fields:
            st.markdown("**Payload**")
            st.code(
                "\n".join(f"{name}: {value}" for name, value in row.shown.fields.items()) or "nothing", language=None
            )
        with headers:
            st.markdown("**Headers**")
            st.code("\n".join(f"{name}: {value}" for name, value in row.shown.headers) or "none", language=None)
