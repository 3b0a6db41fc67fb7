"""A start of the dashboard makes a new admin token and tells it to a terminal alone.

Small programs stand in the place of the stack's.
"""

import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dashboard import lifecycle, login_provider
from dashboard.admin_token import current, token_file
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.jars import Classpaths
from dashboard.local.processes import Service
from dashboard.login_provider import secrets_files
from dashboard.narration import Narrator
from dashboard.settings import Settings
from tests.conftest import stack_settings


@pytest.fixture(autouse=True)
def _no_secrets_of_the_developers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(login_provider, "secrets_files", lambda: [tmp_path / "secrets.toml"])


def sleeper(name: str) -> Service:
    return Service(name, name, [sys.executable, "-c", "import time; time.sleep(300)"], lambda: "")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """One whose programs only sleep and whose pipeline is nothing."""
    stack = LocalStack(stack_settings(tmp_path / "home"), Narrator(Console(file=StringIO())))
    monkeypatch.setattr(lifecycle, "check_before_start", lambda _settings, page: None)
    monkeypatch.setattr(lifecycle, "fetch_jars", lambda _cache, _narrator: None)
    monkeypatch.setattr(
        services, "all_services", lambda _settings, _jars: {one: sleeper(one) for one in services.NAMES}
    )
    monkeypatch.setattr(services, "supervisor_service", lambda *_: sleeper(services.SUPERVISOR))
    monkeypatch.setattr(stack.deployment, "apply", lambda **_: None)
    monkeypatch.setattr(stack.deployment, "troubled", dict)
    yield stack
    stack.kill()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def said_by_up(stack: LocalStack, *, terminal: bool) -> str:
    heard = Terminal() if terminal else StringIO()
    # coloured in any case, as where FORCE_COLOR is set: that alone makes no terminal
    stack.narrator = Narrator(Console(file=heard, force_terminal=True, width=200))
    stack.up()
    return heard.getvalue()


def test_a_terminal_is_told_and_another_start_of_the_dashboard_makes_a_new_one(stack: LocalStack) -> None:
    home = stack.settings.local.home
    first = said_by_up(stack, terminal=True)
    told = current(home)
    assert f"Admin token of the dashboard: {told}" in first

    while_it_runs = said_by_up(stack, terminal=True)
    assert "token" not in while_it_runs
    assert current(home) == told

    stack.processes.stop(services.DASHBOARD, 5)
    said = said_by_up(stack, terminal=True)
    assert current(home) != told
    assert current(home) in said


def test_what_may_be_a_log_is_told_how_to_ask(stack: LocalStack) -> None:
    said = said_by_up(stack, terminal=False)

    home = stack.settings.local.home
    token = current(home)
    assert token not in said
    assert "Admin token of the dashboard: `sales-trends token` prints it" in said
    holding = [file for file in home.rglob("*") if file.is_file() and token in file.read_text(errors="replace")]
    assert holding == [token_file(home)]


def test_where_people_log_in_none_is_made(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text("[auth]\n")

    said = said_by_up(stack, terminal=True)

    assert "Until that is corrected, the dashboard shows nothing." in said
    assert not token_file(stack.settings.local.home).exists()


# what the dashboard's process is given


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Service, Settings]:
    monkeypatch.setattr(services, "compiled_interceptors", lambda _cache, _classpaths: "")
    settings = stack_settings(tmp_path / "home")
    settings = settings.model_copy(
        update={
            "web": settings.web.model_copy(update={"address": "0.0.0.0"}),  # noqa: S104
            "access": settings.access.model_copy(update={"admins": ("ada@example.com",)}),
        }
    )
    return services.all_services(settings, Classpaths("", "", ""))[services.DASHBOARD], settings


def test_no_program_is_given_who_may_do_what(dashboard: tuple[Service, Settings]) -> None:
    """Or a change of `.env` would be hidden behind the environment."""
    service, settings = dashboard
    every = [service, services.supervisor_service(settings)]

    assert [name for one in every for name in one.environment if "ACCESS" in name] == []
    assert service.environment["SALES_WEB__ADDRESS"] == "0.0.0.0"  # noqa: S104


def test_the_dashboard_looks_for_a_provider_where_the_command_does(
    dashboard: tuple[Service, Settings],
) -> None:
    service, _ = dashboard

    files = [word.partition("=")[2] for word in service.command if word.startswith("--secrets.files=")]

    assert files == [str(file) for file in secrets_files()]
    assert files


def test_on_every_address_it_is_asked_at_this_machines_own(dashboard: tuple[Service, Settings]) -> None:
    service, settings = dashboard

    assert service.address == f"http://127.0.0.1:{settings.web.port}"
    assert "--server.address=0.0.0.0" in service.command
