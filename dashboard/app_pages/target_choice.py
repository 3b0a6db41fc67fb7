"""Which system the pages of admins work on."""

import streamlit as st

from dashboard import visitor
from dashboard.administration import Administration
from dashboard.errors import SalesTrendsError


def choose_target(administration: Administration) -> str:
    """What is worked on, always in sight with what kind of system it is."""
    names = administration.targets(visitor.caller())
    target = names[0]
    if len(names) > 1:
        target = st.selectbox(
            "Target", names, key="deploy_target", bind="query-params", width=200, label_visibility="collapsed"
        )
    st.markdown(_badge(administration, target), width="content")
    return target


def _badge(administration: Administration, target: str) -> str:
    try:
        kind = administration.kind(visitor.caller(), target)
    except SalesTrendsError:
        # what is wrong with its description the view says, with what to do
        return f":orange-badge[:material/help: {target}]"
    if "prod" in target:
        return f":red-badge[:material/warning: {target} · {kind}]"
    if kind == "local":
        return f":blue-badge[:material/computer: {target} · this machine]"
    return f":orange-badge[:material/cloud: {target} · {kind}]"
