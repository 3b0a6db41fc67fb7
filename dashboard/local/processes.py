"""Child processes that outlive the command that started them: start, wait until ready, find again, stop.

A service is found again by its pid and identity, kept in `run/<name>.json`, so a pid that the system gave to another
program is never taken for ours.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from dashboard.errors import StackError
from dashboard.local.identity import identity, same_process
from dashboard.local.log_file import open_log, reason_of_end
from dashboard.narration import Step
from dashboard.settings import PREFIX, PROJECT

_POLL_SECONDS = 0.1
_KILL_SECONDS = 10
_DYING_SECONDS = 10
MARK_VARIABLE = "_SALES_TRENDS_STACK"
"""In the environment of every process of a stack, with its home: it tells whose they are. No setting that people give,
because their shell and all it starts would carry the mark too."""

_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""glibc gives threads heaps of their own and keeps what is freed in each: 40 MB more for the TaskManager alone."""

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
    ports: Mapping[int, str] = field(default_factory=dict)
    """What it listens on, each with the setting that moves it."""
    address: str = ""
    ready_within_seconds: float = 60
    silence: Callable[[], str] | None = None
    """Of one that cannot be asked: what it does not do while it should work; empty when it works. Must not hang."""
    prepare: Callable[[], None] = lambda: None
    """Run before each start: writes what the program reads."""


