"""Dead letters: payments that broke a rule of their contract; what each holds, and sending them again."""

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.app_pages.deploy_views.run import run_view
from dashboard.app_pages.faults import faults_shown, show_fault
from dashboard.app_pages.letter_views.choice import wanted
from dashboard.app_pages.letter_views.listing import list_view, one_view
from dashboard.app_pages.letter_views.redrive import redrive_view
from dashboard.app_pages.target_choice import choose_target
from dashboard.errors import SalesTrendsError


def page() -> None:
    header = st.container(horizontal=True, vertical_alignment="center")
    header.title("Dead letters", anchor=False, width="content")
    visitor.gate(Role.OPS, "The page of dead letters")
    desk = cached.dead_letter_desk()
    try:
        with header:
            target = choose_target(desk)
        run_view(desk, target)
        with st.spinner("Reading the newest dead letters"):
            found = desk.letters(visitor.caller(), target, wanted())
    except SalesTrendsError as fault:
        show_fault(fault)
        return
    if not found.rows:
        st.info(
            "There are no such dead letters. A payment that breaks a rule of its contract appears here, with the rule "
            "and the reason.",
            icon=":material/mark_email_read:",
        )
        return
    chosen = list_view(found)
    one_view(found)
    with faults_shown():
        redrive_view(desk, target, chosen)


page()
