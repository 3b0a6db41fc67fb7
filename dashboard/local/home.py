"""The home folder of a local stack: what kind of stack it holds, and the faults of its files in words."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import durationpy

from dashboard.errors import SettingsError, StackError
from dashboard.whole_file import write_whole

FORMAT_VERSION = 1
"""Of what a stack keeps on disk."""
RECORD = "stack.json"


@dataclass(frozen=True)
class StackKind:
    """What a stack was made with, and keeps until a plan changes it."""

    window: timedelta
    """Length of its revenue windows."""
    encrypts: bool | None = True
    """Its contracts encrypt the fields that they tag; None for a stack from before they could."""


def recorded_kind(home: Path) -> StackKind | None:
    """What the stack in this home was made with; None where there is none yet.

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
            return StackKind(timedelta(seconds=facts["window_seconds"]), facts.get("encrypts"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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


def record_kind(home: Path, kind: StackKind) -> None:
    """Says what the stack in this home is made with."""
    facts = {"window_seconds": kind.window.total_seconds(), "encrypts": kind.encrypts}
    write_whole(home / RECORD, json.dumps({"format": FORMAT_VERSION, **facts}))


def check_kind(home: Path, wanted: StackKind) -> bool:
    """Whether the stack in this home is yet to be recorded as what is wanted, with a key of its own.

    A stack stays what it was made as: two window sizes in one table would be a fault. Raises SettingsError when another
    kind is asked for, StackError as above.
    """
    found = recorded_kind(home)
    if found is None:
        return True
    if found.window != wanted.window:
        raise SettingsError(
            f"The stack in {home} has windows of {found.window}; the setting asks for {wanted.window}.",
            f"Start it without that; then `sales-trends plan --window {durationpy.to_str(wanted.window)}` shows what a "
            "change drops and fills again. Or set SALES_LOCAL__HOME to another folder.",
        )
    if found.encrypts and not wanted.encrypts:
        raise SettingsError(
            f"The contracts of the stack in {home} encrypt already, and --unencrypted is for its first start.",
            "Start it without that; then `sales-trends contracts apply --unencrypted` turns it off. Or set "
            "SALES_LOCAL__HOME to another folder.",
        )
    return found.encrypts is None


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
