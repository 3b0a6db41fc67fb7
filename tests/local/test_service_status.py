import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.local import services
from dashboard.local.processes import ProcessTable, Service
from dashboard.local.service_status import ServiceStatus, service_statuses
from dashboard.settings import Settings
from tests.conftest import eventually, stack_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return stack_settings(tmp_path / "home")


@pytest.fixture
def processes(settings: Settings) -> Iterator[ProcessTable]:
    processes = ProcessTable(settings.local.home)
    yield processes
    processes.stop_all(services.NAMES, 0)


def launch(processes: ProcessTable, *names: str) -> None:
    for name in names:
        command = [sys.executable, "-c", "import time; time.sleep(300)"]
        processes.launch(Service(name, name, command, lambda: ""))


def not_as_wanted(settings: Settings, processes: ProcessTable) -> list[str]:
    return [one.name for one in service_statuses(settings, processes) if not one.as_wanted]


def of(name: str, settings: Settings, processes: ProcessTable) -> ServiceStatus:
    return next(one for one in service_statuses(settings, processes) if one.name == name)


def test_shop_and_dashboard_may_be_left_out_and_nothing_else(settings: Settings, processes: ProcessTable) -> None:
    assert not_as_wanted(settings, processes) == [*services.PLATFORM, services.SUPERVISOR]
    launch(processes, *services.PLATFORM, services.SUPERVISOR)
    assert not_as_wanted(settings, processes) == []


@pytest.mark.parametrize("name", ["dashboard", "payment-app", "kafka"])
def test_one_that_ended_by_itself_is_told_from_one_that_was_stopped(
    settings: Settings, processes: ProcessTable, name: str
) -> None:
    launch(processes, name)
    running = of(name, settings, processes)
    assert (running.state, running.as_wanted) == ("running", True)
    process = processes.find(name)
    assert process is not None
    process.kill()
    eventually(lambda: processes.find(name) is None, 10, every_seconds=0.05)
    ended = of(name, settings, processes)
    assert (ended.state, ended.as_wanted, ended.pid, ended.memory_mb) == ("ended", False, None, None)
    processes.stop(name, 0)
    assert of(name, settings, processes).state == "stopped"
