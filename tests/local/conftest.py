"""The schema registry and catalog as the process that the local stack runs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed


@dataclass
class Program:
    """The real process, started and killed as often as a test likes, always over the same files."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> Path:
        """All that it printed."""
        return self.home / "said.log"

    def start(self) -> None:
        environment = os.environ | {"SALES_LOCAL__HOME": str(self.home), "SALES_LOCAL__REGISTRY_PORT": str(self.port)}
        command = [sys.executable, "-m", "dashboard.local.registry_and_catalog"]
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        self._wait_until_healthy()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @retry(retry=retry_if_exception_type(httpx.TransportError), wait=wait_fixed(0.05), stop=stop_after_delay(60))
    def _wait_until_healthy(self) -> None:
        assert httpx.get(f"{self.url}/health").json() == {"status": "ok"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = Program(tmp_path_factory.mktemp("stack"), port)
    program.start()
    yield program
    program.kill()
