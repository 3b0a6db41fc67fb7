"""The last look at a pipeline, in a file: whoever does not look itself, such as another process, reads it there."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

from pydantic import TypeAdapter, ValidationError

from dashboard.errors import ReadError
from dashboard.freshness.quality import QualityResult
from dashboard.freshness.readings import Readings
from dashboard.freshness.verdict import Verdict
from dashboard.settings import Settings


@dataclass(frozen=True)
class Overview:
    """One look, whole. Shared by all who show it: never change it."""

    verdict: Verdict
    readings: Readings
    quality: tuple[QualityResult, ...]
    """Each check, the last time it ran; empty before the first."""
    watcher: str
    """Who looked, such as `dashboard 4711`."""
    every: timedelta = timedelta(seconds=2)
    """How often they look."""

    @property
    def age(self) -> timedelta:
        return datetime.now(UTC) - self.readings.at


_OVERVIEW = TypeAdapter(Overview)


def folder_of(settings: Settings) -> Path:
    """Where all that is kept of the target of these settings stands: looks, history, alerts, and who has the lease."""
    return settings.local.home / "freshness" / settings.target


class OverviewFile:
    """One for a target; one process writes, any reads. What is read is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int], Overview] | None = None

    def write(self, overview: Overview) -> None:
        """Raises OSError where it cannot be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self.path.parent, prefix=".overview-", delete=False) as part:
            try:
                part.write(_OVERVIEW.dump_json(overview))
                part.close()
                os.replace(part.name, self.path)
            except BaseException:
                os.unlink(part.name)
                raise

    def read(self) -> Overview | None:
        """What it was; None where nobody looked yet. Raises ReadError for a file that makes no sense."""
        try:
            found = self.path.stat()
            if self._read is not None and self._read[0] == (found.st_ino, found.st_mtime_ns):
                return self._read[1]
            overview = _OVERVIEW.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else "it makes no sense"
            raise ReadError(f"{self.path} cannot be read: {why}.", "Delete it: the next look writes it anew.") from None
        self._read = (found.st_ino, found.st_mtime_ns), overview
        return overview
