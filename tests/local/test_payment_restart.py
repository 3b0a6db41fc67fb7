"""The payment app is ended and started again, with a small program in its place; the real one is in tests/stack."""

import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dashboard.errors import StackError
from dashboard.local import services
from dashboard.local.payment_restart import restart_payment_app
from dashboard.local.processes import ProcessTable, Service
from dashboard.narration import Step
from dashboard.settings import Settings
from tests.conftest import stack_settings

BEATS = "import pathlib, sys, time; time.sleep(0.05); pathlib.Path(sys.argv[1]).touch(); time.sleep(300)"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return stack_settings(tmp_path / "home")


@pytest.fixture
def processes(settings: Settings) -> Iterator[ProcessTable]:
    table = ProcessTable(settings.local.home)
    yield table
    table.stop(services.PAYMENT_APP, 0)


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Service:
    beat = settings.local.home / "run" / "payment-app.beat"

    def service(asked: Settings) -> Service:
        rate = {"SALES_SHOP__RATE": str(asked.shop.rate)}
        return Service(services.PAYMENT_APP, "App", [sys.executable, "-c", BEATS, str(beat)], lambda: "", rate)

    monkeypatch.setattr(services, "payment_app_service", service)
    return service(settings)


def step() -> Step:
    return Step("", Console(file=StringIO()), None)


def test_it_runs_anew_with_the_settings_that_it_was_started_with(
    settings: Settings, processes: ProcessTable, app: Service
) -> None:
    processes.launch(app)
    first = processes.find(app.name)
    assert first is not None
    slower = settings.model_copy(update={"shop": settings.shop.model_copy(update={"rate": 1.0})})
    restart_payment_app(slower, processes, step())
    again = processes.find(app.name)
    assert again is not None
    assert again.pid != first.pid
    assert again.environ()["SALES_SHOP__RATE"] == str(settings.shop.rate)
    assert (settings.local.home / "run" / "payment-app.beat").exists(), "it has shown a first sign of work"


def test_one_that_has_died_is_started(settings: Settings, processes: ProcessTable, app: Service) -> None:
    processes.launch(app)
    processes.end_all([app.name], 0)
    restart_payment_app(settings, processes, step())
    assert processes.find(app.name)


def test_where_none_was_started_none_is(settings: Settings, processes: ProcessTable, app: Service) -> None:
    with pytest.raises(StackError, match="No payment app was started"):
        restart_payment_app(settings, processes, step())
    assert processes.find(app.name) is None


def test_who_is_killed_in_the_middle_leaves_one_that_counts_as_died(
    settings: Settings, processes: ProcessTable, app: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(_service: Service) -> None:
        raise Killed

    processes.launch(app)
    monkeypatch.setattr(processes, "launch", die)
    with pytest.raises(Killed):
        restart_payment_app(settings, processes, step())
    assert processes.died(app.name), "the supervisor brings it back"
