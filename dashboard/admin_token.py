"""The token that makes the user of this machine an admin where nobody logs in: a file that only that user can read.

Made anew whenever the dashboard is started, and told on the terminal alone: logs and addresses are kept and passed on.
"""

import os
import secrets
from pathlib import Path

from dashboard.local.home import file_faults

_NAME = "admin-token"


def admin_token(home: Path) -> str:
    """The token of this stack's dashboard; made when there is none. Raises StackError where no file can be."""
    with file_faults(home):
        try:
            return _file(home).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return renew_admin_token(home)


def renew_admin_token(home: Path) -> str:
    """A new token; whoever was an admin by the old one is none any more."""
    token = secrets.token_urlsafe(24)
    with file_faults(home):
        file = _file(home)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
            new.write(f"{token}\n")
        partial.replace(file)
    return token


def _file(home: Path) -> Path:
    return home / "run" / _NAME
