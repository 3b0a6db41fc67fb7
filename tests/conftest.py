"""The real local stack, started once for a run: its own folder, free ports, loopback, a fast and small shop."""

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from rich.console import Console

from dashboard.lifecycle import LocalStack
from dashboard.local.processes import ProcessTable
from dashboard.local.services import SUPERVISOR
from dashboard.narration import Narrator
from dashboard.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PORTS = ("kafka_port", "kafka_controller_port", "registry_port", "flink_port", "flink_rpc_port", "gateway_port")
# a zone with an odd offset: windows must be in UTC all the same
_ZONE = "Asia/Kathmandu"

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], within_seconds: float, every_seconds: float = 0.5) -> T:
    """The first true answer of `ask`; fails with its last answer when there is none in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_seconds:.0f} s; the last answer was {answer!r}"
        time.sleep(every_seconds)


def free_ports(count: int) -> list[int]:
    """Below those that systems give connections, or one may have taken a port before its program starts."""
    with ExitStack() as sockets:
        ports: list[int] = []
        while len(ports) < count:
            port, one = random.randrange(10_240, 32_768), sockets.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
        return ports


def stack_settings(home: Path, shop: dict[str, object] | None = None, **pipeline: object) -> Settings:
    """Settings of a stack of its own: five days of history, 100 payments a second, a commit to Iceberg a second."""
    web_port, *ports = free_ports(1 + len(_PORTS))
    return load_settings(
        lake={"mirror": home / "mirror"},
        local={"home": home, **dict(zip(_PORTS, ports, strict=True))},
        web={"port": web_port},
        shop=shop or {"history": "120h", "history_payments": 5_000, "rate": 100, "payment_delay": "10s"},
        pipeline={"commit_interval": "1s", **pipeline},
    )


@contextmanager
def running_stack(settings: Settings, *, shop: bool = True, page: bool = False) -> Iterator[LocalStack]:
    """A started stack; afterwards nothing of it runs."""
    narration = StringIO()
    stack = LocalStack(settings, Narrator(Console(file=narration, width=120)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", _ZONE)
        try:
            stack.up(shop=shop, page=page)
            yield stack
        except BaseException:
            print(narration.getvalue())  # noqa: T201  # pytest shows it with the failure
            raise
        finally:
            print(stack.processes.log_end(SUPERVISOR))  # noqa: T201
            try:
                stack.down()
                left = processes_of(settings.local.home)
            finally:
                stack.kill()
    assert not left, f"processes of the stack are left over: {left}"


def processes_of(home: Path) -> list[int]:
    """Pids of all processes of the stack in this home."""
    return [process.pid for process in ProcessTable(home).marked()]


@pytest.fixture(scope="session", autouse=True)
def _java_compiles_quickly() -> Iterator[None]:
    """What lives for minutes never earns back what the optimizing compiler takes: half of a stack's start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        yield


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For a command in a process of its own: ports and a home that are nobody else's, no other setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    variables = [*(f"SALES_LOCAL__{name.upper()}" for name in _PORTS), "SALES_WEB__PORT"]
    ports = dict(zip(variables, map(str, free_ports(len(variables))), strict=True))
    return kept | ports | {"SALES_LOCAL__HOME": str(tmp_path / "home")}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with running_stack(stack_settings(tmp_path_factory.mktemp("stack") / "home")) as stack:
        yield stack


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    # only tests that look at pages need Playwright
    from tests.browser import chromium

    with chromium() as browser:
        yield browser
