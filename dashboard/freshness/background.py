"""What a watch does beside looking, in threads of their own, because others take their time: alerts and checks."""

import logging
import threading
from datetime import timedelta
from itertools import chain, repeat

from dashboard.crash import save_trace
from dashboard.errors import AlertError, SalesTrendsError
from dashboard.freshness.lease import Lease
from dashboard.freshness.quality import QualityChecks, QualityResult
from dashboard.freshness.telling import Alerts
from dashboard.freshness.verdict import Verdict

log = logging.getLogger(__name__)

_TELL_SECONDS = 5.0
_JOIN_SECONDS = 5.0
_QUALITY_FIRST_SECONDS = 45.0


class _Unforeseen:
    """Keeps the trace of a fault of our own, once while the same one comes again and again."""

    def __init__(self) -> None:
        self._last: tuple[str, str] = "", ""

    def told(self, act: str, error: Exception) -> str:
        known, sentence = self._last
        if repr(error) != known:
            sentence = f"{act} failed by a fault of Sales Trends itself. See {save_trace(error)}."
            self._last = repr(error), sentence
        return sentence


class Teller:
    """Takes verdicts, and tells of them in a thread of its own: mail servers take their time."""

    def __init__(self, alerts: Alerts, lease: Lease | None) -> None:
        """Without a lease nobody else tells; with one, whoever has it."""
        self._alerts = alerts
        self._lease = lease
        self.faults: list[str] = []
        """Why something could not be told, the last time."""
        self._unforeseen = _Unforeseen()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._may_tell = self._lease is None

    def __enter__(self) -> "Teller":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(_JOIN_SECONDS)
        if self._lease is not None:
            self._lease.release()

    def see(self, verdict: Verdict) -> SalesTrendsError | None:
        """Why nobody can be told of it, where nothing can be kept."""
        try:
            if self._may_tell:
                self._alerts.see(verdict)
        except AlertError as fault:
            return fault
        return None

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._may_tell = self._lease is None or self._lease.take()
                alone = [str(self._lease.alone)] if self._lease is not None and self._lease.alone is not None else []
                self.faults = alone + (self._alerts.tell() if self._may_tell else [])
            except SalesTrendsError as fault:
                self.faults = [str(fault)]
            except Exception as error:
                self.faults = [self._unforeseen.told("Telling of alerts", error)]
            self._ending.wait(_TELL_SECONDS)


class Quality:
    """Runs the checks now and then in a thread of its own: they take seconds."""

    def __init__(self, checks: QualityChecks, every: timedelta) -> None:
        self._checks = checks
        self._every = every.total_seconds()
        self._unforeseen = _Unforeseen()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quality checks", daemon=True)
        self._results: dict[str, QualityResult] = {}

    @property
    def results(self) -> tuple[QualityResult, ...]:
        return tuple(self._results.values())

    def __enter__(self) -> "Quality":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # a check that Flink runs goes on until it is answered; nobody waits for it
        self._ending.set()

    def _run(self) -> None:
        self._ending.wait(_QUALITY_FIRST_SECONDS)
        # the second time soon: only then is there anything that both tables must hold
        pauses = chain([self._checks.settling.total_seconds()], repeat(self._every))
        while not self._ending.is_set():
            try:
                for result in self._checks.run():
                    self._results = self._results | {result.name: result}
                    if self._ending.is_set():
                        return
            except Exception as error:
                log.warning(self._unforeseen.told("A check", error))
            self._ending.wait(next(pauses))
