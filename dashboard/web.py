"""The dashboard's entry, `streamlit run dashboard/web.py`: the pages of `app.py`, and what machines ask beside them.

Streamlit finds `app` here and imports this file as `web`: nothing else may import it, or there would be two of it.
"""

import gc
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.crash import save_trace
from dashboard.current_settings import current_settings
from dashboard.endpoints import endpoints, lifespan
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.freshness.readings import Readings
from dashboard.freshness.verdict import Verdict
from dashboard.opened import opened

if TYPE_CHECKING:
    # it brings PyIceberg and Kafka's client, for which the first page should not wait
    from dashboard.freshness.watch import Watch

log = logging.getLogger(__name__)

_LOADING_SECONDS = 2.0
_AGAIN_SECONDS = 3.0


class _Watching:
    """Looks at the pipeline as long as the server runs. What that takes is loaded beside it: pages are served first."""

    def __init__(self) -> None:
        self._watch: Watch | None = None
        self._ending = Event()

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        with ExitStack() as begun:
            beginning = Thread(target=self._begin, args=(begun,), name="begins to watch", daemon=True)
            beginning.start()
            try:
                yield
            finally:
                self._ending.set()
                # who is still loading has begun nothing that would have to be ended
                beginning.join(_LOADING_SECONDS)

    def newest(self) -> tuple[Verdict, Readings] | None:
        """What was seen lately, by whoever looks."""
        if self._watch is None:
            return None
        try:
            overview = self._watch.newest()
        except ReadError:
            # the page says so; to machines nothing is known
            return None
        return None if overview is None or self._watch.is_old(overview) else (overview.verdict, overview.readings)

    def _begin(self, begun: ExitStack) -> None:
        from dashboard import cached

        told = ""
        while not self._ending.is_set():
            try:
                self._watch = begun.enter_context(cached.freshness_desk().watch)
                # what is loaded by now stays: collecting it over and over would hold up all for 130 ms (measured)
                gc.freeze()
                return
            except SalesTrendsError as fault:
                # the Freshness page says so too; settings may be corrected while the server runs
                if str(fault) != told:
                    log.warning("The pipeline is not watched: %s", fault)
                told = str(fault)
            except Exception as error:
                log.warning(
                    "The pipeline is not watched, by a fault of Sales Trends itself; see %s.", save_trace(error)
                )
                return
            self._ending.wait(_AGAIN_SECONDS)


_watching = _Watching()
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=endpoints(
        _watching.newest,
        # what the server was started with, which flags can make another than settings say
        listens_on=lambda: st.get_option("server.address"),
        token=lambda: current_settings().web.metrics_token,
    ),
    # what is begun last is ended first
    lifespan=lifespan(lambda: closing(opened), _watching.until_the_end),
)
