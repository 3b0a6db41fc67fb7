"""What Flink keeps of statements on a file system or an object store: checkpoints and savepoints, by their URI.

Each statement has a folder of its name, with a folder of each of its jobs and of each savepoint in it. Flink adds and
deletes there at any time, so whatever vanishes during a look is no fault.
"""

import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from dashboard.errors import DeployError

_METADATA = "_metadata"
"""Flink writes it last: a checkpoint or savepoint that has it is complete."""
_NO_SNAPSHOTS_IN = ("shared", "taskowned")
"""Flink's folders of the files that checkpoints share: thousands, with large state."""
_REMOVAL_TRIES = 5
_S3_SCHEMES = ("s3a", "s3p", "s3n")
"""Hadoop's and Presto's names, which Flink uses too and Arrow does not know."""


class Snapshots:
    """The snapshots of all statements under one URI, such as `file:///mnt/flink` or `s3://bucket/flink`.

    Every method raises DeployError when the store is not there or refuses.
    """

    def __init__(self, uri: str, filesystem: AbstractFileSystem | None = None) -> None:
        """`filesystem` is used instead of the one that the URI names."""
        self.uri = uri.rstrip("/")
        self._given = filesystem
        self._opened: tuple[AbstractFileSystem, str] | None = None

    def newest(self, statement: str) -> str | None:
        """The URI of the newest complete checkpoint or savepoint of a statement, or None."""
        found = self._newest_folder(statement)
        return None if found is None else f"{self.uri}/{statement}/{found}"

    def has_any(self, statement: str) -> bool:
        return self.newest(statement) is not None

    def savepoint(self, statement: str) -> bytes | None:
        """What the newest snapshot tells of itself, if it is a savepoint."""
        found = self._newest_folder(statement)
        if found is None or not found.rpartition("/")[2].startswith("savepoint-"):
            return None
        with self._store() as (filesystem, root):
            return bytes(filesystem.cat_file(f"{root}/{statement}/{found}/{_METADATA}"))

    def forget_old(self, statement: str) -> None:
        """Removes what earlier jobs of a statement left, but for the folder that holds the newest snapshot.

        A job owes nothing to an earlier one once it has a checkpoint of its own: it copies what it resumes from.
        """
        newest = self._newest_folder(statement)
        if newest is None:
            return
        with self._store() as (filesystem, root):
            for entry in _entries(filesystem, f"{root}/{statement}"):
                if entry["type"] == "directory" and _name(entry) != newest.partition("/")[0]:
                    # what cannot be removed now is tried at the next start
                    with suppress(OSError):
                        filesystem.rm(entry["name"], recursive=True)

    def remove(self, statement: str) -> None:
        """Removes all that is kept of a statement; one of which nothing is kept is no error."""
        with self._store() as (filesystem, root):
            for path in (f"{root}/{statement}", _identity_file(root, statement)):
                for left in reversed(range(_REMOVAL_TRIES)):
                    if not _exists(filesystem, path):
                        break
                    try:
                        filesystem.rm(path, recursive=True)
                    except FileNotFoundError:
                        # Flink was faster with a part of it, and the rest is still there
                        if not left:
                            raise

    def identity(self, statement: str) -> str:
        """A text that stays the same until the statement's state is removed, made at the first call.

        It is in a file beside the statement's folder: the folder is for Flink to make, which may be another user.
        """
        with self._store() as (filesystem, root):
            path = _identity_file(root, statement)
            with suppress(FileNotFoundError):
                if text := bytes(filesystem.cat_file(path)).decode().strip():
                    return text
            text = secrets.token_hex(16)
            filesystem.makedirs(root, exist_ok=True)
            filesystem.pipe_file(path, text.encode())
            return text

    def _newest_folder(self, statement: str) -> str | None:
        """Relative to the statement's folder."""
        with self._store() as (filesystem, root):
            top = f"{root}/{statement}"
            complete = [
                (_modified(entry), _number(entry), entry["name"].rstrip("/"))
                for entry in _files(filesystem, top)
                if _name(entry) == _METADATA
            ]
            if not complete:
                return None
            path = max(complete)[2]
            # some file systems drop or add a slash before the first folder
            relative: str = path[path.index(top.strip("/")) + len(top.strip("/")) + 1 :]
            return relative.rpartition("/")[0]

    @contextmanager
    def _store(self) -> Iterator[tuple[AbstractFileSystem, str]]:
        """The file system, and the path of the URI on it; what it raises inside is told in one sentence."""
        try:
            if self._opened is None:
                self._opened = self._open()
            yield self._opened
        except (OSError, ValueError, ImportError) as error:
            reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0].rstrip(".")
            sentence = f"Flink's state in {self.uri} cannot be used: {reason}."
            # some errors repeat the address
            password, at, _ = urlsplit(self.uri).netloc.rpartition("@")
            raise DeployError(
                sentence.replace(password + at, "") if password else sentence,
                "Whoever deploys needs the rights to list, read, write and delete there.",
            ) from error

    def _open(self) -> tuple[AbstractFileSystem, str]:
        parts = urlsplit(self.uri)
        if self._given is not None:
            return self._given, f"{parts.netloc}{parts.path}"
        if parts.scheme in ("", "file"):
            return LocalFileSystem(), unquote(parts.path)
        # 60 MB, which the supervisor of a local stack need not hold
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import FileSystem, FileType

        uri = parts._replace(scheme="s3").geturl() if parts.scheme in _S3_SCHEMES else self.uri
        filesystem, path = FileSystem.from_uri(uri)
        if not path.startswith("/"):
            # a prefix without an object is an empty one, but a bucket that is not there is a fault
            bucket = path.partition("/")[0]
            if filesystem.get_file_info(bucket).type is FileType.NotFound:
                raise FileNotFoundError(f"there is no bucket {bucket}")
        return ArrowFSWrapper(filesystem), path.rstrip("/")


def _files(filesystem: AbstractFileSystem, folder: str) -> Iterator[dict[str, Any]]:
    """Every file below a folder; fsspec's own `find` passes over what it may not read, as if there were nothing."""
    for entry in _entries(filesystem, folder):
        if entry["type"] != "directory":
            yield entry
        elif _name(entry) not in _NO_SNAPSHOTS_IN:
            yield from _files(filesystem, entry["name"])


def _entries(filesystem: AbstractFileSystem, folder: str) -> list[dict[str, Any]]:
    try:
        return list(filesystem.ls(folder, detail=True))
    except FileNotFoundError:
        return []


def _exists(filesystem: AbstractFileSystem, path: str) -> bool:
    """As fsspec's own, which takes what it may not see for what is not there."""
    try:
        filesystem.info(path)
    except FileNotFoundError:
        return False
    return True


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rstrip("/").rpartition("/")[2]


def _modified(entry: dict[str, Any]) -> float:
    """When a file was written: the local file system says it in seconds, others as a time."""
    when = entry.get("mtime") or entry.get("created") or 0.0
    return when.timestamp() if isinstance(when, datetime) else float(when)


def _number(entry: dict[str, Any]) -> int:
    """The checkpoint's: S3 knows whole seconds only. A savepoint has none and is made when checkpoints have ended."""
    number = re.search(r"/chk-(\d+)/[^/]+$", entry["name"])
    return int(number[1]) if number else sys.maxsize


def _identity_file(root: str, statement: str) -> str:
    return f"{root}/{statement}.identity"
