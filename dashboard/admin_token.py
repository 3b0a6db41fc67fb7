"""The token that makes an admin of whoever sits at this machine, where people do not log in.

It is a file that only its owner can read. A new one ends what the one before allowed.
"""

import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dashboard.errors import AccessError

_BYTES = 32
_LONGEST = 200
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def token_file(home: Path) -> Path:
    return home / "run" / "admin-token"


def renew(home: Path) -> str:
    """A new token in place of the one before; raises AccessError when it cannot be kept."""
    with _faults(home), _written(home) as (token, partial):
        partial.replace(token_file(home))
        return token


def current(home: Path) -> str:
    """The token of this home, made when there is none; raises AccessError when others could know it."""
    with _faults(home):
        if (token := _read(home)) is not None:
            return token
        with _written(home) as (made, partial), suppress(FileExistsError):
            # a link, unlike a rename, leaves the token of whoever was first
            os.link(partial, token_file(home))
            return made
        return current(home)


def is_current(home: Path, given: str) -> bool:
    """Whether this is the token; False when there is none, or none that can be trusted."""
    try:
        with _faults(home):
            token = _read(home)
    except AccessError:
        return False
    return token is not None and hmac.compare_digest(token.encode(), given.strip().encode())


def _read(home: Path) -> str | None:
    file = token_file(home)
    try:
        # nonblocking, or a pipe in its place would hold whoever opens it
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_mode & _OTHERS or facts.st_uid != os.geteuid():
            raise AccessError(
                f"{file} is not a file that only its owner can read, so its token is not taken.",
                "Delete it; the next start of the dashboard makes a new one.",
            )
        token = os.read(descriptor, _LONGEST).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if len(token) < _BYTES:
        raise AccessError(f"{file} holds no token.", "Delete it; the next start of the dashboard makes a new one.")
    return token


@contextmanager
def _written(home: Path) -> Iterator[tuple[str, Path]]:
    """A new token and the finished file that holds it, beside its place; that file is gone afterwards."""
    folder = token_file(home).parent
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(_BYTES)
    # mkstemp lets only its owner read it, from the first moment
    descriptor, name = tempfile.mkstemp(prefix="admin-token.", dir=folder)
    try:
        with open(descriptor, "w", encoding="ascii") as opened:
            opened.write(f"{token}\n")
        yield token, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _faults(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AccessError(
            f"The admin token cannot be kept: {error.filename or home}: {error.strerror or error}.",
            "Make that folder writable, or set SALES_LOCAL__HOME to another one.",
        ) from error
