"""Our classes for Flink's Kafka consumers, compiled from java_sources/ once per user and version.

The JRE has no compiler, so Eclipse's runs on it: one jar, about a second.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from dashboard.errors import StackError
from dashboard.local.jars import Classpaths
from dashboard.local.java import java_command

SOURCES = Path(__file__).with_name("java_sources")
_COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
_TIMEOUT_SECONDS = 60


def compiled_interceptors(cache: Path, classpaths: Classpaths) -> str:
    """The folder of the compiled classes, for a class path; raises StackError when they do not compile."""
    sources = sorted(SOURCES.glob("*.java"))
    digest = hashlib.sha256(classpaths.compiler.encode())
    for source in sources:
        digest.update(source.read_bytes())
    folder = cache / "classes" / digest.hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # another stack may compile at the same time, and what is cut in the middle must never look whole
        staging = Path(tempfile.mkdtemp(prefix=".compile-", dir=folder.parent))
        try:
            _compile(sources, staging, classpaths)
            try:
                staging.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return str(folder)


def _compile(sources: list[Path], folder: Path, classpaths: Classpaths) -> None:
    command = java_command(_COMPILER, classpaths.compiler, heap_mb=256, coordinates=True, options=[])
    try:
        result = subprocess.run(
            [*command, "-21", "-proc:none", "-cp", classpaths.flink, "-d", str(folder), *map(str, sources)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"Our Java classes were not compiled within {_TIMEOUT_SECONDS} s.",
            "It takes a second on a machine that is not busy; `sales-trends doctor` checks the machine.",
        ) from error
    except OSError as error:
        raise StackError(
            f"The Java compiler cannot be run: {command[0]}: {error.strerror}.",
            "Remove the folder .venv and run `make setup`.",
        ) from error
    if result.returncode:
        raise StackError(
            f"Our Java classes could not be compiled: {(result.stderr or result.stdout).strip()[-500:]}",
            f"Look at {SOURCES}; `sales-trends doctor` checks the machine.",
        )
