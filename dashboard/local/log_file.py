"""The log of one service: kept small at each start, read from its end, followed as it grows."""

import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

_LARGEST_BYTES = 10 * 2**20
_BLOCK_BYTES = 64 * 2**10
_POLL_SECONDS = 0.2
_REASON_LINES, _REASON_CHARACTERS = 400, 300
_START = "=== started "
_TELLING = re.compile(r"Caused by: |\b(?:ERROR|FATAL)\b|\b[\w.]*(?:Exception|Error)\b")
_NOISE = re.compile(r"\s*(?:at |\.\.\. \d+ )|\s*$")
"""Frames of a Java trace, and nothing."""


def open_log(path: Path) -> io.BufferedWriter:
    """The log, open for a service that starts now; what an earlier start made too large is set aside as `.log.1`."""
    if path.exists() and path.stat().st_size > _LARGEST_BYTES:
        path.rename(path.with_suffix(".log.1"))
    log = path.open("ab")
    log.write(f"{_START}{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z ===\n".encode())
    log.flush()
    return log


class Log:
    """An open log: its end, and then what is added to it; nothing in between is lost."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self._path = path
        self._file = file

    def last_lines(self, count: int) -> list[str]:
        """At most this many lines from the end, the oldest first."""
        end = start = self._file.seek(0, os.SEEK_END)
        text = b""
        while start > 0 and text.count(b"\n") <= count:
            begin = max(0, start - _BLOCK_BYTES)
            self._file.seek(begin)
            text = self._file.read(start - begin) + text
            start = begin
        self._file.seek(end)
        lines = text.decode(errors="replace").splitlines()
        return lines[-count:] if count else []

    def followed(self) -> Iterator[str]:
        """What is written from here on, without end; a log that was set aside is followed by the new one."""
        while True:
            if text := self._file.read():
                yield text.decode(errors="replace")
            elif self._set_aside():
                self._file.close()
                self._file = self._path.open("rb")
            else:
                time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        self._file.close()

    def _set_aside(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


def opened(path: Path) -> closing[Log]:
    """Opens the log for reading; raises FileNotFoundError without one."""
    return closing(Log(path, path.open("rb")))


def reason_of_end(path: Path) -> str:
    """The line that best says why the last start ended: the innermost cause, else the last error, else the last line.

    Empty when that start wrote nothing, or there is no log.
    """
    try:
        with opened(path) as log:
            lines = log.last_lines(_REASON_LINES)
    except FileNotFoundError:
        return ""
    start = max((number for number, line in enumerate(lines) if line.startswith(_START)), default=-1)
    written = [line.strip() for line in lines[start + 1 :] if not _NOISE.match(line)]
    telling = [line for line in written if _TELLING.search(line)]
    causes = [line.removeprefix("Caused by: ") for line in telling if line.startswith("Caused by: ")]
    return (causes or telling or written or [""])[-1][:_REASON_CHARACTERS]
