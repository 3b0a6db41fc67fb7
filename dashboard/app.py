"""The dashboard's entry: `streamlit run dashboard/app.py`. Lets in who may come, and shows the pages of their role."""

import streamlit as st

from dashboard import visitor
from dashboard.access import Caller, Role
from dashboard.errors import SalesTrendsError
from dashboard.settings import load_settings
from dashboard.wording import as_markdown

st.set_page_config(page_title="Sales Trends", page_icon="📊", layout="wide")


def pages(who: Caller) -> None:
    """What a role does not show can still be opened by its address, and refuses there by itself."""
    chosen = st.navigation(
        {
            "Sales": [
                st.Page(
                    "app_pages/revenue.py",
                    title="Revenue",
                    icon=":material/bar_chart:",
                    help="How much was sold, window by window, and how new the numbers are.",
                    default=True,
                )
            ],
            "Admin": [
                st.Page(
                    "app_pages/deploy.py",
                    title="Deploy",
                    icon=":material/rocket_launch:",
                    help="Plan, apply and watch the pipeline; who changed what.",
                    # also to whoever could become an admin, to be told how
                    visibility="visible" if who.may(Role.ADMIN) or who.why_not else "hidden",
                )
            ],
        }
    )
    visitor.show_who()
    chosen.run()


def log_in() -> None:
    st.title("Sales Trends", anchor=False)
    st.markdown("Sales trends you can trust, on a real streaming pipeline. Log in to see them.")
    visitor.log_in_button("Log in")


def no_role(who: Caller) -> None:
    st.title("Sales Trends", anchor=False)
    st.warning(
        f"You are logged in as {as_markdown(who.name)}, and have no role here. {as_markdown(who.why_not)}",
        icon=":material/lock:",
    )
    visitor.show_who()


try:
    st.session_state["settings"] = load_settings()
    caller, logs_in = visitor.caller(), visitor.must_log_in()
except SalesTrendsError as error:
    st.error(f"{as_markdown(error.message)} {as_markdown(error.hint)}", icon=":material/error:")
    st.stop()

if logs_in:
    log_in()
elif caller.role is None:
    no_role(caller)
else:
    pages(caller)
