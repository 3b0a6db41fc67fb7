"""Live orders: each order as it is paid; how many, how much, and looking back."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.live_views.board import figures
from dashboard.app_pages.live_views.controls import LIVE, controls
from dashboard.app_pages.live_views.moving import list_controls, moving_list
from dashboard.app_pages.live_views.one_record import one_view
from dashboard.app_pages.live_views.sought import sought_view
from dashboard.app_pages.target_choice import choose_target
from dashboard.errors import SalesTrendsError


def page() -> None:
    header = st.container(horizontal=True, vertical_alignment="center")
    header.title("Live orders", anchor=False, width="content")
    who = visitor.gate(Role.VIEWER, "Live orders")
    desk = cached.live_desk()
    try:
        with header:
            target = choose_target(desk) if who.may(Role.OPS) else desk.targets(who)[0]
        wanted = controls(desk, target)
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    figures(target, wanted.topic)
    if wanted.show == LIVE:
        with faults_shown():
            list_controls(target, wanted)
        moving_list(target, wanted)
    else:
        sought_view(target, wanted)
    one_view(target, wanted.topic)


page()
