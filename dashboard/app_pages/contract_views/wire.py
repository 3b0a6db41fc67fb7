"""What stands on the wire: the newest records as they are, secrets hidden until somebody asks for one record."""

from datetime import UTC, datetime

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.app_pages.faults import show_fault
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.raw_records import RawRecord
from dashboard.desks.administration import Administration
from dashboard.errors import SalesTrendsError

_FEWEST = 24
"""Characters of a ciphertext that tell it from another one."""


def wire_view(administration: Administration, target: str, contract: ContractView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"On the wire: {contract.topic}", anchor=False, width="content")
        key = f"wire_{target}_{contract.topic}"
        if st.button("Look again", icon=":material/refresh:", key=f"{key}_again"):
            st.session_state.pop(key, None)
    if key not in st.session_state:
        found = administration.newest_records(visitor.caller(), target, contract.topic)
        st.session_state[key] = (datetime.now(UTC), found)
    looked: tuple[datetime, list[RawRecord]] = st.session_state[key]
    at, records = looked
    st.caption(f"The newest records as of {at:%H:%M:%S} UTC.")
    if not records:
        st.info(f"Nothing is in {contract.topic} yet. What the payment app writes appears here.")
        return
    st.dataframe(
        pa.table(
            {
                "time (UTC)": [f"{one.at:%H:%M:%S}" for one in records],
                "record": [one.place for one in records],
                "schema": [one.schema_id for one in records],
                **{name: [_cell(one, name) for one in records] for name in _columns(contract, records)},
            }
        ),
        hide_index=True,
        height="content",
        key=f"{key}_{records[0].place}",
        alt=f"The newest records of {contract.topic} as they are on the wire",
    )
    by_place = {one.place: one for one in records}
    chosen = st.selectbox(
        "Record",
        list(by_place),
        index=None,
        placeholder="Choose one to see all of it",
        key=f"{key}_chosen",
        width=280,
    )
    if chosen:
        _one(administration, target, contract, by_place[chosen])


def _columns(contract: ContractView, records: list[RawRecord]) -> list[str]:
    """Secret fields first: they are what one comes to see."""
    names = dict.fromkeys(name for one in records for name in one.fields)
    return [
        *(name for name in contract.secret if name in names),
        *(name for name in names if name not in contract.secret),
    ]


def _cell(record: RawRecord, name: str) -> str:
    if record.fault:
        return record.fault
    if name in record.hidden:
        return "🔓 in the clear, hidden"
    text = record.fields.get(name, "")
    return f"🔒 {text[:_FEWEST]}…" if name in record.encrypted else text


def _one(administration: Administration, target: str, contract: ContractView, record: RawRecord) -> None:
    with st.container(border=True):
        st.markdown(f"**Record `{contract.topic} {record.place}`** · schema {record.schema_id}")
        shown = record
        if record.hidden and st.button(
            f"Uncover {', '.join(record.hidden)}",
            icon=":material/visibility:",
            key=f"uncover_{target}_{contract.topic}_{record.place}",
            help="Shows it once, here. The audit log tells who asked.",
        ):
            try:
                shown = administration.uncover_record(
                    visitor.caller(), target, contract.topic, record.partition, record.offset
                )
            except SalesTrendsError as fault:
                show_fault(fault)
        st.code("\n".join(f"{name}: {value}" for name, value in shown.fields.items()) or shown.fault, language=None)
        if record.encrypted:
            st.caption(f"{', '.join(record.encrypted)} is ciphertext. It is read by whoever may use the key.")
