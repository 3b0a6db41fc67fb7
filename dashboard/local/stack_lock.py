"""The lock of a stack, and a note of who holds it and what for, for whoever finds it taken.

The lock is the operating system's and tells nothing of its holder. A note is believed only while the lock is taken and
the process that wrote it lives, so what a killed command has left behind is never told as if it were so. The
supervisor, which takes the lock every second, writes none.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from dashboard.errors import StackError
from dashboard.local.identity import identity, same_process

_POLL_SECONDS = 0.1
_KILLED_ENDS_SECONDS = 5
"""A killed process of many threads is told as ended, and holds its locks until the last thread is: 0.1 s measured."""


@contextmanager
def held(lock: FileLock, home: Path, what: str, who: str, within_seconds: float = 0) -> Iterator[None]:
    """Holds the lock of the stack in this home; raises StackError that says who has it.

    It is waited for while nobody is known to hold it: for a moment, as when its holder was killed just now, or for as
    long as is said, as when the supervisor repairs something.
    """
    deadline = time.monotonic() + (within_seconds or _KILLED_ENDS_SECONDS)
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout as error:
            if (told := holder(home)) or time.monotonic() >= deadline:
                raise _refusal(home, told, within_seconds) from error
        time.sleep(_POLL_SECONDS)
    try:
        with _noted(home, what, who):
            yield
    finally:
        lock.release()


def holder(home: Path) -> str:
    """Such as "`apply` by ada@host:123 since 14:05:10 UTC"; empty when nobody is known.

    For whoever has just found the lock taken.
    """
    try:
        facts = json.loads(_file(home).read_text())
        since = datetime.fromisoformat(facts["since"])
        alive = same_process(facts["pid"], facts["identity"])
        told = f"`{facts['what']}` by {facts['who']} since {since:%H:%M:%S} UTC"
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return ""
    return told if alive else ""


@contextmanager
def _noted(home: Path, what: str, who: str) -> Iterator[None]:
    note = _file(home)
    # a disk without room must not keep anybody from working: then it is only not known who does
    with suppress(OSError):
        facts = {"what": what, "who": who, "since": datetime.now(UTC).isoformat(timespec="seconds"), "pid": os.getpid()}
        note.parent.mkdir(parents=True, exist_ok=True)
        partial = note.with_suffix(".tmp")
        partial.write_text(json.dumps(facts | {"identity": identity(os.getpid())}))
        partial.rename(note)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
            # where nothing was started there is nothing to keep; refused when something is in it
            note.parent.rmdir()


def _refusal(home: Path, told: str, waited_seconds: float) -> StackError:
    if waited_seconds and not told:
        return StackError(
            f"The supervisor has been repairing the stack in {home} for {waited_seconds:.0f} s.",
            "`sales-trends logs supervisor` shows what it does. Then try again.",
        )
    return StackError(
        f"Another command is starting or stopping the stack in {home}{f': {told}' if told else ''}.",
        "Wait for it to end; `sales-trends status` shows how far it is.",
    )


def _file(home: Path) -> Path:
    # no .json: those in this folder are of processes
    return home / "run" / "lock-holder"
