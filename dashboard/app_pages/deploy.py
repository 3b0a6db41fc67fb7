"""Deploy: what the files say and what runs, and how to make the two alike."""

import streamlit as st

from dashboard.access import Role
from dashboard.visitor import gate

st.title("Deploy", anchor=False)
gate(Role.ADMIN, "Deploying")
