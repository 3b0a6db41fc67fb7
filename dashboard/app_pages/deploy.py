"""Deploy: plan, confirm, apply; what runs where; checks; who changed what; how other engines read the tables."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.deploy_views.audit import audit_view
from dashboard.app_pages.deploy_views.checks import checks_view
from dashboard.app_pages.deploy_views.plan import plan_view
from dashboard.app_pages.deploy_views.reading import reading_view
from dashboard.app_pages.deploy_views.resources import resources_view
from dashboard.app_pages.deploy_views.run import run_view
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.target_choice import choose_target
from dashboard.errors import SalesTrendsError

_VIEWS = {
    "What runs": resources_view,
    "Plan and apply": plan_view,
    "Checks": checks_view,
    "Audit": audit_view,
    "Read the tables": reading_view,
}


def page() -> None:
    header = st.container(horizontal=True, vertical_alignment="center")
    header.title("Deploy", anchor=False, width="content")
    visitor.gate(Role.ADMIN, "The Deploy page")
    administration = cached.administration()
    try:
        with header:
            target = choose_target(administration)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    chosen = st.segmented_control(
        "View",
        list(_VIEWS),
        default="What runs",
        required=True,
        key="deploy_view",
        bind="query-params",
        label_visibility="collapsed",
    )
    run_view(administration, target)
    with faults_shown():
        _VIEWS[chosen or "What runs"](administration, target)


page()
