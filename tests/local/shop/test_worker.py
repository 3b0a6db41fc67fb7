import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dashboard.errors import ExitCode
from dashboard.local.worker import beat_file, silence
from dashboard.settings import Settings


@contextmanager
def start(process: str, settings: Settings, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", f"dashboard.local.shop.{process}"],
        env=os.environ | settings.as_environment() | environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("process", ["order_feed", "payment_app"])
def test_told_to_end_a_process_ends_with_zero_and_one_line_an_event_in_utc(
    process: str, shop_settings: Any, until: Any
) -> None:
    settings = shop_settings()
    nowhere = settings.model_copy(update={"local": settings.local.model_copy(update={"kafka_port": 1})})
    with start(process, nowhere) as started:
        assert started.stderr is not None
        lines = [started.stderr.readline()]
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=15) == ExitCode.OK
        lines += started.stderr.readlines()
    assert "Kafka at 127.0.0.1:1 does not answer" in lines[0]
    assert "Told to end by SIGTERM" in "".join(lines)
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) ", line) for line in lines)


def test_wrong_settings_end_a_process_with_their_own_code(shop_settings: Any) -> None:
    with start("order_feed", shop_settings(), SALES_SHOP__RATE="-1") as started:
        assert started.stderr is not None
        assert "SALES_SHOP__RATE" in started.stderr.read()
        assert started.wait(timeout=15) == ExitCode.USAGE


def test_a_process_that_waits_beats_and_one_that_hangs_is_told_from_it(shop_settings: Any, until: Any) -> None:
    settings = shop_settings()
    home = settings.local.home
    assert silence(home, "payment-app") == "", "one that has not begun hangs on nothing"
    nowhere = settings.model_copy(update={"local": settings.local.model_copy(update={"kafka_port": 1})})
    (home / "run").mkdir(parents=True, exist_ok=True)
    beat = beat_file(home, "payment-app")
    with start("payment_app", nowhere) as started:
        until(beat.exists)
        assert silence(home, "payment-app") == ""
        started.send_signal(signal.SIGSTOP)
        long_ago = time.time() - 60
        os.utime(beat, (long_ago, long_ago))
        assert "no sign of work since 60 s" in silence(home, "payment-app")
        started.send_signal(signal.SIGCONT)
        until(lambda: silence(home, "payment-app") == "")


_TOLD_AT_ANY_MOMENT = """
import os, signal, threading
from dashboard.local.worker import run_process

def work(settings, stop):
    threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGTERM)).start()
    while not stop.wait(0):
        pass

raise SystemExit(max(run_process("test", work) for _ in range(40)))
"""


def test_the_signal_may_come_at_any_moment_of_a_wait(shop_settings: Any) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TOLD_AT_ANY_MOMENT],
        env=os.environ | shop_settings().as_environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert told.returncode == ExitCode.OK
    assert told.stderr.count("Told to end by SIGTERM.") == told.stderr.count("Ended.") == 40
