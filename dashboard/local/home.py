"""The home folder of a local stack: what kind of stack it holds, and the faults of its files in words."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from dashboard.errors import StackError

FORMAT_VERSION = 1
"""Of what a stack keeps on disk."""
RECORD = "stack.json"


def recorded_window(home: Path) -> timedelta | None:
    """The window size that the stack in this home was made with; None where there is none yet.

    Raises StackError when another version made it, or when the record cannot be read.
    """
    record = home / RECORD
    with file_faults(home):
        try:
            text = record.read_text()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
    try:
        facts = json.loads(text)
        format_version = facts["format"]
        if format_version == FORMAT_VERSION:
            return timedelta(seconds=facts["window_seconds"])
    except (ValueError, KeyError, TypeError) as error:
        healthy = json.dumps({"format": FORMAT_VERSION, "window_seconds": 5.0})
        raise StackError(
            f"The stack's record {record} is damaged.",
            f"Nothing else was touched. If its windows are 5 s long, write {healthy} into that file; "
            "else put their seconds there, or set SALES_LOCAL__HOME to another folder.",
        ) from error
    raise StackError(
        f"The stack in {home} was made by another version of Sales Trends: "
        f"it has format {format_version}, this version has {FORMAT_VERSION}.",
        "Use that version, or set SALES_LOCAL__HOME to another folder; nothing was touched.",
    )


def record_window(home: Path, window: timedelta) -> None:
    """Says that the stack in this home has windows of this size."""
    record = home / RECORD
    partial = record.with_suffix(".tmp")
    partial.write_text(json.dumps({"format": FORMAT_VERSION, "window_seconds": window.total_seconds()}))
    partial.rename(record)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def file_faults(home: Path) -> Iterator[None]:
    """Tells of a file or folder that cannot be used as StackError: no space, no permission, something in its place."""
    try:
        yield
    except TimeoutError:
        # what somebody else holds, such as a lock, is no fault of the file
        raise
    except OSError as error:
        remedy = "Free space there" if error.errno in _FULL else "See what stands there and whose it is"
        raise StackError(
            f"{error.filename or home} cannot be used: {error.strerror or error}.",
            f"{remedy}, or set SALES_LOCAL__HOME to another folder.",
        ) from error
