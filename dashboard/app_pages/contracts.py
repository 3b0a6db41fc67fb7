"""Contracts: what each topic promises beside its schema, changing that, and what then stands on the wire."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.contract_views.change import change_view
from dashboard.app_pages.contract_views.promise import promise_view
from dashboard.app_pages.contract_views.wire import wire_view
from dashboard.app_pages.deploy_views.run import run_view
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.target_choice import choose_target
from dashboard.errors import SalesTrendsError


def page() -> None:
    header = st.container(horizontal=True, vertical_alignment="center")
    header.title("Contracts", anchor=False, width="content")
    visitor.gate(Role.ADMIN, "The Contracts page")
    administration = cached.administration()
    try:
        with header:
            target = choose_target(administration)
        run_view(administration, target)
        with st.spinner("Asking the registry"):
            contracts = administration.contracts(visitor.caller(), target)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    if not contracts:
        st.info("No file in pipeline_sql/contracts declares a contract, so there is none to show.")
        return
    for contract in contracts:
        promise_view(contract)
    with faults_shown():
        change_view(administration, target, contracts)
    for contract in contracts:
        with faults_shown():
            wire_view(administration, target, contract)


page()
