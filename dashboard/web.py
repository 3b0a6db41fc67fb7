"""The dashboard's entry, `streamlit run dashboard/web.py`: the pages of `app.py`, and what machines ask beside them.

Streamlit finds `app` here and imports this file as `web`: nothing else may import it, or there would be two of it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import streamlit as st

from dashboard import cached
from dashboard.current_settings import current_settings
from dashboard.endpoints import endpoints, lifespan
from dashboard.errors import ReadError
from dashboard.freshness.readings import Readings
from dashboard.freshness.verdict import Verdict
from dashboard.opened import opened


def _newest() -> tuple[Verdict, Readings] | None:
    """What was seen lately, by whoever looks."""
    watch = cached.freshness_desk().watch
    try:
        overview = watch.newest()
    except ReadError:
        # the page says so; to machines nothing is known
        return None
    return None if overview is None or watch.is_old(overview) else (overview.verdict, overview.readings)


@contextmanager
def _watching() -> Iterator[None]:
    """Looks at the pipeline as long as the server runs; what that takes is loaded while pages are served already."""
    with ThreadPoolExecutor(1) as beside, ExitStack() as begun:
        beginning = beside.submit(lambda: begun.enter_context(cached.freshness_desk().watch))
        try:
            yield
        finally:
            wait([beginning])


app = st.App(
    Path(__file__).with_name("app.py"),
    routes=endpoints(
        _newest,
        # what the server was started with, which flags can make another than settings say
        listens_on=lambda: st.get_option("server.address"),
        token=lambda: current_settings().web.metrics_token,
    ),
    # what is begun last is ended first
    lifespan=lifespan(lambda: closing(opened), _watching),
)