class ProcessTable:
    """The services of one stack, by the files in its folders `run` and `logs`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._run = home / "run"
        self._logs = home / "logs"

    def log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def find(self, name: str) -> psutil.Process | None:
        """The running process of a service, or None."""
        try:
            facts = json.loads((self._run / f"{name}.json").read_text())
            return same_process(facts["pid"], facts["identity"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def is_noted(self, name: str) -> bool:
        """Whether a service was started, and was not stopped since."""
        return (self._run / f"{name}.json").exists()

    def died(self, name: str) -> bool:
        """Whether a service was started, was not stopped, and runs no more."""
        return self.is_noted(name) and self.find(name) is None

    def another_listens(self, name: str, port: int) -> bool:
        """Whether another program than this service has its port.

        A service that was killed has it until the last of its threads has ended; that is waited for.
        """
        if self.find(name) is not None:
            return False
        patience = stop_after_delay(_DYING_SECONDS if self.died(name) else 0)
        ask = Retrying(
            retry=retry_if_result(bool), stop=patience, wait=wait_fixed(0.1), retry_error_callback=lambda _: True
        )
        return ask(port_answers, port)

    def settings_of(self, name: str) -> dict[str, str] | None:
        """The SALES_ variables that a service was started with; None when it does not run."""
        process = self.find(name)
        with contextlib.suppress(psutil.NoSuchProcess):
            if process is not None:
                return {key: value for key, value in process.environ().items() if key.startswith(PREFIX)}
        return None

    def launch(self, service: Service) -> None:
        """Starts a service unless it runs, without waiting for it.

        Raises StackError when another program has one of its ports: it would answer in place of ours.
        """
        if self.find(service.name) is not None:
            return
        for port, setting in service.ports.items():
            if self.another_listens(service.name, port):
                raise StackError(
                    f"{service.title} cannot use port {port}: another program listens there.",
                    f"End that program, or set {setting} to a free port.",
                )
        service.prepare()
        self._spawn(service)

    def wait_ready(self, service: Service, step: Step) -> None:
        """Waits until a launched service is ready.

        Raises StackError when it dies or is not ready in time; it is then not left running, and counts as died.
        """
        deadline = time.monotonic() + service.ready_within_seconds
        while True:
            waits_for = service.ready()
            # asked after it: what answers may be another program while ours has just ended
            if self.find(service.name) is None:
                raise StackError(
                    f"{service.title} ended while starting. Its log ends: {self.log_end(service.name)}",
                    f"Its log is {self.log_file(service.name)}; `sales-trends logs {service.name}` shows its end.",
                )
            if not waits_for:
                return
            if time.monotonic() > deadline:
                self.end_all([service.name], 5)
                raise StackError(
                    f"{service.title} was not ready within {service.ready_within_seconds:.0f} s: {waits_for}.",
                    f"Its log is {self.log_file(service.name)}; `sales-trends logs {service.name}` shows its end.",
                )
            step.waits_for(waits_for)
            time.sleep(_POLL_SECONDS)

    def stop(self, name: str, within_seconds: float) -> None:
        """Asks a service to end, waits, and ends it for good when it does not."""
        self.stop_all([name], within_seconds)

    def stop_all(self, names: Sequence[str], within_seconds: float) -> None:
        """Ends all of them, and forgets them: from now on nothing misses them."""
        for name in self.end_all(names, within_seconds):
            (self._run / f"{name}.json").unlink(missing_ok=True)

    def end_all(self, names: Sequence[str], within_seconds: float) -> list[str]:
        """Asks all of them to end at once, waits for all, and ends for good those that do not.

        They count as died. Returns the names of those that run no more.
        """
        running = {name: process for name in names if (process := self.find(name))}
        for process in running.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        deadline = time.monotonic() + within_seconds
        for process in running.values():
            if not self._ended(process, deadline):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        killed = time.monotonic() + _KILL_SECONDS
        return [name for name in names if name not in running or self._ended(running[name], killed)]

    def marked(self) -> list[psutil.Process]:
        """Every process of this stack, recorded or not, whoever its parent is."""
        found = []
        for process in psutil.process_iter():
            # one that has just ended, or that is another user's
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK_VARIABLE) == str(self._home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def end_strays(self) -> None:
        """Ends what was started and not recorded: its command was interrupted or killed between the two.

        Only for whoever holds the stack's lock, because another command may be between the two just now.
        """
        recorded = {process.pid for path in self._run.glob("*.json") if (process := self.find(path.stem))}
        strays = []
        for one in self.marked():
            # Flink begins commands that have ended a moment later
            with contextlib.suppress(psutil.NoSuchProcess):
                # whatever a recorded one starts carries the mark too, and so does whoever asks for this
                if one.pid != os.getpid() and recorded.isdisjoint(process.pid for process in (one, *one.parents())):
                    strays.append(one)
        for stray in strays:
            with contextlib.suppress(psutil.NoSuchProcess):
                stray.kill()
        for stray in strays:
            self._ended(stray, time.monotonic() + _KILL_SECONDS)

    def log_end(self, name: str) -> str:
        """Why a service ended, as far as its log says it in one line."""
        return reason_of_end(self.log_file(name)) or "it wrote nothing"

    def _spawn(self, service: Service) -> None:
        for folder in (self._run, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        with open_log(self.log_file(service.name)) as log:
            try:
                child = subprocess.Popen(
                    service.command,
                    env={**os.environ, **_FEW_ARENAS, **service.environment, MARK_VARIABLE: str(self._home)},
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for the command, which stops them in order
                )
            except OSError as error:
                raise StackError(
                    f"{service.title} cannot be run: {service.command[0]}: {error.strerror or error}.",
                    "Run `make setup` again; `sales-trends doctor` checks the machine.",
                ) from error
        _children[child.pid] = child
        try:
            record = self._run / f"{service.name}.json"
            partial = record.with_suffix(".tmp")
            partial.write_text(json.dumps({"pid": child.pid, "identity": identity(child.pid)}))
            partial.rename(record)
        except BaseException:
            # what nobody can find again must not run
            child.kill()
            raise

    def _ended(self, process: psutil.Process, deadline: float) -> bool:
        """Whether it has ended by the deadline; a child of ours is reaped."""
        while True:
            child = _children.get(process.pid)
            if child is not None and child.poll() is not None:
                del _children[process.pid]
                return True
            # another's child stays a zombie until its parent looks; to us it has ended
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    if time.monotonic() >= deadline:
                        return False
                    time.sleep(_POLL_SECONDS)
                    continue
            return True


def port_answers(port: int) -> bool:
    """Whether something listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
