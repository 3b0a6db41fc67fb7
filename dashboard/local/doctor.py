"""Looks at the machine and says what would keep the local stack from running, and what to do about it."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from dashboard.errors import SalesTrendsError, StackError
from dashboard.local.jars import jars_to_download
from dashboard.local.java import java_executable
from dashboard.local.preflight import foreign_broker, free_mb, ports_of
from dashboard.local.processes import ProcessTable, port_answers
from dashboard.settings import Settings

_DISK_GB = 2.0
"""Jars, two weeks of history and a day of work."""
_MEMORY_GB = 3.0
"""What all programs together take (2.1 GB measured at the default rate, without a viewer), and some air."""
_GB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    """What to do; empty when it is ok."""

    @classmethod
    def of(cls, name: str, ask: Callable[[], str], *, otherwise: str = "") -> Self:
        """From an answer; what is raised on the way is a fault, with what to do `otherwise` where it does not say."""
        try:
            return cls(name, True, ask())
        except SalesTrendsError as error:
            return cls(name, False, error.message, error.hint or otherwise)


def examine(settings: Settings) -> list[Finding]:
    """Every finding, also the good ones; changes nothing."""
    return [
        Finding("Python", True, f"{platform.python_version()} at {sys.executable}"),
        _java(),
        _disk(settings.local.home),
        _memory(settings),
        _jars(settings.local.cache),
        *_ports(settings),
    ]


def _java() -> Finding:
    try:
        executable = java_executable()
        answer = subprocess.run([executable, "-version"], capture_output=True, text=True, check=True, timeout=30)
    except (StackError, OSError, subprocess.SubprocessError) as error:
        return Finding(
            "Java",
            False,
            getattr(error, "message", str(error)),
            "Run `make setup` on Linux (glibc) or macOS, x86_64 or aarch64.",
        )
    return Finding("Java", True, answer.stderr.splitlines()[0])


def _disk(home: Path) -> Finding:
    try:
        free = free_mb(home) / 1000
    except OSError as error:
        remedy = "Set SALES_LOCAL__HOME to a folder that you may use."
        return Finding("Disk", False, f"{home} cannot be used: {error.strerror or error}", remedy)
    ok = free >= _DISK_GB
    remedy = "" if ok else f"Free at least {_DISK_GB:.0f} GB there, or set SALES_LOCAL__HOME to another folder."
    return Finding("Disk", ok, f"{free:.1f} GB free for {home}", remedy)


def _memory(settings: Settings) -> Finding:
    available = psutil.virtual_memory().available / _GB
    if ProcessTable(settings.local.home).find("taskmanager"):
        return Finding("Memory", True, f"{available:.1f} GB free beside the running stack")
    ok = available >= _MEMORY_GB
    return Finding("Memory", ok, f"{available:.1f} GB free", "" if ok else f"Free {_MEMORY_GB:.0f} GB before `up`.")


def _jars(cache: Path) -> Finding:
    missing = jars_to_download(cache)
    size = sum(jar.size for jar in missing) / 1e6
    detail = f"{len(missing)} to download at the next `up`, {size:.0f} MB" if missing else f"all in {cache}"
    return Finding("Jars", True, detail)


def _ports(settings: Settings) -> Iterator[Finding]:
    processes = ProcessTable(settings.local.home)
    foreign = foreign_broker(settings)
    for port in ports_of(settings):
        name = f"{port.title} port"
        if foreign and port.number == settings.local.kafka_port:
            detail = f"{port.number} is answered by another Kafka broker, its cluster is {foreign}"
            yield Finding(name, False, detail, f"End it, or set {port.variable}.")
        elif processes.find(port.service):
            yield Finding(name, True, f"{port.number}, in use by our {port.service}")
        elif port_answers(port.number):
            yield Finding(name, False, f"{port.number} is used by another program", f"End it, or set {port.variable}.")
        else:
            yield Finding(name, True, f"{port.number} is free")
