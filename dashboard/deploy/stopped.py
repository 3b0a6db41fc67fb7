"""The statements that somebody stopped on purpose on a local stack: nobody brings them back until somebody says so.

It is a file with the stack, like the list of skipped records, and not a fact in the ledger on Kafka: whoever reads it
is on the same machine, and the ledger says what a thing was made of, which a stop does not change. On other clusters
nothing brings a statement back, so nothing has to be remembered: Flink shows that its job has ended.

A statement is listed when it has stopped and not before. So a stop that is killed in the middle leaves either one that
runs, or one that counts as gone and is brought back.
"""

import json
from collections.abc import Collection
from pathlib import Path

from dashboard.errors import DeployError
from dashboard.whole_file import write_whole


class StopList:
    """The names in one file; a missing file is an empty list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> set[str]:
        try:
            listed = json.loads(self._path.read_text())
        except FileNotFoundError:
            return set()
        except ValueError:
            listed = None
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise DeployError(
                f"The list of stopped statements {self._path} is damaged.",
                "Delete it: then every statement is brought back, and you can stop again what is to stay away.",
            )
        return set(listed)

    def add(self, name: str) -> None:
        self._write(self.names() | {name})

    def remove(self, name: str) -> None:
        """One that is not listed is no error."""
        self._write(self.names() - {name})

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self, names: Collection[str]) -> None:
        if names:
            write_whole(self._path, json.dumps(sorted(names)))
        else:
            self.clear()
