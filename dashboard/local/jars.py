"""The jars of Kafka, Flink and a Java compiler: pinned by SHA-256 in jars.lock.toml, verified at every start.

What is not in a Python package is downloaded once per user.
"""

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

import requests
from filelock import FileLock
from jgo.maven import MavenContext, PythonResolver

from dashboard.errors import StackError, UnreachableError
from dashboard.narration import Narrator

_LOCK_FILE = Path(__file__).with_name("jars.lock.toml")
_FLINK_PACKAGE = "apache-flink-libraries"
_TIMEOUT_SECONDS = 60
"""Of silence on the line; the library's own 10 s cut large jars off on slow networks."""
_READ_BYTES = 1 << 20

Program = Literal["kafka", "flink", "compiler"]


@dataclass(frozen=True)
class Jar:
    """One locked jar; exactly one of `maven` (group:artifact:version) and `package` (path in site-packages) is set."""

    runs: Program
    sha256: str
    size: int
    maven: str = ""
    package: str = ""

    @property
    def name(self) -> str:
        return self.maven or self.package


@dataclass(frozen=True)
class Classpaths:
    kafka: str
    flink: str
    compiler: str
    """Of Java, for our own few classes."""


def locked_jars() -> list[Jar]:
    return [Jar(**entry) for entry in tomllib.loads(_LOCK_FILE.read_text())["jar"]]


def jars_to_download(cache: Path) -> list[Jar]:
    """The jars from Maven Central that the cache lacks."""
    return [jar for jar in locked_jars() if jar.maven and not _path(jar, cache / "jars").exists()]


def fetch_jars(cache: Path, narrator: Narrator) -> Classpaths:
    """The verified jars as class paths, downloading what the cache lacks.

    Raises StackError when a jar is not what the lock names or the disk is full, UnreachableError without a network.
    """
    jars = locked_jars()
    folder = cache / "jars"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=600):
            if missing := jars_to_download(cache):
                _download(missing, folder, narrator)
            with ThreadPoolExecutor() as pool:
                for _ in pool.map(lambda jar: _verify(jar, folder), jars):
                    pass
    except OSError as error:
        raise StackError(
            f"The jars cannot be kept in {folder}: {error.strerror or error}.",
            "Free space there, or set SALES_LOCAL__CACHE to another folder.",
        ) from error
    return class_paths(cache)


def class_paths(cache: Path) -> Classpaths:
    """The jars as class paths, unread: for who knows that they were fetched."""
    by_program: dict[Program, list[str]] = {"kafka": [], "flink": [], "compiler": []}
    for jar in locked_jars():
        by_program[jar.runs].append(str(_path(jar, cache / "jars")))
    return Classpaths(**{program: os.pathsep.join(paths) for program, paths in by_program.items()})


def _path(jar: Jar, folder: Path) -> Path:
    if jar.package:
        return Path(str(importlib.metadata.distribution(_FLINK_PACKAGE).locate_file(jar.package)))
    _, artifact, version = jar.maven.split(":")
    return folder / f"{artifact}-{version}.jar"


def _verify(jar: Jar, folder: Path) -> None:
    path = _path(jar, folder)
    if not path.exists():
        raise StackError(f"The jar {path.name} of {_FLINK_PACKAGE} is missing.", "Run `make setup` again.")
    digest = _digest(path)
    if digest != jar.sha256:
        remedy = (
            "Remove the folder .venv and run `make setup`."
            if jar.package
            else f"Remove {path} and start again: it is then downloaded anew."
        )
        raise StackError(f"The jar {jar.name} has SHA-256 {digest[:12]}…; the lock wants {jar.sha256[:12]}….", remedy)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _download(jars: list[Jar], folder: Path, narrator: Narrator) -> None:
    """Into a folder of its own first: a download cut in the middle never looks like a jar."""
    staging = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        with narrator.downloads(sum(jar.size for jar in jars)) as came_in:
            unwanted = Event()

            def came(count: int) -> None:
                if unwanted.is_set():
                    raise RuntimeError("It is not wanted any more.")
                came_in(count)

            @contextmanager
            def progress(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
                yield came

            maven = MavenContext(
                resolver=PythonResolver(progress_callback=progress), repo_cache=staging, timeout=_TIMEOUT_SECONDS
            )
            with ThreadPoolExecutor(max_workers=4) as pool:
                try:
                    for _ in pool.map(lambda jar: _download_one(maven, jar, staging, folder), jars):
                        pass
                except BaseException:
                    # the first that fails, or who interrupts, waits for no other
                    unwanted.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download_one(maven: MavenContext, jar: Jar, staging: Path, folder: Path) -> None:
    group, artifact, version = jar.maven.split(":")
    try:
        path = maven.project(group, artifact).at_version(version).artifact("", "jar").resolve()
    except (requests.RequestException, RuntimeError) as error:
        reason, remedy = _reason_and_remedy(error)
        raise UnreachableError(
            f"The jar {jar.maven} could not be downloaded from Maven Central: {reason}.", remedy
        ) from error
    if _digest(path) != jar.sha256:
        raise StackError(
            f"The jar {jar.maven} came in with SHA-256 {_digest(path)[:12]}…; the lock wants {jar.sha256[:12]}….",
            "It was not kept. Start again; when that does not help, something on the way changes downloads.",
        )
    path.rename(folder / path.name)


def _reason_and_remedy(error: Exception) -> tuple[str, str]:
    remedy = "Check the network and start again; what has come in whole is kept."
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted", "Set REQUESTS_CA_BUNDLE to your network's certificates."
        case requests.exceptions.ProxyError():
            return "the proxy does not let it through", f"HTTPS_PROXY names the proxy. {remedy}"
        case requests.Timeout():
            return f"no answer within {_TIMEOUT_SECONDS} s", remedy
        case requests.exceptions.ChunkedEncodingError():
            return "the download was cut off in the middle", remedy
        case requests.ConnectionError():
            return "there is no connection", remedy
        case _:
            return f"the answer was not a jar ({type(error).__name__})", remedy
