"""What one contract promises: its rules in words, its fields with their tags, and where the files differ."""

import pyarrow as pa
import streamlit as st

from dashboard.deploy.contract import rule_words, type_words
from dashboard.deploy.contracts import ContractView
from dashboard.wording import as_markdown


def promise_view(contract: ContractView) -> None:
    st.subheader(contract.subject, anchor=False)
    if contract.version is None and not contract.fields:
        st.info(
            "The registry has no such contract yet. Applying the plan on the page Deploy, or below, registers it.",
            icon=":material/contract:",
        )
        return
    st.markdown(" ".join(_badges(contract)))
    _warnings(contract)
    rules, fields = st.columns(2)
    with rules:
        st.markdown("**Rules**")
        for rule in contract.rules:
            with st.container(border=True):
                off = " · :orange[disabled]" if rule.get("disabled") else ""
                st.markdown(f"{_SIGNS.get(str(rule.get('type')), ':material/rule:')} **`{rule.get('name')}`**{off}")
                st.markdown(as_markdown(rule_words(rule)))
        if not contract.rules:
            st.markdown("None: whatever the schema allows is written as it is.")
        if contract.key:
            st.markdown(f":material/key: {as_markdown(contract.key)}")
    with fields:
        st.markdown("**Fields**")
        st.dataframe(
            pa.table(
                {
                    "field": [str(one["name"]) for one in contract.fields],
                    "type": [type_words(one["type"]) for one in contract.fields],
                    "tags": [", ".join(one["tags"]) for one in contract.fields],
                    "what it is": [str(one.get("doc") or "") for one in contract.fields],
                }
            ),
            hide_index=True,
            height="content",
            column_config={"type": st.column_config.TextColumn(width=110)},
            key=f"contract_fields_{contract.subject}",
            alt="Fields of the contract with their types and tags",
        )
    with st.expander("In the registry's own words", icon=":material/code:"):
        st.json(contract.rules)


_SIGNS = {"CEL": ":material/rule:", "ENCRYPT": ":material/lock:"}


def _badges(contract: ContractView) -> list[str]:
    badges = [f":blue-badge[version {contract.version}]"] if contract.version else [":orange-badge[schema alone]"]
    if contract.compatibility:
        badges.append(f":gray-badge[{as_markdown(contract.compatibility)}]")
    if contract.encrypts:
        badges.append(":green-badge[:material/lock: encrypts]")
    elif contract.secret:
        badges.append(":orange-badge[:material/lock_open: in the clear]")
    if contract.differences:
        badges.append(":orange-badge[:material/difference: differs from the files]")
    return badges


def _warnings(contract: ContractView) -> None:
    fields = ", ".join(f"`{name}`" for name in contract.secret)
    if contract.secret and not contract.encrypts:
        letters = ", ".join(f"`{topic}`" for topic in contract.dead_letter_topics)
        beside = (
            f" Our payment app blacks it out in {letters}; other clients write it there in the clear."
            if letters
            else ""
        )
        st.warning(f"{fields} is written in the clear.{beside}", icon=":material/lock_open:")
    if contract.differences:
        parts = "; ".join(f"{part}: {how}" for part, how in contract.differences.items())
        st.info(f"The files describe it otherwise. {as_markdown(parts)}", icon=":material/difference:")
