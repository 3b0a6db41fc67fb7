"""What our own long-running processes need: a way to be told to end, log lines, and an exit code."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dashboard.errors import ExitCode, SalesTrendsError
from dashboard.settings import Settings, load_settings

log = logging.getLogger(__name__)


_BEAT_SECONDS = 1.0
_SILENT_SECONDS = 30.0


Stop = threading.Event
"""Set when a process is to end."""


class BeatingStop(Stop):
    """Every loop asks whether it is to end, and each question is a beat that shows the process at work."""

    def __init__(self, beat: Path) -> None:
        super().__init__()
        self._beat = beat
        self._next = 0.0

    def is_set(self) -> bool:
        self._touch()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        self._touch()
        return super().wait(timeout)

    def _touch(self) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + _BEAT_SECONDS
            # a beat that cannot be written is no reason to end; without any file nothing is held against the process
            with suppress(OSError):
                self._beat.touch()


def beat_file(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.beat"


def silence(home: Path, name: str) -> str:
    """What a process does not do that beats; empty when it is at work, or never beat."""
    try:
        seconds = time.time() - beat_file(home, name).stat().st_mtime
    except FileNotFoundError:
        return ""
    return f"no sign of work since {seconds:.0f} s" if seconds > _SILENT_SECONDS else ""


class Interrupted(Exception):
    """The process was told to end while it waited."""


def run_process(name: str, work: Callable[[Settings, Stop], None]) -> int:
    """Runs `work` until it returns or SIGTERM or SIGINT says so; the exit code of the process."""
    configure_log()
    try:
        settings = load_settings()
    except SalesTrendsError as error:
        log.error("%s", error)
        return int(error.exit_code)
    stop = BeatingStop(beat_file(settings.local.home, name))
    _set_when_told(stop)
    try:
        work(settings, stop)
    except Interrupted:
        pass
    except SalesTrendsError as error:
        log.error("%s", error)
        return int(error.exit_code)
    log.info("Ended.")
    return int(ExitCode.OK)


def _set_when_told(stop: Stop) -> None:
    """Has a thread of its own say what the process was told, and set `stop`.

    A signal's handler must not: it runs in the main thread, between any two steps of it, and when those are inside of
    `stop.wait` the handler would wait for ever for the lock that the main thread holds.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)

    def listen() -> None:
        while True:
            for number in os.read(reader, 16):
                log.info("Told to end by %s.", signal.Signals(number).name)
                stop.set()

    threading.Thread(target=listen, name="told-to-end", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        # only a signal that has a handler is written to the pipe
        signal.signal(number, lambda *_: None)


def configure_log() -> None:
    """One line an event on stderr, in UTC."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # one line a request is too many
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
