"""The secret that stands for a key management on this machine: a file in the stack's home that only its owner can read.

What it encrypted is never read again without it, so it is made once and never replaced.
"""

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from dashboard.errors import ContractError, StackError

LOCAL_KMS_TYPE = "local-kms"
LOCAL_KMS_KEY_ID = "sales-trends-local"
KMS_SECRET = "kms-secret"  # noqa: S105  # a file's name
_BYTES = 32
_LONGEST = 200
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def local_kms_secret(home: Path) -> SecretStr:
    """The secret of this home; raises ContractError when it is away or others could know it."""
    file = home / KMS_SECRET
    try:
        # nonblocking, or a pipe in its place would hold whoever opens it
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            facts = os.fstat(descriptor)
            text = os.read(descriptor, _LONGEST).decode("ascii", "replace").strip()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ContractError(
            f"The secret of the local key management, {file}, cannot be read: {error.strerror}.",
            "Bring the file back; without it, what it encrypted stays encrypted. "
            "Without it, `sales-trends down --delete-data` begins anew.",
        ) from None
    if not stat.S_ISREG(facts.st_mode) or facts.st_mode & _OTHERS or facts.st_uid != os.geteuid() or not text:
        raise ContractError(
            f"The secret of the local key management, {file}, is no file with text that only its owner can read.",
            "Bring back the file as it was made, with mode 0600.",
        )
    return SecretStr(text)


def make_local_kms_secret(home: Path) -> None:
    """Makes the secret unless it is there; raises StackError when it cannot be kept."""
    file = home / KMS_SECRET
    if os.path.lexists(file):
        return
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{KMS_SECRET}-")
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "w") as out:
                out.write(secrets.token_hex(_BYTES))
                out.flush()
                os.fsync(out.fileno())
            # a link, unlike a rename, leaves the secret of whoever was first
            with suppress(FileExistsError):
                os.link(partial, file)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StackError(
            f"The secret of the local key management could not be written to {file}: {error.strerror}.",
            "Look at the folder's rights and the disk.",
        ) from error
