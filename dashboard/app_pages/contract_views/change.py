"""Changing contracts: the plan as a difference, agreed to, carried out; then the payment app's restart."""

from dataclasses import dataclass

import streamlit as st

from dashboard import visitor
from dashboard.app_pages.deploy_views.steps import show_steps, summary
from dashboard.app_pages.faults import show_fault
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Plan
from dashboard.desks.administration import Administration
from dashboard.enforcement.outcomes import CACHE_SECONDS
from dashboard.errors import SalesTrendsError
from dashboard.targets import LOCAL

_DRAFT = "contracts_draft"


@dataclass(frozen=True)
class _Draft:
    plan: Plan
    encrypt: bool | None


def change_view(administration: Administration, target: str, contracts: list[ContractView]) -> None:
    encrypts = administration.encrypts(visitor.caller(), target)
    can_choose = target == LOCAL and any(one.secret for one in contracts)
    with st.container(horizontal=True, vertical_alignment="center"):
        if can_choose and not encrypts:
            _offer(administration, target, "Turn encryption on", ":material/lock:", encrypt=True)
        _offer(administration, target, "Compare with the files", ":material/difference:", encrypt=None)
        if can_choose and encrypts:
            _offer(administration, target, "Turn encryption off", ":material/lock_open:", encrypt=False)
    draft: _Draft | None = st.session_state.get(_DRAFT)
    if draft is not None and draft.plan.target == target:
        _show(administration, draft)
    _restart(administration, target)


def _offer(administration: Administration, target: str, label: str, icon: str, *, encrypt: bool | None) -> None:
    if st.button(
        label,
        icon=icon,
        type="primary" if encrypt else "secondary",
        key=f"contracts_plan_{encrypt}",
        help="Shows the change; changes nothing.",
    ):
        st.session_state.pop(_DRAFT, None)
        with st.spinner("Comparing the files with the registry"):
            try:
                plan = administration.contracts_plan(visitor.caller(), target, encrypt)
            except SalesTrendsError as fault:
                show_fault(fault)
                return
        st.session_state[_DRAFT] = _Draft(plan, encrypt)


def _restart(administration: Administration, target: str) -> None:
    with st.expander("Payment app", icon=":material/storefront:"):
        st.markdown(
            f"The local payment app looks for a changed contract every {CACHE_SECONDS:.0f} seconds, and at once when "
            "it is restarted. Other clients keep the one that they began with until they are restarted."
        )
        if command := administration.restart_command(visitor.caller(), target):
            st.code(command, language="bash")
        if st.button("Restart the payment app", icon=":material/restart_alt:", key="contracts_restart_app"):
            try:
                administration.restart_app(visitor.caller(), target)
            except SalesTrendsError as fault:
                show_fault(fault)
                return
            st.rerun()


def _show(administration: Administration, draft: _Draft) -> None:
    plan = draft.plan
    if not plan.changes:
        st.success("Nothing to do: the contracts are as the files describe them.", icon=":material/check_circle:")
        return
    st.markdown(f"**{summary(plan)}** · plan `{plan.digest[:8]}`")
    if draft.encrypt is False:
        st.warning(
            "From the next payment on card numbers stand in the clear: on the wire, in the topics and in the Iceberg "
            "tables, where they stay.",
            icon=":material/lock_open:",
        )
    show_steps(plan)
    with st.container(horizontal=True):
        if st.button("Discard", key="contracts_discard", help="Nothing was changed, and nothing is."):
            st.session_state.pop(_DRAFT, None)
            st.rerun()
        if plan.acts and st.button("Apply", type="primary", key=f"contracts_apply_{plan.digest}"):
            try:
                administration.apply_contracts(visitor.caller(), plan, draft.encrypt)
            except SalesTrendsError as fault:
                show_fault(fault)
                return
            st.session_state.pop(_DRAFT, None)
            st.rerun()
