"""A file of the mirror that this process has to itself: DuckDB lets one process alone write a file."""

from pathlib import Path

from filelock import FileLock, Timeout

from dashboard.errors import ReadError

MOST = 16
"""Processes that may mirror the same table at once; each has a file of its own, and the next process takes over one."""


class Slot:
    """Held until it is closed or the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Takes the first file that nobody has. Raises ReadError when all are taken or the folder cannot be used."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for number in range(MOST):
                self._lock = FileLock(folder / f"{number}.lock", timeout=0, thread_local=False)
                try:
                    self._lock.acquire()
                except Timeout:
                    continue
                self.path = folder / f"{number}.duckdb"
                return
        except OSError as error:
            raise ReadError(
                f"The mirror in {folder} cannot be written: {error.strerror or error}.",
                "Make room or grant the right, or set SALES_LAKE__MIRROR to another folder.",
            ) from error
        raise ReadError(
            f"{MOST} processes use the mirror in {folder} already.",
            "End one of them, or choose another engine for this one.",
        )

    def forget(self) -> None:
        """Removes the file: what it held is read anew."""
        for name in (self.path.name, f"{self.path.name}.wal"):
            self.path.with_name(name).unlink(missing_ok=True)

    def release(self) -> None:
        self._lock.release()
