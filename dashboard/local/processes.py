"""Child processes that outlive the command that started them: start, wait until ready, find again, stop.

A service is found again by its pid and start time, kept in `run/<name>.json`, so a pid that the system gave to
another program is never taken for ours.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from dashboard.errors import StackError
from dashboard.narration import Step

_POLL_SECONDS = 0.1
_LOG_LINES = 8
_CLOCK_SECONDS = 10
"""The start time of a process moves when the machine's clock is set; a pid is not given out again that soon."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes this process started, kept so that they can be reaped."""


@dataclass(frozen=True)
class Service:
    """One program of the stack."""

    name: str
    title: str
    command: list[str]
    ready: Callable[[], str]
    """Asks the running service; empty when it is ready, else what it still waits for. Must not raise or hang."""
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""
    ready_within_seconds: float = 60
    stop_within_seconds: float = 20


class ProcessTable:
    """The services of one stack, by the files in its folders `run` and `logs`."""

    def __init__(self, home: Path) -> None:
        self._run = home / "run"
        self._logs = home / "logs"

    def log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def find(self, name: str) -> psutil.Process | None:
        """The running process of a service, or None; clears what a dead one left behind."""
        record = self._run / f"{name}.json"
        try:
            facts = json.loads(record.read_text())
            process = psutil.Process(facts["pid"])
            same = abs(process.create_time() - facts["started"]) < _CLOCK_SECONDS
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except FileNotFoundError:
            return None
        except (psutil.NoSuchProcess, json.JSONDecodeError, KeyError):
            pass
        self._forget(name)
        return None

    def launch(self, service: Service) -> None:
        """Starts a service unless it runs, without waiting for it."""
        if self.find(service.name) is None:
            self._spawn(service)

    def wait_ready(self, service: Service, step: Step) -> None:
        """Waits until a launched service is ready.

        Raises StackError when it dies or is not ready in time; it is then not left running.
        """
        deadline = time.monotonic() + service.ready_within_seconds
        while waits_for := service.ready():
            if self.find(service.name) is None:
                raise StackError(
                    f"{service.title} ended while starting. Its log ends: {self.log_end(service.name)}",
                    f"The whole log is {self.log_file(service.name)}.",
                )
            if time.monotonic() > deadline:
                self.stop(service.name, 5)
                raise StackError(
                    f"{service.title} was not ready within {service.ready_within_seconds:.0f} s: {waits_for}.",
                    f"Its log is {self.log_file(service.name)}.",
                )
            step.waits_for(waits_for)
            time.sleep(_POLL_SECONDS)

    def stop(self, name: str, within_seconds: float) -> None:
        """Asks a service to end, waits, and ends it for good when it does not."""
        process = self.find(name)
        if process is None:
            return
        try:
            process.terminate()
            self._wait(process, within_seconds)
        except psutil.TimeoutExpired:
            process.kill()
            self._wait(process, 10)
        except psutil.NoSuchProcess:
            pass
        self._forget(name)

    def log_end(self, name: str) -> str:
        """The last lines of a service's log on one line; empty when there is none."""
        try:
            lines = self.log_file(name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return " | ".join(line.strip() for line in lines[-_LOG_LINES:] if line.strip())

    def _spawn(self, service: Service) -> psutil.Process:
        for folder in (self._run, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log_file(service.name).open("ab") as log:
            child = subprocess.Popen(
                service.command,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the command, which stops them in order
            )
        _children[child.pid] = child
        process = psutil.Process(child.pid)
        record = self._run / f"{service.name}.json"
        partial = record.with_suffix(".tmp")
        partial.write_text(json.dumps({"pid": child.pid, "started": process.create_time()}))
        partial.rename(record)
        return process

    def _wait(self, process: psutil.Process, within_seconds: float) -> None:
        child = _children.pop(process.pid, None)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(within_seconds)
                return
            _children[process.pid] = child
            raise psutil.TimeoutExpired(within_seconds, process.pid)
        deadline = time.monotonic() + within_seconds
        # another's child stays a zombie until its parent looks; to us it has ended
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                raise psutil.TimeoutExpired(within_seconds, process.pid)
            time.sleep(_POLL_SECONDS)

    def _forget(self, name: str) -> None:
        record = self._run / f"{name}.json"
        try:
            pid = json.loads(record.read_text())["pid"]
        except (FileNotFoundError, json.JSONDecodeError, KeyError):
            pid = None
        if pid in _children and _children[pid].poll() is not None:
            del _children[pid]
        record.unlink(missing_ok=True)
