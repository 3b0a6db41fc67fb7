"""The pipeline as a picture on a page: coloured by state, each part to be selected by mouse or keyboard.

Drawn in the browser by pipeline_picture.js, beside this file. Names come from clusters and are only ever sent as data.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.deploy.lineage import GIVEN, UNKNOWN, Node, Picture
from dashboard.deploy.resources import Kind

_KINDS: dict[Kind, str] = {
    "topic": "Topic",
    "contract": "Contract",
    "key": "Key",
    "statement": "Statement",
    "tableflow": "Iceberg table",
    "catalog": "Catalog",
}
_STATES = {
    "ready": "ready",
    "changing": "changing",
    "stopped": "stopped",
    "failed": "failed",
    "missing": "missing",
    "changed": "changed: not as the files say",
    "foreign": "foreign: nothing says that we made it",
    "orphan": "orphan: no file describes it",
    GIVEN: "given: others make it",
    UNKNOWN: "unknown: nothing was asked yet",
}
_WAYS = {"data": "data flows", "needs": "needs or belongs to"}
_HERE = Path(__file__)
_component = st.components.v2.component(
    "sales_trends_pipeline_picture",
    html='<div class="picture"></div>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def pipeline_picture(picture: Picture, *, key: str) -> str | None:
    """Draws it; the id of the selected node, such as `topic payments`, or None.

    Inside a fragment a selection runs only that fragment again. What was selected and is no longer there, is not.
    """
    before = st.session_state.get(key) or {}
    result = _component(key=key, data=_sent(picture, before.get("selected")), on_selected_change=lambda: None)
    selected = result.get("selected")
    return selected if any(node.id == selected for node in picture.nodes) else None


def _sent(picture: Picture, selected: str | None) -> dict[str, Any]:
    kinds, states = {node.kind for node in picture.nodes}, {node.state for node in picture.nodes}
    ways = {edge.kind for edge in picture.edges}
    # what tab goes through: along the flow
    nodes = sorted(picture.nodes, key=lambda node: (node.state == "orphan", node.column, node.row, node.slot))
    return {
        "label": f"The pipeline, {len(nodes)} parts",
        "orphans": "Ours, and described by no file",
        "nodes": [asdict(node) | {"label": _label(node)} for node in nodes],
        "edges": [asdict(edge) for edge in picture.edges],
        "legend": {
            "kinds": [{"kind": kind, "text": text} for kind, text in _KINDS.items() if kind in kinds],
            "ways": [{"way": way, "text": text} for way, text in _WAYS.items() if way in ways],
            "states": [{"state": state, "text": text} for state, text in _STATES.items() if state in states],
        },
        "selected": selected,
    }


def _label(node: Node) -> str:
    return f"{_KINDS[node.kind]} {node.name}, {node.word}"
