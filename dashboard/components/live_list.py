"""A list of records that grows on top while one looks: rows stay the same elements, so focus and scroll survive.

Drawn in the browser by live_list.js, beside this file. What stands in records are texts of strangers: they are only
ever sent as data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st


def _shipped(suffix: str) -> str:
    """The file beside this one without indentation and comments: it goes to the browser again with each run."""
    lines = map(str.strip, Path(__file__).with_suffix(suffix).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


_component = st.components.v2.component(
    "sales_trends_live_list",
    html='<div class="live"></div>',
    css=_shipped(".css"),
    js=_shipped(".js"),
)


@dataclass(frozen=True)
class Column:
    """One column of the list."""

    title: str
    kind: Literal["text", "number", "code"] = "text"
    narrow: bool = True
    """Whether it is shown on a phone too."""


def live_list(
    columns: Sequence[Column],
    rows: Sequence[tuple[str, Sequence[str], bool]],
    *,
    told: str,
    label: str,
    selected: str | None,
    key: str,
) -> str | None:
    """Draws rows of an id, a text for each column, and whether it is a fault; gives the id that was just chosen.

    What is told stands above them as a part of the list: an element of its own would cost each run a tenth more.
    Inside a fragment a choice runs only that fragment again.
    """
    result = _component(
        key=key,
        data={
            "told": told,
            "label": label,
            "columns": [[column.title, column.kind, column.narrow] for column in columns],
            "rows": [[id_, *cells, fault] for id_, cells, fault in rows],
            "selected": selected,
        },
        on_chosen_change=lambda: None,
    )
    chosen = result.get("chosen")
    return chosen if isinstance(chosen, str) else None
