"""How a page shows what went wrong: the fact, then what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.errors import SalesTrendsError, UnreachableError
from dashboard.wording import as_markdown


def show_fault(fault: SalesTrendsError) -> None:
    icon = ":material/cloud_off:" if isinstance(fault, UnreachableError) else ":material/error:"
    st.error(f"{as_markdown(fault.message)} {as_markdown(fault.hint)}".strip(), icon=icon)


@contextmanager
def faults_shown() -> Iterator[None]:
    """A fault inside ends what is inside, and is shown in its place; the rest of the page goes on."""
    try:
        yield
    except SalesTrendsError as fault:
        show_fault(fault)
