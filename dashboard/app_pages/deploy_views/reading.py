"""What to paste into each engine to read the target's Iceberg tables."""

import streamlit as st

from dashboard import visitor
from dashboard.desks.administration import Administration
from dashboard.wording import as_markdown

_LANGUAGES = {"PyIceberg": "python", "DuckDB": "sql", "Trino": "properties", "Athena": "python", "Spark": "properties"}


def reading_view(administration: Administration, target: str) -> None:
    snippets = administration.lake_access(visitor.caller(), target)
    engines = list(dict.fromkeys(one.engine for one in snippets))
    engine = st.pills(
        "Engine", engines, default=engines[0], required=True, key="deploy_engine", label_visibility="collapsed"
    )
    for one in snippets:
        if one.engine == engine:
            st.markdown(f"**{as_markdown(one.title)}**")
            st.code(one.text, language=_LANGUAGES.get(one.engine), wrap_lines=True)
            st.caption(as_markdown(one.note))
