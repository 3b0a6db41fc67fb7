"""The token of the local user: only its owner reads it, and a new one ends the one before."""

import os
import stat
import threading
from pathlib import Path

import pytest

from dashboard.admin_token import current, is_current, renew, token_file
from dashboard.errors import AccessError
from tests.commands import one_line, run


def test_it_is_made_when_missing_and_stays(tmp_path: Path) -> None:
    token = current(tmp_path / "home")

    assert len(token) >= 43
    assert current(tmp_path / "home") == token
    assert is_current(tmp_path / "home", f" {token}\n")


def test_only_its_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        renew(tmp_path)
        first = stat.S_IMODE(token_file(tmp_path).stat().st_mode)
        token_file(tmp_path).unlink()
        current(tmp_path)
    finally:
        os.umask(before)

    assert (first, stat.S_IMODE(token_file(tmp_path).stat().st_mode)) == (0o600, 0o600)


def test_a_new_one_ends_the_one_before(tmp_path: Path) -> None:
    old = current(tmp_path)
    new = renew(tmp_path)

    assert new != old
    assert (is_current(tmp_path, old), is_current(tmp_path, new)) == (False, True)
    assert os.listdir(token_file(tmp_path).parent) == ["admin-token"]


@pytest.mark.parametrize("given", ["", " ", "wrong", "ä", "\n"])
def test_another_text_is_not_it(tmp_path: Path, given: str) -> None:
    assert not is_current(tmp_path, given)
    token = current(tmp_path)
    assert not is_current(tmp_path, given)
    assert not is_current(tmp_path, token[:-1])


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    renew(tmp_path)
    token_file(tmp_path).write_text("\n")

    assert not is_current(tmp_path, "")
    with pytest.raises(AccessError, match="holds no token"):
        current(tmp_path)


def test_whoever_makes_it_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(current(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_token_that_others_could_know_is_not_taken(tmp_path: Path) -> None:
    token = current(tmp_path)
    token_file(tmp_path).chmod(0o644)

    assert not is_current(tmp_path, token)
    with pytest.raises(AccessError, match="only its owner can read"):
        current(tmp_path)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_something_else_in_its_place_is_refused_in_words(tmp_path: Path, what: str) -> None:
    file = token_file(tmp_path)
    file.parent.mkdir()
    if what == "link":
        (tmp_path / "chosen").write_text("x" * 43)
        (tmp_path / "chosen").chmod(0o600)
        file.symlink_to(tmp_path / "chosen")
    elif what == "pipe":
        os.mkfifo(file)
        file.chmod(0o644)
    else:
        file.mkdir()

    assert not is_current(tmp_path, "x" * 43)
    with pytest.raises(AccessError) as refused:
        current(tmp_path)
    assert str(file) in refused.value.message


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    with pytest.raises(AccessError, match="cannot be kept"):
        renew(tmp_path / "home")


# the command


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment whose secrets are in the test's folder alone."""
    return environment | {"STREAMLIT_SECRETS_FILES": str(tmp_path / "secrets.toml")}


def test_the_command_prints_it_and_nothing_else(command: dict[str, str], tmp_path: Path) -> None:
    result = run(command, "token")

    assert result.returncode == 0
    assert result.stdout == f"{current(tmp_path / 'home')}\n"
    assert result.stderr == ""


def test_where_people_log_in_there_is_none(command: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text(
        "[auth]\n"
        f'redirect_uri = "https://sales.example.com/oauth2callback"\ncookie_secret = "{"c" * 32}"\n'
        'client_id = "sales"\nclient_secret = "s"\nserver_metadata_url = "https://login.example.com/openid"\n'
    )

    result = run(command, "token")

    assert (result.returncode, result.stdout) == (1, "")
    assert "There is no admin token: people log in" in one_line(result)
    assert not (tmp_path / "home").exists()


def test_with_half_a_provider_there_is_none_and_no_value_is_shown(command: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text('[auth]\nclient_secret = "hushed"\n')

    result = run(command, "token")

    assert (result.returncode, result.stdout) == (1, "")
    assert "lacks redirect_uri, cookie_secret, client_id, server_metadata_url." in one_line(result)
    assert "hushed" not in result.stderr


def test_where_others_reach_the_dashboard_admin_is_off(command: dict[str, str], tmp_path: Path) -> None:
    result = run(command | {"SALES_WEB__ADDRESS": "0.0.0.0"}, "token")  # noqa: S104

    assert (result.returncode, result.stdout) == (1, "")
    assert "Admin is off: the dashboard listens on 0.0.0.0" in one_line(result)
    assert not (tmp_path / "home").exists()
