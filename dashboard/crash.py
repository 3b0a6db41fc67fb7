"""The trace of an error that nobody foresaw goes into a file: people read one sentence, developers the file."""

import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from dashboard.errors import SettingsError
from dashboard.settings import load_settings


def save_trace(error: BaseException) -> Path:
    """Appends the trace to `crash.log` beside the stack's logs and returns that file.

    Where there is no such folder, or it cannot be written, the file is one of the system's temporary files.
    """
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z\n{''.join(traceback.format_exception(error))}\n"
    try:
        path = load_settings().local.home / "logs" / "crash.log"
        with path.open("a") as file:
            file.write(text)
    except (OSError, SettingsError):
        with tempfile.NamedTemporaryFile("w", prefix="sales-trends-", suffix=".log", delete=False) as other:
            other.write(text)
            return Path(other.name)
    return path
