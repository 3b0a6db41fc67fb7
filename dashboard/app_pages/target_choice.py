"""Which system the pages of admins work on."""

from typing import Protocol

import streamlit as st

from dashboard import visitor
from dashboard.access import Caller
from dashboard.errors import SalesTrendsError
from dashboard.targets import TargetKind


class Choosable(Protocol):
    """Who knows what may be chosen."""

    def targets(self, caller: Caller) -> list[str]: ...

    def kind(self, caller: Caller, target: str) -> TargetKind: ...


def choose_target(administration: Choosable) -> str:
    """What is worked on, always in sight with what kind of system it is."""
    names = administration.targets(visitor.caller())
    target = names[0]
    if len(names) > 1:
        target = st.selectbox(
            "Target", names, key="deploy_target", bind="query-params", width=200, label_visibility="collapsed"
        )
    st.markdown(_badge(administration, target), width="content")
    return target


def _badge(administration: Choosable, target: str) -> str:
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
