"""Whether a process that was noted is still the one that has its pid: the system gives pids out again."""

from functools import cache
from pathlib import Path

import psutil


def identity(pid: int) -> int:
    """A number of this process that no later one with its pid has; raises psutil.NoSuchProcess."""
    # psutil's own, by when it started as the system counts from its own start: create_time() moves with the clock, so
    # that all that runs would count as ended when a machine that was paused sets its clock
    return _identity(psutil.Process(pid))


def same_process(pid: int, noted: int) -> psutil.Process | None:
    """The running process that was noted with this pid and identity; None when it has ended, however it ended."""
    try:
        process = psutil.Process(pid)
        # what an older version started and noted by the second runs on
        is_noted = noted in (_identity(process), hash(process))
        return process if is_noted and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _identity(process: psutil.Process) -> int:
    return hash((hash(process), _boot()))


@cache
def _boot() -> int:
    """Which start of the machine this is: after each the system counts anew. Only Linux tells it."""
    try:
        return int(Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", ""), 16)
    except FileNotFoundError:
        return 0
