"""A double click on a chart, which Streamlit tells of only as long as something is chosen on it.

A chart that was drawn anew has nothing chosen. The browser's part is double_click.js, beside this file; it draws
nothing.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "sales_trends_double_click", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def on_double_click(act: Callable[[], None], key: str) -> None:
    """`act` runs as a callback when any chart of the page is clicked twice; for as long as this is called."""
    _component(key=key, on_chart_change=act, height=0)
