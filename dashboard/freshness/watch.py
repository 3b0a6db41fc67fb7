"""Looks at a target's pipeline again and again, keeps what it saw, tells of it; one process on a machine at a time.

The dashboard does it while it runs, `sales-trends watch` where none runs. Who has not got the lease shows what the
holder wrote. Of a target that is watched from several machines each looks for itself, and one of them sends the alerts.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from dashboard.crash import save_trace
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.freshness.background import Quality, Teller
from dashboard.freshness.history import History
from dashboard.freshness.lease import Lease
from dashboard.freshness.looking import Looking, Watched, look_once
from dashboard.freshness.overview import Overview, OverviewFile, folder_of
from dashboard.freshness.telling import alerts_of
from dashboard.settings import Settings

_AGAIN_SECONDS = 5.0
_JOIN_SECONDS = 5.0
_OLD_TIMES = 15
"""An overview that nobody has written anew for so many intervals is of the past."""
_SKEW = timedelta(minutes=1)


class Watch:
    """Of one target, one for a process; entered, it looks until it is left. Any thread may ask what was seen."""

    def __init__(self, settings: Settings, watched: Callable[[], Watched], who: str) -> None:
        """`watched` is called by the first look; `who` is told to people as the one who looks, such as `dashboard`."""
        self._settings = settings
        self._make = watched
        self.who = f"{who} {os.getpid()}"
        """As overviews name it."""
        self.folder = folder_of(settings)
        self._lease = Lease(self.folder / "lease")
        self._file = OverviewFile(self.folder / "overview.json")
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._newest: Overview | None = None
        self.fault: SalesTrendsError | None = None
        """Why it cannot look, or keep what it saw; it goes on trying."""
        self.told: list[str] = []
        """Why alerts could not be sent, the last time."""

    def __enter__(self) -> "Watch":
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="pipeline watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    @property
    def looks(self) -> bool:
        """Whether this process is the one that looks."""
        return self._lease.held

    def newest(self) -> Overview | None:
        """What was seen last, by whoever looks; None before the first look. Raises ReadError for a broken file."""
        if self._newest is not None and self._lease.held:
            return self._newest
        return self._file.read()

    def look_once(self) -> Overview:
        """What there is to see now, looked at by this process whoever has the lease; nothing is kept.

        Raises SettingsError for what the target lacks, and for a wrong file of thresholds.
        """
        watched = self._make()
        try:
            return look_once(watched, self._settings, self.profile_file, self.who)
        finally:
            watched.close()

    def wait(self, seconds: float) -> None:
        """Until it is left, or for so long."""
        self._ending.wait(seconds)

    def is_old(self, overview: Overview) -> bool:
        """Whether whoever looked has stopped: what was seen is of the past, or of a clock that was set back since."""
        return not -_SKEW <= overview.age <= overview.every * _OLD_TIMES + overview.readings.took

    @cached_property
    def history(self) -> History:
        """What was seen before, whoever saw it."""
        return History(self.folder / "history.sqlite")

    @property
    def profile_file(self) -> Path:
        return self.folder / "freshness.toml"

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if self._lease.take():
                    self._look_on()
                else:
                    self.fault, self.told = None, []  # another one looks
            except SalesTrendsError as fault:
                self.fault = fault
            except Exception as error:
                self.fault = ReadError(
                    "Watching the pipeline ended by a fault of Sales Trends itself.", f"See {save_trace(error)}."
                )
            finally:
                if not self._ending.is_set():
                    self._ending.wait(_AGAIN_SECONDS)
        self._lease.release()

    def _last(self) -> Overview | None:
        """What was seen before, by whoever looked."""
        with suppress(ReadError):  # the first look writes the file anew
            return self._file.read()
        return None

    def _keep(self, overview: Overview) -> SalesTrendsError | None:
        """For other processes; why not, where it cannot be written."""
        try:
            self._file.write(overview)
        except OSError as error:
            return ReadError(
                f"{self._file.path} cannot be written: {error.strerror or error}.",
                "Make room or grant the right; other processes show what was seen before.",
            )
        return None

    def _look_on(self) -> None:
        """As long as this process has the lease."""
        with ExitStack() as begun:
            watched = self._make()
            begun.callback(watched.close)
            alerts = alerts_of(self._settings)
            begun.callback(alerts.store.close)
            teller = Teller(alerts, watched.telling)
            quality = Quality(watched.quality, watched.quality_every)
            for part in (teller, quality):
                begun.enter_context(part)
            looking = Looking(watched, self.history, self._settings, self.profile_file, self._last())
            while self._lease.held and not self._ending.is_set():
                began = time.monotonic()
                overview = looking.look(quality.results, self.who)
                self._newest = overview
                # what takes its time comes last
                faults = (self._keep(overview), teller.see(overview.verdict), looking.keep(overview))
                self.fault = next((one for one in faults if one is not None), None)
                self.told = teller.faults
                self._ending.wait(max(0.0, watched.interval.total_seconds() - (time.monotonic() - began)))
