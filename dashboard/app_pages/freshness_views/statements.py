"""Each statement: how it is, how far it is, what waits for it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from dashboard.freshness.readings import Readings, StatementReading
from dashboard.wording import as_markdown, length, moment

_COLUMNS = {
    "statement": st.column_config.TextColumn("Statement", pinned=True),
    "phase": st.column_config.TextColumn("Phase"),
    "pending": st.column_config.NumberColumn(
        "Pending", format="localized", help="Records of its input that it has not read yet."
    ),
    "waiting": st.column_config.TextColumn("For", help="How long ago the oldest of them came."),
    "input": st.column_config.TextColumn("Input until", help="Its input watermark: up to then all was read."),
    "output": st.column_config.TextColumn("Output until", help="Its output watermark: up to then all was passed on."),
    "read": st.column_config.NumberColumn("Read", format="localized", help="Records since it was started."),
    "written": st.column_config.NumberColumn("Written", format="localized"),
    "late": st.column_config.NumberColumn(
        "Late", format="localized", help="Records that came after their window had closed, and were left out."
    ),
    "restarts": st.column_config.NumberColumn("Restarts", format="localized"),
    "checkpoint": st.column_config.TextColumn("Checkpoint", help="How long ago the last one was, or its scaling."),
}


def statements_view(readings: Readings, zone: ZoneInfo) -> None:
    if not readings.statements:
        st.caption("No statement is known. `sales-trends plan` shows what there should be.")
        return
    st.dataframe(
        _rows(list(readings.statements.values()), readings.at, zone),
        hide_index=True,
        key="freshness_statements",
        column_config=_COLUMNS,
        placeholder="–",
        alt="The pipeline's statements, in the order of the flow",
    )
    for one in readings.statements.values():
        told = [text for text in (one.detail, *one.warnings) if text]
        if told:
            st.caption(f"**{as_markdown(one.name)}**: {as_markdown(' '.join(told))}")


def _rows(statements: list[StatementReading], at: datetime, zone: ZoneInfo) -> pa.Table:
    def clock(time: datetime | None) -> str:
        return "" if time is None else moment(time, zone, at)

    return pa.table(
        {
            "statement": [one.name for one in statements],
            "phase": [f"{one.phase.lower()}{' on purpose' if one.is_stopped else ''}" for one in statements],
            "pending": pa.array([one.pending for one in statements], pa.int64()),
            "waiting": ["" if one.pending_for is None else length(one.pending_for) for one in statements],
            "input": [clock(one.input_watermark) for one in statements],
            "output": [clock(one.output_watermark) for one in statements],
            "read": pa.array([one.records_in for one in statements], pa.int64()),
            "written": pa.array([one.records_out for one in statements], pa.int64()),
            "late": pa.array([one.late_records for one in statements], pa.int64()),
            "restarts": pa.array([one.restarts for one in statements], pa.int64()),
            "checkpoint": [
                one.scaling or ("" if one.checkpoint_age is None else f"{length(one.checkpoint_age)} ago")
                for one in statements
            ],
        }
    )
