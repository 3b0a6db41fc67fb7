"""The process of a sandbox seen from outside: it is handed SQL, lent rows, and ended in time."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pyarrow as pa

from dashboard.errors import ReadError, SettingsError, StatementError
from dashboard.readers.deadline import Stop, within
from dashboard.readers.engine import Limits
from dashboard.readers.lake_table import Snapshot, normalised
from dashboard.sandbox.channel import Channel
from dashboard.sandbox.lender import Lent
from dashboard.sandbox.limits import DUCKDB_MEMORY, MESSAGE_BYTES
from dashboard.sandbox.places import NO_PLACE
from dashboard.sandbox.plain_rows import plain_rows

Lend = Callable[[Sequence[str]], list[Lent]]
"""The tables of these names, as the SQL has them, for whoever asks; raises for one that they may not see."""
_END_SECONDS = 10
MOST_SCANS = 16
"""Open at once for one statement: each may hold files and some of their rows."""


@dataclass(frozen=True)
class Found:
    """What SQL of somebody's came to. Texts in it are those of strangers."""

    rows: pa.Table
    is_cut: bool
    """Whether there are more rows than were wanted."""
    snapshots: Mapping[str, Snapshot]
    """Of each table that was read and holds anything."""
    took_seconds: float
    engine: str
    scanned_bytes: int | None = None
    """What a metered engine counted."""


def run(sql: str, lend: Lend, most_rows: int, limits: Limits, place: AbstractContextManager[None] = NO_PLACE) -> Found:
    """The first rows of one statement, read by DuckDB in a process of its own.

    The work is inside of `place`, also where it goes on after its time.
    Raises StatementError for a text that is no such statement, saying where; SettingsError for what is wrong beyond it;
    ReadError at a limit; what `lend` raises.
    """
    begun = time.monotonic()

    def work(stop: Stop) -> tuple[pa.Table, bool, list[Lent]]:
        with place:
            return _run(sql, lend, most_rows, stop)

    rows, is_cut, lent = within(limits, work)
    snapshots = {one.name: one.snapshot for one in lent if one.snapshot is not None}
    return Found(rows, is_cut, snapshots, time.monotonic() - begun, "duckdb")


def _run(sql: str, lend: Lend, most_rows: int, stop: Stop) -> tuple[pa.Table, bool, list[Lent]]:
    scans: dict[int, Iterator[pa.RecordBatch]] = {}
    with _sandbox() as (process, channel), stop.interrupting(process.kill):
        try:
            return _served(sql, lend, most_rows, channel, stop, scans)
        except (EOFError, OSError) as error:
            stop.check()
            raise ReadError(
                f"The statement needed more memory than it may take ({DUCKDB_MEMORY}), or more than its process has.",
                "Ask about less at once: fewer rows, shorter texts, a condition on time.",
            ) from error
        finally:
            # an error that is kept would hold them open
            scans.clear()


@contextmanager
def _sandbox() -> Iterator[tuple[subprocess.Popen[bytes], Channel]]:
    """It inherits nothing: no variable of this process, no folder, no open file."""
    command = [sys.executable, "-I", "-m", "dashboard.sandbox.worker"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=os.sep,
        env={"TZ": "UTC", "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )
    assert process.stdin is not None  # noqa: S101  # both are pipes
    assert process.stdout is not None  # noqa: S101
    # the channel closes descriptors of its own
    channel = Channel(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()), MESSAGE_BYTES)
    process.stdin.close()
    process.stdout.close()
    try:
        yield process, channel
    finally:
        process.kill()
        process.wait(_END_SECONDS)
        channel.close()


def _served(
    sql: str, lend: Lend, most_rows: int, channel: Channel, stop: Stop, scans: dict[int, Iterator[pa.RecordBatch]]
) -> tuple[pa.Table, bool, list[Lent]]:
    """Answers what the sandbox asks until it has an answer itself. Nothing that it says is trusted."""
    channel.say({"sql": sql, "rows": most_rows})
    lent: dict[str, Lent] = {}
    begun = count()
    while True:
        words, body = _heard(channel)
        stop.check()
        match words:
            case {"tables": list(names)}:
                lent = {one.name: one for one in lend([str(name) for name in names])}
                for one in lent.values():
                    channel.say({"table": one.name, "files": one.told_files()}, one.schema.serialize().to_pybytes())
                channel.say({"end": True})
            case {"scan": str(name), "columns": list(columns), "files": list(files), "closed": list(closed)} if (
                name in lent
            ):
                for over in [number for number in scans if number in closed]:
                    del scans[over]
                if len(scans) >= MOST_SCANS:
                    raise ReadError(
                        f"The statement reads tables in more than {MOST_SCANS} places at once.",
                        "Name each table less often.",
                    )
                number = next(begun)
                scans[number] = lent[name].rows(columns, files)
                channel.say({"scan": number})
            case {"more": int(number)} if number in scans:
                batch = next(scans[number], None)
                if batch is None:
                    del scans[number]
                    channel.say({"end": True})
                else:
                    channel.say({}, batch.serialize().to_pybytes())
            case {"rows": int(), "is_cut": bool(is_cut)}:
                return _table(body), is_cut, list(lent.values())
            case {"fault": str(fault)}:
                raise _fault(fault, words)
            case _:
                raise ReadError("What runs the statement said what makes no sense.", "Ask again.")


def _heard(channel: Channel) -> tuple[dict[str, Any], bytes]:
    try:
        return channel.hear()
    except (ValueError, RecursionError) as error:
        raise ReadError("What runs the statement said what makes no sense, or too much.", "Ask for less.") from error


def _table(body: bytes) -> pa.Table:
    try:
        rows = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
        rows.validate(full=True)
        return plain_rows(normalised(rows))
    except (pa.ArrowException, ValueError, OverflowError, RecursionError):
        # Arrow's words hold the value
        raise ReadError(
            "The answer holds a value that cannot be shown.", "Cast what is unusual in it, to VARCHAR if need be."
        ) from None


def _fault(fault: str, words: Mapping[str, Any]) -> ReadError | SettingsError:
    if fault == "memory":
        return ReadError(
            f"The statement needed more memory than it may take ({DUCKDB_MEMORY}).",
            "Ask about less at once: fewer rows, or a condition on time.",
        )
    message = str(words.get("message", ""))[:500].rstrip(".")
    if fault == "refused":
        return StatementError(f"{message}.", "Correct the statement.")
    line, column = words.get("line"), words.get("column")
    where = f"Line {line:d}, column {column:d}: " if type(line) is int and type(column) is int else ""
    # what is wrong beyond the text may name what only ops see
    kind = StatementError if fault == "sql" else SettingsError
    return kind(f"{where}{message}.", "Correct the statement; DuckDB says what it is about.")
