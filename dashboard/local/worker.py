"""What our own long-running processes need: a way to be told to end, log lines, and an exit code."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from dashboard.errors import ExitCode, SalesTrendsError
from dashboard.settings import Settings, load_settings

log = logging.getLogger(__name__)


Stop = threading.Event
"""Set when a process is to end."""


class Interrupted(Exception):
    """The process was told to end while it waited."""


def run_process(work: Callable[[Settings, Stop], None]) -> int:
    """Runs `work` until it returns or SIGTERM or SIGINT says so; the exit code of the process."""
    configure_log()
    stop = Stop()

    def told(number: int, _frame: FrameType | None) -> None:
        log.info("Told to end by %s.", signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    try:
        work(load_settings(), stop)
    except Interrupted:
        pass
    except SalesTrendsError as error:
        log.error("%s", error)
        return int(error.exit_code)
    log.info("Ended.")
    return int(ExitCode.OK)


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
