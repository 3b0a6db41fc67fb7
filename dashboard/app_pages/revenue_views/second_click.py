"""The second click of a double one on a button that empties its field when it has worked: it means nothing more."""

import time

import streamlit as st

KEPT = "revenue_kept"
"""The place of `faults_kept` for views and notes."""
SECONDS = 2.0
"""Nobody types the same again in less."""


def worked(field: str, what: object) -> None:
    """Empties the field whose text is kept now; `what` is all that was kept with it."""
    st.session_state[field] = ""
    st.session_state[f"{field}_worked"] = (what, time.monotonic())


def is_second_click(field: str, what: object) -> bool:
    """Whether that was kept just now. The browser may send the field as it is since, or as it was before."""
    kept, since = st.session_state.get(f"{field}_worked", (None, None))
    if since is None or time.monotonic() - since >= SECONDS:
        return False
    return kept == what or not st.session_state.get(field)
