"""The dashboard's entry: `streamlit run dashboard/app.py`. Reads the settings once per run and shows the pages."""

import streamlit as st

from dashboard.errors import SettingsError
from dashboard.settings import load_settings

st.set_page_config(page_title="Sales Trends", page_icon="📊", layout="wide")
try:
    st.session_state["settings"] = load_settings()
except SettingsError as error:
    st.error(f"{error.message} {error.hint}", icon=":material/error:")
    st.stop()

page = st.navigation(
    [
        st.Page(
            "app_pages/revenue.py",
            title="Revenue",
            icon=":material/bar_chart:",
            help="How much was sold, window by window, and how new the numbers are.",
            default=True,
        )
    ]
)
page.run()
