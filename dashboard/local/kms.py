"""The local stack's key management: a secret in a file that its owner alone reads.

Keys of fields are encrypted with a key that the registry's client makes of it (`local-kms`). Who loses the file cannot
read what was encrypted, so it is made once and never replaced.
"""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from dashboard.errors import StackError
from dashboard.local.home import file_faults

LOCAL_KMS_TYPE = "local-kms"
LOCAL_KMS_KEY_ID = "sales-trends-local"
KMS_SECRET = "kms-secret"  # noqa: S105  # the file's name


def make_kms_secret(home: Path) -> None:
    """Makes the secret of the stack in this home, unless there is one."""
    file = home / KMS_SECRET
    with file_faults(home):
        home.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return
        partial = home / f"{KMS_SECRET}.{os.getpid()}.tmp"
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_urlsafe(32))
        try:
            # unlike a rename it never takes the place of another one's
            os.link(partial, file)
        except FileExistsError:
            pass
        finally:
            partial.unlink()


def kms_secret(home: Path) -> SecretStr:
    """Raises StackError when it is not there or cannot be read."""
    with file_faults(home):
        try:
            text = (home / KMS_SECRET).read_text().strip()
        except FileNotFoundError:
            text = ""
    if not text:
        raise StackError(
            f"The secret of the local key management, {home / KMS_SECRET}, is missing.",
            "Bring the file back: without it card numbers can neither be written nor read. On a stack that is not "
            "to be kept, `sales-trends down --delete-data` begins anew.",
        )
    return SecretStr(text)
